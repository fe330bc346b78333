"""The owner's page "E-mail": how it is set up, whether it works, what waits, and what came and went."""

import uuid
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request, stream_template
from werkzeug.wrappers import Response as AnyResponse

from chat import channels, config, conversations, deliveries, options, text
from chat.config import BadSetting
from chat.doctor import summary
from chat.features.mail import account, checks, fetching, letterbook, notices, smtp
from chat.languages import gettext
from chat.outbox import Later
from chat.web import accounts, core, live, security
from chat.web.accounts import agent

page = Blueprint("mail", __name__, url_prefix="/inbox/mail")
page.before_request(accounts.require)
FIELDS = {
    "smtp": ("smtp_url", lambda value: config.mail_url(gettext("The address of the server"), value, "smtp", "smtps")),
    "imap": ("imap_url", lambda value: config.mail_url(gettext("The address of the server"), value, "imap", "imaps")),
    "from": ("mail_from", lambda value: config.mail_address(gettext("The sender"), value)),
}
"""What can be typed: the setting of the environment that goes before it, and its check."""


@page.get("")
def show() -> str:
    """How it stands."""
    return _draw()


def _draw(**more: Any) -> str:
    settings, store = core().settings, core().store
    secret = account.secret(settings, store)
    with store.read() as rx:
        mine = account.of(settings, rx)
        shown: dict[str, Any] = {
            "account": mine,
            "fixed": {name for name, (setting, _) in FIELDS.items() if getattr(settings, setting)},
            "sight": fetching.sight(rx, mine.imap_url) if mine.imap_url else None,
            "waiting": deliveries.latest(rx, "mail", "waiting", "sending"),
            "failed": deliveries.latest(rx, "mail", "failed", limit=20),
            "sent": letterbook.latest(rx, "out"),
            "came": letterbook.latest(rx, "in"),
        }
        queued = [each for each in (*shown["waiting"], *shown["failed"]) if each.conversation_id]
        talks = conversations.of_all(rx, [each.conversation_id for each in queued])
        last = deliveries.last_success(rx, "mail") or ""
    shown["names"] = {talk.id: f"{talk.name} {talk.email or ''}".strip() for talk in talks}
    shown["stuck"] = next((each for each in shown["waiting"] if each.error and each.next_at > last), None)
    shown |= {"saved": "saved" in request.args, "has_password": lambda url: bool(urlsplit(url).password)}
    shown |= {"waits": account.WAITS, "inbound": f"{security.public_url()}/mail/inbound/{secret}", "agent": agent()}
    shown |= {"csrf": security.csrf_token(agent().session_hash), "hidden": fetching.without_password}
    return render_template("mail/page.html", **(shown | {"errors": {}, "typed": {}} | more))


@page.post("")
def save() -> str | AnyResponse:
    """Set it up. What can't be used changes nothing, and is told beside its field."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    good, errors = {}, {}
    with core().store.read() as rx:
        known = options.every(rx)
    for name, (setting, check) in FIELDS.items():
        if getattr(core().settings, setting) or name not in request.form:
            continue  # the environment's word stands
        try:
            good[f"mail.{name}"] = check(_with_password(typed[name], known.get(f"mail.{name}", "")))
        except BadSetting as error:
            errors[name] = str(error)
    if errors:
        return _draw(errors=errors, typed=typed)
    wait = request.form.get("wait", "")
    if wait in {f"{seconds:.0f}" for seconds in account.WAITS}:
        good["mail.wait"] = wait
    good["mail.transcripts"] = "on" if "transcripts" in request.form else ""
    core().store.write(lambda tx: [options.put(tx, name, value) for name, value in good.items()])
    return redirect("/inbox/mail?saved", 303)


def _with_password(typed: str, known: str) -> str:
    """The address with the password that is set already, where only that was left out: the page never shows it."""
    try:
        new, old = urlsplit(typed), urlsplit(known)
    except ValueError:
        return typed
    same = new.username and (new.username, new.hostname) == (old.username, old.hostname)
    if not same or new.password is not None or not old.password:
        return typed
    return new._replace(netloc=f"{new.username}:{old.password}@{new.netloc.rpartition('@')[2]}").geturl()


@page.get("/test")
def back() -> AnyResponse:
    """Whoever loads the address of a test again meant the page."""
    return redirect("/inbox/mail", 303)


@page.post("/test")
def test() -> str | AnyResponse:
    """Look whether the server lets us in, and send the agent a mail; says at once what happened."""
    with core().store.read() as rx:
        mine = account.of(core().settings, rx)
    if not mine.sends:
        return _draw(outcome=gettext("Set the server and the sender first."), well=False)
    try:
        smtp.connect(mine.smtp_url).close()
    except Later as error:
        return _draw(outcome=str(error), well=False)
    me = agent().id
    core().store.write(lambda tx: notices.test(tx, me))
    return _draw(
        outcome=gettext("The server let us in. A test mail is on its way to %(agent)s.") % {"agent": agent().email},
        well=True,
    )


@page.post("/checks")
def check() -> Response:
    """The doctor on e-mail alone: each finding is sent as soon as it is there, so the page needs no script."""
    core().limits.agent.take(agent().session_hash)
    with core().store.read() as rx:
        found = checks.look(core().settings, rx)
    told = {"checks": found, "summary": lambda: summary([each.finding for each in found])}
    csrf = security.csrf_token(agent().session_hash)
    return Response(stream_template("mail/checks.html", csrf=csrf, **told))


@page.post("/deliveries/<int(max=4611686018427387904):delivery_id>")
def again(delivery_id: int) -> AnyResponse:
    """Try one that failed or waits at once, or give it up."""
    change = deliveries.give_up if "drop" in request.form else deliveries.try_again
    if not core().store.write(lambda tx: change(tx, "mail", delivery_id)):
        abort(404)
    return redirect("/inbox/mail", 303)


@page.post("/transcripts")
def transcript() -> str | AnyResponse:
    """Send a talk to the visitor, or to the agent. The same click twice is one mail."""
    number = live.cursor_of(request.form.get("conversation"))
    with core().store.read() as rx:
        found = conversations.find(rx, number) or abort(404)
        door = channels.door(rx, found.id, "mail")
    me = agent().id if request.form.get("to") != "visitor" else None
    to = agent().email if me else door.address if door else abort(404)
    asked = text.line(request.form.get("wish", ""), 40)
    core().store.write(lambda tx: notices.transcript(tx, found.id, me, asked))
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"/inbox/conversations/{found.id}", 303)
    csrf = security.csrf_token(agent().session_hash)
    shown = {"conversation": found, "csrf": csrf, "email": door.address if door else "", "wish": uuid.uuid4()}
    return render_template("mail/_aside.html", said=gettext("It is on its way to %(to)s.") % {"to": to}, **shown)
