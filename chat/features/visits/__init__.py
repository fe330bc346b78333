"""Visits: which pages of a site are open just now, if its owner wants to know. Kept nowhere."""

from chat.colleagues import Colleagues
from chat.db import Tx
from chat.features import Feature, Page
from chat.features.visits import pages
from chat.features.visits.book import Book, counted
from chat.languages import noop
from chat.sites import Site
from chat.web import Core


def declare(core: Core) -> Feature:
    """What counting visits brings. Each worker keeps its own book, and asks the others for theirs when it is read."""
    book = Book(Colleagues("visits"), core.settings.limits)
    return Feature(
        "visits",
        blueprints=(pages.beacon(book), pages.of_site(book)),
        site_page=Page(
            noop("Who is on your site"),
            "visits",
            noop("How many people have a page of yours open now, and which."),
        ),
        loader=_for_loader,
    )


def _for_loader(rx: Tx, site: Site) -> dict[str, object]:
    """The few lines that tell it stand in the loader only where they are wanted."""
    return {"parts": ["visit.js"]} if counted(rx, site) else {}
