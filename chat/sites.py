"""Sites: each embeds the chat under its own key, and has its own domains, look, words and hours."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import idna

from chat import clock, text
from chat.db import Tx
from chat.languages import gettext

MOST = 50  # sites of one installation
MOST_DOMAINS = 30
MOST_PAGES = 20  # addresses kept of those where a site's tag was seen
_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\]")


class BadSite(ValueError):
    """Something about a site can't be as asked: the text says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True)
class Site:
    """One site of this installation."""

    id: int
    key: str
    name: str
    domains: tuple[str, ...]
    """Who may frame the widget, as sources of a content security policy; none means everybody."""
    version: int = 0
    """Grows with every change of what is set for it: what is made of that may be kept under it."""
    removed_at: str | None = None


_COLUMNS = "id, key, name, domains, version, removed_at"


def _of(row: tuple[object, ...]) -> Site:
    number, key, name, domains, version, removed_at = row
    return Site(number, key, name, tuple(str(domains).split()), version, removed_at)  # type: ignore[arg-type]


def find(rx: Tx, key: str, *, removed: bool = False) -> Site | None:
    """The site with that key; None when there is none, or (unless asked for) it was removed."""
    row = rx.execute(f"SELECT {_COLUMNS} FROM sites WHERE key = ?", [key]).fetchone()
    site = _of(tuple(row)) if row else None
    return site if site and (removed or not site.removed_at) else None


def every(rx: Tx, *, removed: bool = False) -> list[Site]:
    """All sites of this installation, the first one first; the removed ones only if asked for."""
    found = [_of(tuple(row)) for row in rx.execute(f"SELECT {_COLUMNS} FROM sites ORDER BY id").fetchall()]
    return [site for site in found if removed or not site.removed_at]


def key_of(rx: Tx, site_id: int) -> str:
    """The key of the site with that id."""
    return str(rx.execute("SELECT key FROM sites WHERE id = ?", [site_id]).fetchone()["key"])


def language(rx: Tx, site_id: int) -> str:
    """What is spoken at that site to who wants nothing that we speak."""
    return options(rx, site_id).get("language", "en")


def first(rx: Tx) -> Site:
    """The site that takes what no site is named for: the oldest that was not removed."""
    return every(rx)[0]


def beside(rx: Tx, site_id: int, name: str) -> str:
    """A visitor's name with the site behind it, where there are several: for what agents are told outside the inbox."""
    known = every(rx)
    return f"{name} · {next((site.name for site in known if site.id == site_id), '?')}" if len(known) > 1 else name


def add(tx: Tx, name: str, key: str) -> str:
    """A new site; returns its key. Raises BadSite."""
    name = _name(name)
    key = key.strip().lower() or _key_for(tx, name)
    if not re.fullmatch(r"[a-z0-9](-?[a-z0-9]){0,31}", key):
        raise BadSite("key", gettext("Use small letters, digits and single hyphens, such as garden-shop."))
    if find(tx, key, removed=True):
        raise BadSite("key", gettext("Another site has this key. Choose another one."))
    if len(every(tx, removed=True)) >= MOST:
        raise BadSite("name", gettext("One installation can have %(most)s sites.") % {"most": MOST})
    tx.execute("INSERT INTO sites (key, name, created_at) VALUES (?, ?, ?)", [key, name, clock.now()])
    return key


def _key_for(rx: Tx, name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode().replace("'", "")
    plain = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:28].strip("-") or "site"
    taken = {site.key for site in every(rx, removed=True)}
    return next(key for key in (plain, *(f"{plain}-{number}" for number in range(2, MOST + 3))) if key not in taken)


def _name(said: str) -> str:
    name = text.line(said, 80)
    if not name:
        raise BadSite("name", gettext("Give the site a name. Visitors read it at the top of the chat."))
    return name


def change(tx: Tx, site: Site, name: str, domains: str) -> None:
    """Another name, other domains. Raises BadSite."""
    values = [_name(name), " ".join(sources(domains)), site.id]
    tx.execute("UPDATE sites SET name = ?, domains = ?, version = version + 1 WHERE id = ?", values)


def remove(tx: Tx, site: Site) -> None:
    """Its chat is switched off; its conversations stay. Raises BadSite for the last one."""
    if len(every(tx)) < 2:
        raise BadSite("name", gettext("This is the only site. Add another one before you remove it."))
    tx.execute("UPDATE sites SET removed_at = ?, version = version + 1 WHERE id = ?", [clock.now(), site.id])


