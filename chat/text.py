"""What people type, made safe to keep: one place for line ends, control characters and length."""

import re
import unicodedata

from chat.languages import gettext, noop

LIMIT = 4000  # code points, after CRLF -> LF and trimming
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # with C1, and halves of a pair
_OVERRIDES = re.compile("[\u202a-\u202e]")  # embeddings and overrides; the marks 200E, 200F, 061C stay
_BROKEN = "\ufffd"  # what a form parser puts where the bytes were no UTF-8
UNREADABLE = noop("Part of this message could not be read. Type that part again and send it.")


class BadText(ValueError):
    """Text that can't be taken; its words are shown to the person who typed it."""


def clean(raw: str, limit: int = LIMIT) -> str:
    """The text as it is kept: LF line ends, trimmed, without bidi overrides. Raises BadText."""
    body = raw.replace("\r\n", "\n").replace("\r", "\n")
    if _CONTROL.search(body):
        raise BadText(gettext("This message has characters that can't be shown. Remove them and send it again."))
    if _BROKEN in body:
        raise BadText(gettext(UNREADABLE))
    body = _OVERRIDES.sub("", body).strip()
    if not _visible(body):
        raise BadText(gettext("Write a message first."))
    if len(body) > limit:
        raise BadText(
            gettext("This message is %(length)s characters long. The most is %(most)s: shorten it or send it in parts.")
            % {"length": f"{len(body):,}", "most": f"{limit:,}"}
        )
    return body


def _visible(body: str) -> bool:
    return any(unicodedata.category(mark) not in ("Cf", "Cc", "Zs", "Zl", "Zp") for mark in body)


def line(raw: str, limit: int) -> str:
    """One line for a label (a page's title, an address, a browser's name): never an error, only cut."""
    flat = _OVERRIDES.sub("", _CONTROL.sub(" ", raw).replace(_BROKEN, ""))
    return " ".join(flat.split())[:limit]


def scrub(raw: str) -> str:
    """The same text without what can't be kept, for what nobody can be asked to mend, such as a letter."""
    body = raw.replace("\r\n", "\n").replace("\r", "\n")
    return _OVERRIDES.sub("", _CONTROL.sub("", body))


def size(count: float) -> str:
    """So many bytes, for people."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count / 1e3:,.1f} KB"
