"""The probe: what a request from outside looks like when it has come here. For the doctor alone, who has a ticket."""

import json
from collections.abc import Iterator

import gevent
from flask import Blueprint, Response, abort, request

from chat.doctor import tickets
from chat.web import core, security

probe = Blueprint("probe", __name__)
PAUSE = 0.5  # seconds between the two parts of the answer
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Fly-Client-IP", "Via")


@probe.get("/up/probe")
def seen() -> Response:
    """What the server makes of this request, then a pause, then the end: a proxy that holds back shows by that."""
    if not tickets.is_good(core().secret, security.bearer()):
        abort(404)
    told = {
        "address": request.remote_addr or "",
        "scheme": request.scheme,
        "host": request.host,
        "proxy": core().settings.chat_proxy,
        "forwarded": {name: request.headers[name] for name in FORWARDED if name in request.headers},
    }
    return Response(_slowly(json.dumps(told), PAUSE if "wait" in request.args else 0.0), mimetype="application/json")


def _slowly(told: str, pause: float) -> Iterator[str]:
    yield told + "\n"
    if pause:
        gevent.sleep(pause)
        yield "{}\n"
