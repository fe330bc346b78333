"""The visitor's side: the form in the place of the composer, asked once; then the composer."""

import uuid
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import channels, conversations, messages, own_texts, people, sites
from chat.db import Tx
from chat.features.forms import answers, form
from chat.features.forms.answers import TOPIC, Answer, BadAnswer
from chat.features.forms.form import Form
from chat.limits import TooMany
from chat.own_texts import Text
from chat.people import Visitor
from chat.sites import Site
from chat.web import core, errors, live, security
from chat.web.visitor import document, know_the_site, remember, told

visitors = Blueprint("forms_visitors", __name__)
visitors.before_request(know_the_site)
OPTION = "form"
NAME = 80  # characters of a person's, as long as they may be anywhere
NOTE = "Answered the questions before the first message. They stand beside this conversation."
"""For agents, in the thread."""


def of_site(rx: Tx, site_id: int) -> Form:
    """What that site asks."""
    return form.loads(sites.options(rx, site_id).get(OPTION, ""))


def draw(rx: Tx, who: Visitor, page: str, token: str = "") -> Markup:
    """The form, for who has not talked or answered yet; else only the place of it, where there is a form at all."""
    asked = of_site(rx, who.site.id)
    if not asked.asks:
        return Markup()
    told = answers.of(rx, who.person_id) if who.person_id else []
    shown = {"site": who.site, "form": None if told or who.conversation_id else asked, "page": page, "token": token}
    shown["own"] = own_texts.spoken(rx, who.site.id)
    again = g.get("form_again", {"wrong": {}, "typed": {}})
    return Markup(render_template("forms/_form.html", entry=_entry(asked, again["wrong"]), **shown, **again))


def texts(rx: Tx, site: Site) -> list[Text]:
    """What the owner asks, to be translated."""
    asked = of_site(rx, site.id)
    found = [Text(form.BEFORE, asked.intro, form.INTRO)]
    found += [Text(form.TOPIC, topic, form.LABEL) for topic in asked.topics]
    for field in asked.fields:
        found += [
            Text(form.QUESTION, field.label, form.LABEL),
            *(Text(form.KINDS["choice"], each, 80) for each in field.choices),
        ]
    return found


def _entry(asked: Form, wrong: dict[int, str]) -> int:
    """Where one begins to type: the first field that is wrong, else the first of all."""
    numbers = [field.number for field in asked.fields]
    return next((number for number in numbers if number in wrong), TOPIC if asked.topics else numbers[0])


def _token() -> str:
    return security.bearer() or request.form.get("token", "")


@visitors.get("/w/<key>/form")
def ask(key: str) -> Markup:
    """What is asked of this visitor; the document of a frame was drawn before it was known who they are."""
    with core().store.read() as rx:
        return draw(rx, core().tokens.identify(rx, g.site, _token()), "w", _token())


@visitors.post("/w/<key>/form")
def answer(key: str) -> AnyResponse:
    """Take the answers, once. What can't be taken is said at its field, and nothing is stored."""
    parts, token = core(), _token()
    who = parts.tokens.read(g.site, token)
    with parts.store.read() as rx:
        asked = of_site(rx, g.site.id)
    if not asked.asks:
        return _respond(token, {})
    given, wrong = _read(asked)
    try:
        parts.limits.address.take(live.address())
    except TooMany as error:
        wrong = {TOPIC: errors.describe(error)[1]}
    if not wrong:
        context = told()
        parts.store.write(lambda tx: _keep(tx, people.recognise(tx, who), given, context))
    return _respond(token, wrong)


def _read(asked: Form) -> tuple[list[Answer], dict[int, str]]:
    topic = request.form.get("topic", "")
    given, wrong = [Answer(TOPIC, "topic", "", topic if topic in asked.topics else "")], {}
    for field in asked.fields:
        try:
            value = answers.read(field, request.form.get(f"field-{field.number}", ""), asked.country)
            given.append(Answer(field.number, field.kind, field.label, value))
        except BadAnswer as bad:
            wrong[field.number] = str(bad)
    return given, wrong


def _keep(tx: Tx, who: Visitor, given: list[Answer], context: people.Context) -> None:
    talk = conversations.of_visitor(tx, who, context)
    person_id = people.of_conversation(tx, talk)
    if answers.of(tx, person_id):
        return
    answers.keep(tx, person_id, given)
    said = {each.kind: each.value for each in reversed(given) if each.value}
    if said.get("name"):
        people.rename(tx, person_id, said["name"][:NAME])
    if said.get("email"):
        people.reachable_at(tx, person_id, said["email"])
        channels.open_door(tx, talk, "mail", said["email"])
    if said.get("topic"):
        conversations.file_under(tx, talk, said["topic"])
    messages.post(tx, who.site.id, talk, "system", NOTE, str(uuid.uuid4()), audience="agents")


def _respond(token: str, wrong: dict[int, str]) -> AnyResponse:
    page = request.form.get("page", "")
    if wrong:
        g.form_again = {"wrong": wrong, "typed": request.form}
    if security.bearer() or page not in ("c", "w"):
        page = request.form.get("keep", "")
        with core().store.read() as rx:
            response: Any = Response(draw(rx, core().tokens.identify(rx, g.site, token), "w", token))
    else:  # a form without a script
        response = redirect(f"/c/{g.site.key}", 303) if page == "c" and not wrong else document(g.site, page, token)
    if not wrong:
        remember(response, g.site, token, page)
    return response  # type: ignore[no-any-return]
