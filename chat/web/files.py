"""Files of messages: each under an address that nobody can guess, and never shown by us as a page."""

from flask import Blueprint, Response, abort, send_file

from chat import files as kept
from chat.languages import noop
from chat.web import core

files = Blueprint("files", __name__)


@files.get("/files/<token>")
def download(token: str) -> Response:
    """The file as an attachment, whatever it calls itself; 404 to who does not know its address."""
    with core().store.read() as rx:
        found = kept.find(rx, token) or abort(404)
    place = kept.path(core().settings.chat_data, found.token)
    if not place.exists():
        abort(404, noop("This file is not kept any more."))
    response = send_file(place, found.type, as_attachment=True, download_name=found.name, etag=False)
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox; frame-ancestors 'none'"
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response
