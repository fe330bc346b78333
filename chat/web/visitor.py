"""The visitor's side: loader, documents, session, messages, live."""

import json
import uuid
from contextlib import suppress
from typing import Any, cast

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request
from flask_sock import Sock
from simple_websocket import Server

from chat import (
    batches,
    conversations,
    events,
    fragments,
    languages,
    looks,
    messages,
    options,
    own_texts,
    people,
    sites,
    states,
    text,
)
from chat.db import StorageError, Tx
from chat.events import Feed
from chat.limits import TooMany, shortened
from chat.people import BadToken, Blocked, Context, Visitor
from chat.readers import VisitorReader
from chat.sites import Site
from chat.web import assets, core, dress, errors, forms, live, loader, security, speech, tags

visitor = Blueprint("visitor", __name__)
sock = Sock()
COOKIE_DAYS = people.TOKEN_DAYS


@visitor.before_request
def know_the_site() -> None:
    """An unknown site is 404 before anything else happens, a handshake above all; a removed one only tells its tag.
    For every blueprint whose addresses name a visitor's site."""
    key = (request.view_args or {}).get("key")
    if key is not None:
        with core().store.read() as rx:
            g.site = sites.find(rx, key, removed=request.endpoint == "visitor.script") or abort(404)
            if not languages.is_chosen():
                languages.speak(sites.language(rx, g.site.id))


def here() -> Site:
    """The site that this request's address names."""
    return cast(Site, g.site)


def reader_of(site: Site, token: str, language: object = "") -> VisitorReader:
    """The reader behind a token; in the language that they name, else in the request's."""
    parts, spoken = core(), languages.find(str(language)) or languages.spoken()
    return VisitorReader(parts.store, parts.presence, parts.limits, parts.tokens.read(site, token), spoken)


def told() -> Context:
    """What the browser tells along with a message; the address shortened, and only if the owner has it kept."""
    form = request.form
    with core().store.read() as rx:
        short = options.get(rx, "privacy.addresses") == "short"
    return Context.of(
        user_agent=request.headers.get("User-Agent", ""),
        language=form.get("language") or request.accept_languages.best or "",
        timezone=form.get("timezone", ""),
        page_url=form.get("page_url", ""),
        page_title=form.get("page_title", ""),
        referrer=form.get("referrer", ""),
        address=shortened(request.remote_addr or "") if short else "",
    )


def post_message(site: Site, token: str) -> Visitor:
    """Check and store the form's message. Raises BadToken, Blocked, BadText, TooMany; then nothing is stored."""
    parts = core()
    who = parts.tokens.read(site, token)
    body, client_id, _ = forms.message()
    parts.limits.visitor.take(who.token_hash)
    parts.limits.address.take(live.address())
    parts.limits.site.take(site.key)
    with parts.store.read() as rx:
        known = people.recognise(rx, who)
    for each in parts.features:
        if each.gate:
            each.gate(known)
    context, address = told(), request.remote_addr or ""

    def store(tx: Tx) -> None:
        known = people.recognise(tx, who)
        why = [each.guard(tx, known, body, context, address) for each in parts.features if each.guard]
        conversation_id = conversations.of_visitor(tx, known, context)
        for suspicion in filter(None, why):
            conversations.suspect(tx, conversation_id, suspicion)
        messages.post(tx, site.id, conversation_id, "visitor", body, client_id)

    parts.store.write(store)
    return who


@visitor.get("/w/<key>.js")
def script(key: str) -> Response:
    """The loader with the site's configuration inside: the only file that a host page loads by itself."""
    site = here()
    tags.note(core().store, site, request.headers.get("Referer", ""))
    with core().store.read() as rx:
        look = looks.of(rx, site)
        told: dict[str, object] = {"words": loader.words(rx, site, look)}
        for feature in core().features:
            told |= feature.loader(rx, site) if feature.loader else {}
    server = core().settings.chat_url if core().settings.chat_static_url else ""
    response = loader.asset(site, look, json.dumps(told), server).response(security.kept(300))
    response.headers["Content-Security-Policy"] = security.NOTHING
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@visitor.post("/w/<key>/session")
def session(key: str) -> Response:
    """A new token. Nothing is stored until its holder acts."""
    site = here()
    core().limits.address.take(live.address())
    with core().store.read() as rx, suppress(BadToken):
        _refuse_blocked(rx, site)
    token, who = core().tokens.issue(site)
    return jsonify(token=token, visitor=who)


def _refuse_blocked(rx: Tx, site: Site) -> None:
    """Who begins anew because an old token is not taken any more tells it: one of a blocked visitor gets no new one."""
    try:
        core().tokens.identify(rx, site, security.bearer())
    except Blocked:
        abort(403, errors.BLOCKED)


@visitor.post("/w/<key>/messages")
def post(key: str) -> Response:
    """Store a message once; the answer is the batch after `since`, the message included."""
    site = here()
    token = security.bearer()
    post_message(site, token)
    cursor, reader = live.cursor_of(request.form.get("since")), reader_of(site, token)
    with core().store.read() as rx:
        batch = batches.batch(rx, reader.feed(rx), cursor, request.form.get("state"), batches.ANSWER)
    response = live.answer(reader, batch)
    if request.form.get("keep"):
        remember(response, site, token, page=request.form["keep"])
    return response


@visitor.get("/w/<key>/messages")
def history(key: str) -> str:
    """The conversation's last events, or those before a message: a page of history."""
    site = here()
    before = live.cursor_of(request.args.get("before")) if "before" in request.args else None
    with core().store.read() as rx:
        drawn = draw(rx, core().tokens.identify(rx, site, security.bearer()), before)
    return render_template("conversation/_history.html", fresh=before is None, **drawn)


