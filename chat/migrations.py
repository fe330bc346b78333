"""The tables, as migrations: one function a change, applied once, in order, each in a transaction."""

import secrets
from pathlib import Path

from sqlite_utils import Database, Migrations

migrations = Migrations("porchlight")


def statements(script: str) -> list[str]:
    """The statements of a script: each ends with its line."""
    return [statement for statement in script.split(";\n") if statement.strip()]


TABLES = """
CREATE TABLE sites (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  domains TEXT NOT NULL DEFAULT '',          -- space-separated origins that may frame it; none = everybody
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE agents (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  here_until TEXT NOT NULL DEFAULT '',       -- an inbox is open until then, unless it says so again
  delivered INTEGER NOT NULL DEFAULT 0,      -- the cursor up to which an inbox of theirs has drawn
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  agent_id INTEGER NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  user_agent TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_agent ON sessions(agent_id);

CREATE TABLE setup_links (
  token_hash TEXT PRIMARY KEY,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE persons (
  id INTEGER PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES sites(id),
  name TEXT NOT NULL,
  email TEXT,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX persons_site ON persons(site_id);

CREATE TABLE devices (
  id INTEGER PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES sites(id),
  person_id INTEGER NOT NULL REFERENCES persons(id),
  token_hash TEXT NOT NULL UNIQUE,
  user_agent TEXT NOT NULL,
  language TEXT NOT NULL,
  timezone TEXT NOT NULL,
  page_url TEXT NOT NULL,
  page_title TEXT NOT NULL,
  referrer TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  revoked_at TEXT
) STRICT;
CREATE INDEX devices_person ON devices(person_id);
CREATE INDEX devices_site ON devices(site_id);

CREATE TABLE conversations (
  id INTEGER PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES sites(id),
  person_id INTEGER NOT NULL REFERENCES persons(id),
  channel TEXT NOT NULL,
  started_at TEXT NOT NULL,
  closed_at TEXT,
  waiting_at TEXT,                           -- since when the visitor waits for an answer
  last_message_id INTEGER,
  rank INTEGER NOT NULL DEFAULT 0            -- the list's order: who waits longest first, then the newest
) STRICT;
CREATE INDEX conversations_person ON conversations(person_id);
CREATE INDEX conversations_open ON conversations(site_id, rank) WHERE closed_at IS NULL;
CREATE INDEX conversations_closed ON conversations(site_id, rank) WHERE closed_at IS NOT NULL;

CREATE TABLE messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  client_id TEXT NOT NULL,
  by TEXT NOT NULL CHECK (by IN ('visitor', 'agent', 'bot', 'system')),
  agent_id INTEGER REFERENCES agents(id),
  body TEXT NOT NULL,
  salt BLOB NOT NULL,
  digest TEXT NOT NULL,                      -- sha256(salt, text): proves a transcript even after an erasure
  created_at TEXT NOT NULL,
  UNIQUE (conversation_id, client_id)
) STRICT;
CREATE INDEX messages_agent ON messages(agent_id);

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,      -- the cursor: one writer, so ids come in commit order
  site_id INTEGER NOT NULL REFERENCES sites(id),
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  kind TEXT NOT NULL,
  subject INTEGER,                           -- the message's id, for message.* kinds
  audience TEXT NOT NULL CHECK (audience IN ('all', 'agents')),
  by TEXT NOT NULL CHECK (by IN ('visitor', 'agent', 'bot', 'system')),
  agent_id INTEGER REFERENCES agents(id),
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX events_conversation ON events(conversation_id, id);
CREATE INDEX events_site ON events(site_id, id);
CREATE INDEX events_by ON events(conversation_id, by, id) WHERE kind = 'message.posted';
CREATE INDEX events_subject ON events(subject) WHERE subject IS NOT NULL;
CREATE INDEX events_agent ON events(agent_id);

CREATE TABLE states (
  conversation_id INTEGER PRIMARY KEY REFERENCES conversations(id),
  version INTEGER NOT NULL,                  -- grows with every change of any state: waiters compare it
  visitor_delivered INTEGER NOT NULL DEFAULT 0,
  visitor_seen INTEGER NOT NULL DEFAULT 0,
  agent_delivered INTEGER NOT NULL DEFAULT 0,
  agent_seen INTEGER NOT NULL DEFAULT 0,
  visitor_typing_until TEXT NOT NULL DEFAULT '',
  agent_typing_until TEXT NOT NULL DEFAULT '',
  agent_typing_id INTEGER REFERENCES agents(id),
  visitor_here_until TEXT NOT NULL DEFAULT '',
  visitor_left_at TEXT
) STRICT;
CREATE UNIQUE INDEX states_version ON states(version);
CREATE INDEX states_agent ON states(agent_typing_id);

CREATE TABLE presences (
  who TEXT NOT NULL,                         -- conversation 7, agent 1
  worker TEXT NOT NULL,                      -- each process counts its own open pages
  until TEXT NOT NULL,
  PRIMARY KEY (who, worker)
) STRICT, WITHOUT ROWID;

CREATE TABLE health (id INTEGER PRIMARY KEY CHECK (id = 1), checked_at TEXT NOT NULL) STRICT;
"""


