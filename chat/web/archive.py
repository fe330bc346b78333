"""The download of everything, for the owner: made off the loop, one at a time."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

import gevent
from flask import Blueprint, Response, abort, request
from werkzeug.wrappers import Response as AnyResponse
from werkzeug.wsgi import wrap_file

from chat import archives, folder
from chat.copies import NoRoom, UnusableDatabase
from chat.languages import gettext
from chat.web import accounts, core, errors

archive = Blueprint("archive", __name__, url_prefix="/inbox")
PLACE = "download"
"""In the data folder: where an archive is made. Whoever makes the next one clears what a kill left there."""


@archive.before_request
def require() -> AnyResponse | None:
    """An agent's session; and no page or link of another site sets this work going."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        abort(403)
    return accounts.require()


@archive.get("/archive")
def download() -> Response:
    """Everything that is kept as one checked archive, as `backup` writes it. 429 while another is being made."""
    if request.method == "HEAD":
        abort(405)  # Flask adds it to every GET; it would do all the work for nothing
    made = gevent.get_hub().threadpool.apply(_make, (core().settings.chat_data,))
    if isinstance(made, folder.Busy):
        return errors.answer(429, gettext("Another download is being prepared just now. Try again in a minute."), 60)
    if isinstance(made, Exception):
        return errors.answer(503, gettext("The download could not be prepared. %(why)s") % {"why": made})
    response = Response(wrap_file(request.environ, made), mimetype="application/zip", direct_passthrough=True)
    response.content_length = os.fstat(made.fileno()).st_size
    response.headers["Content-Disposition"] = f"attachment; filename={archives.dated_name()}"
    return response


def _make(data: Path) -> BinaryIO | folder.Busy | NoRoom | UnusableDatabase:
    """The archive as an open file that has no name any more: it is gone when it is closed, however that comes.
    Or why there is none; returned, because gevent prints what its threads raise."""
    place = data / PLACE
    try:
        with folder.lock(data / f"{PLACE}.lock"):
            shutil.rmtree(place, ignore_errors=True)
            try:
                place.mkdir(mode=0o700)
                return archives.write(data, place / "archive.zip").path.open("rb")
            finally:
                shutil.rmtree(place, ignore_errors=True)
    except (folder.Busy, NoRoom, UnusableDatabase) as error:
        return error
