"""Paces: how long answers really take, by the hour of the week at which they were asked for.

Kept as counts in a few steps of minutes, one row an hour and step, so that a median costs the same whatever was said.
"""

from datetime import datetime

from chat import clock, sites
from chat.channels import WEB
from chat.db import Tx
from chat.events import Event
from chat.features.hours import schedule
from chat.outbox import Handler

STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 480, 1440)
LATER = 10080  # minutes, in place of a step: nothing that is promised to anybody
ENOUGH = 8  # answers without which nothing is said
KEPT = 40  # answers of one hour, after which old ones count half
LOOKED = 50  # messages, at most, to find the first one that waited


def heard(tx: Tx, event: Event) -> None:
    """An agent has answered: note how long the visitor had waited, once for each time that they did."""
    if event.by != "agent":
        return
    asked = _asked_at(tx, event)
    if asked is None:
        return
    waited = (clock.parse(event.created_at) - asked).total_seconds() / 60
    step = next((step for step in STEPS if waited <= step), LATER)
    zone = schedule.loads(sites.options(tx, event.site_id).get(schedule.NAME, "")).zone
    note(tx, event.site_id, hour_of(zone, asked), step)


def _asked_at(rx: Tx, event: Event) -> datetime | None:
    """When the visitor said the first words that this one answers; None when it answers none in the chat: a letter is
    answered in its own time."""
    query = (
        "SELECT e.id, e.by, e.created_at, m.channel FROM events e JOIN messages m ON m.id = e.subject"
        " WHERE e.conversation_id = ? AND e.id <= ? AND e.kind = 'message.posted' AND e.audience = 'all'"
        " ORDER BY e.id DESC LIMIT ?"
    )
    said = rx.execute(query, [event.conversation_id, event.id, LOOKED]).fetchall()
    if not said or said[0]["id"] != event.id:
        return None  # a note for agents
    asked = None
    for row in said[1:]:
        if row["by"] == "agent":
            break
        asked = row["created_at"] if row["by"] == "visitor" and row["channel"] == WEB else asked
    return clock.parse(asked) if asked else None


def hour_of(zone: str, moment: datetime) -> int:
    """The hour of the week there: 0 is Monday from midnight on."""
    there = moment.astimezone(clock.zone(zone))
    return there.weekday() * 24 + there.hour


def note(tx: Tx, site_id: int, hour: int, step: int) -> None:
    """One more answer that took so long. What is older than KEPT answers fades."""
    tx.execute(
        "INSERT INTO reply_times (site_id, hour, minutes, answers) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (site_id, hour, minutes) DO UPDATE SET answers = answers + 1",
        [site_id, hour, step],
    )
    count = "SELECT sum(answers) FROM reply_times WHERE site_id = ? AND hour = ?"
    if tx.execute(count, [site_id, hour]).fetchone()[0] > KEPT:
        tx.execute("UPDATE reply_times SET answers = answers / 2 WHERE site_id = ? AND hour = ?", [site_id, hour])


def usual(rx: Tx, site_id: int, hour: int) -> int:
    """The median in that hour of the week, as one of STEPS; 0 when it is longer, or not known well enough. An hour with
    few answers borrows from those beside it, then from the same hour of other days."""
    near = {(hour + beside) % 168 for beside in (-1, 0, 1)}
    alike = {hour % 24 + 24 * day for day in range(7)}
    marks = ", ".join("?" * len(near | alike))
    query = f"SELECT hour, minutes, answers FROM reply_times WHERE site_id = ? AND hour IN ({marks})"
    rows = rx.execute(query, [site_id, *near, *(alike - near)]).fetchall()
    for hours in ({hour}, near, alike):
        found = sorted((row["minutes"], row["answers"]) for row in rows if row["hour"] in hours)
        if sum(count for _, count in found) >= ENOUGH:
            return _median(found)
    return 0


def _median(found: list[tuple[int, int]]) -> int:
    half, seen = sum(count for _, count in found) / 2, 0
    for minutes, count in found:
        seen += count
        if seen >= half:
            return minutes if minutes != LATER else 0
    return 0


handler = Handler("hours", frozenset(("message.posted",)), heard)
"""Follows every answer."""
