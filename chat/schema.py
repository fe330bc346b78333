"""The tables, as migrations: one function a change, applied once, in order, each in a transaction."""

import secrets
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database, Migrations
from sqlite_utils.utils import sqlite3

from chat import __version__, copies, events, snapshots
from chat.copies import Tell, UnusableDatabase
from chat.db import connect
from chat.snapshots import Snapshot

migrations = Migrations("porchlight")

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
    for statement in TABLES.split(";\n"):
        if statement.strip():
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
    for statement in INDEXES.strip().splitlines():
        db.execute(statement)


class NewerDatabase(UnusableDatabase):
    """The file was written by a newer Porchlight: this one would harm it, so it does not start."""


def names() -> list[str]:
    """Every migration that is known here, in order."""
    return [migration.name for migration in migrations.pending(Database(memory=True))]


def refuse_newer(applied: Iterable[str]) -> None:
    """Raise NewerDatabase when one of these migrations is unknown here."""
    unknown = sorted(set(applied) - set(names()))
    if unknown:
        raise NewerDatabase(
            f"The database was last used by a newer Porchlight (it has the change {unknown[0]!r}, unknown here)."
            " Start that version, or restore a backup made by this one."
        )


def migrate(db: Database) -> None:
    """Bring the file up to date, and stamp our version on it. Raises NewerDatabase when it holds a migration
    unknown here, UnusableDatabase when one fails: that one is undone."""
    refuse_newer(migration.name for migration in migrations.applied(db))
    try:
        migrations.apply(db)
    except sqlite3.Error as error:
        failed = migrations.pending(db)[0].name
        raise UnusableDatabase(
            f"The change {failed} failed ({error}), and was undone. Run `rollback`, and start the version before."
        ) from None
    begin_anew(db)
    if copies.version_of(db) != __version__:
        db.execute(f"PRAGMA user_version = {copies.stamp(__version__)}")


def begin_anew(db: Database) -> None:
    """A copy that becomes the live database leaves room in its numbers, once."""
    if db.execute("PRAGMA application_id").fetchone()[0] == copies.MARK:
        with db.atomic():
            events.leave_room(db)
            db.execute("PRAGMA application_id = 0")


def prepare(path: Path, tell: Tell = copies.silent) -> Snapshot | None:
    """Make the file, or bring it up to date; before that, keep a snapshot, which is returned.

    Raises UnusableDatabase when it is newer, or no database at all, or when a change fails; NoRoom when the disk is
    too full for the snapshot. The file is then as it was.
    """
    advice = "Move it away, or restore a backup in its place."
    with snapshots.turn(path.parent), copies.explained(path, advice), closing(connect(path)) as db:
        applied = [migration.name for migration in migrations.applied(db)]
        refuse_newer(applied)
        late = migrations.pending(db) if applied else []
        snapshot = snapshots.take(path, tell) if late else None
        migrate(db)
        return snapshot
