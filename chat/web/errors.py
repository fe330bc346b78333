"""Errors: what happened, why, what to do next; a fragment for the composer, a page for everybody else."""

import logging

from flask import Flask, Response, render_template, request
from htmx_flask import make_response
from werkzeug.exceptions import HTTPException

from chat import logs
from chat.db import StorageError
from chat.languages import gettext, ngettext, noop
from chat.limits import Full, TooMany
from chat.messages import NoConversation
from chat.people import BadToken, Blocked
from chat.streams import Gone
from chat.text import BadText

log = logging.getLogger("porchlight")
SENTENCES = {
    400: noop("This request could not be understood. Reload the page and try again."),
    401: noop("This chat has ended on this device. Reload the page to begin a new one."),
    403: noop("This is not allowed from here."),
    404: noop("There is nothing at this address. Check it, or go back to where you came from."),
    405: noop("This address does not take that kind of request."),
    408: noop("This took too long to arrive. Check your connection and try again."),
    413: noop("This is too large. Send a shorter text."),
    415: noop("This kind of content is not taken here."),
    500: noop("Something went wrong on our side. It was noted as {number}. Try again in a moment."),
    503: noop("Your message can't be stored just now. It stays here and is sent again by itself."),
}

BLOCKED = noop("This chat is closed for you. If that is a mistake, please reach us another way.")
NOT_STORED = noop("Nothing can be stored just now, so this did not work. Try again in a moment.")


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
    sentence = (error.description if own_words else SENTENCES.get(status)) or SENTENCES[500]
    response = answer(status, gettext(sentence).replace("{number}", logs.request_number()))
    if "Allow" in (allowed := dict(error.get_headers())):
        response.headers["Allow"] = allowed["Allow"]
    return response


def _too_many(seconds: int) -> str:
    said = ngettext(
        "That was a lot at once. Try again in %(num)s second.",
        "That was a lot at once. Try again in %(num)s seconds.",
        seconds,
    )
    return said % {"num": seconds}


def describe(error: Exception) -> tuple[int, str, int | None]:
    """What a failure of the domain means outside: status, sentence, seconds to wait."""
    match error:
        case BadText():
            return 422, str(error), None
        case TooMany():
            return 429, _too_many(error.seconds), error.seconds
        case Full():
            return 429, gettext("This address has too many chats open at once. Close some of them."), 5
        case Blocked():
            return 403, gettext(BLOCKED), None
        case StorageError():
            sentence = SENTENCES[503] if "body" in request.form else NOT_STORED
            return 503, gettext(sentence), 2
        case NoConversation():
            return 404, gettext(SENTENCES[404]), None
    return 401, gettext(SENTENCES[401]), None


DOMAIN = (BadText, TooMany, Full, StorageError, NoConversation, BadToken, Gone)


def _note(error: BaseException | None) -> None:
    where = {"method": request.method, "endpoint": request.endpoint or "none"}
    log.error("Something unexpected went wrong", exc_info=error, extra={"fields": where})


def _unexpected(error: Exception) -> Response:
    _note(error)
    return answer(500, gettext(SENTENCES[500]).format(number=logs.request_number()))


def init_app(app: Flask) -> None:
    """One handler for each kind of failure."""
    app.register_error_handler(HTTPException, _http)  # type: ignore[arg-type]
    for kind in DOMAIN:
        app.register_error_handler(kind, lambda error: answer(*describe(error)))
    app.register_error_handler(Exception, _unexpected)
    app.log_exception = lambda told: _note(told[1])  # type: ignore[method-assign]  # Flask's own names the path
