"""Settings: the way to every page of the owner's that is no conversation."""

from flask import Blueprint, render_template

from chat.web import accounts, core, security
from chat.web.accounts import agent

settings = Blueprint("settings", __name__, url_prefix="/inbox/settings")
settings.before_request(accounts.require)


@settings.get("")
def show() -> str:
    """What the features brought, this server, and the ways out."""
    pages = [feature.page for feature in core().features if feature.page]
    csrf = security.csrf_token(agent().session_hash)
    return render_template("settings/settings.html", pages=pages, agent=agent(), csrf=csrf)
