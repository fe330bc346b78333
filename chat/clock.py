"""Times: UTC, to the millisecond, as text that sorts."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo


def now(offset: float = 0.0) -> str:
    """This instant plus `offset` seconds, as `2026-11-23T09:30:00.000Z`."""
    return text(datetime.now(UTC) + timedelta(seconds=offset))


def text(moment: datetime) -> str:
    """An instant in UTC as it is kept."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds() -> int:
    """This instant, counted from 1970."""
    return int(datetime.now(UTC).timestamp() * 1000)


def parse(text: str) -> datetime:
    """The instant that `now()` wrote."""
    return datetime.fromisoformat(text)


def moment(text: str, zone: tzinfo = UTC) -> str:
    """The instant in words, for readers without a script: `23 Nov 2026, 09:30 UTC`."""
    return f"{parse(text).astimezone(zone):%-d %b %Y, %H:%M %Z}"


def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC for none, or one that is not known."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC
