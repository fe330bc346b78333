"""The owner's pages: what holds at one site, what holds everywhere, who has read what, and one visitor's records."""

import csv
import io
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from chat import accounts as agents
from chat import conversations, people, records, text
from chat.conversations import Conversation
from chat.db import Tx
from chat.features.privacy import archive, erasing, reads, retention, settings
from chat.features.privacy.agents import note
from chat.features.privacy.settings import BadSetting, OfInstallation, OfSite
from chat.languages import gettext
from chat.web import accounts, core, security
from chat.web.accounts import agent
from chat.web.sites import chosen, require_site, show

of_site = Blueprint("privacy_site", __name__, url_prefix="/inbox/sites/<key>/privacy")
of_site.before_request(require_site)
privacy = Blueprint("privacy", __name__, url_prefix="/inbox/privacy")
privacy.before_request(accounts.require)
privacy.after_app_request(note)
TALK = "/conversations/<int(max=4611686018427387904):conversation_id>"


@of_site.get("")
def page(key: str, wrong: BadSetting | None = None) -> AnyResponse:
    """How it stands."""
    with core().store.read() as rx:
        set_so = settings.of_site(rx, chosen().id)
        seen = {"swept": retention.last(rx, chosen().id), "receipts": records.receipts(rx, chosen().id)}
    said = gettext("Saved.") if request.args.get("saved") else ""
    return show("privacy/site.html", chosen=OfSite(**_typed()) if wrong else set_so, wrong=wrong, done=said, **seen)


def _typed() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in OfSite._fields}


@of_site.post("")
def save(key: str) -> AnyResponse:
    """Keep what was chosen; a wrong field is named, and nothing is changed."""
    try:
        wanted = settings.check(OfSite(**_typed()))
    except BadSetting as wrong:
        return page(key, wrong)
    site_id = chosen().id
    core().store.write(lambda tx: (settings.put(tx, site_id, wanted), retention.want(tx)))
    return redirect(url_for("privacy_site.page", key=key, saved=1), 303)


# What holds everywhere.


def _draw(template: str, **values: Any) -> str:
    return render_template(f"privacy/{template}", csrf=security.csrf_token(agent().session_hash), **values)


@privacy.get("")
def everywhere() -> str:
    """How it stands."""
    with core().store.read() as rx:
        chosen = settings.of_installation(rx)
    return _draw("everywhere.html", chosen=chosen, minutes=settings.IDLE, saved=request.args.get("saved"))


@privacy.post("")
def save_everywhere() -> AnyResponse:
    """Keep what was chosen; what is not to be kept any more is forgotten at once."""
    form, me = request.form, agent()
    wanted = OfInstallation(
        "short" if form.get("addresses") == "short" else "",
        "on" if form.get("reads") else "",
        form.get("idle", "") if form.get("idle") in map(str, settings.IDLE) else "",
    )

    def store(tx: Tx) -> None:
        settings.put_installation(tx, wanted)
        if not wanted.addresses:
            people.forget_addresses(tx)
        agents.use(tx, me.session_hash)

    core().store.write(store)
    return redirect(url_for("privacy.everywhere", saved=1), 303)


@privacy.get("/reads")
def who_read() -> str:
    """Who has read what, the newest first, narrowed down by agent and conversation."""
    with core().store.read() as rx:
        found = reads.page(rx, **_filter(), before=_number("before"))
        everybody = agents.every(rx)
        on = settings.of_installation(rx).reads
    more = found[-1].id if len(found) == reads.SHOWN else None
    return _draw("reads.html", reads=found, agents=everybody, on=on, more=more, chosen=_filter())


@privacy.get("/reads.csv")
def who_read_csv() -> Response:
    """The same for a spreadsheet."""
    with core().store.read() as rx:
        found = reads.page(rx, **_filter(), most=reads.MOST)
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow(["when", "agent", "email", "conversation", "what"])
    writer.writerows(
        [each.created_at, _cell(each.agent), _cell(each.email), each.conversation_id, each.what] for each in found
    )
    response = Response(made.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=reads.csv"
    return response


def _cell(value: str) -> str:
    """A spreadsheet takes what begins like a formula for one (CWE-1236)."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t")) else value


def _filter() -> dict[str, int | None]:
    return {"agent_id": _number("agent"), "conversation_id": _number("conversation")}


def _number(name: str) -> int | None:
    said = request.args.get(name, "").strip().lstrip("#")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


# One visitor's records.


def _talk(conversation_id: int) -> Conversation:
    with core().store.read() as rx:
        return conversations.find(rx, conversation_id) or abort(404)


def aside(conversation: Conversation, csrf: str) -> Markup:
    """What stands beside the thread: hold, download, erase."""
    with core().store.read() as rx:
        shown = {
            "held": records.held(rx, conversation.person_id),
            "waits": records.asked(rx, conversation.person_id),
        }
    return Markup(render_template("privacy/_aside.html", conversation=conversation, csrf=csrf, **shown))


@privacy.post(f"{TALK}/hold")
def hold(conversation_id: int) -> AnyResponse:
    """Keep this visitor's records from being erased, or (`end`) no longer."""
    person_id, why = _talk(conversation_id).person_id, text.line(request.form.get("why", ""), 200)
    end = "end" in request.form
    core().store.write(lambda tx: records.release(tx, person_id) if end else records.hold(tx, person_id, why))
    return redirect(url_for("inbox.conversation", conversation_id=conversation_id), 303)


@privacy.get(f"{TALK}/archive")
def download(conversation_id: int) -> Response:
    """All that is kept of this visitor, with what agents noted."""
    made = archive.stream(core().store, core().settings.chat_data, _talk(conversation_id).person_id, notes=True)
    response = Response(made, mimetype="application/zip")
    response.headers["Content-Disposition"] = f"attachment; filename=conversation-{conversation_id}.zip"
    return response


@privacy.route(f"{TALK}/erasure", methods=["GET", "POST"])
def erase(conversation_id: int) -> AnyResponse:
    """GET says what would go; POST erases it."""
    talk = _talk(conversation_id)
    if request.method == "POST":
        erasing.erase(core(), talk.site_id, talk.person_id, "agent", agent().id)
        return redirect(url_for("inbox.conversation", conversation_id=conversation_id), 303)
    with core().store.read() as rx:
        shown = {"counted": records.counts(rx, talk.person_id), "held": records.held(rx, talk.person_id)}
    return Response(_draw("erasure.html", conversation=talk, **shown))