def bring_back(tx: Tx, site: Site) -> None:
    """A removed site is on again, as it was."""
    tx.execute("UPDATE sites SET removed_at = NULL, version = version + 1 WHERE id = ?", [site.id])


def sources(typed: str) -> tuple[str, ...]:
    """What was typed as domains, one a line or between commas, as sources of a policy. Raises BadSite.

    `shop.example` stands for both schemes, `*.shop.example` for every host below it; an address is cut to its origin.
    """
    found = [source for word in re.split(r"[\s,;]+", typed) if word for source in _source(word)]
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MOST_DOMAINS:
        raise BadSite(
            "domains",
            gettext("%(most_domains)s domains at most. `*.shop.example` stands for all below shop.example.")
            % {"most_domains": MOST_DOMAINS},
        )
    return unique


def _source(word: str) -> tuple[str, ...]:
    refused = BadSite(
        "domains",
        gettext("“%(word)s” is no domain. It looks like shop.example or *.shop.example.")
        % {"word": text.line(word, 60)},
    )
    try:
        parts = urlsplit(word if "://" in word else f"//{word}")
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            star, host = ("*.", host[2:]) if host.startswith("*.") else ("", host)
            host = star + idna.encode(host, uts46=True).decode()
    except (ValueError, UnicodeError):
        raise refused from None
    host = f"[{host}]" if ":" in host else host
    plain = parts.scheme in ("", "http", "https") and parts.username is None and not word.endswith(":")
    if not plain or not _HOST.fullmatch(host):
        raise refused
    place = f"{host}:{port}" if port else host
    return (f"{parts.scheme}://{place}",) if parts.scheme else (f"https://{place}", f"http://{place}")


# What is set for one site, by name.


def options(rx: Tx, site_id: int) -> dict[str, str]:
    """All that is set for that site; a name that is not in here was never set."""
    found = rx.execute("SELECT name, value FROM site_options WHERE site_id = ?", [site_id]).fetchall()
    return {row["name"]: row["value"] for row in found}


def has(rx: Tx, site_id: int, name: str) -> bool:
    """Whether that is set for that site."""
    query = "SELECT 1 FROM site_options WHERE site_id = ? AND name = ?"
    return rx.execute(query, [site_id, name]).fetchone() is not None


def put(tx: Tx, site_id: int, name: str, value: str) -> None:
    """Set it for that site; an empty value takes it away."""
    tx.execute("DELETE FROM site_options WHERE site_id = ? AND name = ?", [site_id, name])
    if value:
        tx.execute("INSERT INTO site_options (site_id, name, value) VALUES (?, ?, ?)", [site_id, name, value])


# Where its tag was seen.


def seen(tx: Tx, site: Site, origin: str) -> None:
    """Its tag stands on a page of that origin. The MOST_PAGES that were seen last are kept."""
    values = [site.id, origin, clock.now()]
    tx.execute("INSERT OR REPLACE INTO site_pages (site_id, origin, seen_at) VALUES (?, ?, ?)", values)
    kept = "SELECT origin FROM site_pages WHERE site_id = ? ORDER BY seen_at DESC LIMIT ?"
    tx.execute(f"DELETE FROM site_pages WHERE site_id = ? AND origin NOT IN ({kept})", [site.id, site.id, MOST_PAGES])


def pages(rx: Tx, site: Site) -> list[tuple[str, bool, str]]:
    """(origin, whether it may show the chat, when): where the tag was seen, the last one first."""
    query = "SELECT origin, seen_at FROM site_pages WHERE site_id = ? ORDER BY seen_at DESC"
    return [(row["origin"], allows(site, row["origin"]), row["seen_at"]) for row in rx.execute(query, [site.id])]


@lru_cache(maxsize=1024)
def allows(site: Site, origin: str) -> bool:
    """Whether a page of that origin may show the chat, as a browser reads the policy (CSP3, 6.7.2.8)."""
    if not site.domains:
        return True
    scheme, _, place = origin.partition("://")
    for source in site.domains:
        wanted, _, pattern = source.partition("://")
        below = pattern.startswith("*.") and place.endswith(pattern[1:])
        if (place == pattern or below) and (scheme == wanted or (wanted == "http" and scheme == "https")):
            return True
    return False
