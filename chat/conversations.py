"""Conversations: who talks, whether it is open, and who waits longest."""

from typing import NamedTuple

from chat import clock, events, people, states
from chat.db import Tx
from chat.people import Context, Visitor

PAGE = 50  # rows of the inbox's list at once
_WAITING = 10**15  # a waiting conversation's rank lies this far before all others


class Conversation(NamedTuple):
    """One row of the inbox: the conversation with its person's name and its last words."""

    id: int
    site_id: int
    person_id: int
    started_at: str
    closed_at: str | None
    waiting_at: str | None
    rank: int
    name: str
    last_body: str | None
    last_by: str | None
    last_at: str | None
    unread: int
    channel: str
    """The door by which the visitor spoke last."""
    subject: str
    email: str | None
    site: str = ""
    """The site's name, where there is more than one."""


_SELECT = """
SELECT c.id, c.site_id, c.person_id, c.started_at, c.closed_at, c.waiting_at, c.rank, p.name,
       m.body AS last_body, m.by AS last_by, m.created_at AS last_at,
       (SELECT count(*) FROM (SELECT 1 FROM events e WHERE e.conversation_id = c.id AND e.id > coalesce(s.agent_seen, 0)
        AND e.by = 'visitor' AND e.kind = 'message.posted' LIMIT 100)) AS unread, c.channel, c.subject, p.email,
       CASE WHEN (SELECT count(*) FROM sites) > 1 THEN (SELECT name FROM sites WHERE id = c.site_id) ELSE '' END AS site
FROM conversations c
JOIN persons p ON p.id = c.person_id
LEFT JOIN messages m ON m.id = c.last_message_id
LEFT JOIN states s ON s.conversation_id = c.id
"""


def page(rx: Tx, *, closed: bool, after: int | None = None) -> list[Conversation]:
    """A page of the list, in its order, after that rank. Reads one row too many: more than PAGE means more."""
    which = "IS NOT NULL" if closed else "IS NULL"
    where = f"WHERE c.closed_at {which} AND c.rank > ? ORDER BY c.rank LIMIT ?"
    start = -(10**18) if after is None else after
    return [Conversation(*row) for row in rx.execute(_SELECT + where, [start, PAGE + 1]).fetchall()]


def find(rx: Tx, conversation_id: int) -> Conversation | None:
    """That conversation, for an agent: they see every site's. None when there is none."""
    found = of_all(rx, [conversation_id])
    return found[0] if found else None


def of_all(rx: Tx, ids: list[int]) -> list[Conversation]:
    """Those conversations, in the list's order."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    query = f"{_SELECT} WHERE c.id IN ({marks}) ORDER BY c.rank"
    return [Conversation(*row) for row in rx.execute(query, ids).fetchall()]


def newest(rx: Tx) -> int:
    """The id of the conversation that began last."""
    return rx.execute("SELECT max(id) FROM conversations").fetchone()[0] or 0


def rank(event_id: int, *, waits: bool = False) -> int:
    """The place in the list of a conversation to which that event gave it: who waits is first, longest on top."""
    return event_id - _WAITING if waits else -event_id


def of_visitor(tx: Tx, visitor: Visitor, context: Context) -> int:
    """The visitor's conversation, begun at the first act."""
    person_id = people.welcome(tx, visitor, context)
    talk = "SELECT id FROM conversations WHERE person_id = ? ORDER BY id DESC LIMIT 1"
    row = tx.execute(talk, [person_id]).fetchone()
    if row:
        return int(row["id"])
    return begin(tx, visitor.site.id, person_id, "web")


def begin(tx: Tx, site_id: int, person_id: int, channel: str, subject: str = "") -> int:
    """A new conversation with that person; one by mail has a subject."""
    new = "INSERT INTO conversations (site_id, person_id, channel, subject, started_at) VALUES (?, ?, ?, ?, ?)"
    return int(tx.execute(new, [site_id, person_id, channel, subject, clock.now()]).lastrowid)


def site_of(rx: Tx, conversation_id: int) -> int:
    """The site at which that conversation is."""
    return int(rx.execute("SELECT site_id FROM conversations WHERE id = ?", [conversation_id]).fetchone()["site_id"])


def channel_of(rx: Tx, conversation_id: int) -> str:
    """The door by which the visitor said their last words, and by which answers go out."""
    row = rx.execute("SELECT channel FROM conversations WHERE id = ?", [conversation_id]).fetchone()
    return str(row["channel"])


def come_by(tx: Tx, conversation_id: int, channel: str) -> None:
    """The visitor goes on by another door, though they have not said anything there yet."""
    tx.execute("UPDATE conversations SET channel = ? WHERE id = ?", [channel, conversation_id])


def advance(tx: Tx, conversation_id: int, event_id: int, by: events.By, message_id: int, channel: str = "web") -> None:
    """A message was posted: the visitor now waits for an answer, or has it."""
    if by == "visitor":
        waits = "channel = ?, waiting_at = coalesce(waiting_at, ?),"
        waits += " rank = CASE WHEN waiting_at IS NULL THEN ? ELSE rank END"
        values: list[object] = [channel, clock.now(), rank(event_id, waits=True)]
    else:
        waits, values = "waiting_at = NULL, rank = ?", [rank(event_id)]
    tx.execute(
        f"UPDATE conversations SET {waits}, last_message_id = ? WHERE id = ?", [*values, message_id, conversation_id]
    )


def annotate(tx: Tx, conversation_id: int, event_id: int, message_id: int) -> None:
    """Something was noted in it for agents: its last words, but nobody waits for that, or waits less."""
    change = "rank = CASE WHEN waiting_at IS NULL THEN ? ELSE rank END, last_message_id = ?"
    tx.execute(f"UPDATE conversations SET {change} WHERE id = ?", [rank(event_id), message_id, conversation_id])


def close(tx: Tx, conversation_id: int, agent_id: int) -> bool:
    """Close it. False when there is no such conversation, or it is closed already."""
    return _turn(tx, conversation_id, "conversation.closed", "agent", agent_id)


def reopen(tx: Tx, conversation_id: int, by: events.By, agent_id: int | None = None) -> bool:
    """Open it again. False when there is no such conversation, or it is open."""
    return _turn(tx, conversation_id, "conversation.reopened", by, agent_id)


def _turn(tx: Tx, conversation_id: int, kind: str, by: events.By, agent_id: int | None) -> bool:
    closing = kind == "conversation.closed"
    change = "closed_at = ?, waiting_at = NULL" if closing else "closed_at = ?"
    condition = "closed_at IS NULL" if closing else "closed_at IS NOT NULL"
    values = [clock.now() if closing else None, conversation_id]
    turned = tx.execute(f"UPDATE conversations SET {change} WHERE id = ? AND {condition} RETURNING site_id", values)
    if (row := turned.fetchone()) is None:
        return False
    event_id = events.append(tx, row["site_id"], conversation_id, kind, by, agent_id=agent_id)
    tx.execute("UPDATE conversations SET rank = ? WHERE id = ?", [rank(event_id), conversation_id])
    states.touch(tx, conversation_id)
    return True
