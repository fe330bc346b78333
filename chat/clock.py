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


def day(text: str, zone_name: str) -> str:
    """On which day that instant is there: `Monday`, or `7 January` where that is a week or more away."""
    there, today = parse(text).astimezone(zone(zone_name)), datetime.now(zone(zone_name)).date()
    return f"{there:%A}" if (there.date() - today).days < 7 else f"{there:%-d %B}"


def hour(text: str, zone_name: str) -> str:
    """At what time of the day that instant is there: `09:00`."""
    return f"{parse(text).astimezone(zone(zone_name)):%H:%M}"


def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC for none, or one that is not known."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC
