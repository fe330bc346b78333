"""Dress: how a site's look goes out to visitors, as one style sheet of custom properties and as pictures."""

import re
from functools import lru_cache
from urllib.parse import quote

import gevent
from flask import Blueprint, Response, abort
from werkzeug.datastructures import FileStorage

from chat import colours, own_css, pictures
from chat.looks import DEFAULT, PAPER, PAPER_DARK, Look
from chat.pictures import BadPicture
from chat.web import assets, core, security

dress = Blueprint("dress", __name__)
SYSTEM = 'system-ui,-apple-system,"Segoe UI",Roboto,sans-serif'


def font(look: Look) -> str:
    """The families, the host's own first; nothing is ever loaded for them."""
    return ",".join([f'"{name}"' for name in look.font.split(", ") if name] + [SYSTEM])


@lru_cache(maxsize=1)
def _tokens() -> tuple[str, str]:
    """The declarations of tokens.css for the day and for the night."""
    day, night = re.findall(r":root\{([^}]*)\}", assets.source("tokens.css"))
    return re.search(r"--canvas.*?--on-note:[^;}]*", day)[0], night  # type: ignore[index]


def _coloured(look: Look, ground: str) -> str:
    """The brand on that ground: as it is on white (the owner is told when that is hard to see), lifted in the dark,
    where no owner can mend it; links are always moved until they are read."""
    if not (look.colour or look.on_colour):
        return ""
    fill = look.fill if ground == PAPER else colours.apart(look.fill, ground, colours.SHAPE)
    on = look.on_colour or colours.text_on(fill)
    return f"--accent:{fill};--on-accent:{on};--link:{colours.apart(look.fill, ground, colours.TEXT + 0.3)};"


@lru_cache(maxsize=128)
def sheet(look: Look) -> str:
    """All that differs from ours; empty when nothing does."""
    day, night = _coloured(look, PAPER), _coloured(look, PAPER_DARK)
    shape = f"--bend:{look.radius}px;--round:{min(look.radius, 12)}px;" if look.radius != DEFAULT.radius else ""
    shape += f"font-family:{font(look)};" if look.font else ""
    if look.theme == "auto":
        rules = [day + shape, night]
        lit = [f":root{{{rules[0]}}}"] if rules[0] else []
        lit += [f"@media (prefers-color-scheme:dark){{:root{{{night}}}}}"] if night else []
    else:
        tokens, brand = (_tokens()[0], day) if look.theme == "light" else (_tokens()[1], night)
        lit = [f":root{{color-scheme:{look.theme};{tokens};{brand}{shape}}}"]
    return "\n".join(lit + ([own_css.check(look.css)[0]] if look.css else []))


@lru_cache(maxsize=128)
def address(look: Look) -> str:
    """The sheet as an address that holds all of it, so that it costs no request; empty when there is nothing in it."""
    return inline(sheet(look)) if sheet(look) else ""


def inline(css: str) -> str:
    """A style sheet as an address (RFC 2397); the document's policy has to allow it, see `policy`."""
    return "data:text/css;charset=utf-8," + quote(css, safe=" :;{}()*,.-_=+/!@[]~|^$?'")


def policy(look: Look, ancestors: str) -> str:
    """The content security policy of a document with that look."""
    said = security.policy(ancestors).replace(" manifest-src 'self';", "")
    return said.replace("style-src 'self'", "style-src 'self' data:") if sheet(look) else said


def picture(digest: str) -> str:
    """Where a picture is to be had."""
    return f"/pictures/{digest}.webp"


def keep(sent: FileStorage, kind: str) -> str:
    """Make a picture that was sent in anew and keep it; its digest. Raises BadPicture."""
    made = gevent.get_hub().threadpool.apply(pictures.remake, (sent.read(pictures.LARGEST + 1), kind))
    if isinstance(made, BadPicture):
        raise made
    return core().store.write(lambda tx: pictures.put(tx, made))


@dress.get("/pictures/<digest>.webp")
def show(digest: str) -> Response:
    """A logo or a face; on a customer's page too, where the launcher may carry one."""
    with core().store.read() as rx:
        content = pictures.find(rx, digest) or abort(404)
    response = Response(content, mimetype="image/webp")
    response.headers["Cache-Control"] = assets.FOREVER
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
