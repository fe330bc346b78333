"""Accounts: set-up link, sign in, sign out; and the guard before every page of the inbox."""

import hmac
import re
from hashlib import sha256
from typing import cast

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from htmx_flask import make_response
from werkzeug.wrappers import Response as AnyResponse

from chat import accounts as agents
from chat import languages, sites, text
from chat.accounts import Agent, Refused
from chat.db import Tx
from chat.languages import gettext
from chat.limits import TooMany
from chat.web import core, errors, live, security

accounts = Blueprint("accounts", __name__)
KNOWN, KNOWN_DAYS = "porchlight-known", 365
"""A browser in which somebody has signed in before is not slowed by what strangers try with the same address."""


def cookie_name() -> str:
    """`__Host-` where TLS lets us: then no sister domain can set it."""
    return "__Host-porchlight" if request.is_secure else "porchlight"


def current() -> Agent | None:
    """Who is signed in with this request's session cookie; the language of their choice is spoken from here on."""
    with core().store.read() as rx:
        found = agents.of_session(rx, request.cookies.get(cookie_name(), ""))
    if found and found.language:
        languages.speak(found.language)
    return found


def agent() -> Agent:
    """The agent of this request; the guard has let it in."""
    return cast(Agent, g.agent)


def require() -> AnyResponse | None:
    """Before each inbox request: an agent's session, and for writes our own page and its token."""
    g.agent = current()
    if g.agent is None:
        return _to_login()
    foreign = request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
    if foreign and request.endpoint == "inbox.poll":
        abort(403)  # a poll says that its agent is here: no link on another site lights the lamp
    if request.method not in security.SAFE:
        security.refuse_forged(g.agent.session_hash)
    return None


def _to_login() -> AnyResponse:
    if request.endpoint in ("inbox.poll", "inbox.signals", "inbox.socket"):
        return errors.answer(401, gettext("You are signed out. Sign in again."))
    path = request.full_path.rstrip("?") if request.method == "GET" else "/inbox"
    to = url_for("accounts.login", next=path)
    if request.htmx:  # type: ignore[attr-defined]
        return make_response("", 200, redirect=to)
    return redirect(to)


def _safe(path: str) -> str:
    """Where to go after signing in: a page of the inbox, never another site."""
    return path if re.fullmatch(r"/inbox(/[A-Za-z0-9/_-]*)?(\?[A-Za-z0-9=&_-]*)?", path) else "/inbox"


def _mark(email: str) -> str:
    return hmac.new(core().secret, f"signed in here {email.lower()}".encode(), sha256).hexdigest()


def _has_signed_in_here(email: str) -> bool:
    return hmac.compare_digest(request.cookies.get(KNOWN, "").encode(), _mark(email).encode())


def _enter(agent_id: int, email: str) -> AnyResponse:
    before = current()
    if before:
        core().store.write(lambda tx: agents.sign_out(tx, before.session_hash))
    user_agent = text.line(request.headers.get("User-Agent", ""), 300)
    token = core().store.write(lambda tx: agents.sign_in(tx, agent_id, user_agent))
    response = redirect(_safe(request.args.get("next", "/inbox")), 303)
    for name, value, days in ((cookie_name(), token, agents.SESSION_DAYS), (KNOWN, _mark(email), KNOWN_DAYS)):
        response.set_cookie(name, value, max_age=days * 86400, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


@accounts.get("/inbox/login")
def login() -> str | AnyResponse:
    """The sign-in form; who is signed in already goes on."""
    if current():
        return redirect(_safe(request.args.get("next", "/inbox")))
    with core().store.read() as rx:
        return render_template("accounts/login.html", empty=not agents.exists(rx))


@accounts.post("/inbox/login")
def sign_in() -> str | AnyResponse:
    """Sign in; wrong tries become slower for the address and for the account, never locked out."""
    email, password = request.form.get("email", "").strip(), request.form.get("password", "")
    try:
        core().limits.login.take(f"address {live.address()}")
        if not _has_signed_in_here(email):  # else a stranger's tries would keep the owner out
            core().limits.login.take(f"account {email.lower()}")
    except TooMany as error:
        sentence = gettext("Too many tries. Wait %(seconds)s seconds and try again.") % {"seconds": error.seconds}
        page = render_template("accounts/login.html", error=sentence, email=email)
        return make_response(page, 429, {"Retry-After": str(error.seconds)})
    found = agents.check_password(core().store, email, password[:1000])
    if found is None:
        sentence = gettext("That e-mail address and password do not go together. Check both and try again.")
        return render_template("accounts/login.html", error=sentence, email=email)  # a 4xx would reach the console
    return _enter(found.id, found.email)


@accounts.route("/inbox/setup/<token>", methods=["GET", "POST"])
def setup(token: str) -> str | AnyResponse:
    """The one-time link's page: name, address and password of the first owner."""
    with core().store.read() as rx:
        if agents.exists(rx):
            return redirect(url_for("accounts.login"))
        if not agents.setup_link_is_valid(rx, token):
            abort(404)
    if request.method == "GET":
        return render_template("accounts/setup.html", shortest=agents.PASSWORD_LENGTH[0])
    name, email = text.line(request.form.get("name", ""), 60) or "Owner", text.line(request.form.get("email", ""), 255)
    try:
        if email and email.lower() in request.form.get("password", "").lower():
            raise Refused(gettext("Your address is no password. Three words that you remember are fine."))
        hashed = agents.hash_password(request.form.get("password", ""))
        spoken = languages.find(*request.accept_languages.values())
        agent_id = core().store.write(lambda tx: _set_up(tx, token, name, email, hashed, spoken))
    except Refused as error:
        shown = {"error": str(error), "name": name, "email": email, "shortest": agents.PASSWORD_LENGTH[0]}
        return render_template("accounts/setup.html", **shown)
    return _enter(agent_id, email)


def _set_up(tx: Tx, token: str, name: str, email: str, hashed: str, spoken: str) -> int:
    """The owner; inbox, mails and the first site speak their language, if it is one of ours."""
    own = languages.find(spoken, among=languages.INBOX)
    agent_id = agents.set_up(tx, token, name, email, hashed, "" if own == languages.ENGLISH else own)
    if spoken not in ("", languages.ENGLISH):
        sites.put(tx, sites.first(tx).id, "language", spoken)
    return agent_id


@accounts.post("/inbox/logout")
def logout() -> AnyResponse:
    """End this session, or with `everywhere` all of the agent's."""
    refused = require()
    if refused is not None:
        return refused
    me, everywhere = agent(), "everywhere" in request.form
    core().store.write(
        lambda tx: agents.sign_out_everywhere(tx, me.id) if everywhere else agents.sign_out(tx, me.session_hash)
    )
    core().live.look_again()
    response = redirect(url_for("accounts.login"), 303)
    response.delete_cookie(cookie_name(), httponly=True, samesite="Lax", secure=request.is_secure)
    return response
