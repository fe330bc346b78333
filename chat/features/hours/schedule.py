"""The schedule: when somebody is there, by the clock on the site's wall; what the owner types, and what follows.

A range belongs to the day on which it begins, also one over midnight; a holiday takes away what begins on it. Where the
clock is set forward, a time that does not exist is the first one that does; where it is set back, a range begins at the
first and ends at the second of two equal times.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from chat import clock, text
from chat.languages import gettext, noop

DAYS = (
    noop("Monday"),
    noop("Tuesday"),
    noop("Wednesday"),
    noop("Thursday"),
    noop("Friday"),
    noop("Saturday"),
    noop("Sunday"),
)
NAME = "hours"  # of the site's option
MOST_RANGES = 6  # of one day
MOST_HOLIDAYS = 100  # lines
AHEAD = 400  # days in which an opening is looked for
SHOWN = 9  # days of holidays that the loader knows: its copies are a day old at most
_RANGE = re.compile(r"(\d{1,2})(?:[:.](\d\d))?\s*(am|pm)?\s*(?:-|to)\s*(\d{1,2})(?:[:.](\d\d))?\s*(am|pm)?", re.I)
_HOLIDAY = re.compile(r"((?:\d{4}-)?\d\d-\d\d)(?:\s*\.\.\s*((?:\d{4}-)?\d\d-\d\d))?(?:\s+(.*))?")

Range = tuple[int, int]
"""From when to when, in minutes after the day's midnight; the end of one over midnight is beyond 1,440."""


class BadHours(ValueError):
    """What was typed can't be kept; the text says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True)
class Holiday:
    """A day, or several, on which nobody begins: 2026-12-24, or 12-25 for every year's."""

    first: str
    last: str
    name: str = ""

    def holds(self, day: date) -> bool:
        """Whether it is then. One of every year may go over the new year."""
        said = f"{day:%m-%d}" if len(self.first) == 5 else f"{day:%Y-%m-%d}"
        if self.first <= self.last:
            return self.first <= said <= self.last
        return said >= self.first or said <= self.last


