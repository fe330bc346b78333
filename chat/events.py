"""Events: at once the cursor, the live stream, the outbox and the audit trail.

An event holds references, never text: an edit is idempotent, a deletion leaves no copy. `since` is the
one query behind page, socket, poll and the sender's own answer.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from chat import clock
from chat.db import Tx
from chat.languages import ENGLISH

Audience = Literal["all", "agents"]
By = Literal["visitor", "agent", "bot", "system"]
KINDS = (
    "message.posted",
    "message.undelivered",
    "message.delivered",
    "conversation.closed",
    "conversation.reopened",
    "conversation.erased",
)

BATCH = 200  # events, at most, in one batch
ROOM = 1_000_000  # numbers left free after a restore: more than any time that is lost can have used
FAR_BEHIND = 5000  # events of its own conversation: further behind, a cursor gets a reset


class Feed(NamedTuple):
    """What a reader may see: one conversation of one site, or (agents, both None) all of every site."""

    site_id: int | None
    conversation_id: int | None
    audience: Audience
    language: str = ENGLISH
    """In which it is drawn for them."""


class Event(NamedTuple):
    """An event with what its kind refers to, as it stands now. Hashable: the render cache's key."""

    id: int
    conversation_id: int
    kind: str
    by: str
    author: str
    created_at: str
    message_id: int | None
    client_id: str | None
    body: str | None
    site_id: int = 0
    agent_id: int | None = None
    channel: str | None = "web"
    """By which door the message came."""
    failure: str | None = ""
    """Why the message did not reach the visitor by its door; empty when nothing is known to be wrong."""
    attached: str | None = None
    """The message's files, as JSON; None when it has none."""
    suspected: int = 0
    """1: it happened in a suspicious conversation, which is to call nobody."""

    @property
    def files(self) -> list[dict[str, Any]]:
        """The message's files: token, name, type, size, audience."""
        return json.loads(self.attached) if self.attached else []

    @property
    def shown_files(self) -> list[dict[str, Any]]:
        """Those of them that the visitor is shown."""
        return [file for file in self.files if file["audience"] == "all"]


_SELECT = """
SELECT e.id, e.conversation_id, e.kind, e.by, CASE e.by WHEN 'visitor' THEN p.name ELSE coalesce(a.name, '') END,
       e.created_at, m.id, m.client_id, m.body, e.site_id, e.agent_id, m.channel, m.failure,
       CASE WHEN m.files THEN (SELECT json_group_array(json_object('token', f.token, 'name', f.name, 'type', f.type,
        'size', f.size, 'audience', f.audience)) FROM files f WHERE f.message_id = m.id) END, c.suspected_at IS NOT NULL
FROM events e
JOIN conversations c ON c.id = e.conversation_id
JOIN persons p ON p.id = c.person_id
LEFT JOIN messages m ON m.id = e.subject
LEFT JOIN agents a ON a.id = e.agent_id
"""


