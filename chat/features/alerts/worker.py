"""The worker: the script that shows alerts while no tab is open, and the doors at which it knocks.

It has no form and no page, so it brings its session's cookie from our own origin, and the ticket out of the alert.
"""

import json
from functools import cache
from typing import Any

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException

from chat import conversations, languages, messages, text
from chat.accounts import Agent
from chat.features.alerts import notes, unseen
from chat.features.alerts.devices import BadSubscription
from chat.features.alerts.notes import BadTicket, Ticket
from chat.features.alerts.web import subscribe
from chat.languages import gettext
from chat.text import BadText
from chat.web import accounts, assets, core, security

worker = Blueprint("worker", __name__, url_prefix="/inbox/alerts")


def _words() -> dict[str, str]:
    return {
        "newMessage": gettext("New message"),
        "openIt": gettext("Open the inbox to read it."),
        "reply": gettext("Reply"),
        "write": gettext("Write a reply"),
        "close": gettext("Close"),
        "notSent": gettext("Not sent"),
        "notClosed": gettext("Not closed"),
        "answered": gettext("The server answered {status}. Open the conversation to try again."),
        "unreached": gettext("The server can’t be reached just now. Open the conversation to try again."),
    }


@cache
def _script(language: str) -> assets.Asset:
    code = assets.source("worker.js").replace("__WORDS__", json.dumps(_words(), ensure_ascii=False))
    for name, picture in (("__ICON__", "app-192.png"), ("__BADGE__", "badge.png")):
        code = code.replace(name, assets.address(picture))
    return assets.Asset.of(code.encode(), "text/javascript")


@worker.get("/worker.js")
def script() -> Response:
    """The service worker. Asked for again at each start, and allowed to stand before all of the inbox."""
    accounts.current()
    response = _script(languages.spoken()).response("no-cache")
    response.headers["Service-Worker-Allowed"] = "/inbox"
    return response


@worker.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a phone has to know to put the inbox on its home screen (W3C Web Application Manifest)."""
    icons = [
        {"src": assets.address(f"app-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]
    look = {"display": "standalone", "background_color": "#f7f5f2", "theme_color": "#f7f5f2", "icons": icons}
    about = {"name": "Porchlight", "short_name": "Porchlight", "id": "/inbox", "start_url": "/inbox", "scope": "/inbox"}
    response = Response(json.dumps(about | look), mimetype="application/manifest+json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _who() -> Agent:
    """Who is signed in where the worker runs. Aborts with 401, and with 403 for what no page or worker of ours asks."""
    if not security.is_ours(request.headers.get("Origin", "")):
        abort(403, gettext("This request came from another site's page, so it was refused."))
    return accounts.current() or abort(401, gettext("You are signed out. Sign in again."))


def _redeem(me: Agent, action: str) -> tuple[dict[str, Any], Ticket]:
    said = request.get_json(silent=True)
    if not isinstance(said, dict) or not isinstance(said.get("ticket"), str) or not said["ticket"].isprintable():
        abort(400, gettext("This request could not be read."))
    try:
        return said, notes.redeem(core().secret, said["ticket"], me.id, action)
    except BadTicket as bad:
        abort(403, str(bad))


@worker.post("/reply")
def reply() -> Response:
    """Answer from the notification: one reply a ticket, however often it is sent."""
    me = _who()
    core().limits.agent.take(me.session_hash)
    said, ticket = _redeem(me, "reply")
    body, client_id = text.clean(str(said.get("body", ""))), notes.client_id(said["ticket"])
    where = ticket.conversation_id

    def post(tx: Any) -> bool:
        known = messages.of_client_id(tx, where, client_id)
        if known is None:
            messages.post(tx, None, where, "agent", body, client_id, me.id)
        return known is None

    try:
        fresh = core().store.write(post)
    except messages.NoConversation:
        abort(404)
    return Response(status=201 if fresh else 200)


@worker.post("/closure")
def close() -> Response:
    """Close from the notification, if nothing has happened since that was not in it."""
    me = _who()
    ticket = _redeem(me, "close")[1]

    def turn(tx: Any) -> bool:
        if unseen.newest_event(tx, ticket.conversation_id) > ticket.event_id:
            return False
        return conversations.close(tx, ticket.conversation_id, me.id)

    if not core().store.write(turn):
        abort(409, gettext("Something new has happened in this conversation, so it was left open."))
    return Response(status=204)


@worker.post("/renewal")
def renew() -> tuple[dict[str, Any], int]:
    """The browser has got another address (pushsubscriptionchange): take it in the place of the old one."""
    me = _who()
    core().limits.agent.take(me.session_hash)
    said = request.get_json(silent=True)
    old = said.get("replacing") if isinstance(said, dict) else None
    return {"device": subscribe(me, said, old if isinstance(old, str) else "")}, 201


@worker.errorhandler(HTTPException)
def _refused(error: HTTPException) -> tuple[dict[str, Any], int]:
    return {"error": error.description}, error.code or 500


@worker.errorhandler(BadText)
@worker.errorhandler(BadSubscription)
def _unusable(error: ValueError) -> tuple[dict[str, Any], int]:
    return {"error": str(error)}, 422
