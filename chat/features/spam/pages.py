"""The owner's side: the lists of one site, who is blocked there, and the button beside a thread."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import conversations, people
from chat.conversations import Conversation
from chat.db import Tx
from chat.features.spam import lists
from chat.features.spam.lists import BadList
from chat.languages import gettext, noop
from chat.web import accounts, core
from chat.web.sites import chosen, require_site, show

of_site = Blueprint("spam_site", __name__, url_prefix="/inbox/sites/<key>/spam")
of_site.before_request(require_site)
spam = Blueprint("spam", __name__, url_prefix="/inbox/spam")
spam.before_request(accounts.require)
BLOCKED = noop("You have blocked this visitor.")


@of_site.get("")
def page(key: str, wrong: BadList | None = None) -> AnyResponse:
    """The lists, and who is blocked."""
    with core().store.read() as rx:
        words, addresses = lists.of_site(rx, chosen().id)
        blocked = people.blocked(rx, chosen().id)
    if wrong:
        words, addresses = request.form.get("words", ""), request.form.get("addresses", "")
    said = gettext("Saved.") if request.args.get("saved") else ""
    shown: dict[str, Any] = {"words": words, "addresses": addresses, "blocked": blocked}
    return show("spam/site.html", wrong=wrong, done=said, **shown)


@of_site.post("")
def save(key: str) -> AnyResponse:
    """Keep the lists; a wrong line is named, and nothing is changed."""
    try:
        words, addresses = lists.check(request.form.get("words", ""), request.form.get("addresses", ""))
    except BadList as wrong:
        return page(key, wrong)
    site_id = chosen().id
    core().store.write(lambda tx: lists.put(tx, site_id, words, addresses))
    return redirect(url_for("spam_site.page", key=key, saved=1), 303)


def aside(conversation: Conversation, csrf: str) -> Markup:
    """The button beside the thread."""
    with core().store.read() as rx:
        since = people.blocked_at(rx, conversation.person_id)
    return Markup(render_template("spam/_aside.html", conversation=conversation, since=since, csrf=csrf))


@spam.post("/conversations/<int(max=4611686018427387904):conversation_id>/block")
def block(conversation_id: int) -> AnyResponse:
    """This visitor can't write or read any more, or (`undo`) again. Open pages of theirs are cut at once."""
    with core().store.read() as rx:
        talk = conversations.find(rx, conversation_id) or abort(404)
    undo = "undo" in request.form

    def store(tx: Tx) -> None:
        people.block(tx, talk.person_id, blocked=not undo)
        for each in conversations.of_person(tx, talk.person_id):
            if undo:
                conversations.trust(tx, each)
            else:
                conversations.suspect(tx, each, BLOCKED, sure=True)

    core().store.write(store)
    core().live.look_again()
    return redirect(url_for("inbox.conversation", conversation_id=conversation_id), 303)
