"""What the owner has set about privacy: for each site, and for the whole installation."""

from typing import NamedTuple
from urllib.parse import urlsplit

from chat import options, sites, text
from chat.db import Tx
from chat.languages import gettext, noop

BEFORE, ADDRESS = noop("Before the first message"), noop("Address of the privacy policy")
"""How the places are called at which a site's own words stand."""
LONGEST_TEXT, LONGEST_ADDRESS = 300, 1000
MOST_DAYS = 3650


class BadSetting(ValueError):
    """A choice that can't be; the text says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class OfSite(NamedTuple):
    """One site's choices, as they are kept in `site_options`."""

    text: str = ""
    """Said to a visitor before the first message."""
    url: str = ""
    """Of the privacy policy."""
    days: str = ""
    """A conversation in which nothing has happened for so long is erased; empty: kept for ever."""
    mask: str = ""
    """`on`: card and identity numbers are masked before they are stored."""
    visits: str = ""
    """`on`: pages tell that they are open (see the feature `visits`)."""


def of_site(rx: Tx, site_id: int) -> OfSite:
    """As it stands now."""
    kept = sites.options(rx, site_id)
    return OfSite(*(kept.get(f"privacy.{name}", "") for name in OfSite._fields))


class OfInstallation(NamedTuple):
    """What holds for all sites, as it is kept in `options`."""

    addresses: str = ""
    """`short`: the network that a visitor comes from is kept; empty: nothing of it."""
    reads: str = ""
    """`on`: it is noted which agent has opened which conversation."""
    idle: str = ""
    """Minutes without work after which an agent is signed off; empty: never."""


IDLE = (5, 15, 30, 60, 480)  # minutes to choose from


def of_installation(rx: Tx) -> OfInstallation:
    """As it stands now."""
    return OfInstallation(*(options.get(rx, f"privacy.{name}") for name in OfInstallation._fields))


def put_installation(tx: Tx, chosen: OfInstallation) -> None:
    """Keep them."""
    for name, value in chosen._asdict().items():
        options.put(tx, f"privacy.{name}", value)


def check(said: OfSite) -> OfSite:
    """The choices, if they can be kept. Raises BadSetting."""
    url, days = said.url.strip(), said.days.strip()
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if url and (not good or len(url) > LONGEST_ADDRESS or len(url.split()) > 1):
        raise BadSetting("url", gettext("This is no address on the web. It looks like https://shop.example/privacy."))
    if days and not (days.isascii() and days.isdigit() and 0 < int(days[:5]) <= MOST_DAYS):
        raise BadSetting(
            "days",
            gettext("Write a number of days from 1 to %(most_days)s, or nothing to keep them for ever.")
            % {"most_days": MOST_DAYS},
        )
    mask, visits = ("on" if each else "" for each in (said.mask, said.visits))
    return OfSite(text.line(said.text, LONGEST_TEXT), url, days.lstrip("0"), mask, visits)


def put(tx: Tx, site_id: int, chosen: OfSite) -> None:
    """Keep them."""
    for name, value in chosen._asdict().items():
        sites.put(tx, site_id, f"privacy.{name}", value)
