"""Settings: the way to every page of the owner's that is no conversation."""

from flask import Blueprint, render_template

from chat import sites
from chat.web import accounts, core, security
from chat.web.accounts import agent

settings = Blueprint("settings", __name__, url_prefix="/inbox/settings")
settings.before_request(accounts.require)


@settings.get("")
def show() -> str:
    """What the features brought, this server, and the ways out."""
    pages = [feature.page for feature in core().features if feature.page]
    with core().store.read() as rx:
        known = sites.every(rx)
    csrf = security.csrf_token(agent().session_hash)
    return render_template("settings/settings.html", pages=pages, sites=known, agent=agent(), csrf=csrf)
