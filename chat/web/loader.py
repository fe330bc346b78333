"""The loader: one small script a site, its configuration inside."""

import json
import re
from functools import lru_cache

from chat.config import ROOT
from chat.sites import Site
from chat.web import assets

REMOVED = "console.warn('Porchlight: the site '+{}+' was removed, so this page has no chat. Take the tag out.')"


def _configuration(site: Site) -> dict[str, object]:
    """What the loader has to know before anything is asked for."""
    told: dict[str, object] = {"site": site.key}
    return told | ({"domains": site.domains} if site.domains else {})


@lru_cache(maxsize=256)
def asset(site: Site) -> assets.Asset:
    """The loader for that site as it stands: minified and compressed when first asked."""
    if site.removed_at:
        return assets.Asset.of(REMOVED.format(json.dumps(site.key)).encode(), "text/javascript")
    configuration = json.dumps(_configuration(site), separators=(",", ":"))
    lantern = (ROOT / "templates/_lantern.html").read_text()
    box, body, flame = re.findall(r' (?:viewBox|d)="([^"]+)"', lantern)
    code = assets.source("loader.js").replace('"__CONFIG__"', configuration)
    for name, drawn in (("__BOX__", box), ("__LANTERN__", body), ("__FLAME__", flame)):
        code = code.replace(name, drawn)
    return assets.Asset.of(code.encode(), "text/javascript")
