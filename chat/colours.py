"""Colours: how well one is read on another, as WCAG 2.2 reckons it (relative luminance, contrast ratio)."""

import re

from chat.languages import gettext

WHITE, INK, BLACK = "#ffffff", "#1f1d1a", "#000000"
TEXT, SHAPE = 4.5, 3.0
"""What WCAG 2.2 asks for: 1.4.3 for text, 1.4.11 for what one has to make out."""


def parse(typed: str) -> str:
    """A colour as `#rrggbb`, from that or from `#rgb`. Raises ValueError."""
    found = re.fullmatch(r"#?([0-9a-f]{3}|[0-9a-f]{6})", typed.strip().lower())
    if not found:
        raise ValueError(gettext("A colour is a # and six of 0-9 and a-f, such as #0b6e4f."))
    digits = found[1]
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits)


def _parts(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def luminance(colour: str) -> float:
    """From 0, black, to 1, white (WCAG 2.2, relative luminance)."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1, the same, to 21, black on white (WCAG 2.2, contrast ratio)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(ground: str) -> str:
    """The colour of text that is read on it: white where that will do, else ink, else black; one always does."""
    return next(text for text in (WHITE, INK, BLACK) if contrast(text, ground) >= TEXT)


def apart(colour: str, ground: str, ratio: float) -> str:
    """The colour itself, or the nearest lighter or darker one that stands out from the ground that far."""
    away = _parts(WHITE if contrast(WHITE, ground) > contrast(BLACK, ground) else BLACK)
    for step in range(51):
        mixed = [round(mine + (end - mine) * step / 50) for mine, end in zip(_parts(colour), away, strict=True)]
        found = "#{:02x}{:02x}{:02x}".format(*mixed)
        if contrast(found, ground) >= ratio:
            return found
    return found
