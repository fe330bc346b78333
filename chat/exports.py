"""The export: everything that people said and who they are, as JSON Lines that any program can read.

docs/data.md describes the lines. What opens doors (password and token hashes, keys) and what only lives for minutes
(typing, presence) is left out.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from chat import __version__, clock, copies, folder, schema
from chat.copies import Tell
from chat.db import connect

SCHEMA = 1
_EVERY = 1000  # lines between two words about how far it is

QUERIES = {
    "site": "SELECT id, key, name, domains, created_at, removed_at FROM sites ORDER BY id",
    "agent": "SELECT id, email, name, created_at FROM agents ORDER BY id",
    "person": (
        "SELECT id, site_id, name, email, external_id, proven_at, blocked_at, held_at, held_why, created_at"
        " FROM persons ORDER BY id"
    ),
    "device": (
        "SELECT id, site_id, person_id, user_agent, language, timezone, page_url, page_title, referrer, address,"
        " created_at, seen_at, revoked_at FROM devices ORDER BY id"
    ),
    "conversation": (
        "SELECT c.id, c.site_id, c.person_id, c.channel, c.subject, c.topic, c.started_at, c.closed_at, c.waiting_at,"
        " c.suspected_at, c.suspicion, c.trusted_at,"
        " coalesce(s.visitor_delivered, 0) AS visitor_delivered, coalesce(s.visitor_seen, 0) AS visitor_seen,"
        " coalesce(s.agent_delivered, 0) AS agent_delivered, coalesce(s.agent_seen, 0) AS agent_seen"
        " FROM conversations c LEFT JOIN states s ON s.conversation_id = c.id ORDER BY c.id"
    ),
    "message": (
        "SELECT id, conversation_id, client_id, by, agent_id, body, lower(hex(salt)) AS salt, digest, channel, failure,"
        " created_at FROM messages ORDER BY id"
    ),
    "form_answer": (
        "SELECT person_id, field, kind, label, value, answered_at FROM form_answers ORDER BY person_id, field"
    ),
    "fact": "SELECT person_id, kind, name, value, told_at FROM facts ORDER BY person_id, kind, name",
    "act": "SELECT id, person_id, name, about, created_at FROM acts ORDER BY id",
    "door": "SELECT conversation_id, channel, address, sent FROM doors ORDER BY conversation_id, channel",
    "file": (
        "SELECT id, site_id, conversation_id, message_id, token, name, type AS mime, size, audience, created_at"
        " FROM files ORDER BY id"
    ),
    "event": (
        "SELECT id, site_id, conversation_id, kind, subject, audience, by, agent_id, created_at FROM events ORDER BY id"
    ),
}
"""Each type of line, in the order in which they come."""


def lines(database: Path, tell: Tell = copies.silent) -> Iterator[str]:
    """Every line of the export, from one instant of a database that may be in use; flat in memory.

    Raises UnusableDatabase when it can't be read, or is newer than this program.
    """
    with copies.explained(database), closing(connect(database, readonly=True)) as rx:
        rx.execute("BEGIN")
        found = copies.contents(rx)
        schema.refuse_newer(found.migrations)
        tables = {f"{kind}s": kind for kind in QUERIES}
        counts = {table: rx.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
        total, done = sum(counts.values()), 0
        yield _line({"type": "export", "schema": SCHEMA, "version": __version__, "made_at": clock.now()} | counts)
        for kind, query in QUERIES.items():
            for row in rx.execute(query):
                done += 1
                if done % _EVERY == 0 or done == total:
                    tell("Exporting", done, total)
                yield _line({"type": kind, **dict(row)})
        yield _line({"type": "end", "lines": total + 2})


def write(database: Path, target: Path, tell: Tell = copies.silent) -> int:
    """Write the export to a file, which appears whole or not at all; returns the number of lines.

    Raises NoRoom when the disk is full, OSError when the place can't be written to.
    """
    with copies.explained(target), TemporaryDirectory(prefix=".porchlight-", dir=target.parent) as place:
        made = Path(place) / "export.jsonl"
        with made.open("w", encoding="utf-8", newline="\n") as file:
            count = sum(1 for line in lines(database, tell) if file.write(line))
        made.chmod(0o600)
        folder.sync(made)
        made.replace(target)
        folder.sync(target.parent)
    return count


def _line(said: dict[str, object]) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"
