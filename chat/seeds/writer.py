"""The writer: some thousand steps to a commit, beside whatever a running server writes."""

import hashlib
import uuid
from datetime import UTC, datetime
from random import Random
from typing import Any

from chat import clock, messages, people
from chat.accounts import NO_PASSWORD
from chat.db import Tx
from chat.seeds.books import Books, Line, Standing
from chat.seeds.plan import Step, Talk
from chat.seeds.words import Language, Words
from chat.sites import Site

AGENTS = (("mila@seed.invalid", "Mila"), ("jonas@seed.invalid", "Jonas"))
"""Who answers in seeded talks; nobody can sign in as one of them."""

_INSERT = {
    "persons": "INSERT INTO persons (id, site_id, name, email, created_at) VALUES (?, ?, ?, ?, ?)",
    "devices": "INSERT INTO devices (id, site_id, person_id, token_hash, user_agent, language, timezone, page_url,"
    " page_title, referrer, created_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "conversations": "INSERT INTO conversations (id, site_id, person_id, channel, started_at, closed_at, waiting_at,"
    " last_message_id, rank) VALUES (?, ?, ?, 'web', ?, ?, ?, ?, ?)",
    "messages": "INSERT INTO messages (id, conversation_id, client_id, by, agent_id, body, salt, digest, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "events": "INSERT INTO events (id, site_id, conversation_id, kind, subject, audience, by, agent_id, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "states": "INSERT INTO states (version, visitor_delivered, visitor_seen, agent_delivered, agent_seen,"
    " agent_typing_id, visitor_left_at, conversation_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
}
_UPDATE = {
    "conversations": "UPDATE conversations SET closed_at = ?, waiting_at = ?, last_message_id = ?, rank = ?"
    " WHERE id = ?",
    "states": "UPDATE states SET version = ?, visitor_delivered = ?, visitor_seen = ?, agent_delivered = ?,"
    " agent_seen = max(agent_seen, ?), agent_typing_id = ?, visitor_left_at = ? WHERE conversation_id = ?",
    "devices": "UPDATE devices SET seen_at = ? WHERE person_id = (SELECT person_id FROM conversations WHERE id = ?)",
    "agents": "UPDATE agents SET delivered = ? WHERE id = ?",
}


class Writer:
    """Writes steps down. A transaction holds whole steps only: after each the database is as people left it."""

    def __init__(self, tx: Tx, site: Site, seed: int) -> None:
        self._tx, self._site, self._chance = tx, site, Random(seed)
        self._before = tx.execute("SELECT coalesce(max(id), 0) FROM devices").fetchone()[0]
        self._words = Words(self._chance)
        self._standing: dict[Talk, Standing | None] = {}
        self.conversations = self.messages = 0
        """How many are stored."""

    def store(self, steps: list[Step]) -> None:
        """Write these steps in one transaction, all or none."""
        lines = [self._line(step) for step in steps]
        self._tx.execute("BEGIN IMMEDIATE")
        try:
            books = self._keep(lines)
            self._put(books)
            self._tx.execute("COMMIT")
        except BaseException:
            if self._tx.conn.in_transaction:  # a full disk ends it by itself
                self._tx.execute("ROLLBACK")
            raise
        self.conversations += len(books.begun)
        self.messages += len(books.rows["messages"])
        for line in lines:
            if line.step.last:
                del self._standing[line.step.talk]

    def _line(self, step: Step) -> Line:
        salt = self._chance.randbytes(16)
        client_id = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        person = self._person(step.talk.language) if step.first else None
        at = clock.text(datetime.fromtimestamp(step.at, UTC))
        return Line(step, at, client_id, salt, messages.digest(salt, step.body), person)

    def _person(self, language: Language) -> dict[str, Any]:
        name, chance = self._words.name(language), self._chance
        email = f"customer{chance.getrandbits(32):x}@example.com" if name and chance.random() < 0.5 else None
        drawn = f"{self._before} {chance.getrandbits(256)}"  # the same seed may be sown twice
        token_hash = hashlib.sha256(drawn.encode()).hexdigest()  # of a token that nobody has
        who = {"name": name or people.friendly_name(chance), "email": email, "token_hash": token_hash}
        return who | self._words.context(language)

    def _keep(self, lines: list[Line]) -> Books:
        self._leave_what_others_took({line.step.talk for line in lines})
        books = Books(self._site.id, self._agents(), self._last())
        for line in lines:
            talk = line.step.talk
            if talk not in self._standing:
                self._standing[talk] = books.begin(line)
            it = self._standing[talk]
            if it is not None:
                books.enter(it, line)
        return books

    def _leave_what_others_took(self, talks: set[Talk]) -> None:
        """A talk in which somebody else wrote meanwhile is theirs from now on."""
        query = "SELECT last_message_id, closed_at FROM conversations WHERE id = ?"
        for talk in talks:
            it = self._standing.get(talk)
            if it is not None and tuple(self._tx.execute(query, [it.id]).fetchone()) != it.stored:
                self._standing[talk] = None

    def _agents(self) -> list[int]:
        new = "INSERT INTO agents (email, name, password_hash, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self._tx.conn.executemany(new, [(*agent, NO_PASSWORD, clock.now()) for agent in AGENTS])
        query = "SELECT id FROM agents WHERE email IN (?, ?)"
        return sorted(row["id"] for row in self._tx.execute(query, [email for email, _ in AGENTS]))

    def _last(self) -> dict[str, int]:
        tables = ("persons", "devices", "conversations", "messages", "events")
        last = {table: self._tx.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0 for table in tables}
        given = self._tx.execute("SELECT name, seq FROM sqlite_sequence").fetchall()  # no number is given twice
        return last | {row["name"]: max(row["seq"], last[row["name"]]) for row in given if row["name"] in last}

    def _put(self, books: Books) -> None:
        conversations: dict[bool, list[tuple[Any, ...]]] = {True: [], False: []}
        states: dict[bool, list[tuple[Any, ...]]] = {True: [], False: []}
        version = self._tx.execute("SELECT coalesce(max(version), 0) FROM states").fetchone()[0]
        for it in books.touched.values():
            version += 1
            new = it.id in books.begun
            stand = (it.closed_at, it.waiting_at, it.last_message_id, it.rank)
            person_id, at = books.begun.get(it.id, (0, ""))
            conversations[new].append((it.id, self._site.id, person_id, at, *stand) if new else (*stand, it.id))
            marks = (it.visitor_delivered, it.visitor_seen, it.agent_delivered, it.agent_seen)
            states[new].append((version, *marks, it.agent_typing_id, it.visitor_left_at, it.id))
            it.stored = (it.last_message_id, it.closed_at)
        new = books.rows | {"conversations": conversations[True], "states": states[True]}
        old = {"conversations": conversations[False], "states": states[False]}
        old["devices"] = [(it.asked_at, it.id) for it in books.touched.values()]
        old["agents"] = [(books.last["events"], agent_id) for agent_id in books.agents]
        for table, query in _INSERT.items():
            self._tx.conn.executemany(query, new[table])
        for table, query in _UPDATE.items():
            self._tx.conn.executemany(query, old[table])
