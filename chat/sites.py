"""Sites: each embeds the chat under its own key."""

from dataclasses import dataclass

from chat.db import Tx


@dataclass(frozen=True)
class Site:
    """One site of this installation."""

    id: int
    key: str
    name: str
    domains: tuple[str, ...]
    """The origins that may frame the widget; none means everybody."""


def find(rx: Tx, key: str) -> Site | None:
    """The site with that key, or None."""
    row = rx.execute("SELECT id, key, name, domains FROM sites WHERE key = ?", [key]).fetchone()
    return Site(row["id"], row["key"], row["name"], tuple(row["domains"].split())) if row else None


def every(rx: Tx) -> list[Site]:
    """All sites of this installation, the first one first."""
    keys = [row["key"] for row in rx.execute("SELECT key FROM sites ORDER BY id").fetchall()]
    return [site for key in keys if (site := find(rx, key))]


def key_of(rx: Tx, site_id: int) -> str:
    """The key of the site with that id."""
    return str(rx.execute("SELECT key FROM sites WHERE id = ?", [site_id]).fetchone()["key"])


def first(rx: Tx) -> Site:
    """The site that every installation has."""
    site = find(rx, "main")
    assert site is not None
    return site
