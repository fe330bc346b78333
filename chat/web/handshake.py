"""Handshakes: what is none is refused with a sentence, before flask-sock takes it for one (and fails)."""

import binascii
from base64 import b64decode

from flask import Flask, Response, abort, request

from chat.web import errors

VERSION = "13"  # the only one that RFC 6455 knows


def is_key(value: str) -> bool:
    """Whether a Sec-WebSocket-Key is what it has to be: sixteen bytes in base64."""
    try:
        return len(b64decode(value, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _check() -> Response | None:
    if not (request.url_rule and request.url_rule.websocket):
        return None
    if request.headers.get("Sec-WebSocket-Version") != VERSION:
        response = errors.answer(426, f"A WebSocket of version {VERSION} is spoken here.")
        response.headers["Upgrade"], response.headers["Sec-WebSocket-Version"] = "websocket", VERSION
        return response
    if not is_key(request.headers.get("Sec-WebSocket-Key", "")) or request.content_length:
        abort(400, "This is not the handshake of a WebSocket.")
    return None


def init_app(app: Flask) -> None:
    """Look at every handshake."""
    app.before_request(_check)
