"""Deliveries: what is to go out over the network, kept until it is out. At least once, by retries with back-off.

A row holds references, never text: who sends it looks up what there is to say when its time has come.
"""

import json
import random
from typing import Any, Literal, NamedTuple

from chat import clock
from chat.db import Tx

End = Literal["sent", "failed", "dropped"]
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 6 * 3600.0  # seconds between two attempts: doubled each time, give or take a fifth
ATTEMPTS = 20  # some two and a half days
SLICE = 500  # rows taken away in one transaction
KEPT_DAYS = 30  # rows that are done stay that long, for the owner to look at


class Delivery(NamedTuple):
    """One thing to send."""

    id: int
    sender: str
    key: str
    conversation_id: int | None
    agent_id: int | None
    about: dict[str, Any]
    attempts: int
    """How often it was begun, this time included."""
    created_at: str
    state: str = "sending"
    next_at: str = ""
    error: str = ""
    done_at: str | None = None


_COLUMNS = ", ".join(Delivery._fields)


def _of(row: Any) -> Delivery:
    return Delivery(**{**dict(row), "about": json.loads(row["about"])})


def add(
    tx: Tx,
    sender: str,
    key: str,
    *,
    after: float = 0.0,
    conversation_id: int | None = None,
    agent_id: int | None = None,
    **about: object,
) -> bool:
    """Have it sent in `after` seconds. False when one about the same waits already: that one will tell this too."""
    values = [sender, key, conversation_id, agent_id, json.dumps(about), clock.now(after), clock.now()]
    added = tx.execute(
        "INSERT INTO deliveries (sender, key, conversation_id, agent_id, about, next_at, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        values,
    )
    return bool(added.rowcount)


def earlier(rx: Tx, delivery: Delivery) -> str | None:
    """When an earlier one of the same sender about the same conversation is tried again; None when none waits."""
    query = (
        "SELECT max(next_at) FROM deliveries WHERE conversation_id = ? AND sender = ? AND id < ? AND state = 'waiting'"
    )
    found = rx.execute(query, [delivery.conversation_id, delivery.sender, delivery.id]).fetchone()[0]
    return str(found) if found else None


def next_at(rx: Tx, sender: str) -> str | None:
    """When the next one of that sender is due; None when nothing waits."""
    query = "SELECT min(next_at) FROM deliveries WHERE sender = ? AND state = 'waiting'"
    found = rx.execute(query, [sender]).fetchone()[0]
    return str(found) if found else None


def is_ahead(rx: Tx, sender: str) -> bool:
    """Whether the newest one that waits was added later than now: the clock was set back since."""
    query = "SELECT created_at FROM deliveries WHERE sender = ? AND state = 'waiting' ORDER BY id DESC LIMIT 1"
    row = rx.execute(query, [sender]).fetchone()
    return bool(row) and row["created_at"] > clock.now()


def set_right(tx: Tx, sender: str) -> None:
    """What was added by a clock that was ahead is due now: else it would wait until that time comes again."""
    now, ahead = clock.now(), "sender = ? AND state = 'waiting' AND created_at > ?"
    tx.execute(f"UPDATE deliveries SET next_at = ?, created_at = ? WHERE {ahead}", [now, now, sender, now])


def claim(tx: Tx, sender: str) -> Delivery | None:
    """Begin the one that has been due for longest; None when none is."""
    due = "SELECT id FROM deliveries WHERE sender = ? AND state = 'waiting' AND next_at <= ? ORDER BY next_at LIMIT 1"
    row = tx.execute(
        f"UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE id = ({due}) RETURNING {_COLUMNS}",
        [sender, clock.now()],
    ).fetchone()
    return _of(row) if row else None


def note(tx: Tx, delivery_id: int, **about: object) -> None:
    """Add references to a delivery, such as what its first attempt carried: the next one is to carry the same."""
    known = about_of(tx, delivery_id)
    tx.execute("UPDATE deliveries SET about = ? WHERE id = ?", [json.dumps(known | about), delivery_id])


def about_of(rx: Tx, delivery_id: int) -> dict[str, Any]:
    """What the delivery refers to by now."""
    row = rx.execute("SELECT about FROM deliveries WHERE id = ?", [delivery_id]).fetchone()
    return dict(json.loads(row["about"]))


