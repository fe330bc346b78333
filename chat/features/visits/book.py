"""The book of visits: pages that are open just now, in this process's memory and nowhere else.

A page is known by a number that its script has drawn for as long as it is open. The number links it to no other page,
no other visit and no visitor; it is there so that the page can be struck out when it is left.
"""

from collections import OrderedDict
from collections.abc import Iterator
from time import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chat import sites, text
from chat.colleagues import Colleagues
from chat.db import Tx
from chat.limits import Buckets
from chat.sites import Site

MOST = 10_000  # pages in the book; the oldest go first
LASTS = 30 * 60.0  # seconds after which a page counts as left, whether it said so or not
LONGEST = 200  # characters of a path
SWITCH = "privacy.visits"
"""The site's option, `on` or nothing; it is set on the page Privacy."""


class Here(NamedTuple):
    """A page that people have open, and where they came from."""

    path: str
    referrer: str
    """The host alone; empty when the browser named none, or this very site."""
    since: float
    """When the first of them came, in seconds since 1970."""
    count: int  # type: ignore[assignment]


class _Visit(NamedTuple):
    site_id: int
    path: str
    referrer: str
    at: float


def counted(rx: Tx, site: Site) -> bool:
    """Whether its owner wants to know who is there."""
    return not site.removed_at and sites.has(rx, site.id, SWITCH)


class Book:
    """One worker's book, and its way to those of the others."""

    def __init__(self, colleagues: Colleagues, enabled: bool) -> None:
        self._colleagues = colleagues
        self._open: OrderedDict[str, _Visit] = OrderedDict()
        self._left: OrderedDict[str, float] = OrderedDict()
        self._addresses = Buckets(burst=240, rate=2, enabled=enabled)
        colleagues.listen(self._told)

    def may(self, address: str) -> bool:
        """Whether that address may tell something more just now."""
        return self._addresses.has(address)

    def come(self, site: Site, page: str, path: str, referrer: str, origin: str) -> None:
        """A page was opened. Of the referrer the host alone is taken."""
        if page not in self._left:
            path = text.line(path, LONGEST)
            _note(self._open, page, _Visit(site.id, path, _host(referrer, origin), time()))

    def leave(self, page: str) -> None:
        """It was left. Another worker may have it in its book, so that is noted for as long as it could stand there."""
        _note(self._left, page, time())
        self._open.pop(page, None)

    def here(self, site: Site) -> list[Here]:
        """The pages of that site that are open now, in any worker's book, the fullest first."""
        found: dict[tuple[str, str], Here] = {}
        for visit in self._visits():
            if visit.site_id == site.id:
                key = visit.path, visit.referrer
                known = found.get(key, Here(*key, visit.at, 0))
                found[key] = Here(*key, min(known.since, visit.at), known.count + 1)
        return sorted(found.values(), key=lambda each: (-each.count, each.since, each.path))

    def _visits(self) -> Iterator[_Visit]:
        """All workers' together: MOST at most, without those that any of them knows to be left."""
        books = [self._told(), *self._colleagues.ask()]
        left = {page for book in books for page in book["left"]}
        visits = {page: _Visit(*visit) for book in books for page, visit in book["open"].items() if page not in left}
        yield from sorted(visits.values(), key=lambda visit: -visit.at)[:MOST]

    def _told(self) -> dict[str, Any]:
        oldest = time() - LASTS
        while self._open and next(iter(self._open.values())).at < oldest:
            self._open.popitem(last=False)
        while self._left and next(iter(self._left.values())) < oldest:
            self._left.popitem(last=False)
        return {"open": dict(self._open), "left": list(self._left)}


def _note(book: OrderedDict[str, Any], page: str, what: object) -> None:
    book.pop(page, None)
    book[page] = what
    while len(book) > MOST:
        book.popitem(last=False)


def _host(referrer: str, origin: str) -> str:
    try:
        host = urlsplit(referrer).hostname or ""
    except ValueError:
        return ""
    return "" if host == urlsplit(origin).hostname else text.line(host, 100)
