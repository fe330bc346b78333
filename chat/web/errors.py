"""Errors: what happened, why, what to do next; a fragment for the composer, a page for everybody else."""

import logging

from flask import Flask, Response, render_template, request
from htmx_flask import make_response
from werkzeug.exceptions import HTTPException

from chat import logs
from chat.db import StorageError
from chat.limits import Full, TooMany
from chat.messages import NoConversation
from chat.people import BadToken
from chat.streams import Gone
from chat.text import BadText

log = logging.getLogger("porchlight")
SENTENCES = {
    400: "This request could not be understood. Reload the page and try again.",
    401: "This chat has ended on this device. Reload the page to begin a new one.",
    403: "This is not allowed from here.",
    404: "There is nothing at this address. Check it, or go back to where you came from.",
    405: "This address does not take that kind of request.",
    408: "This took too long to arrive. Check your connection and try again.",
    413: "This is too large. Send a shorter text.",
    415: "This kind of content is not taken here.",
    500: "Something went wrong on our side. It was noted as {number}. Try again in a moment.",
    503: "Your message can't be stored just now. It stays here and is sent again by itself.",
}

NOT_STORED = "Nothing can be stored just now, so this did not work. Try again in a moment."


def wants_fragment() -> bool:
    """Whether a script asked, which puts the sentence where it belongs, and not a person's browser."""
    return bool(request.htmx) or "Authorization" in request.headers  # type: ignore[attr-defined]


def answer(status: int, sentence: str, retry_after: int | None = None) -> Response:
    """The sentence with its status, in the shape that the reader can show."""
    if wants_fragment():
        html = render_template("conversation/_error.html", sentence=sentence)
        response = make_response(html, status, retarget="#composer-error", reswap="outerHTML")
    else:
        response = make_response(render_template("errors/error.html", sentence=sentence, status=status), status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    own_words = status in (400, 403) and error.description != type(error).description
    sentence = error.description if own_words else SENTENCES.get(status, error.description)
    response = answer(status, (sentence or "").replace("{number}", logs.request_number()))
    if "Allow" in (allowed := dict(error.get_headers())):
        response.headers["Allow"] = allowed["Allow"]
    return response


def describe(error: Exception) -> tuple[int, str, int | None]:
    """What a failure of the domain means outside: status, sentence, seconds to wait."""
    match error:
        case BadText():
            return 422, str(error), None
        case TooMany():
            unit = "second" if error.seconds == 1 else "seconds"
            return 429, f"That was a lot at once. Try again in {error.seconds} {unit}.", error.seconds
        case Full():
            return 429, "This address has too many chats open at once. Close some of them.", 5
        case StorageError():
            return 503, SENTENCES[503] if "body" in request.form else NOT_STORED, 2
        case NoConversation():
            return 404, SENTENCES[404], None
    return 401, SENTENCES[401], None


DOMAIN = (BadText, TooMany, Full, StorageError, NoConversation, BadToken, Gone)


def _note(error: BaseException | None) -> None:
    where = {"method": request.method, "endpoint": request.endpoint or "none"}
    log.error("Something unexpected went wrong", exc_info=error, extra={"fields": where})


def _unexpected(error: Exception) -> Response:
    _note(error)
    return answer(500, SENTENCES[500].format(number=logs.request_number()))


def init_app(app: Flask) -> None:
    """One handler for each kind of failure."""
    app.register_error_handler(HTTPException, _http)  # type: ignore[arg-type]
    for kind in DOMAIN:
        app.register_error_handler(kind, lambda error: answer(*describe(error)))
    app.register_error_handler(Exception, _unexpected)
    app.log_exception = lambda told: _note(told[1])  # type: ignore[method-assign]  # Flask's own names the path
