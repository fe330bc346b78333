"""Tags: on which pages a site's tag stands, by what the browser tells when it fetches the loader."""

from time import monotonic
from urllib.parse import urlsplit

from chat import sites
from chat.db import Store
from chat.sites import Site

PAUSE = 60.0  # seconds in which the same page's tag is noted once
_noted: dict[tuple[int, str], float] = {}


def note(store: Store, site: Site, referrer: str) -> None:
    """The loader was fetched from a page of that address; of it only the origin is kept. Never fails, never waits."""
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or len(origin) > 200 or site.removed_at:
        return
    now = monotonic()
    if now - _noted.get((site.id, origin), -PAUSE) < PAUSE:
        return
    if len(_noted) > 1000:  # whoever makes up referrers empties what saves work, and nothing else
        _noted.clear()
    _noted[site.id, origin] = now
    store.post(lambda tx: sites.seen(tx, site, origin))
