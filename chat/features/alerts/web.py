"""The page "Alerts": whether they work, on which devices, and how the agent wants to be called."""

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from chat import text, useragent
from chat.accounts import Agent
from chat.db import Tx
from chat.features.alerts import devices, identity, plans, standing
from chat.features.alerts.courier import Courier
from chat.features.alerts.devices import BadSubscription, Device
from chat.features.alerts.plans import BadPlan, Plan
from chat.keys import fingerprint
from chat.languages import gettext, noop
from chat.web import accounts, core, security
from chat.web.accounts import agent

alerts = Blueprint("alerts", __name__, url_prefix="/inbox/alerts")
alerts.before_request(accounts.require)
DONE = {
    "saved": noop("Your choices are saved."),
    "added": noop("Alerts are on in this browser."),
    "removed": noop("That device is not called any more."),
}
"""What was just done, said on the page that comes after it."""


def _plan() -> Plan:
    with core().store.read() as rx:
        return plans.of(rx, agent().id) or abort(403)


def _show(*, plan: Plan | None = None, **values: Any) -> str:
    """The page; `plan`: what was typed, where it can't be kept."""
    with core().store.read() as rx:
        mine = devices.of_agent(rx, agent().id)
        kept = plans.of(rx, agent().id) or abort(403)
        values |= {"colleagues": [each for each in plans.every(rx) if each.agent_id != kept.agent_id]}
        values |= {"standing": standing.of(rx, core().settings, kept, mine), "devices": mine, "plan": plan or kept}
    csrf = security.csrf_token(agent().session_hash)
    choices = {"mail_choices": plans.MAIL_AFTER, "next_choices": plans.NEXT_AFTER}
    return render_template("alerts/alerts.html", csrf=csrf, **choices, **values)


@alerts.get("")
def show() -> str:
    """Whether alerts work, the devices, the choices."""
    return _show(done=gettext(DONE.get(request.args.get("done", ""), "")))


@alerts.post("")
def save() -> AnyResponse | str:
    """Keep the choices; a wrong one is said beside its field, with everything that was typed."""
    before = _plan()
    try:
        plan = before
        plan = _posted(before)
        plans.check(plan)
    except BadPlan as bad:
        return _show(plan=plan, wrong={bad.field: str(bad)})
    core().store.write(lambda tx: plans.put(tx, plan))
    return redirect("/inbox/alerts?done=saved", 303)


def _posted(before: Plan) -> Plan:
    form = request.form
    with core().store.read() as rx:
        colleagues = {each.agent_id for each in plans.every(rx)} - {before.agent_id}
    following = _number("next_agent_id", form.get("next_agent_id"), colleagues)
    return before._replace(
        first=form.get("first", "1") == "1",
        show_text=form.get("show_text") == "1",
        sound="sound" in form,
        mail_after=_number("mail_after", form.get("mail_after"), set(plans.MAIL_AFTER)),
        next_agent_id=following,
        next_after=_number("next_after", form.get("next_after"), set(plans.NEXT_AFTER)) or before.next_after,
        **{name: text.line(form.get(name, ""), 60) for name in ("quiet_from", "quiet_to", "timezone", "digest")},
    )


def _number(field: str, said: str | None, allowed: set[int]) -> int | None:
    if not said:
        return None
    if said.isascii() and said.isdigit() and int(said[:9]) in allowed:
        return int(said)
    raise BadPlan(field, gettext("Choose one of the list."))


@alerts.get("/plan")
def plan() -> dict[str, Any]:
    """What an open inbox has to know: how to subscribe, and when to be silent."""
    mine = _plan()
    quiet = {"from": mine.quiet_from, "to": mine.quiet_to, "zone": mine.timezone or "UTC"}
    told = {"sound": bool(mine.sound), "text": bool(mine.show_text), "quiet": quiet}
    return {"key": identity.public(core().store), "session": fingerprint(agent().session_hash)[:16], **told}


@alerts.post("/devices")
def add() -> tuple[dict[str, Any], int]:
    """Call this browser from now on: its PushSubscription as JSON."""
    core().limits.agent.take(agent().session_hash)
    try:
        return {"device": subscribe(agent(), request.get_json(silent=True))}, 201
    except BadSubscription as bad:
        return {"error": str(bad)}, 422


def subscribe(who: Agent, said: Any, replacing: str = "") -> int:
    """Store a subscription that was posted, maybe in the place of an older address of the same browser.

    Raises BadSubscription.
    """
    subscription = devices.read(said, core().settings.private_hosts)
    name = useragent.describe(text.line(request.headers.get("User-Agent", ""), 300)) or "A browser"

    def store(tx: Tx) -> int:
        if replacing and replacing != subscription.endpoint:
            devices.leave(tx, who.id, replacing)
        return devices.add(tx, who.id, who.session_hash, subscription, name)

    return core().store.write(store)


@alerts.post("/departure")
def depart() -> AnyResponse:
    """Call this browser no more: it names its own address."""
    said = request.get_json(silent=True)
    endpoint = said.get("endpoint") if isinstance(said, dict) else None
    me = agent().id
    if isinstance(endpoint, str) and endpoint.isprintable():
        core().store.write(lambda tx: devices.leave(tx, me, endpoint))
    return Response(status=204)


def _device(device_id: int) -> Device:
    with core().store.read() as rx:
        found = devices.find(rx, device_id)
    return found if found and found.agent_id == agent().id else abort(404)


@alerts.post("/devices/<int(max=4611686018427387904):device_id>/removal")
def remove(device_id: int) -> AnyResponse:
    """Call that device no more."""
    me, device = agent().id, _device(device_id)
    core().store.write(lambda tx: devices.remove(tx, me, device.id))
    return redirect("/inbox/alerts?done=removed", 303)


@alerts.post("/devices/<int(max=4611686018427387904):device_id>/test")
def test(device_id: int) -> str:
    """Send a test to that device now, and say what came back."""
    core().limits.agent.take(agent().session_hash)
    device = _device(device_id)
    courier = Courier(core().store, core().settings, core().secret)
    good, said = courier.test(device, agent().email)
    return _show(done=said if good else None, failed=None if good else said)
