"""The owner's side: a site's secret, and what is known of a visitor beside their thread."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat.conversations import Conversation
from chat.features.identity import facts, persons, proof
from chat.web import core
from chat.web.sites import chosen, require_site, show

identity = Blueprint("identity", __name__, url_prefix="/inbox/sites/<key>/identity")
identity.before_request(require_site)


@identity.get("")
def page(key: str) -> Response:
    """The secret, and how to sign with it."""
    with core().store.read() as rx:
        secret = proof.secret(rx, chosen().id)
    return show("identity/identity.html", secret=secret)


@identity.post("")
def change(key: str) -> AnyResponse:
    """Make a secret, or end it."""
    do, site_id = proof.end if "end" in request.form else proof.renew, chosen().id
    core().store.write(lambda tx: do(tx, site_id))
    return redirect(url_for("identity.page", key=key), 303)


def aside(conversation: Conversation, csrf: str) -> Markup:
    """Who the site says this is, whether that is proven, and what it told."""
    with core().store.read() as rx:
        proven = persons.external_id(rx, conversation.person_id)
        known = facts.of(rx, conversation.person_id)
        acts = facts.acts(rx, conversation.person_id)
    if not (proven or known or acts):
        return Markup()
    by_kind = {kind: [fact for fact in known if fact.kind == kind] for kind in facts.MOST}
    user = {fact.name: fact.value for fact in by_kind["user"]}
    return Markup(render_template("identity/_aside.html", proven=proven, user=user, facts=by_kind, acts=acts))
