"""Dates: instants in words, in the language that is spoken, for readers without a script."""

from datetime import UTC, datetime, tzinfo

from chat import clock, languages


def moment(text: str, zone: tzinfo = UTC) -> str:
    """The instant: `23 Nov 2026, 09:30 UTC`."""
    if languages.spoken() == languages.ENGLISH:
        return clock.moment(text, zone)
    from babel.dates import format_date, format_time

    there = clock.parse(text).astimezone(zone)
    time = format_time(there, "short", tzinfo=there.tzinfo, locale=_locale())
    return f"{format_date(there, 'medium', locale=_locale())}, {time} {there:%Z}"


def day(text: str, zone_name: str) -> str:
    """On which day that instant is there: `Monday`, or `7 January` where that is a week or more away."""
    if languages.spoken() == languages.ENGLISH:
        return clock.day(text, zone_name)
    from babel.dates import format_date, format_skeleton

    there = clock.parse(text).astimezone(clock.zone(zone_name))
    if (there.date() - datetime.now(clock.zone(zone_name)).date()).days < 7:
        return str(format_date(there, "EEEE", locale=_locale()))
    return str(format_skeleton("MMMMd", there, tzinfo=there.tzinfo, locale=_locale()))


def hour(text: str, zone_name: str) -> str:
    """At what time of the day that instant is there: `09:00`."""
    if languages.spoken() == languages.ENGLISH:
        return clock.hour(text, zone_name)
    from babel.dates import format_time

    there = clock.parse(text).astimezone(clock.zone(zone_name))
    return str(format_time(there, "short", tzinfo=there.tzinfo, locale=_locale()))


def _locale() -> str:
    return languages.spoken().replace("-", "_")
