"""Unseen: what visitors have said that no agent has looked at yet."""

from typing import NamedTuple

from chat import conversations, sites, states
from chat.db import Tx

MOST = 100  # messages of one conversation that are counted
LOOKED_THROUGH = 200  # waiting conversations, the newest first: who has more than a handful gets a summary anyway
_WAITING = conversations.rank(10**14, waits=True)  # ranks below it: the visitor waits for an answer


class Unseen(NamedTuple):
    """One conversation with something new."""

    conversation_id: int
    name: str
    count: int
    body: str
    """The newest words; empty for a message that is files alone."""
    event_id: int
    since: str
    """When the oldest of them was said."""


def of(rx: Tx, conversation_id: int) -> Unseen | None:
    """What is new in that conversation; None when an agent has seen everything, or has closed it."""
    seen = states.of(rx, conversation_id).agent_seen
    query = (
        "SELECT id, subject, created_at FROM events WHERE conversation_id = ? AND by = 'visitor'"
        " AND kind = 'message.posted' AND id > ? ORDER BY id DESC LIMIT ?"
    )
    fresh = rx.execute(query, [conversation_id, seen, MOST]).fetchall()
    if not fresh:
        return None
    said = (
        "SELECT p.name, c.site_id, m.body FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " JOIN persons p ON p.id = c.person_id WHERE m.id = ? AND c.closed_at IS NULL"
    )
    newest = rx.execute(said, [fresh[0]["subject"]]).fetchone()
    if newest is None:
        return None
    since = fresh[-1]["created_at"]
    name = sites.beside(rx, newest["site_id"], newest["name"])
    return Unseen(conversation_id, name, len(fresh), newest["body"], fresh[0]["id"], since)


def everywhere(rx: Tx) -> dict[int, int]:
    """The conversations with something new, each with its newest event; LOOKED_THROUGH at most."""
    query = (
        "SELECT waiting.id, coalesce(s.agent_seen, 0) AS seen, (SELECT max(e.id) FROM events e"
        " WHERE e.conversation_id = waiting.id AND e.by = 'visitor' AND e.kind = 'message.posted') AS newest FROM"
        " (SELECT id FROM conversations WHERE closed_at IS NULL AND rank < ? ORDER BY rank DESC"
        " LIMIT ?) waiting LEFT JOIN states s ON s.conversation_id = waiting.id"
    )
    found = rx.execute(query, [_WAITING, LOOKED_THROUGH]).fetchall()
    return {row["id"]: row["newest"] for row in found if (row["newest"] or 0) > row["seen"]}


def newest_event(rx: Tx, conversation_id: int) -> int:
    """The last thing that happened in it."""
    query = "SELECT coalesce(max(id), 0) FROM events WHERE conversation_id = ?"
    return int(rx.execute(query, [conversation_id]).fetchone()[0])


def waiting(rx: Tx) -> bool:
    """Whether any visitor waits for an answer, seen or not."""
    query = "SELECT 1 FROM conversations WHERE closed_at IS NULL AND rank < ? LIMIT 1"
    return rx.execute(query, [_WAITING]).fetchone() is not None