def append(
    tx: Tx,
    site_id: int,
    conversation_id: int,
    kind: str,
    by: By,
    *,
    subject: int | None = None,
    agent_id: int | None = None,
    audience: Audience = "all",
) -> int:
    """Record that something happened, in the transaction in which it happened; returns the cursor."""
    assert kind in KINDS, kind
    values = [site_id, conversation_id, kind, subject, audience, by, agent_id, clock.now()]
    columns = "site_id, conversation_id, kind, subject, audience, by, agent_id, created_at"
    row = tx.execute(f"INSERT INTO events ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return int(row.lastrowid)


def _scope(feed: Feed) -> tuple[str, list[object]]:
    if feed.audience == "agents":
        return ("e.id > 0", []) if feed.conversation_id is None else ("e.conversation_id = ?", [feed.conversation_id])
    # `+` keeps the planner on the conversation's index: a site's events grow without end
    scope = "e.conversation_id = ? AND +e.site_id = ? AND e.audience = 'all'"
    return scope, [feed.conversation_id, feed.site_id]


def _fetch(rx: Tx, where: str, values: list[object]) -> list[Event]:
    return [Event(*row) for row in rx.execute(_SELECT + where, values).fetchall()]


def since(rx: Tx, feed: Feed, cursor: int, limit: int = BATCH) -> list[Event]:
    """The events after the cursor, oldest first, at most `limit`."""
    scope, values = _scope(feed)
    return _fetch(rx, f"WHERE {scope} AND e.id > ? ORDER BY e.id LIMIT ?", [*values, cursor, limit])


def after(rx: Tx, cursor: int, limit: int) -> list[Event]:
    """The events of any site after the cursor, oldest first: for what follows everything."""
    return _fetch(rx, "WHERE e.id > ? ORDER BY e.id LIMIT ?", [cursor, limit])


def answers(rx: Tx, conversation_id: int, cursor: int, limit: int = BATCH) -> list[Event]:
    """What was answered to the visitor after the cursor, oldest first."""
    # `+` as above: with `by` the planner would take another index, and sort
    where = "WHERE e.conversation_id = ? AND e.id > ? AND e.kind = 'message.posted' AND +e.by IN ('agent', 'bot')"
    return _fetch(rx, f"{where} AND e.audience = 'all' ORDER BY e.id LIMIT ?", [conversation_id, cursor, limit])


def before(rx: Tx, feed: Feed, event_id: int | None, limit: int) -> list[Event]:
    """The last `limit` events before that event (None: of all), oldest first."""
    scope, values = _scope(feed)
    if event_id is not None:
        scope, values = f"{scope} AND e.id < ?", [*values, event_id]
    return _fetch(rx, f"WHERE {scope} ORDER BY e.id DESC LIMIT ?", [*values, limit])[::-1]


def latest(rx: Tx, feed: Feed) -> int:
    """The cursor of a reader who has seen everything; 0 when there is nothing."""
    scope, values = _scope(feed)
    row = rx.execute(f"SELECT max(e.id) FROM events e WHERE {scope}", values).fetchone()
    return row[0] or 0


def needs_reset(rx: Tx, feed: Feed, cursor: int) -> bool:
    """Whether the cursor is unknown (a restored or pruned database) or too far behind. 0 never is."""
    if cursor == 0:
        return False
    scope, values = _scope(feed)
    known = rx.execute(f"SELECT 1 FROM events e WHERE {scope} AND e.id = ?", [*values, cursor]).fetchone()
    if known is None:
        return True
    # counted in the index alone: with the rest of the scope each event would be fetched (2.9 ms, not 0.1)
    here = "1" if not values else "conversation_id = ?"
    behind = f"SELECT 1 FROM events WHERE {here} AND id > ? ORDER BY id LIMIT 1 OFFSET ?"
    return rx.execute(behind, [*values[:1], cursor, FAR_BEHIND]).fetchone() is not None


def ends_a_page(rx: Tx, feed: Feed, cursor: int) -> bool:
    """Whether this is the last event of a page of BATCH, counted from the first one: where somebody stands who reads
    everything from 0. Counts what lies before: for cursors that are of no other use."""
    scope, values = _scope(feed)
    row = rx.execute(f"SELECT count(*), max(e.id) FROM events e WHERE {scope} AND e.id <= ?", [*values, cursor])
    count, last = row.fetchone()
    return last == cursor and count % BATCH == 0


def of_message(rx: Tx, feed: Feed, message_id: int) -> int | None:
    """The event that posted that message, if this reader may see it."""
    scope, values = _scope(feed)
    found = f"SELECT e.id FROM events e WHERE {scope} AND e.subject = ? AND e.kind = 'message.posted'"
    row = rx.execute(found, [*values, message_id]).fetchone()
    return row[0] if row else None


def last_messages(
    rx: Tx, conversation_ids: Iterable[int], by: By, *, up_to: int = 2**62, limit: int
) -> dict[int, list[tuple[int, int]]]:
    """(event id, message id) of the last messages of one side, up to that cursor, of each conversation."""
    query = (
        "SELECT c.value, e.id, e.subject FROM json_each(?) c JOIN events e ON e.id IN"
        " (SELECT id FROM events WHERE conversation_id = c.value AND id <= ? AND by = ? AND kind = 'message.posted'"
        " ORDER BY id DESC LIMIT ?)"
    )
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for conversation_id, event_id, message_id in rx.execute(query, [json.dumps([*conversation_ids]), up_to, by, limit]):
        found[conversation_id].append((event_id, message_id))
    return found


def newest(rx: Tx) -> int:
    """The last event of any site."""
    return rx.execute("SELECT max(id) FROM events").fetchone()[0] or 0


def changed_since(rx: Tx, cursor: int) -> set[int]:
    """The conversations in which something happened after the cursor, on any site: who to wake."""
    query = "SELECT conversation_id FROM events WHERE id > ?"  # DISTINCT would read all of an index instead
    return {row[0] for row in rx.execute(query, [cursor])}


def leave_room(tx: Tx) -> None:
    """After a restore: what comes next gets numbers far above all that browsers may have seen of the time that is
    lost, so that an old cursor stays unknown (and is reset) instead of hiding new events.

    The clock counts in milliseconds, faster than events come in for long: the same backup restored twice never gives
    the same numbers again. Where the clock is wrong, ROOM is left all the same.
    """
    for table in ("events", "messages"):
        newest = tx.execute(f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table}'").fetchone()[0]
        beyond = max(newest + ROOM, clock.milliseconds())
        tx.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
        tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, beyond])
