"""Where pages tell that they are open, and where the owner reads it."""

import re
from datetime import UTC, datetime

from flask import Blueprint, Response, request

from chat import sites
from chat.features.visits.book import Book, counted
from chat.web import core, live, security
from chat.web.sites import chosen, require_site, show
from chat.web.visitor import here, know_the_site

LONGEST = 8000  # bytes of what a page tells
SHOWN = 10  # pages in the owner's list
TOLD = re.compile(r"(0\.\d{1,25}(?:e-\d{1,3})?),([^,]*),(/[^?#]*?),((?:[a-z][a-z-]*://[^?#]*)?)")
"""The page's number, what has happened, path and referrer: what static/visit.js sends."""
security.FROM_PAGES.add("visits.tell")


def beacon(book: Book) -> Blueprint:
    """Where a page tells that it was opened or left. Not below /w/, so that no visitor's cookie comes along."""
    visits = Blueprint("visits", __name__)
    visits.before_request(know_the_site)

    @visits.post("/visits/<key>")
    def tell(key: str) -> Response:
        """Always the same answer, in which nothing is said: who may not tell, or tells too much, is not listened to."""
        said = TOLD.fullmatch(request.get_data()[:LONGEST].decode(errors="replace"))
        if said and book.may(live.address()) and _may_tell():
            number, event, path, referrer = said.groups()
            if event == "pagehide":
                book.leave(number)
            else:
                book.come(here(), number, path, referrer, request.headers["Origin"])
        return Response(status=204, headers={"Cross-Origin-Resource-Policy": "cross-origin"})

    return visits


def _may_tell() -> bool:
    """From the site's own pages, where its owner wants it, and not from a browser that asks not to be counted."""
    headers = request.headers
    if headers.get("DNT") == "1" or headers.get("Sec-GPC") == "1":
        return False
    origin = headers.get("Origin", "")
    with core().store.read() as rx:
        return counted(rx, here()) and (security.is_ours(origin) or (origin != "" and sites.allows(here(), origin)))


def of_site(book: Book) -> Blueprint:
    """The owner's page."""
    visits = Blueprint("visits_site", __name__, url_prefix="/inbox/sites/<key>/visits")
    visits.before_request(require_site)

    @visits.get("")
    def page(key: str) -> Response:
        """How many are there, and on which pages: as of now, drawn when asked."""
        with core().store.read() as rx:
            on = counted(rx, chosen())
        found = book.here(chosen()) if on else []
        shown = [(each, datetime.fromtimestamp(each.since, UTC).isoformat()) for each in found[:SHOWN]]
        return show("visits/site.html", on=on, people=sum(each.count for each in found), places=shown)

    return visits
