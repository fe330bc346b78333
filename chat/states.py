"""State: receipts, typing and presence. Never events: the last word counts, and time heals what a crash left.

Receipts are two high-water marks a side (delivered up to, seen up to, as cursors), not a row a message.
Every change gets a new `version`, by which waiting readers know that something is to be redrawn.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from chat import clock
from chat.db import Tx

Side = Literal["visitor", "agent"]
TYPING = 6.0  # seconds that one sign of typing lasts
HERE = 600.0  # seconds that one sign of presence lasts; an open page repeats it in half that time

DELIVERIES = 500  # conversations marked at once, the newest first: an owner back from a month away holds up nobody
LOOKED_THROUGH = 5000  # events, at most, to find them

_NEXT = "(SELECT coalesce(max(version), 0) + 1 FROM states)"


class State(NamedTuple):
    """The state of one conversation, as its row stands."""

    conversation_id: int
    version: int = 0
    visitor_delivered: int = 0
    visitor_seen: int = 0
    agent_delivered: int = 0
    agent_seen: int = 0
    visitor_typing_until: str = ""
    agent_typing_until: str = ""
    agent_typing_id: int | None = None
    visitor_here_until: str = ""
    visitor_left_at: str | None = None

    def marks(self, side: Side) -> tuple[int, int]:
        """Up to where the other side has seen, and has on its screen, what this side sent."""
        if side == "visitor":
            return self.agent_seen, self.agent_delivered
        return self.visitor_seen, self.visitor_delivered

    def receipt(self, event_id: int, side: Side) -> str:
        """How far a message that this side sent with that event has come."""
        seen, delivered = self.marks(side)
        return "Seen" if event_id <= seen else "Delivered" if event_id <= delivered else "Sent"

    @property
    def visitor_here(self) -> bool:
        """Whether the visitor has the chat open somewhere."""
        return self.visitor_here_until > clock.now()


_COLUMNS = ", ".join(State._fields)


def of(rx: Tx, conversation_id: int) -> State:
    """The conversation's state; a fresh one where nothing was noted yet."""
    row = rx.execute(f"SELECT {_COLUMNS} FROM states WHERE conversation_id = ?", [conversation_id]).fetchone()
    return State(*row) if row else State(conversation_id)


def of_all(rx: Tx, conversation_ids: Iterable[int]) -> dict[int, State]:
    """The states of several conversations in one query."""
    ids = list(conversation_ids)
    if not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    rows = rx.execute(f"SELECT {_COLUMNS} FROM states WHERE conversation_id IN ({marks})", ids).fetchall()
    return {row["conversation_id"]: State(*row) for row in rows}


def version(rx: Tx) -> int:
    """The newest version of any state."""
    return rx.execute("SELECT max(version) FROM states").fetchone()[0] or 0


def changed_since(rx: Tx, version: int, limit: int = -1) -> set[int]:
    """The conversations whose state changed after that version; no more than `limit`, if there is one."""
    query = "SELECT conversation_id FROM states WHERE version > ? LIMIT ?"
    return {row[0] for row in rx.execute(query, [version, limit])}


def touch(tx: Tx, conversation_id: int, **values: object) -> None:
    """Set columns of the conversation's state and give it a new version."""
    tx.execute(
        f"INSERT INTO states (conversation_id, version) VALUES (?, {_NEXT}) ON CONFLICT DO NOTHING", [conversation_id]
    )
    columns = "".join(f", {name} = ?" for name in values)
    query = f"UPDATE states SET version = {_NEXT}{columns} WHERE conversation_id = ?"
    tx.execute(query, [*values.values(), conversation_id])


def deliver(tx: Tx, conversation_id: int, side: Side, cursor: int) -> None:
    """That side's page has drawn everything up to the cursor. Marks only rise, never past what exists."""
    _raise(tx, conversation_id, {f"{side}_delivered": cursor})


def see(tx: Tx, conversation_id: int, side: Side, cursor: int) -> None:
    """That side's person has looked at everything up to the cursor."""
    _raise(tx, conversation_id, {f"{side}_delivered": cursor, f"{side}_seen": cursor})


def _raise(tx: Tx, conversation_id: int, marks: dict[str, int]) -> None:
    newest = tx.execute("SELECT max(id) FROM events WHERE conversation_id = ?", [conversation_id]).fetchone()[0] or 0
    now = of(tx, conversation_id)._asdict()
    higher = {name: min(cursor, newest) for name, cursor in marks.items() if min(cursor, newest) > now[name]}
    if higher:
        touch(tx, conversation_id, **higher)


def deliver_to_agents(tx: Tx, agent_id: int, cursor: int) -> None:
    """An inbox has drawn every conversation up to the cursor."""
    drawn = tx.execute("SELECT max(delivered) FROM agents").fetchone()[0]
    newest = tx.execute("SELECT max(id) FROM events").fetchone()[0] or 0
    cursor = min(cursor, newest)
    if cursor <= drawn:
        return
    fresh = "SELECT conversation_id, by FROM events WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT ?"
    rows = tx.execute(fresh, [drawn, cursor, LOOKED_THROUGH]).fetchall()
    newest_first = dict.fromkeys(row["conversation_id"] for row in rows if row["by"] == "visitor")
    for conversation_id in list(newest_first)[:DELIVERIES]:
        deliver(tx, conversation_id, "agent", cursor)
    tx.execute("UPDATE agents SET delivered = ? WHERE id = ?", [cursor, agent_id])


def type(tx: Tx, conversation_id: int, side: Side, typing: bool, agent_id: int | None = None) -> None:
    """Somebody types, or has stopped. One sign lasts TYPING seconds."""
    values: dict[str, object] = {f"{side}_typing_until": clock.now(TYPING) if typing else ""}
    if side == "agent":
        values["agent_typing_id"] = agent_id
    touch(tx, conversation_id, **values)


def arrive(tx: Tx, conversation_id: int) -> None:
    """The visitor has the chat open. Said again before HERE seconds are over."""
    if not of(tx, conversation_id).visitor_here:
        touch(tx, conversation_id, visitor_left_at=None)
    until = clock.now(HERE)
    tx.execute("UPDATE states SET visitor_here_until = ? WHERE conversation_id = ?", [until, conversation_id])


def leave(tx: Tx, conversation_id: int) -> None:
    """The visitor's last page with the chat is gone."""
    touch(tx, conversation_id, visitor_here_until="", visitor_left_at=clock.now(), visitor_typing_until="")