def draw(rx: Tx, who: Visitor, before: int | None = None) -> dict[str, Any]:
    """What document and history draw: the events, the state that goes with them, and what was seen already."""
    feed = Feed(who.site.id, who.conversation_id, "all", languages.spoken())
    state = states.of(rx, who.conversation_id or 0)
    return {
        "page": batches.page(rx, feed, before),
        "state": batches.conversation_state(rx, feed, state) if who.conversation_id else [],
        "seen": state.visitor_seen,
        "older": f"/w/{who.site.key}/messages",
    }


@visitor.get("/w/<key>/live")
def poll(key: str) -> Response:
    """Long poll: the batch after `since`, or 204."""
    return live.poll(reader_of(here(), security.bearer()))


@visitor.post("/w/<key>/signals")
def signals(key: str) -> Response:
    """Typing, delivered, seen, for a client that polls."""
    return live.take_signals(reader_of(here(), security.bearer()))


@sock.route("/w/<key>/socket", bp=visitor)
def socket(ws: Server, key: str) -> None:
    """The live stream; the first frame carries the token and the cursor."""
    site = here()
    live.serve(ws, lambda said: reader_of(site, str(said.get("token", "")), said.get("lang", "")))


# The documents: the same one fills the frame (/w/<site>) and the hosted page (/c/<site>).


def cookie_name(site: Site, page: str) -> str:
    """Where a document keeps its token: its own cookie, apart for frame and page."""
    return f"porchlight-{page}-{site.key}"


def remember(response: Response, site: Site, token: str, page: str) -> None:
    """Keep the token in this document's cookie: first-party for the page, partitioned (TLS only) for the frame."""
    options: dict[str, Any] = {"max_age": COOKIE_DAYS * 86400, "httponly": True, "secure": request.is_secure}
    if page == "c":
        response.set_cookie(cookie_name(site, "c"), token, path=f"/c/{site.key}", samesite="Lax", **options)
    elif page == "w" and request.is_secure:
        response.set_cookie(
            cookie_name(site, "w"), token, path=f"/w/{site.key}", samesite="None", partitioned=True, **options
        )


def known_token(site: Site, page: str) -> str:
    """The token that this document brings: the form's, else its cookie's; empty when neither is good."""
    for token in (request.form.get("token", ""), request.cookies.get(cookie_name(site, page), "")):
        with core().store.read() as rx:
            try:
                core().tokens.identify(rx, site, token)
                return token
            except Blocked:
                raise
            except BadToken:
                continue
    return ""


def document(site: Site, page: str, token: str, *, typed: str = "", error: str = "", status: int = 200) -> Response:
    """The chat document, with the conversation as it stands drawn in."""
    token = token or core().tokens.issue(site)[0]
    with core().store.read() as rx:
        who = core().tokens.identify(rx, site, token)
        drawn = draw(rx, who) | {"presence": batches.presence(rx, Feed(site.id, who.conversation_id, "all"))}
        drawn["extras"] = [feature.widget(rx, who, page, token) for feature in core().features if feature.widget]
        form = {"token": token, "client_id": uuid.uuid4(), "typed": typed, "error": error, "limit": text.LIMIT}
        echo = fragments.echo("visitor", "", "all")
        made = dressed(rx, "widget/document.html", site, page, status, echo=echo, **form, **drawn)
    return assets.squeeze(made)


def dressed(rx: Tx, template: str, site: Site, door: str, status: int = 200, **values: Any) -> Response:
    """A document of the chat, as that site looks; in a frame (the door w) only where the site allows it."""
    look = looks.translated(looks.of(rx, site), own_texts.spoken(rx, site.id))
    look = looks.lit(look, request.args.get("theme", ""))
    worn = {"site": site, "door": door, "look": look, "sheet": dress.address(look), "picture": dress.picture}
    response = Response(render_template(template, **worn, **values), status)
    allowed = security.ancestors(site.domains) if door == "w" else "'none'"
    response.headers["Content-Security-Policy"] = dress.policy(look, allowed)
    if door == "w":
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@visitor.route("/<any(w, c):page>/<key>", methods=["GET", "POST"])
def chat(page: str, key: str) -> Response:
    """The document; forms without JavaScript post to it: `check` looks for answers, anything else is a message."""
    site = here()
    token = known_token(site, page)
    if request.method != "POST":
        return document(site, page, token)
    typed = request.form.get("body", "")
    if "check" in request.form:
        note_seen(site, token)
        return document(site, page, token, typed=typed[: text.LIMIT])
    try:
        post_message(site, token or request.form.get("token", ""))
    except (text.BadText, TooMany, StorageError, BadToken) as error:
        status, sentence, wait = errors.describe(error)
        if isinstance(error, text.BadText | BadToken):
            status = 200  # the form again, with the sentence beside it: browsers log a page's 4xx to the console
        response = document(site, page, token, typed=typed, error=sentence, status=status)
        if wait:
            response.headers["Retry-After"] = str(wait)
        return response
    response = redirect(request.path + speech.asked(), 303) if page == "c" else document(site, page, token)
    remember(response, site, token, page)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


def note_seen(site: Site, token: str) -> None:
    """Who asks for answers without a script has them before the eyes."""
    if token:
        with core().store.read() as rx:
            feed = reader_of(site, token).feed(rx)
            cursor = events.latest(rx, feed)
        if cursor:
            reader_of(site, token).signal({"seen": cursor})
