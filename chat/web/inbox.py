"""The owner's side: list, thread, reply, close and reopen, live."""

import uuid
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_sock import Sock
from simple_websocket import Server
from werkzeug.wrappers import Response as AnyResponse

from chat import batches, conversations, events, fragments, languages, messages, people, states, text
from chat.conversations import Conversation
from chat.db import Tx
from chat.events import Feed
from chat.readers import AgentReader
from chat.web import accounts, core, forms, live, security
from chat.web.accounts import agent

inbox = Blueprint("inbox", __name__, url_prefix="/inbox")
sock = Sock()
inbox.before_request(accounts.require)


def reader() -> AgentReader:
    """The reader of this request's agent."""
    parts = core()
    return AgentReader(parts.store, parts.presence, parts.limits, agent(), languages.spoken())


def _view() -> conversations.View:
    """Which list the reader looks at."""
    asked = request.args.get("show", "open")
    return next((view for view in conversations.VIEWS if view == asked), "open")


def _list(rx: Tx, view: conversations.View) -> dict[str, Any]:
    after = live.cursor_of(request.args.get("after", "").lstrip("-")) if request.args.get("after") else None
    if after is not None and request.args["after"].startswith("-"):
        after = -after
    topic = text.line(request.args.get("topic", ""), 80)
    found = conversations.page(rx, view, after, topic)
    shown = found[: conversations.PAGE]
    here = states.of_all(rx, [conversation.id for conversation in shown])
    rows = [fragments.row(each, here.get(each.id) or states.State(each.id)) for each in shown]
    more = shown[-1].rank if len(found) > len(shown) else None
    about = {"view": view, "suspicious": conversations.suspicious(rx), "topic": topic}
    return {"rows": rows, "more": more, **about}


def _thread(rx: Tx, conversation: Conversation) -> dict[str, Any]:
    return batches.thread_state(rx, conversation) | {
        "conversation": conversation,
        "page": batches.page(rx, Feed(None, conversation.id, "agents", languages.spoken())),
        "blocked": people.blocked_at(rx, conversation.person_id),
        "echo": fragments.echo("agent", agent().name, "agents"),
        "client_id": uuid.uuid4(),
    }


def _show(conversation_id: int | None, status: int = 200, **values: Any) -> Response:
    with core().store.read() as rx:
        chosen = conversations.find(rx, conversation_id) if conversation_id else None
        if conversation_id and chosen is None:
            abort(404)
        if chosen:
            values |= _thread(rx, chosen)
            csrf = security.csrf_token(agent().session_hash)
            values["asides"] = [feature.aside(chosen, csrf) for feature in core().features if feature.aside]
        if not request.htmx:  # type: ignore[attr-defined]
            feed = Feed(None, None, "agents", languages.spoken())
            values |= _list(rx, _view()) | {
                "cursor": events.latest(rx, feed),
                "version": batches.state_token(rx, feed),
            }
    values |= {"agent": agent(), "csrf": security.csrf_token(agent().session_hash), "trouble": core().store.trouble}
    values["lamps"] = [feature.lamp(values["csrf"]) for feature in core().features if feature.lamp]
    name = "inbox/_thread.html" if request.htmx else "inbox/inbox.html"  # type: ignore[attr-defined]
    response = Response(render_template(name, tag_url=security.static_url(), limit=text.LIMIT, **values), status)
    response.vary.add("HX-Request")
    return response


@inbox.get("")
def index() -> Response:
    """The list of open (or closed) conversations; for htmx one step more of it, or no thread."""
    if request.htmx and "after" in request.args:  # type: ignore[attr-defined]
        with core().store.read() as rx:
            return Response(render_template("inbox/_rows.html", **_list(rx, _view())))
    return _show(None)


@inbox.get("/conversations/<int(max=4611686018427387904):conversation_id>")
def conversation(conversation_id: int) -> Response:
    """A conversation; for htmx its pane alone."""
    return _show(conversation_id)


@inbox.get("/conversations/<int(max=4611686018427387904):conversation_id>/messages")
def history(conversation_id: int) -> str:
    """The messages before one: a page of history."""
    before = live.cursor_of(request.args.get("before"))
    with core().store.read() as rx:
        if conversations.find(rx, conversation_id) is None:
            abort(404)
        page = batches.page(rx, Feed(None, conversation_id, "agents", languages.spoken()), before)
    return render_template("conversation/_history.html", page=page, older=request.path, fresh=False)


@inbox.post("/conversations/<int(max=4611686018427387904):conversation_id>/messages")
def reply(conversation_id: int) -> AnyResponse:
    """Store a reply once; htmx gets the batch after `since`, a form without scripts its page again."""
    core().limits.agent.take(agent().session_hash)
    try:
        body, client_id, cursor = forms.message()
    except text.BadText as error:
        if request.htmx:  # type: ignore[attr-defined]
            raise
        return _show(conversation_id, 422, error=str(error), typed=request.form.get("body", ""))
    me = agent()
    core().store.write(lambda tx: messages.post(tx, None, conversation_id, "agent", body, client_id, me.id))
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(url_for("inbox.conversation", conversation_id=conversation_id), 303)
    with core().store.read() as rx:
        batch = batches.batch(rx, reader().feed(rx), cursor, request.form.get("state"), batches.ANSWER)
    return live.answer(reader(), batch)


@inbox.post("/conversations/<int(max=4611686018427387904):conversation_id>/closure")
def close(conversation_id: int) -> AnyResponse:
    """Close it; closing twice is no error."""
    me = agent().id
    return _turn(conversation_id, lambda tx: conversations.close(tx, conversation_id, me))


@inbox.post("/conversations/<int(max=4611686018427387904):conversation_id>/opening")
def reopen(conversation_id: int) -> AnyResponse:
    """Open it again."""
    me = agent().id
    return _turn(conversation_id, lambda tx: conversations.reopen(tx, conversation_id, "agent", me))


@inbox.post("/conversations/<int(max=4611686018427387904):conversation_id>/trust")
def trust(conversation_id: int) -> AnyResponse:
    """It is no spam: it moves to where it belongs."""
    return _turn(conversation_id, lambda tx: conversations.trust(tx, conversation_id))


def _turn(conversation_id: int, change: Any) -> AnyResponse:
    with core().store.read() as rx:
        if conversations.find(rx, conversation_id) is None:
            abort(404)
    core().store.write(change)
    if request.htmx:  # type: ignore[attr-defined]
        return _show(conversation_id)
    return redirect(url_for("inbox.conversation", conversation_id=conversation_id), 303)


@inbox.get("/trouble")
def trouble() -> str:
    """Why nothing can be stored just now, for an inbox that is open meanwhile."""
    return render_template("inbox/_trouble.html", trouble=core().store.trouble)


@inbox.get("/live")
def poll() -> Response:
    """Long poll over all conversations."""
    return live.poll(reader())


@inbox.post("/signals")
def signals() -> Response:
    """Typing, delivered, seen, for an inbox that polls."""
    return live.take_signals(reader())


@sock.route("/socket", bp=inbox)
def socket(ws: Server) -> None:
    """The live stream of the inbox; the first frame carries the cursor."""
    mine = reader()
    live.serve(ws, lambda said: mine)