@migrations()
def m001_tables(db: Database) -> None:
    """Everything of step one, and the first site."""
    for statement in statements(TABLES):
        db.execute(statement)
    db.execute("INSERT INTO sites (key, name, created_at) VALUES ('main', 'Chat', datetime('now'))")
    db.execute("INSERT INTO health (id, checked_at) VALUES (1, datetime('now'))")


@migrations()
def m002_secrets(db: Database) -> None:
    """The signing key: that of the file in which the first version kept it, or a new one."""
    db.execute("CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID")
    file = Path(db.execute("PRAGMA database_list").fetchone()["file"]).with_name("secret.key")
    key = file.read_bytes() if file.exists() else secrets.token_bytes(32)
    db.execute("INSERT INTO secrets (name, value) VALUES ('signing', ?)", [key])


INDEXES = """
CREATE INDEX states_here ON states(conversation_id) WHERE visitor_here_until <> '';
CREATE INDEX sessions_expiry ON sessions(expires_at);
DROP INDEX devices_person;
CREATE INDEX devices_person ON devices(person_id, seen_at);
"""


@migrations()
def m003_indexes(db: Database) -> None:
    """No statement reads a whole table that grows: the start, the sign-in, a person's last device."""
    for statement in statements(INDEXES):
        db.execute(statement)


