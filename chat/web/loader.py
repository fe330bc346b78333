"""The loader: one small script a site, its configuration inside."""

import json
import re
from functools import lru_cache

from chat import languages, own_texts, sites
from chat.config import ROOT
from chat.db import Tx
from chat.languages import gettext
from chat.looks import DEFAULT, Look
from chat.sites import Site
from chat.web import assets, dress

REMOVED = "console.warn('Porchlight: the site '+{}+' was removed, so this page has no chat. Take the tag out.')"


LABELLED = (
    "button{border-radius:28px;grid-auto-flow:column;gap:8px;font:600 16px/1.2 FONT;white-space:nowrap}"
    "[aria-expanded=false]{width:auto;max-width:calc(100vw - 40px);padding-inline:14px 20px}"
    "[aria-expanded=true] span{display:none}[aria-expanded=false]:has(img){padding-inline-start:0}"
)


def words(rx: Tx, site: Site, look: Look) -> dict[str, dict[str, str]]:
    """What is said before the frame speaks: in the site's first language, the least of it in those of its own texts."""
    first = sites.language(rx, site.id)
    with languages.speaking(first):
        said = {
            "open": gettext("Open chat"),
            "chat": gettext("Chat"),
            "wait": gettext("Opening the chat…"),
            "fail": gettext("The chat can’t be reached just now. It opens by itself as soon as it can."),
        }
    others = {language: _briefly(rx, site, look, language) for language in own_texts.known(rx, site.id)}
    return {first: said | ({"label": look.label} if look.label else {})} | others


def _briefly(rx: Tx, site: Site, look: Look, language: str) -> dict[str, str]:
    label = own_texts.of(rx, site.id, language).get(look.label, "")
    with languages.speaking(language):
        return {"open": gettext("Open chat")} | ({"label": label} if label else {})


def _configuration(site: Site, look: Look) -> dict[str, object]:
    """What the loader has to know before anything is asked for."""
    told = {"site": site.key, "domains": site.domains, "picture": look.picture}
    return {name: value for name, value in told.items() if value}


def drawn(icon: str) -> list[str]:
    """A launcher's drawing: its box, its lines, and what of it is filled."""
    return re.findall(r' (?:viewBox|d)="([^"]+)"', (ROOT / f"templates/icons/_{icon}.html").read_text())


def _styled(look: Look) -> dict[str, str]:
    """What stands in the loader's styles; all of it was checked to be a number, a colour or one of a few words."""
    box, lines, flame = drawn(look.icon)
    more = LABELLED.replace("FONT", dress.font(look)) if look.label else ""
    return {
        "__BOX__": box,
        "__LANTERN__": lines,
        "__FLAME__": flame,
        "__FILL__": look.fill,
        "__ON__": look.on_fill,
        "__SCHEME__": look.scheme,
        "__CORNER__": look.corner,
        "__EDGE__": "right" if look.corner == "end" else "left",
        "__X__": str(look.side),
        "__Y__": str(look.bottom),
        "__ABOVE__": str(look.bottom + 68),
        "__ROOM__": str(look.bottom + 84),
        "__BEND__": str(look.radius),
        "/*__MORE__*/": more,
    }


@lru_cache(maxsize=256)
def asset(site: Site, look: Look = DEFAULT, more: str = "{}", server: str = "") -> assets.Asset:
    """The loader for that site as it stands and looks: minified and compressed when first asked. `more`: what features
    have it know, as JSON. `server`: where the chat is, when the loader itself comes from elsewhere."""
    if site.removed_at:
        return assets.Asset.of(REMOVED.format(json.dumps(site.key)).encode(), "text/javascript")
    told = _configuration(site, look) | json.loads(more)
    parts = "".join(assets.source(str(name)) for name in told.pop("parts", []))  # type: ignore[attr-defined]
    configuration = json.dumps(told, separators=(",", ":"))
    code = assets.source("loader.js").replace('"__PARTS__";', parts)
    if server:
        code = code.replace("new URL(script.src).origin", json.dumps(server))
    for name, value in _styled(look).items():
        code = code.replace(name, value)
    return assets.Asset.of(code.replace('"__CONFIG__"', configuration).encode(), "text/javascript")
