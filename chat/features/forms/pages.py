"""The owner's side: the editor of a site's form, its answers beside a thread, and the list by topic."""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import people, sites
from chat.conversations import Conversation
from chat.db import Tx
from chat.features.forms import answers, form
from chat.features.forms.answers import TOPIC
from chat.features.forms.form import BadForm, Form
from chat.features.forms.visitors import OPTION, of_site
from chat.languages import gettext
from chat.web import core
from chat.web.sites import chosen, require_site, show

forms = Blueprint("forms", __name__, url_prefix="/inbox/sites/<key>/form")
forms.before_request(require_site)


@forms.get("")
def page(key: str) -> Response:
    """The form as it is kept."""
    with core().store.read() as rx:
        kept = of_site(rx, chosen().id)
    return _show(kept, done=gettext("Saved.") if request.args.get("done") else "")


def _show(shown: Form, **values: Any) -> Response:
    choices = {"kinds": form.KINDS, "ways": form.WAYS, "most": form.MOST_FIELDS, "most_rules": form.MOST_RULES}
    return show("forms/editor.html", form=shown, **choices, **({"wrong": None, "done": "", "touched": 0} | values))


@forms.post("")
def save(key: str) -> AnyResponse:
    """One of the editor's buttons, or keep it all; what can't be kept is said at its field."""
    typed, site = form.typed(request.form), chosen()
    if "act" in request.form:
        changed, touched, done = form.act(typed, request.form["act"])
        return _show(
            changed, touched=touched, done=gettext("%(done)s Save to keep it.") % {"done": done} if done else ""
        )
    try:
        form.check(typed)
    except BadForm as wrong:
        return _show(typed, wrong=wrong)
    value = "" if typed == Form() else form.dumps(typed)
    core().store.write(lambda tx: sites.put(tx, site.id, OPTION, value))
    return redirect(url_for("forms.page", key=key, done="saved"), 303)


def aside(conversation: Conversation, csrf: str) -> Markup:
    """What the visitor answered, and what the lead is worth by the rules of today."""
    with core().store.read() as rx:
        asked, given = of_site(rx, conversation.site_id), answers.of(rx, conversation.person_id)
        device = people.devices_of(rx, [conversation.person_id]).get(conversation.person_id, {})
    if not given and not asked.rules:
        return Markup()
    points, why = answers.score(asked, given, device.get("page_url", ""))
    said = [each for each in given if each.field != TOPIC]
    return Markup(render_template("forms/_aside.html", answers=said, points=points, why=why, rules=asked.rules))


def topics(csrf: str) -> Markup:
    """The way to each topic, above the inbox's list; nothing where there are none."""
    with core().store.read() as rx:
        known = _topics(rx)
    chosen_one, view = request.args.get("topic", ""), request.args.get("show", "open")
    return Markup(render_template("forms/_topics.html", topics=known, topic=chosen_one, view=view) if known else "")


def _topics(rx: Tx) -> list[str]:
    found = [topic for site in sites.every(rx) for topic in of_site(rx, site.id).topics]
    return list(dict.fromkeys(found))
