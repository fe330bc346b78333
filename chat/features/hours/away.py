"""Away: the owner's own switch, for all sites or one of them, until some time or until it is switched back."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from chat import clock, options, sites
from chat.db import Tx
from chat.features.hours.schedule import Schedule
from chat.languages import noop

NAME = "away"
OPEN_END = "on"
"""Kept in place of an instant: until it is switched back."""
Choice = Literal["hour", "today", "week", "on"]
CHOICES: dict[str, str] = {
    "hour": noop("Away for an hour"),
    "today": noop("Away until tomorrow"),
    "week": noop("Away for a week"),
    "on": noop("Away until I am back"),
}
NOT_SAID = ""


def ends(choice: str, schedule: Schedule, now: datetime) -> str:
    """When it ends by that choice, as it is kept: tomorrow begins with the hours then, or at 9 without any."""
    if choice == "hour":
        return clock.text(now + timedelta(hours=1))
    if choice not in ("today", "week"):
        return OPEN_END
    there = now.astimezone(clock.zone(schedule.zone))
    day = there.date() + timedelta(1 if choice == "today" else 7)
    hour = 9 if schedule.always else 0
    morning = datetime(day.year, day.month, day.day, hour, tzinfo=there.tzinfo).astimezone(UTC)
    return clock.text(schedule.opens(morning) or morning)


def put(tx: Tx, site_id: int | None, until: str) -> None:
    """Away until then, at that site or (None) everywhere; nothing said is back."""
    if site_id is None:
        options.put(tx, NAME, until)
    else:
        sites.put(tx, site_id, NAME, until)


def until(told: dict[str, str], now: str) -> str:
    """What holds of an installation's or a site's options now: an instant to come, OPEN_END, or nothing."""
    said = told.get(NAME, "")
    return said if said == OPEN_END or said > now else ""


def latest(*said: str) -> str:
    """The one that lasts longest of several."""
    return max(said, key=lambda each: (each == OPEN_END, each))