DOORS = """
ALTER TABLE conversations ADD COLUMN subject TEXT NOT NULL DEFAULT '';
UPDATE conversations SET channel = 'web' WHERE channel = 'chat';
ALTER TABLE messages ADD COLUMN channel TEXT NOT NULL DEFAULT 'web';
ALTER TABLE messages ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN failure TEXT NOT NULL DEFAULT '';

CREATE TABLE options (                       -- what the owner set on a page; the environment's word goes before it
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (                       -- how far each handler of a feature has come in `events`
  name TEXT PRIMARY KEY,
  event_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (                    -- what is to go out over the network
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sender TEXT NOT NULL,                      -- who sends it: mail, push, telegram, ...
  key TEXT NOT NULL,                         -- what it is about: one that was not tried yet takes in what comes after
  conversation_id INTEGER REFERENCES conversations(id),
  agent_id INTEGER REFERENCES agents(id),
  about TEXT NOT NULL DEFAULT '{}',          -- references, as JSON; never text
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'dropped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT '',
  created_at TEXT NOT NULL,
  done_at TEXT
) STRICT;
CREATE UNIQUE INDEX deliveries_key ON deliveries(sender, key) WHERE state = 'waiting' AND attempts = 0;
CREATE INDEX deliveries_due ON deliveries(sender, next_at) WHERE state = 'waiting';
CREATE INDEX deliveries_sending ON deliveries(sender) WHERE state = 'sending';
CREATE INDEX deliveries_shown ON deliveries(sender, state, id);
CREATE INDEX deliveries_done ON deliveries(done_at) WHERE done_at IS NOT NULL;
CREATE INDEX deliveries_conversation ON deliveries(conversation_id);
CREATE INDEX deliveries_agent ON deliveries(agent_id);

CREATE TABLE doors (                         -- where a visitor is reached, by each channel but the web
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  channel TEXT NOT NULL,                     -- mail, telegram, hook
  address TEXT NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0,           -- the event up to which answers have gone out by this door
  PRIMARY KEY (conversation_id, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX doors_address ON doors(channel, address);

CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,                -- 192 random bits: its address, and its name on the disk
  site_id INTEGER NOT NULL REFERENCES sites(id),
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  message_id INTEGER NOT NULL REFERENCES messages(id),
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX files_site ON files(site_id, size);
CREATE INDEX files_conversation ON files(conversation_id, size);
CREATE INDEX files_message ON files(message_id);

CREATE TABLE mail_threads (                  -- who writes to local+token@domain speaks in that conversation
  token TEXT PRIMARY KEY,
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  agent_id INTEGER REFERENCES agents(id),    -- as that agent; NULL: as the visitor
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_threads_conversation ON mail_threads(conversation_id, agent_id);
CREATE INDEX mail_threads_agent ON mail_threads(agent_id);

CREATE TABLE mail_letters (                  -- every mail that came or went, without its text
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  message_id TEXT NOT NULL,                  -- its Message-ID, without brackets
  conversation_id INTEGER REFERENCES conversations(id),
  message INTEGER REFERENCES messages(id),   -- in: what it became; out: the last message that it carries
  delivery_id INTEGER REFERENCES deliveries(id),
  kind TEXT NOT NULL,                        -- in: answer, new, automatic, bounce, refused; out: answer, alert, ...
  address TEXT NOT NULL,                     -- the other side's
  subject TEXT NOT NULL,
  note TEXT NOT NULL DEFAULT '',             -- why it was refused, or what became of it
  created_at TEXT NOT NULL,
  UNIQUE (direction, message_id)
) STRICT;
CREATE INDEX mail_letters_shown ON mail_letters(direction, id);
CREATE INDEX mail_letters_conversation ON mail_letters(conversation_id, id);
CREATE INDEX mail_letters_message ON mail_letters(message);
CREATE INDEX mail_letters_delivery ON mail_letters(delivery_id);

CREATE TABLE mailboxes (                     -- how far each IMAP mailbox was read
  name TEXT PRIMARY KEY,                     -- user@host/folder
  uid_validity INTEGER NOT NULL,
  uid INTEGER NOT NULL,                      -- the last one that was taken in
  looked_at TEXT NOT NULL,
  error TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE push_devices (                  -- browsers that an agent is called on
  id INTEGER PRIMARY KEY,
  agent_id INTEGER NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  endpoint TEXT NOT NULL UNIQUE,
  p256dh TEXT NOT NULL,
  auth TEXT NOT NULL,
  name TEXT NOT NULL,
  session_hash TEXT NOT NULL,                -- who signs out there is called there no more
  created_at TEXT NOT NULL,
  success_at TEXT,
  error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX push_devices_agent ON push_devices(agent_id);
CREATE TRIGGER push_devices_end AFTER DELETE ON sessions WHEN old.expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
BEGIN
  DELETE FROM push_devices WHERE agent_id = old.agent_id AND (session_hash = old.token_hash
    OR NOT EXISTS (SELECT 1 FROM sessions s WHERE s.agent_id = old.agent_id)); END;

CREATE TABLE alert_plans (                   -- how an agent wants to be called; no row: the defaults
  agent_id INTEGER PRIMARY KEY REFERENCES agents(id) ON DELETE CASCADE,
  first INTEGER NOT NULL DEFAULT 1,          -- 0: called only when a colleague's time is over
  show_text INTEGER NOT NULL DEFAULT 1,      -- 0: "New message" only
  sound INTEGER NOT NULL DEFAULT 1,
  mail_after INTEGER DEFAULT 5,              -- minutes unseen; NULL: no mail
  next_agent_id INTEGER REFERENCES agents(id),
  next_after INTEGER NOT NULL DEFAULT 15,    -- minutes unseen until that colleague is called
  quiet_from TEXT NOT NULL DEFAULT '',       -- 22:00 in their own time; empty: no quiet hours
  quiet_to TEXT NOT NULL DEFAULT '',
  timezone TEXT NOT NULL DEFAULT '',
  digest TEXT NOT NULL DEFAULT '',           -- 08:00 in their own time: a daily list of what waits; empty: none
  digested_on TEXT NOT NULL DEFAULT ''       -- the day of the last one
) STRICT;
CREATE INDEX alert_plans_next ON alert_plans(next_agent_id);

CREATE TABLE telegram_topics (               -- the forum topic in which the owner answers a conversation
  conversation_id INTEGER PRIMARY KEY REFERENCES conversations(id),
  chat TEXT NOT NULL,
  topic INTEGER NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0            -- the event up to which it was told there
) STRICT;
CREATE UNIQUE INDEX telegram_topics_place ON telegram_topics(chat, topic);
"""


@migrations()
def m004_doors(db: Database) -> None:
    """What calls the owner, and the ways beside the web: mail, push, files, whatever a feature brings."""
    for statement in statements(DOORS):
        db.execute(statement)


