"""What a visitor has of mail: the address that they leave, the talk sent to it, and the link back into the thread."""

import re
import uuid

from flask import Blueprint, Response, g, redirect, render_template, request
from htmx_flask import make_response
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import channels, conversations, events, people, porch
from chat.db import Tx
from chat.features.mail import account, links, notices
from chat.languages import gettext, noop
from chat.people import BadToken, Visitor
from chat.sites import Site
from chat.web import core, errors, live, security
from chat.web.visitor import document, know_the_site, known_token, remember, told

visitors = Blueprint("mail_visitors", __name__)
visitors.before_request(know_the_site)
_ADDRESS = re.compile(r"[^@\s,;:<>\"()\[\]\\]{1,64}@(?=.{4,255}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
WRONG = noop("This is no e-mail address. It looks like vera@example.org.")
UNANSWERED = noop("Nobody has answered yet. The conversation can be sent to you as soon as somebody has.")
FIRST = noop("Write a message first, then say where the answer goes.")


def draw(rx: Tx, who: Visitor, page: str, token: str = "", **more: object) -> Markup:
    """The line under the conversation; open when nobody is home to answer; empty when mail can't go out."""
    if not account.of(core().settings, rx).sends:
        return Markup()
    door = channels.door(rx, who.conversation_id, "mail") if who.conversation_id else None
    shown = {"site": who.site, "email": door.address if door else "", "page": page, "token": token}
    shown |= {"answered": door is not None and _is_answered(rx, door.conversation_id)}
    away = not porch.light(rx, who.site.id, who.conversation_id).home
    shown |= {"away": away, "opened": away and not door and bool(who.conversation_id)}
    return Markup(render_template("mail/_address.html", **(shown | more)))


def _is_answered(rx: Tx, conversation_id: int) -> bool:
    """Before that nothing is sent on a visitor's word: anybody could have any words sent to anybody in our name."""
    return bool(events.answers(rx, conversation_id, 0, limit=1))


def _who(rx: Tx) -> Visitor:
    return core().tokens.identify(rx, g.site, security.bearer() or request.form.get("token", ""))


@visitors.get("/w/<key>/address")
def address(key: str) -> Markup:
    """How it stands, for whoever opens it."""
    with core().store.read() as rx:
        return draw(rx, _who(rx), "w", opened=True)


@visitors.post("/w/<key>/address")
def save(key: str) -> AnyResponse:
    """The visitor says where answers go when they have left; nothing takes it back. 422 for what is no address."""
    core().limits.wishes.take(live.address())
    said = request.get_json(silent=True)
    email = request.form.get("email") or (said.get("email", "") if isinstance(said, dict) else "")
    email = email.strip() if isinstance(email, str) else "?"
    with core().store.read() as rx:
        who = _who(rx)
    good = email.isprintable() and _ADDRESS.fullmatch(email)
    wrong = (gettext(WRONG) if email and not good else "") or (gettext(FIRST) if not who.conversation_id else "")
    if not wrong:
        core().store.write(lambda tx: _keep(tx, who, email))
    return _answer(who, error=wrong, typed=email if wrong and email.isprintable() else "", saved=not wrong)


def _keep(tx: Tx, who: Visitor, email: str) -> None:
    assert who.conversation_id is not None and who.person_id is not None
    people.reachable_at(tx, who.person_id, email or None)
    if email:
        channels.open_door(tx, who.conversation_id, "mail", email)
    else:
        channels.close_door(tx, who.conversation_id, "mail")


@visitors.post("/w/<key>/transcript")
def transcript(key: str) -> AnyResponse:
    """The talk so far, sent to the address that the visitor left. Asking again within a minute is the same wish."""
    core().limits.wishes.take(live.address())
    with core().store.read() as rx:
        who = _who(rx)
        door = channels.door(rx, who.conversation_id, "mail") if who.conversation_id else None
        answered = door is not None and _is_answered(rx, door.conversation_id)
    if door is None:
        return errors.answer(422, gettext(FIRST))
    if not answered:
        return _answer(who, error=gettext(UNANSWERED))
    talk = door.conversation_id
    core().store.write(lambda tx: notices.transcript(tx, talk))
    return _answer(who, asked=True)


def _answer(who: Visitor, *, error: str = "", **more: object) -> AnyResponse:
    page = request.form.get("page", "")
    if not security.bearer() and page in ("c", "w"):  # a form without a script
        token = request.form.get("token", "")
        if page == "c" and not error:
            return redirect(f"/c/{who.site.key}", 303)
        return document(who.site, page, token, error=error)
    with core().store.read() as rx:
        html = draw(rx, _who(rx), "w", error=error, opened=True, **more)
    response = make_response(html, 422 if error else 200)
    if error and request.htmx:  # type: ignore[attr-defined]
        response.status_code = 200  # htmx swaps no 4xx
    return response  # type: ignore[no-any-return]


@visitors.route("/c/<key>/continue/<token>", methods=["GET", "POST"])
def resume(key: str, token: str) -> AnyResponse:
    """The way back from a mail into the live thread, for the browser that is used now and for nobody else. GET only
    asks, since mail programs look at links before people do."""
    site: Site = g.site
    talk = links.read(core().secret, "continue", token)
    with core().store.read() as rx:
        found = conversations.find(rx, talk) if talk else None
    if found is None or found.site_id != site.id:
        return Response(render_template("mail/resume.html", site=site, gone=True), 404)
    if request.method == "GET":
        return Response(render_template("mail/resume.html", site=site, name=found.name))
    fresh = _join(site, found.person_id)
    response = redirect(f"/c/{site.key}", 303)
    remember(response, site, fresh, "c")  # type: ignore[arg-type]
    return response


def _join(site: Site, person_id: int) -> str:
    """A device of its own for that person; who has one already in this browser keeps it."""
    with core().store.read() as rx:
        token = known_token(site, "c")
        try:
            if token and core().tokens.identify(rx, site, token).person_id == person_id:
                return token
        except BadToken:
            pass
    token, _ = core().tokens.issue(site)
    claim, context = core().tokens.read(site, token), told()
    core().store.write(lambda tx: people.join(tx, claim, person_id, context))
    return token


def aside(conversation: conversations.Conversation, csrf: str) -> Markup:
    """What stands in the inbox beside the thread: sending the talk."""
    with core().store.read() as rx:
        if not account.of(core().settings, rx).sends:
            return Markup()
        door = channels.door(rx, conversation.id, "mail")
    shown = {"conversation": conversation, "csrf": csrf, "email": door.address if door else "", "wish": uuid.uuid4()}
    return Markup(render_template("mail/_aside.html", **shown))
