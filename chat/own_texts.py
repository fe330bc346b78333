"""Own texts: what an owner wrote for visitors, in the other languages of those visitors.

Kept for each site and language by the text as the owner wrote it, as catalogues do: where that is changed later, it is
shown as it is until it is translated again.
"""

import json
from typing import NamedTuple

from chat import languages, sites
from chat.db import Tx

PREFIX = "texts@"


class Text(NamedTuple):
    """Something that the owner wrote for visitors."""

    place: str
    """Where visitors read it."""
    words: str
    most: int
    """Characters."""


def of(rx: Tx, site_id: int, language: str) -> dict[str, str]:
    """The texts of that site in that language, by what the owner wrote."""
    return dict(json.loads(sites.options(rx, site_id).get(PREFIX + language, "{}")))


def spoken(rx: Tx, site_id: int) -> dict[str, str]:
    """The same in the language that is spoken."""
    return of(rx, site_id, languages.spoken())


def put(tx: Tx, site_id: int, language: str, texts: dict[str, str]) -> None:
    """Keep these for that language, and no others."""
    kept = {text: said for text, said in texts.items() if text and said}
    sites.put(tx, site_id, PREFIX + language, json.dumps(kept, ensure_ascii=False) if kept else "")


def known(rx: Tx, site_id: int) -> list[str]:
    """The languages in which that site has texts."""
    names = sites.options(rx, site_id)
    return [language for language in languages.NAMES if PREFIX + language in names]
