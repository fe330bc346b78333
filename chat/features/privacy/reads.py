"""Reads: which agent has opened which conversation, and when; noted only if the owner wants that."""

from typing import NamedTuple

from chat import clock
from chat.db import Tx

AGAIN = 300.0  # seconds in which opening the same conversation again is the same reading
KEPT_DAYS = 365
SHOWN = 200  # rows on a page
MOST = 100_000  # rows of a CSV file
THREAD, ARCHIVE = "opened", "downloaded"


class Read(NamedTuple):
    """One agent has read one conversation."""

    id: int
    created_at: str
    agent: str
    email: str
    conversation_id: int
    what: str


def note(tx: Tx, agent_id: int, conversation_id: int, what: str) -> None:
    """Note it, unless the same was noted just before."""
    recent = "SELECT agent_id, what, created_at FROM reads WHERE conversation_id = ? ORDER BY id DESC LIMIT 10"
    since = clock.now(-AGAIN)
    for row in tx.execute(recent, [conversation_id]).fetchall():
        if row["agent_id"] == agent_id and row["what"] == what and row["created_at"] > since:
            return
    row = [agent_id, conversation_id, what, clock.now()]
    tx.execute("INSERT INTO reads (agent_id, conversation_id, what, created_at) VALUES (?, ?, ?, ?)", row)


def page(
    rx: Tx,
    *,
    agent_id: int | None = None,
    conversation_id: int | None = None,
    before: int | None = None,
    most: int = SHOWN,
) -> list[Read]:
    """What was read, the newest first: by that agent, in that conversation, before that row."""
    where, values = ["r.id < ?"], [2**62 if before is None else before]
    for name, value in (("agent_id", agent_id), ("conversation_id", conversation_id)):
        if value is not None:
            where, values = [*where, f"r.{name} = ?"], [*values, value]
    query = (
        "SELECT r.id, r.created_at, a.name, a.email, r.conversation_id, r.what FROM reads r"
        f" JOIN agents a ON a.id = r.agent_id WHERE {' AND '.join(where)} ORDER BY r.id DESC LIMIT ?"
    )
    return [Read(*row) for row in rx.execute(query, [*values, most]).fetchall()]


def forget_old(tx: Tx) -> None:
    """What is older than KEPT_DAYS."""
    tx.execute("DELETE FROM reads WHERE created_at < ?", [clock.now(-KEPT_DAYS * 86400)])
