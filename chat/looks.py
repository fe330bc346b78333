"""Looks: what an owner changed about how a site's chat looks and what it says. What was not changed is not stored."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from chat import colours, own_css, pictures, sites, text
from chat.db import Tx
from chat.languages import gettext, noop
from chat.own_texts import Text
from chat.sites import Site

PREFIX = "look_"
BEFORE = "look_before"
ICONS = ("lantern", "bubble", "smile", "question", "letter")
PAPER, PAPER_DARK = "#ffffff", "#1b1a18"


@dataclass(frozen=True)
class Look:
    """How one site's chat looks; an empty text stands for our own."""

    colour: str = ""
    on_colour: str = ""
    theme: str = "auto"
    corner: str = "end"
    side: int = 20
    bottom: int = 20
    icon: str = "lantern"
    label: str = ""
    picture: str = ""
    logo: str = ""
    title: str = ""
    greeting: str = ""
    placeholder: str = ""
    news: str = ""
    radius: int = 16
    font: str = ""
    css: str = ""
    credit: str = ""

    @property
    def fill(self) -> str:
        """The brand's colour."""
        return self.colour or "#b45309"

    @property
    def on_fill(self) -> str:
        """The colour of what stands on it: the owner's choice, else one that is read."""
        return self.on_colour or colours.text_on(self.fill)

    @property
    def scheme(self) -> str:
        """The lights that it is drawn for, as CSS says it."""
        return "light dark" if self.theme == "auto" else self.theme


DEFAULT = Look()
NAMES = tuple(field.name for field in fields(Look))
_CHOICES = {
    "on_colour": ("", colours.WHITE, colours.BLACK),
    "theme": ("auto", "light", "dark"),
    "corner": ("end", "start"),
    "icon": ICONS,
    "credit": ("", "1"),
}
_NUMBERS = {"side": (0, 120), "bottom": (0, 160), "radius": (0, 28)}  # pixels
LENGTHS = {"label": 24, "title": 60, "greeting": 400, "placeholder": 60, "news": 30}
_PLACES = {
    "label": noop("Words beside the button"),
    "title": "Title",
    "greeting": "Greeting",
    "placeholder": noop("In the empty box"),
    "news": noop("Button for new messages"),
}


def _value(name: str, typed: str) -> str | int:
    if name in _CHOICES:
        if typed not in _CHOICES[name]:
            raise ValueError(gettext("Choose one of these."))
        return typed
    if name in _NUMBERS:
        low, high = _NUMBERS[name]
        if not re.fullmatch(r"[0-9]{1,3}", typed.strip()) or not low <= int(typed) <= high:
            raise ValueError(gettext("Write a whole number from %(low)s to %(high)s.") % {"low": low, "high": high})
        return int(typed)
    if name in LENGTHS:
        said = text.line(typed, LENGTHS[name] + 1)
        if len(said) > LENGTHS[name]:
            raise ValueError(gettext("This is too long: %(name)s characters at most.") % {"name": LENGTHS[name]})
        return said
    if name == "colour":
        return colours.parse(typed) if typed.strip() else ""
    if name == "font":
        return ", ".join(families(typed))
    if name in ("logo", "picture") and not re.fullmatch(r"([0-9a-f]{32})?", typed):
        raise ValueError(gettext("This picture is not known. Choose it again."))
    return text.scrub(typed).strip() if name == "css" else typed


def families(typed: str) -> list[str]:
    """Names of fonts, the first that a visitor has is taken. Raises ValueError."""
    names = [name.strip().strip("\"'").strip() for name in typed.split(",")]
    found = [name for name in names if name]
    if len(found) > 6 or not all(re.fullmatch(r"[\w][\w .-]{0,39}", name) for name in found):
        raise ValueError(gettext("Write names of fonts with commas between them, such as Inter, Helvetica Neue."))
    return found


def read(typed: Mapping[str, str], base: Look = DEFAULT) -> tuple[Look, dict[str, str]]:
    """The look that was typed, and what is wrong, by field: there it stays as in `base`. A name left out is ours."""
    values, wrong = {}, {}
    for name in NAMES:
        try:
            values[name] = _value(name, typed[name]) if name in typed else getattr(DEFAULT, name)
        except ValueError as error:
            values[name], wrong[name] = getattr(base, name), str(error)
    return Look(**values), wrong


def faults(look: Look) -> list[str]:
    """What the owner's CSS holds that is not taken, by line."""
    return [f"Line {wrong.line}: {wrong.why}" for wrong in own_css.check(look.css)[1]] if look.css else []


def warnings(look: Look) -> list[str]:
    """Where the chosen colours are hard to read or to see, with the ratio (WCAG 2.2, 1.4.3 and 1.4.11)."""
    found = []
    reads, stands = colours.contrast(look.on_fill, look.fill), colours.contrast(look.fill, PAPER)
    if reads < colours.TEXT:
        found.append(
            gettext("Text on your colour is hard to read: %(reads)s to 1, and 4.5 to 1 is needed.")
            % {"reads": f"{reads:.1f}"}
        )
    if look.theme != "dark" and stands < colours.SHAPE:
        found.append(
            gettext("Your colour is hard to see on white: %(stands)s to 1, and 3 to 1 is needed to find the button.")
            % {"stands": f"{stands:.1f}"}
        )
    return found


def of(rx: Tx, site: Site) -> Look:
    """The site's look as it stands; a value that no check would take counts as not set."""
    stored = sites.options(rx, site.id)
    return read({name: stored[PREFIX + name] for name in NAMES if PREFIX + name in stored})[0]


def texts(look: Look) -> list[Text]:
    """What the owner wrote in it."""
    return [Text(_PLACES[name], getattr(look, name), most) for name, most in LENGTHS.items()]


def translated(look: Look, said: Mapping[str, str]) -> Look:
    """The same with those texts in another language."""
    changed = {name: said[words] for name in LENGTHS if (words := getattr(look, name)) in said}
    return replace(look, **changed) if changed else look


def has_before(rx: Tx, site: Site) -> bool:
    """Whether there is a look to go back to."""
    return BEFORE in sites.options(rx, site.id)


def save(tx: Tx, site: Site, look: Look) -> None:
    """This look from now on; the one before it is kept for `undo`."""
    was = of(tx, site)
    if was == look:
        return
    for name in NAMES:
        value = getattr(look, name)
        sites.put(tx, site.id, PREFIX + name, "" if value == getattr(DEFAULT, name) else str(value))
    before = {name: str(getattr(was, name)) for name in NAMES}
    sites.put(tx, site.id, BEFORE, json.dumps(before, ensure_ascii=False))
    pictures.sweep(tx)


def undo(tx: Tx, site: Site) -> None:
    """The look before this one; once more brings this one back."""
    stored = sites.options(tx, site.id).get(BEFORE)
    if stored:
        save(tx, site, read(json.loads(stored))[0])


def lit(look: Look, light: str) -> Look:
    """The same in one light, for who wants to see both."""
    return replace(look, theme=light) if look.theme == "auto" and light in ("light", "dark") else look
