"""Own CSS: what an owner writes to change the widget, read as a browser reads it and limited to what is safe.

What goes out is written anew from what was understood (CSS Syntax 3, by tinycss2), never the text that was typed; what
may stand in it is on lists, so that a thing nobody thought of is refused. Nothing in it can fetch anything.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from chat.languages import gettext

MOST = 10_000  # characters
AT_RULES = frozenset(("media", "supports", "keyframes"))
FUNCTIONS = frozenset(
    "rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix light-dark var env calc min max clamp round"
    " linear-gradient radial-gradient conic-gradient repeating-linear-gradient repeating-radial-gradient"
    " repeating-conic-gradient cubic-bezier steps linear translate translatex translatey scale scalex scaley rotate"
    " skew skewx skewy matrix blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia"
    " inset circle ellipse polygon minmax repeat fit-content counter".split()
)
SELECTORS = frozenset("not is where has dir lang nth-child nth-last-child nth-of-type nth-last-of-type".split())
POSITIONS = frozenset(("static", "relative", "absolute"))
REFUSED = frozenset(("behavior", "-moz-binding", "-webkit-user-modify"))


class Wrong(NamedTuple):
    """What is not taken: its line, from 1, and why."""

    line: int
    why: str


@lru_cache(maxsize=64)
def check(typed: str) -> tuple[str, tuple[Wrong, ...]]:
    """The CSS as it may go out, and what was left out of it. Up to 14 ms for the most that may be typed."""
    if len(typed) > MOST:
        return "", (Wrong(1, gettext("This is too long: %(most)s characters at most.") % {"most": f"{MOST:,}"}),)
    try:
        return _read(typed)
    except RecursionError:
        return "", (Wrong(1, gettext("Brackets stand in brackets here deeper than can be read.")),)


def _read(typed: str) -> tuple[str, tuple[Wrong, ...]]:
    import tinycss2

    good, wrong = [], []
    for rule in tinycss2.parse_stylesheet(typed, skip_comments=True, skip_whitespace=True):
        found = list(_rule(rule))
        wrong += found
        if not found:
            good.append(rule)
    return tinycss2.serialize(good).strip(), tuple(wrong)


def _rule(rule: Any, inside: bool = False) -> Iterable[Wrong]:
    import tinycss2

    if rule.type == "error":
        yield Wrong(rule.source_line, gettext("This could not be read: %(why)s.") % {"why": rule.message.rstrip(".")})
    elif rule.type == "qualified-rule":
        yield from _tokens(rule.prelude, SELECTORS)
        for part in tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True):
            yield from _declaration(part)
    elif rule.type == "at-rule" and rule.lower_at_keyword in AT_RULES and rule.content is not None and not inside:
        yield from _tokens(rule.prelude, FUNCTIONS)
        for part in tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True):
            yield from _rule(part, inside=True)
    elif rule.type == "at-rule":
        yield Wrong(
            rule.source_line,
            gettext("@%(at_keyword)s cannot be used here; @media, @supports and @keyframes can.")
            % {"at_keyword": rule.at_keyword},
        )


def _declaration(part: Any) -> Iterable[Wrong]:
    if part.type == "error":
        yield Wrong(part.source_line, gettext("This could not be read: %(why)s.") % {"why": part.message.rstrip(".")})
    elif part.type != "declaration":
        yield Wrong(part.source_line, gettext("Write each rule by itself: rules inside rules cannot be used here."))
    elif part.lower_name in REFUSED:
        yield Wrong(part.source_line, gettext("“%(name)s” cannot be used here.") % {"name": part.name})
    else:
        words = [token for token in part.value if token.type not in ("whitespace", "comment")]
        known = [token.type == "ident" and token.lower_value in POSITIONS for token in words]
        if part.lower_name == "position" and not all(known):
            yield Wrong(part.source_line, gettext("“position” can be static, relative or absolute here."))
        yield from _tokens(part.value, FUNCTIONS)


def _tokens(tokens: Iterable[Any], functions: frozenset[str]) -> Iterable[Wrong]:
    for token in tokens:
        if token.type == "url" or (token.type == "function" and token.lower_name in ("url", "src", "image-set")):
            yield Wrong(
                token.source_line, gettext("Nothing can be loaded from an address: url() and its kind cannot be used.")
            )
        elif token.type == "error":
            yield Wrong(
                token.source_line,
                gettext("This could not be read: %(why)s.") % {"why": token.message.rstrip(".")},
            )
        elif token.type == "function" and token.lower_name not in functions:
            yield Wrong(token.source_line, gettext("“%(name)s()” cannot be used here.") % {"name": token.name})
        elif token.type == "function":
            yield from _tokens(token.arguments, functions)
        elif token.type in ("() block", "[] block", "{} block"):
            yield from _tokens(token.content, functions)