SITES = """
ALTER TABLE sites ADD COLUMN removed_at TEXT;
ALTER TABLE sites ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE site_options (                  -- what the owner set for one site, by name
  site_id INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (site_id, name)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER site_options_put AFTER INSERT ON site_options BEGIN
  UPDATE sites SET version = version + 1 WHERE id = new.site_id; END;
CREATE TRIGGER site_options_gone AFTER DELETE ON site_options BEGIN
  UPDATE sites SET version = version + 1 WHERE id = old.site_id; END;

CREATE TABLE site_pages (                    -- where the tag was seen, and when last
  site_id INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  origin TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  PRIMARY KEY (site_id, origin)
) STRICT, WITHOUT ROWID;

CREATE INDEX site_pages_seen ON site_pages(site_id, seen_at);

DROP INDEX conversations_open;
DROP INDEX conversations_closed;
CREATE INDEX conversations_open ON conversations(rank) WHERE closed_at IS NULL;
CREATE INDEX conversations_closed ON conversations(rank) WHERE closed_at IS NOT NULL;
CREATE INDEX conversations_site ON conversations(site_id)
"""


@migrations()
def m005_sites(db: Database) -> None:
    """Several sites, each with its own look, hours and words; the inbox shows those of all."""
    for statement in statements(SITES):
        db.execute(statement)


KEEPING = """
CREATE INDEX deliveries_about ON deliveries(agent_id, sender, key, id) WHERE state <> 'dropped';
CREATE INDEX deliveries_reached ON deliveries(agent_id, sender, id) WHERE state = 'sent';

CREATE TABLE letters_kept (                  -- as mail_letters was, without the delivery that nothing asked for
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  message_id TEXT NOT NULL,                  -- its Message-ID, without brackets
  conversation_id INTEGER REFERENCES conversations(id),
  message INTEGER REFERENCES messages(id),   -- in: what it became; out: the last message that it carries
  kind TEXT NOT NULL,                        -- in: answer, new, automatic, bounce, refused; out: answer, alert, ...
  address TEXT NOT NULL,                     -- the other side's
  subject TEXT NOT NULL,
  note TEXT NOT NULL DEFAULT '',             -- why it was refused, or what became of it
  created_at TEXT NOT NULL,
  UNIQUE (direction, message_id)
) STRICT;
INSERT INTO letters_kept SELECT id, direction, message_id, conversation_id, message, kind, address, subject, note,
  created_at FROM mail_letters;
DROP TABLE mail_letters;
ALTER TABLE letters_kept RENAME TO mail_letters;
CREATE INDEX mail_letters_shown ON mail_letters(direction, id);
CREATE INDEX mail_letters_conversation ON mail_letters(conversation_id, id);
CREATE INDEX mail_letters_message ON mail_letters(message);

ALTER TABLE files ADD COLUMN audience TEXT NOT NULL DEFAULT 'all';
UPDATE files SET audience = 'agents' WHERE name = 'Whole message.txt';

CREATE TABLE file_sums (                     -- how many bytes of files a site keeps: no sum over all of them each time
  site_id INTEGER PRIMARY KEY REFERENCES sites(id) ON DELETE CASCADE,
  size INTEGER NOT NULL
) STRICT;
INSERT INTO file_sums SELECT site_id, sum(size) FROM files GROUP BY site_id;
CREATE TRIGGER file_sums_more AFTER INSERT ON files BEGIN
  INSERT INTO file_sums VALUES (new.site_id, new.size) ON CONFLICT DO UPDATE SET size = size + new.size; END;
CREATE TRIGGER file_sums_less AFTER DELETE ON files BEGIN
  UPDATE file_sums SET size = size - old.size WHERE site_id = old.site_id; END;
DROP INDEX files_site;
CREATE INDEX files_site ON files(site_id)
"""


@migrations()
def m006_keeping(db: Database) -> None:
    """What is kept about deliveries, letters and files can grow without making anything slower."""
    for statement in statements(KEEPING):
        db.execute(statement)


HOURS = """
ALTER TABLE conversations ADD COLUMN topic TEXT NOT NULL DEFAULT '';
CREATE INDEX conversations_topic ON conversations(topic, rank) WHERE closed_at IS NULL;
CREATE INDEX conversations_topic_closed ON conversations(topic, rank) WHERE closed_at IS NOT NULL;

CREATE TABLE form_answers (                  -- what somebody said on the form before their first message
  person_id INTEGER NOT NULL REFERENCES persons(id) ON DELETE CASCADE,
  field INTEGER NOT NULL,                    -- its number in that site's form; 0: the topic
  kind TEXT NOT NULL,
  label TEXT NOT NULL,                       -- as it was asked then
  value TEXT NOT NULL,
  answered_at TEXT NOT NULL,
  PRIMARY KEY (person_id, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE reply_times (                   -- how many answers took how long, by the hour at which they were asked for
  site_id INTEGER NOT NULL REFERENCES sites(id) ON DELETE CASCADE,
  hour INTEGER NOT NULL,                     -- of the week, from Monday 0:00 in the site's time zone: 0 to 167
  minutes INTEGER NOT NULL,                  -- at most so many: one of a few steps
  answers INTEGER NOT NULL,
  PRIMARY KEY (site_id, hour, minutes)
) STRICT, WITHOUT ROWID
"""