@dataclass(frozen=True)
class Schedule:
    """One site's hours."""

    zone: str = ""
    days: tuple[tuple[Range, ...], ...] = ((),) * 7
    """Monday first."""
    holidays: tuple[Holiday, ...] = ()

    @property
    def always(self) -> bool:
        """No hours are set: at any time."""
        return not any(self.days)

    def is_open(self, moment: datetime) -> bool:
        """Whether somebody is to be there at that instant."""
        if self.always:
            return True
        today = moment.astimezone(clock.zone(self.zone)).date()
        return any(begin <= moment < end for day in (today - timedelta(1), today) for begin, end in self._spans(day))

    def opens(self, moment: datetime) -> datetime | None:
        """The first instant from then on at which somebody is to be there; None when there is none in AHEAD days."""
        if self.is_open(moment):
            return moment
        today = moment.astimezone(clock.zone(self.zone)).date()
        for days in range(-1, AHEAD):
            later = [begin for begin, end in self._spans(today + timedelta(days)) if begin >= moment and begin < end]
            if later:
                return min(later)
        return None

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """The instants between which somebody is there who begins on that day."""
        if any(holiday.holds(day) for holiday in self.holidays):
            return []
        return [(self._instant(day, begin, 0), self._instant(day, end, 1)) for begin, end in self.days[day.weekday()]]

    def _instant(self, day: date, minutes: int, fold: int) -> datetime:
        zone = clock.zone(self.zone)
        wall = datetime.combine(day + timedelta(minutes // 1440), time(minutes % 1440 // 60, minutes % 60, fold=fold))
        while wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
            wall += timedelta(minutes=1)  # a time that the clock leaves out
        return wall.replace(tzinfo=zone).astimezone(UTC)

    def for_loader(self, today: date) -> list[object]:
        """The same as a browser needs it: the zone, [days, from, to], Sunday being day 0, and the next holidays."""
        days: dict[Range, str] = {}
        for number, ranges in enumerate(self.days):
            for each in ranges:
                days[each] = days.get(each, "") + str((number + 1) % 7)
        coming = [today + timedelta(number) for number in range(-1, SHOWN)]
        closed = [f"{day:%m-%d}" for day in coming if any(holiday.holds(day) for holiday in self.holidays)]
        return [self.zone or "UTC", [[on, *each] for each, on in days.items()], closed]


# As it is kept.


def dumps(schedule: Schedule) -> str:
    """As JSON, for the site's options."""
    holidays = [[each.first, each.last, each.name] for each in schedule.holidays]
    return json.dumps({"zone": schedule.zone, "days": schedule.days, "holidays": holidays})


@lru_cache(maxsize=64)
def loads(kept: str) -> Schedule:
    """What `dumps` wrote; nothing kept is no hours."""
    if not kept:
        return Schedule()
    told = json.loads(kept)
    days = tuple(tuple((begin, end) for begin, end in day) for day in told["days"])
    return Schedule(told["zone"], days, tuple(Holiday(*each) for each in told["holidays"]))


# As people type it.


def typed(zone: str, days: list[str], holidays: str) -> Schedule:
    """What was typed, if it can be kept. Raises BadHours."""
    zone = text.line(zone, 60)
    try:
        known = not zone or bool(ZoneInfo(zone))
    except (ValueError, OSError, LookupError):
        known = False
    if not known:
        raise BadHours("zone", gettext("This time zone is not known. It looks like Europe/Vienna or America/New_York."))
    ranges = tuple(_ranges(f"day-{number}", said) for number, said in enumerate(days))
    if any(ranges) and not zone:
        raise BadHours("zone", gettext("Say in which time zone these hours are, such as Europe/Vienna."))
    lines = [line for line in map(str.strip, holidays.splitlines()) if line]
    if len(lines) > MOST_HOLIDAYS:
        raise BadHours(
            "holidays",
            gettext("%(most_holidays)s lines at most. Take out those that are over.")
            % {"most_holidays": MOST_HOLIDAYS},
        )
    return Schedule(zone, ranges, tuple(_holiday(line) for line in lines))


def _ranges(field: str, said: str) -> tuple[Range, ...]:
    said = re.sub("[\u2012-\u2015\u2212]", "-", said)
    parts = [part for part in re.split(r"[,;\n]|\band\b", said) if part.strip()]
    if len(parts) > MOST_RANGES:
        raise BadHours(field, gettext("%(most_ranges)s times a day at most.") % {"most_ranges": MOST_RANGES})
    found = sorted(_range(field, part.strip()) for part in parts)
    if any(end > begin for (_, end), (begin, _) in pairwise(found)):
        raise BadHours(field, gettext("These times run into each other. Put them together, or mend one of them."))
    return tuple(found)


def _range(field: str, said: str) -> Range:
    shown = text.line(said, 40)
    wrong = BadHours(
        field,
        gettext("“%(shown)s” could not be read. Write from and to, such as 09:00-12:00, 13:00-17:00.")
        % {"shown": shown},
    )
    found = _RANGE.fullmatch(said)
    if found is None:
        raise wrong
    begin, end = (_minutes(*found.group(at, at + 1, at + 2)) for at in (1, 4))
    if begin is None or end is None or begin == 1440 or begin == end:
        raise wrong
    return begin, end if end > begin else end + 1440


def _minutes(hours: str, minutes: str | None, half: str | None) -> int | None:
    hour, minute = int(hours), int(minutes or 0)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    total = hour * 60 + minute
    return total if minute < 60 and total <= 1440 else None


def _holiday(line: str) -> Holiday:
    shown = text.line(line, 40)
    found = _HOLIDAY.fullmatch(line)
    first, last, name = found.groups() if found else ("", None, None)
    last = last or first
    if not (_is_date(first) and _is_date(last)) or len(first) != len(last) or (len(first) == 10 and first > last):
        raise BadHours(
            "holidays",
            gettext("“%(shown)s” could not be read. Write 2026-12-24 Christmas Eve, 12-25 Christmas or a span (..).")
            % {"shown": shown},
        )
    return Holiday(first, last, text.line(name or "", 60))


def _is_date(said: str) -> bool:
    try:
        date.fromisoformat(said if len(said) == 10 else f"2000-{said}")
    except ValueError:
        return False
    return True


def ranges_as_typed(ranges: tuple[Range, ...]) -> str:
    """A day's ranges, as its field shows them."""
    return ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in ranges)


def _clock(minutes: int) -> str:
    minutes = minutes if minutes <= 1440 else minutes - 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"


def holidays_as_typed(holidays: tuple[Holiday, ...]) -> str:
    """The holidays, a line each."""
    spans = [each.first if each.first == each.last else f"{each.first}..{each.last}" for each in holidays]
    return "\n".join(f"{span} {each.name}".strip() for span, each in zip(spans, holidays, strict=True))
