"""The owner's page: the address, the secret, a test, and what went out lately."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import channels, clock, deliveries, outbound, sites, text
from chat.conversations import Conversation
from chat.db import Tx
from chat.features.hook import account, outgoing
from chat.languages import gettext
from chat.web import accounts, core, security
from chat.web.accounts import agent

hook = Blueprint("hook", __name__, url_prefix="/inbox/hook")
hook.before_request(accounts.require)


def _shown(rx: Tx) -> dict[str, Any]:
    return {
        "account": account.of(rx),
        "doors": [f"{security.public_url()}/hook/{site.key}" for site in sites.every(rx)],
        "latest": deliveries.latest(rx, outgoing.CHANNEL, "waiting", "sending", "sent", "failed", limit=10),
        "csrf": security.csrf_token(agent().session_hash),
    }


def _show(**values: Any) -> Response:
    with core().store.read() as rx:
        values = _shown(rx) | values
    return Response(render_template("hook/hook.html", **values))


@hook.get("")
def show() -> Response:
    """How it stands."""
    return _show()


@hook.post("")
def save() -> AnyResponse:
    """Where answers go; empty: nowhere."""
    address = text.line(request.form.get("address", ""), 1000)
    wrong = _wrong(address) if address else ""
    if wrong:
        return _show(error=wrong, typed=address)
    core().store.write(lambda tx: account.send_to(tx, address))
    return redirect(url_for("hook.show"), 303)


def _wrong(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or parts.username or port == 0:
        return gettext("This is no address on the web. It looks like https://example.com/porchlight.")
    if parts.scheme == "http" and host not in core().settings.private_hosts:
        return gettext("Use https: answers would cross the internet for everybody to read.")
    return ""


@hook.post("/secret")
def secret() -> Response:
    """A new secret, shown this once."""
    return _show(secret=core().store.write(account.rotate))


@hook.post("/test")
def test() -> Response:
    """A signed request without any answer in it, and what came back."""
    with core().store.read() as rx:
        mine = account.of(rx)
    if not mine.address or not mine.secrets:
        abort(400, gettext("Set the address and make a secret first."))
    told = {"type": "test", "timestamp": clock.now(), "data": {}}
    try:
        answer = outgoing.post(core().settings, mine, f"test_{clock.milliseconds()}", told)
    except (outbound.Refused, outbound.Failed) as error:
        return _show(outcome=str(error), well=False)
    words = text.line(answer.body.decode(errors="replace"), 200)
    outcome = f"Your address answered with {answer.status}{f': “{words}”' if words else ''}."
    return _show(outcome=outcome, well=200 <= answer.status < 300)


@hook.post("/attempts")
def try_again() -> AnyResponse:
    """Try a delivery again now."""
    number = request.form.get("delivery", "")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        abort(400)
    core().store.write(lambda tx: deliveries.try_again(tx, outgoing.CHANNEL, int(number)))
    return redirect(url_for("hook.show"), 303)


def aside(conversation: Conversation, csrf: str) -> Markup:
    """What stands beside the thread: where answers go."""
    with core().store.read() as rx:
        door = channels.door(rx, conversation.id, outgoing.CHANNEL)
    return Markup(render_template("hook/_aside.html", address=door.address)) if door else Markup()