def end(tx: Tx, delivery: Delivery, state: End, why: str = "") -> None:
    """It is out; or there is nothing to say any more; or trying again would not help."""
    change = "UPDATE deliveries SET state = ?, error = ?, done_at = ? WHERE id = ?"
    tx.execute(change, [state, why, clock.now(), delivery.id])


def put_off(tx: Tx, delivery: Delivery, why: str, seconds: float | None = None, *, counts: bool = True) -> None:
    """It did not work this time: again after a pause that grows, or after so many seconds. What does not count as an
    attempt is not held against it."""
    if seconds is None:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (delivery.attempts - 1))
        seconds = pause * random.uniform(0.8, 1.2)
    attempts = delivery.attempts if counts else max(1, delivery.attempts - 1)  # 0 would take in what comes after
    change = "UPDATE deliveries SET state = 'waiting', next_at = ?, error = ?, attempts = ? WHERE id = ?"
    tx.execute(change, [clock.now(seconds), why, attempts, delivery.id])


def give_up(tx: Tx, sender: str, delivery_id: int) -> bool:
    """The owner does not want it sent any more. False when there is no such one that waits or has failed."""
    change = (
        "UPDATE deliveries SET state = 'dropped', done_at = ? WHERE id = ? AND sender = ?"
        " AND state IN ('failed', 'waiting')"
    )
    return bool(tx.execute(change, [clock.now(), delivery_id, sender]).rowcount)


def try_again(tx: Tx, sender: str, delivery_id: int) -> bool:
    """The owner wants it tried now: one that has failed, or waits. False when there is no such one."""
    change = (
        "UPDATE deliveries SET state = 'waiting', attempts = 1, next_at = ?, done_at = NULL"
        " WHERE id = ? AND sender = ? AND state IN ('failed', 'waiting')"
    )
    return bool(tx.execute(change, [clock.now(), delivery_id, sender]).rowcount)


def recover(tx: Tx, sender: str) -> None:
    """After a stop or a crash: what was under way is tried again."""
    back = "UPDATE deliveries SET state = 'waiting', next_at = ? WHERE sender = ? AND state = 'sending'"
    tx.execute(back, [clock.now(), sender])


def prune(tx: Tx) -> bool:
    """Forget some of what is long done; True when there may be more."""
    some = "SELECT id FROM deliveries WHERE done_at < ? LIMIT ?"
    gone = tx.execute(f"DELETE FROM deliveries WHERE id IN ({some})", [clock.now(-KEPT_DAYS * 86400), SLICE])
    return bool(gone.rowcount == SLICE)


def latest(rx: Tx, sender: str, *states: str, limit: int = 50) -> list[Delivery]:
    """The newest deliveries of a sender in these states, newest first."""
    query = f"SELECT {_COLUMNS} FROM deliveries WHERE sender = ? AND state = ? ORDER BY id DESC LIMIT ?"
    found = [_of(row) for state in states for row in rx.execute(query, [sender, state, limit]).fetchall()]
    return sorted(found, reverse=True, key=lambda each: each.id)[:limit]


def of_key(rx: Tx, agent_id: int, sender: str, key: str) -> list[Delivery]:
    """What that agent got, or is to get, about the same: the last few of these, newest first, without what was
    dropped."""
    query = (
        f"SELECT {_COLUMNS} FROM deliveries WHERE agent_id = ? AND sender = ? AND key = ? AND state <> 'dropped'"
        " ORDER BY id DESC LIMIT 20"
    )
    return [_of(row) for row in rx.execute(query, [agent_id, sender, key]).fetchall()]


def last_success(rx: Tx, sender: str, agent_id: int | None = None) -> str | None:
    """When something of that sender went out last, or to that agent; None when nothing did."""
    if agent_id is None:
        query = "SELECT done_at FROM deliveries WHERE sender = ? AND state = 'sent' ORDER BY id DESC LIMIT 1"
        row = rx.execute(query, [sender]).fetchone()
    else:
        query = "SELECT done_at FROM deliveries WHERE agent_id = ? AND sender = ? AND state = 'sent' ORDER BY id DESC"
        row = rx.execute(f"{query} LIMIT 1", [agent_id, sender]).fetchone()
    return str(row["done_at"]) if row else None
