-- What the first version kept: three conversations, thirteen messages, and the owner of tests/harness.py.
-- Frozen: a test upgrades it to whatever the tables are by now. Never change it.
-- secret.key: 2f990c28ff8af487033d6a1e77a2ae96bd0f556a28db7ad6b74d75b7dfc23cd7
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'porchlight','m001_tables','2026-11-23 05:29:13.315127+00:00');
CREATE TABLE agents (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  here_until TEXT NOT NULL DEFAULT '',       -- an inbox is open until then, unless it says so again
  delivered INTEGER NOT NULL DEFAULT 0,      -- the cursor up to which an inbox of theirs has drawn
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO "agents" VALUES(1,'ann@example.com','Ann','$argon2id$v=19$m=65536,t=3,p=4$yZ6OchT9T8DtxcIdVWzm+A$PO4FWHrBqeFjE1COa+/d8OmPPWN8nMGDlONdkvkVgvY','',0,'2026-11-23T05:29:13.880Z');
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
INSERT INTO "conversations" VALUES(1,1,1,'chat','2026-11-23T05:29:15.589Z',NULL,'2026-11-23T05:29:15.643Z',12,-999999999999997);
INSERT INTO "conversations" VALUES(2,1,2,'chat','2026-11-23T05:29:15.717Z','2026-11-23T05:29:15.869Z',NULL,5,-13);
INSERT INTO "conversations" VALUES(3,1,3,'chat','2026-11-23T05:29:15.930Z',NULL,'2026-11-23T05:29:15.931Z',13,-999999999999986);
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
INSERT INTO "devices" VALUES(1,1,1,'aca870af736ae95ae7148e3ebb3a8446b233446ee8375ec29c21af94280d1ad7','python-httpx/0.28.1','','','','','','2026-11-23T05:29:15.589Z','2026-11-23T05:29:15.861Z',NULL);
INSERT INTO "devices" VALUES(2,1,2,'99e129f5b6f1118b1811bb8de54d18880522a53738e109431f8f506d58938b13','python-httpx/0.28.1','','','','','','2026-11-23T05:29:15.717Z','2026-11-23T05:29:15.717Z',NULL);
INSERT INTO "devices" VALUES(3,1,3,'674b43a6446f57e2f4f7d2336a69ee8e2c86a325e1b455ca77b1ef1b3cfbce0a','python-httpx/0.28.1','','','','','','2026-11-23T05:29:15.930Z','2026-11-23T05:29:15.930Z',NULL);
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
INSERT INTO "events" VALUES(1,1,1,'message.posted',1,'all','visitor',NULL,'2026-11-23T05:29:15.589Z');
INSERT INTO "events" VALUES(2,1,1,'message.posted',2,'all','agent',1,'2026-11-23T05:29:15.634Z');
INSERT INTO "events" VALUES(3,1,1,'message.posted',3,'all','visitor',NULL,'2026-11-23T05:29:15.643Z');
INSERT INTO "events" VALUES(4,1,2,'message.posted',4,'all','visitor',NULL,'2026-11-23T05:29:15.717Z');
INSERT INTO "events" VALUES(5,1,2,'message.posted',5,'all','agent',1,'2026-11-23T05:29:15.745Z');
INSERT INTO "events" VALUES(6,1,1,'message.posted',6,'all','visitor',NULL,'2026-11-23T05:29:15.777Z');
INSERT INTO "events" VALUES(7,1,1,'message.posted',7,'all','visitor',NULL,'2026-11-23T05:29:15.791Z');
INSERT INTO "events" VALUES(8,1,1,'message.posted',8,'all','visitor',NULL,'2026-11-23T05:29:15.805Z');
INSERT INTO "events" VALUES(9,1,1,'message.posted',9,'all','visitor',NULL,'2026-11-23T05:29:15.821Z');
INSERT INTO "events" VALUES(10,1,1,'message.posted',10,'all','visitor',NULL,'2026-11-23T05:29:15.832Z');
INSERT INTO "events" VALUES(11,1,1,'message.posted',11,'all','visitor',NULL,'2026-11-23T05:29:15.849Z');
INSERT INTO "events" VALUES(12,1,1,'message.posted',12,'all','visitor',NULL,'2026-11-23T05:29:15.862Z');
INSERT INTO "events" VALUES(13,1,2,'conversation.closed',NULL,'all','agent',1,'2026-11-23T05:29:15.870Z');
INSERT INTO "events" VALUES(14,1,3,'message.posted',13,'all','visitor',NULL,'2026-11-23T05:29:15.930Z');
CREATE TABLE health (id INTEGER PRIMARY KEY CHECK (id = 1), checked_at TEXT NOT NULL) STRICT;
INSERT INTO "health" VALUES(1,'2026-11-23T05:29:14.935Z');
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
INSERT INTO "messages" VALUES(1,1,'29c10cf8-c5e6-4685-a414-bf25f2a3bd9b','visitor',NULL,'Do you deliver to Ghent?',X'FC045F0A258E34AAB508986B9F7E33F7','c7abe7ab69562dfaffdf48ee349c3e1b3de9bfcd42a5594d2d63b732b903727d','2026-11-23T05:29:15.589Z');
INSERT INTO "messages" VALUES(2,1,'58c33b51-5648-4293-bb70-77fbdeaf701b','agent',1,'Yes, on Tuesdays.',X'6ABDAAC4AA5A45F35DD684A611C01F4B','1d07b6a75358e44fbb2a900aa907c961cde8d64a0ffcbda7fa96418ac31d767d','2026-11-23T05:29:15.634Z');
INSERT INTO "messages" VALUES(3,1,'316d7195-5750-4e3c-b7b5-2addccacd2c9','visitor',NULL,'Lovely, thank you
and good evening 🌙',X'57C3569C5E118B60105804FF8779DF20','7b68f254c3470c89f8674bfe18532aa40426b68da55347a79426b2267ad2baca','2026-11-23T05:29:15.643Z');
INSERT INTO "messages" VALUES(4,2,'365148e1-1f9b-4ba3-86cd-99bbaf0d0cbf','visitor',NULL,'هل لديكم مقاس أكبر؟',X'39912344E58EBF1AEB6D695E2A2029EA','9a240b54b759c3305fa7d1da7f43ae7de376c3f9295cfcc08763c7ba690e7842','2026-11-23T05:29:15.717Z');
INSERT INTO "messages" VALUES(5,2,'871674d8-2337-4077-ae0b-3c01588d4ab8','agent',1,'نعم',X'CEA09A3E4A04C1A8D47615BC0903CF09','f2f869cfa620233e40c72a9393154b6ceca972d664f63fe7a1f079afaebb84cf','2026-11-23T05:29:15.745Z');
INSERT INTO "messages" VALUES(6,1,'219e8c03-5601-492e-8ed0-ff326c09e247','visitor',NULL,'and one more thing, number 1',X'65D423E08363DF3532B8C766BA447EA3','772ed2f6026a91d9120d3472b5b27d904edfd9c826cce9e55d587b19d10b02d1','2026-11-23T05:29:15.777Z');
INSERT INTO "messages" VALUES(7,1,'c7cef3d4-4041-4b26-9f20-07130a944a95','visitor',NULL,'and one more thing, number 2',X'DEC0C98ED48F0197FB5E31AAAA8E0999','a8af68b4a0039f41941c82d0b997db6a4aedbbc5f3cd4a62bed7f90b38b971d8','2026-11-23T05:29:15.791Z');
INSERT INTO "messages" VALUES(8,1,'6ad423fd-592d-41ff-a225-5d3da2a5eb0e','visitor',NULL,'and one more thing, number 3',X'60B2D09F01B6756D8FD2FF9E5C110E48','d97c130cccae180c86e597265cc29ce8889f79461566c236d29323f139e2dc64','2026-11-23T05:29:15.805Z');
INSERT INTO "messages" VALUES(9,1,'72623981-a811-48c1-8de7-977f4aa92c3a','visitor',NULL,'and one more thing, number 4',X'5F056668B3F3AC7BEA12C2B9CCA6534D','37d99d8891181471dcde3c2b946990547267f34502e0a500365ed88bf9e372db','2026-11-23T05:29:15.821Z');
INSERT INTO "messages" VALUES(10,1,'f8f79a96-1333-474e-be81-541405d91e0a','visitor',NULL,'and one more thing, number 5',X'9F03DCABA3D8E439AAB86853F0AFC9A1','b714691db348b419aae4b0bb88bf95b93d22ecbad376294bf96361e275fa52e5','2026-11-23T05:29:15.832Z');
INSERT INTO "messages" VALUES(11,1,'f5039fb7-3ef3-428a-b6e9-b9db99340a69','visitor',NULL,'and one more thing, number 6',X'175FB281FD34D15B2E3A682986EDD6EB','6f967dbab2238a6d878eedcfb1bc1d3a84489bd29f8c77aff622741d8c117645','2026-11-23T05:29:15.849Z');
INSERT INTO "messages" VALUES(12,1,'c56627ba-1671-4a46-ab1f-98d5132460b4','visitor',NULL,'and one more thing, number 7',X'DBAF9D7E46C4045776758F05A1A28842','be843a1fa160ed0b47994cecde85f09e2bd3ea5b82cfa84abc51614b37733664','2026-11-23T05:29:15.861Z');
INSERT INTO "messages" VALUES(13,3,'efaec3fe-2f2e-4629-b697-cb722771bac5','visitor',NULL,'it''s "quoted"; -- and ''tricky''',X'3763136A4B3C17ED7D1C37D9764C009F','1bec06bd3b5f949b8ccfad4b9b793f274c59e5ec878b8ae3a52ac70ad57f6403','2026-11-23T05:29:15.930Z');
CREATE TABLE persons (
  id INTEGER PRIMARY KEY,
  site_id INTEGER NOT NULL REFERENCES sites(id),
  name TEXT NOT NULL,
  email TEXT,
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO "persons" VALUES(1,1,'Sunny Lark',NULL,'2026-11-23T05:29:15.589Z');
INSERT INTO "persons" VALUES(2,1,'Bright Crane',NULL,'2026-11-23T05:29:15.717Z');
INSERT INTO "persons" VALUES(3,1,'Warm Tortoise',NULL,'2026-11-23T05:29:15.930Z');
CREATE TABLE presences (
  who TEXT NOT NULL,                         -- conversation 7, agent 1
  worker TEXT NOT NULL,                      -- each process counts its own open pages
  until TEXT NOT NULL,
  PRIMARY KEY (who, worker)
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  agent_id INTEGER NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  user_agent TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES('ed1c3d7402afe879b9843a1daf98cbe137480d2280fa28dc8c84a612ea716da9',1,'python-httpx/0.28.1','2026-11-23T05:29:15.406Z','2026-12-23T05:29:15.406Z');
CREATE TABLE setup_links (
  token_hash TEXT PRIMARY KEY,
  created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sites (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  domains TEXT NOT NULL DEFAULT '',          -- space-separated origins that may frame it; none = everybody
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO "sites" VALUES(1,'main','Chat','','2026-11-23 05:29:13');
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
INSERT INTO "states" VALUES(1,14,0,0,2,2,'','',NULL,'',NULL);
INSERT INTO "states" VALUES(2,15,0,0,5,5,'','',NULL,'',NULL);
INSERT INTO "states" VALUES(3,17,0,0,0,0,'','',NULL,'',NULL);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX sessions_agent ON sessions(agent_id);
CREATE INDEX persons_site ON persons(site_id);
CREATE INDEX devices_person ON devices(person_id);
CREATE INDEX devices_site ON devices(site_id);
CREATE INDEX conversations_person ON conversations(person_id);
CREATE INDEX conversations_open ON conversations(site_id, rank) WHERE closed_at IS NULL;
CREATE INDEX conversations_closed ON conversations(site_id, rank) WHERE closed_at IS NOT NULL;
CREATE INDEX messages_agent ON messages(agent_id);
CREATE INDEX events_conversation ON events(conversation_id, id);
CREATE INDEX events_site ON events(site_id, id);
CREATE INDEX events_by ON events(conversation_id, by, id) WHERE kind = 'message.posted';
CREATE INDEX events_subject ON events(subject) WHERE subject IS NOT NULL;
CREATE INDEX events_agent ON events(agent_id);
CREATE UNIQUE INDEX states_version ON states(version);
CREATE INDEX states_agent ON states(agent_typing_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('messages',13);
INSERT INTO "sqlite_sequence" VALUES('events',14);
COMMIT;