@migrations()
def m007_hours(db: Database) -> None:
    """Home or away: topics, what visitors answer before they write, and how long answers take."""
    for statement in statements(HOURS):
        db.execute(statement)


PRIVACY = """
ALTER TABLE persons ADD COLUMN blocked_at TEXT;
ALTER TABLE persons ADD COLUMN held_at TEXT;
ALTER TABLE persons ADD COLUMN held_why TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN used_at TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN suspected_at TEXT;
ALTER TABLE conversations ADD COLUMN suspicion TEXT NOT NULL DEFAULT '';
ALTER TABLE conversations ADD COLUMN trusted_at TEXT;

CREATE TABLE erasures (                      -- what was erased: that, when and how much, never whose
  id INTEGER PRIMARY KEY,
  receipt TEXT NOT NULL UNIQUE,              -- the number on the visitor's receipt
  site_id INTEGER NOT NULL REFERENCES sites(id),
  person_id INTEGER REFERENCES persons(id),  -- only as long as a hold puts it off
  by TEXT NOT NULL CHECK (by IN ('visitor', 'agent', 'retention')),
  conversations INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  files INTEGER NOT NULL DEFAULT 0,
  asked_at TEXT NOT NULL,
  done_at TEXT
) STRICT;
CREATE INDEX erasures_site ON erasures(site_id, id);
CREATE INDEX erasures_person ON erasures(person_id) WHERE person_id IS NOT NULL;

CREATE TABLE reads (                         -- which agent has opened which conversation, if the owner wants that noted
  id INTEGER PRIMARY KEY,
  agent_id INTEGER NOT NULL REFERENCES agents(id),
  conversation_id INTEGER NOT NULL,          -- no reference: it stays noted when the conversation is erased
  what TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX reads_agent ON reads(agent_id, id);
CREATE INDEX reads_conversation ON reads(conversation_id, id);
CREATE INDEX reads_created ON reads(created_at);

CREATE INDEX persons_blocked ON persons(site_id, blocked_at) WHERE blocked_at IS NOT NULL;
CREATE INDEX devices_address ON devices(address) WHERE address <> '';
CREATE INDEX mail_letters_address ON mail_letters(address) WHERE conversation_id IS NULL
"""


@migrations()
def m008_privacy(db: Database) -> None:
    """Erasing and its receipts, holds, who read what, blocked visitors, suspicious conversations."""
    for statement in statements(PRIVACY):
        db.execute(statement)


IDENTITY = """
ALTER TABLE persons ADD COLUMN external_id TEXT;
ALTER TABLE persons ADD COLUMN proven_at TEXT;
CREATE UNIQUE INDEX persons_external ON persons(site_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE facts (                         -- what the site's code told of its visitor; it proves nothing
  person_id INTEGER NOT NULL REFERENCES persons(id) ON DELETE CASCADE,
  kind TEXT NOT NULL,                        -- user, attribute, tag
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  told_at TEXT NOT NULL,
  PRIMARY KEY (person_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE acts (                          -- what the visitor did on the site, as its code told
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  person_id INTEGER NOT NULL REFERENCES persons(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  about TEXT NOT NULL,
  created_at TEXT NOT NULL
) STRICT;
CREATE INDEX acts_person ON acts(person_id, id)
"""


@migrations()
def m009_identity(db: Database) -> None:
    """Who a visitor is at the site: proven by its signed token, or told by its code."""
    for statement in statements(IDENTITY):
        db.execute(statement)


PICTURES = """
CREATE TABLE pictures (                      -- logos and faces, as they go out
  digest TEXT PRIMARY KEY,                   -- of the content, which is its name
  content BLOB NOT NULL,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX pictures_old ON pictures(created_at);
ALTER TABLE agents ADD COLUMN picture TEXT NOT NULL DEFAULT ''
"""


@migrations()
def m010_pictures(db: Database) -> None:
    """Pictures that an owner chose for the chat."""
    for statement in statements(PICTURES):
        db.execute(statement)


@migrations()
def m011_owners_languages(db: Database) -> None:
    """The language in which an owner reads, if they chose one."""
    db.execute("ALTER TABLE agents ADD COLUMN language TEXT NOT NULL DEFAULT ''")
