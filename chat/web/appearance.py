"""Appearance: a site's look in the owner's settings, with the real document beside the form as it would be."""

import uuid
from typing import Any

import gevent
from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import clock, fragments, languages, looks, pictures, text
from chat import sites as every_site
from chat.events import Event
from chat.languages import gettext, noop
from chat.looks import Look
from chat.pictures import BadPicture
from chat.porch import Light
from chat.web import core, dress, security, sites
from chat.web.accounts import agent

appearance = Blueprint("appearance", __name__, url_prefix="/inbox/sites/<key>/appearance")
appearance.before_request(sites.require_site)
for view in ("save", "preview", "notes", "upload"):
    security.LARGER[f"appearance.{view}"] = (2 * pictures.LARGEST + 256 * 1024, 60.0)
KINDS = {"logo": "logo", "picture": "face"}
"""The fields of pictures, and the size that each is made in."""
SAID = {
    "saved": noop("Saved. Pages that are open show it when they are loaded again, within five minutes."),
    "default": noop("This is the default look now."),
    "back": noop("This is the look from before."),
}
FRAMING = security.CSP.replace("default-src 'none'", "default-src 'none'; frame-src 'self'")
STAGE = FRAMING.replace("style-src 'self'", "style-src 'self' data:").replace("script-src 'self'; ", "")


def _form(values: dict[str, Any], status: int = 200) -> Response:
    html = render_template("appearance/appearance.html", **values)
    response = Response(html, status)
    response.headers["Content-Security-Policy"] = security.policy("'none'", FRAMING)
    return response


def _shown(typed: dict[str, str], look: Look, wrong: dict[str, str], done: str = "") -> dict[str, Any]:
    site = sites.chosen()
    with core().store.read() as rx:
        before = looks.has_before(rx, site)
    shown = {name: str(getattr(look, name)) for name in looks.NAMES} | typed
    return {
        **{"site": site, "typed": shown, "look": look, "wrong": wrong, "done": done, "before": before},
        **{"icons": looks.ICONS, "lengths": looks.LENGTHS, "warnings": looks.warnings(look)},
        **{"picture": dress.picture, "csrf": security.csrf_token(agent().session_hash)},
    }


def _look() -> Look:
    with core().store.read() as rx:
        return looks.of(rx, sites.chosen())


@appearance.get("")
def show(key: str) -> Response:
    """The form, with the look as it stands."""
    return _form(_shown({}, _look(), {}, gettext(SAID.get(request.args.get("done", ""), ""))))


def _typed() -> tuple[dict[str, str], Look, dict[str, str]]:
    """What was typed, the look that it makes, and what is wrong with it, by field."""
    typed = {name: request.form[name] for name in looks.NAMES if name in request.form}
    look, wrong = looks.read(typed, _look())
    faults = gevent.get_hub().threadpool.apply(looks.faults, (look,))
    return typed, look, wrong | ({"css": " ".join(faults)} if faults else {})


@appearance.post("")
def save(key: str) -> AnyResponse:
    """The look from now on; one wrong value, and nothing changes."""
    site, store = sites.chosen(), core().store
    if "undo" in request.form:
        store.write(lambda tx: looks.undo(tx, site))
        return redirect(url_for("appearance.show", key=key, done="back"), 303)
    if "default" in request.form:
        store.write(lambda tx: looks.save(tx, site, looks.DEFAULT))
        return redirect(url_for("appearance.show", key=key, done="default"), 303)
    typed, look, wrong = _typed()
    for field in KINDS:
        try:
            typed[field] = _picture(field, typed.get(field, ""))
        except BadPicture as refused:
            wrong[field] = str(refused)
    if wrong:
        return _form(_shown(typed, look, wrong))
    look, _ = looks.read(typed)
    store.write(lambda tx: looks.save(tx, site, look))
    return redirect(url_for("appearance.show", key=key, done="saved"), 303)


def _picture(field: str, digest: str) -> str:
    """The digest of the picture that the form holds, chosen or just sent along. Raises BadPicture."""
    sent = request.files.get(f"{field}_file")
    if f"no_{field}" in request.form or not (sent or digest):
        return ""
    if sent:
        return dress.keep(sent, KINDS[field])
    with core().store.read() as rx:
        if pictures.find(rx, digest) is None:
            raise BadPicture(gettext("This picture is not kept any more. Choose it again."))
    return digest


@appearance.post("/pictures/<field>")
def upload(key: str, field: str) -> Response:
    """A picture that was just chosen: kept for the preview, and shown to nobody before it is saved."""
    try:
        return jsonify(digest=_picture(field if field in KINDS else abort(404), ""))
    except BadPicture as refused:
        return jsonify(error=str(refused))


@appearance.post("/notes")
def notes(key: str) -> str:
    """What is to be known about the values in the form: contrast, and what cannot be saved."""
    _, look, wrong = _typed()
    return render_template("appearance/_notes.html", warnings=looks.warnings(look), wrong=wrong, site=sites.chosen())


@appearance.post("/preview")
def preview(key: str) -> Response:
    """The document that visitors see and the launcher, drawn from what the form holds; nothing is stored."""
    _, look, _ = _typed()
    look = looks.lit(look, request.form.get("light", ""))
    shown = _document(look, talking=request.form.get("show") == "talk")
    brand = f":root{{color-scheme:{look.scheme};--fill:{look.fill};--on-fill:{look.on_fill};--bend:{look.radius}px;"
    brand += f"--x:{look.side}px;--y:{look.bottom}px;font-family:{dress.font(look)}}}"
    html = render_template(
        "appearance/stage.html", document=shown, look=look, sheet=dress.inline(brand), picture=dress.picture
    )
    response = Response(html)
    response.headers["Content-Security-Policy"] = security.policy("'self'", STAGE)
    return response


def _document(look: Look, talking: bool) -> str:
    said = (("agent", agent().name, "Good morning. What can I do for you?"), ("visitor", "", "Do you ship to Norway?"))
    site = sites.chosen()
    with core().store.read() as rx:
        languages.speak(every_site.language(rx, site.id))
    shown = [_message(number, *each) for number, each in enumerate(said, 1)] if talking else []
    light = Light(True, agent().name)
    return render_template(
        "widget/document.html",
        **{"site": site, "look": look, "sheet": dress.address(look), "picture": dress.picture},
        **{
            "door": "w",
            "preview": True,
            "presence": fragments.presence(light),
            "token": "",
            "error": "",
        },
        **{"client_id": uuid.UUID(int=0), "limit": text.LIMIT, "typed": "", "extras": [], "state": [], "seen": 0},
        **{"page": {"events": shown, "state": "", "cursor": 0}, "older": "", "echo": Markup()},
    )


def _message(number: int, by: Any, name: str, body: str) -> str:
    event = Event(number, 0, "message.posted", by, name, clock.now(), number, "", body)
    return fragments.event(event, "all", "Seen" if by == "visitor" else "")
