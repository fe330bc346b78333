"""The owner's side of it: a site's hours, and the switch above the inbox's list."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import clock, options, porch, sites
from chat.db import Tx
from chat.features.hours import away, schedule
from chat.features.hours.lamp import Lamp
from chat.features.hours.schedule import BadHours, Schedule
from chat.languages import gettext, noop
from chat.porch import Light
from chat.sites import Site
from chat.web import accounts, core, security
from chat.web.accounts import agent
from chat.web.sites import chosen, require_site, show

hours = Blueprint("hours", __name__, url_prefix="/inbox/sites/<key>/hours")
hours.before_request(require_site)
switch = Blueprint("away", __name__, url_prefix="/inbox/away")
switch.before_request(accounts.require)
COPIED = noop("Copied to the days below. Save to keep it.")


def kept(rx: Tx, site: Site) -> Schedule:
    """The site's hours."""
    return schedule.loads(sites.options(rx, site.id).get(schedule.NAME, ""))


@hours.get("")
def page(key: str) -> Response:
    """The hours as they are kept."""
    with core().store.read() as rx:
        mine = kept(rx, chosen())
    typed = {"zone": mine.zone, "holidays": schedule.holidays_as_typed(mine.holidays)}
    days = [schedule.ranges_as_typed(ranges) for ranges in mine.days]
    return _show(typed, days, done=gettext("Saved.") if request.args.get("done") else "", now=_now(mine))


def _show(typed: dict[str, str], days: list[str], **values: Any) -> Response:
    values = {"wrong": None, "done": "", "now": ""} | values
    return show(
        "hours/hours.html", typed=typed, days=list(zip(map(gettext, schedule.DAYS), days, strict=True)), **values
    )


def _now(mine: Schedule) -> str:
    now = datetime.now(UTC)
    if mine.always:
        return gettext("No hours are set: visitors may find you home at any time.")
    opens = mine.opens(now)
    if opens == now:
        return gettext("By these hours you are home just now.")
    if opens is None:
        return gettext("By these hours you are never home.")
    at = clock.text(opens)
    return gettext("By these hours you are away just now, and back on %(day)s at %(hour)s.") % {
        "day": clock.day(at, mine.zone),
        "hour": clock.hour(at, mine.zone),
    }


@hours.post("")
def save(key: str) -> AnyResponse:
    """Keep what was typed, or copy one day to those below it; what can't be kept is said at its field."""
    form, site = request.form, chosen()
    days = [form.get(f"day-{number}", "") for number in range(7)]
    if (copied := form.get("copy", "")) in list("0123456"):
        days[int(copied) + 1 :] = [days[int(copied)]] * (6 - int(copied))
        return _show(form, days, done=COPIED)
    try:
        mine = schedule.typed(form.get("zone", ""), days, form.get("holidays", ""))
    except BadHours as wrong:
        return _show(form, days, wrong=wrong)
    value = "" if mine == Schedule() else schedule.dumps(mine)
    core().store.write(lambda tx: sites.put(tx, site.id, schedule.NAME, value))
    _forget()
    return redirect(url_for("hours.page", key=key, done="saved"), 303)


# The switch.


@switch.post("")
def turn() -> AnyResponse:
    """Away, at one site or everywhere, or back."""
    choice, key = request.form.get("until", ""), request.form.get("site", "")
    with core().store.read() as rx:
        site = sites.find(rx, key) if key else None
        mine = kept(rx, site or sites.first(rx))
    until = away.ends(choice, mine, datetime.now(UTC)) if choice in away.CHOICES else away.NOT_SAID
    core().store.write(lambda tx: _turn(tx, site, until))
    _forget()
    if request.htmx:  # type: ignore[attr-defined]
        return Response(draw(security.csrf_token(agent().session_hash), opened=True))
    return redirect(url_for("inbox.index"), 303)


def _turn(tx: Tx, site: Site | None, until: str) -> None:
    away.put(tx, site.id if site else None, until)
    if site is None and not until:  # back is back everywhere
        for each in sites.every(tx):
            away.put(tx, each.id, until)


def _forget() -> None:
    lamps = [feature.porch for feature in core().features if isinstance(feature.porch, Lamp)]
    for lamp in lamps:
        lamp.forget()


@switch.get("")
def standing() -> Markup:
    """What visitors read now, for an inbox that is open meanwhile."""
    return Markup(render_template("hours/_standing.html", **_lights()))


def draw(csrf: str, *, opened: bool = False) -> Markup:
    """The switch, above the inbox's list."""
    return Markup(
        render_template(
            "hours/_switch.html", csrf=csrf, first=not opened, opened=opened, choices=away.CHOICES, **_lights()
        )
    )


def _lights() -> dict[str, Any]:
    with core().store.read() as rx:
        lights: list[tuple[Site, Light]] = [(site, porch.light(rx, site.id)) for site in sites.every(rx)]
        said = [options.every(rx), *(sites.options(rx, site.id) for site, _ in lights)]
        reached = any(feature.reaches(rx) for feature in core().features if feature.reaches)
    is_away = any(away.until(told, clock.now()) for told in said)
    return {"lights": lights, "is_away": is_away, "reached": reached}
