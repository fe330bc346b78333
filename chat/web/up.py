"""Health: whether the server can read and write its database."""

from time import monotonic

from flask import Blueprint, Response, redirect
from werkzeug.wrappers import Response as AnyResponse

from chat import health
from chat.db import StorageError
from chat.web import core

up = Blueprint("up", __name__)
_checked = {"at": float("-inf")}
FRESH = 1.0  # seconds for which one write answers for all who ask


@up.get("/")
def root() -> AnyResponse:
    """What people type first leads to the inbox."""
    return redirect("/inbox")


@up.get("/up")
def check() -> Response:
    """200 `ok`, or 503 and the reason."""
    try:
        with core().store.read() as rx:
            health.last_checked(rx)
        if monotonic() - _checked["at"] > FRESH:
            core().store.write(health.check)
            _checked["at"] = monotonic()
    except StorageError as error:
        return Response(f"The database can't be written: {error}\n", 503, mimetype="text/plain")
    return Response("ok", mimetype="text/plain")
