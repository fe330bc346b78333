"""This server: how it is, at a glance, and the doctor's button."""

import os
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import gevent
from flask import Blueprint, Response, render_template, stream_template
from gevent.lock import BoundedSemaphore

from chat import __version__, metrics, snapshots, text
from chat.db import engine
from chat.doctor import Check, aside, local, public, summary
from chat.languages import gettext, ngettext
from chat.web import accounts, core, security
from chat.web.accounts import agent
from chat.web.metrics import connections, of_all_workers, sizes

server = Blueprint("server", __name__, url_prefix="/inbox/server")
server.before_request(accounts.require)
_one_at_a_time = BoundedSemaphore(1)


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    if not minutes:
        return gettext("Less than a minute")
    if minutes >= 2 * 1440:
        return ngettext("%(n)s day", "%(n)s days", minutes // 1440) % {"n": minutes // 1440}
    if minutes >= 2 * 60:
        return ngettext("%(n)s hour", "%(n)s hours", minutes // 60) % {"n": minutes // 60}
    return ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}


def _delivery(workers: list[dict[str, Any]]) -> str:
    recent = [seconds for each in workers for seconds in each["recent"]]
    if not recent:
        return gettext("Nothing to deliver in the last %(recent)s minutes") % {"recent": f"{metrics.RECENT / 60:.0f}"}
    slow = metrics.percentile(recent, 0.95) * 1000
    return gettext("%(slow)s ms or less for 95 of 100, of the last %(recent)s") % {
        "slow": f"{slow:.1f}",
        "recent": f"{len(recent):,}",
    }


def _connections(workers: list[dict[str, Any]]) -> str:
    kinds = connections(workers)
    return gettext("%(socket)s by WebSocket, %(poll)s by long poll") % {
        "socket": f"{kinds['socket']:,}",
        "poll": f"{kinds['poll']:,}",
    }


def _memory(workers: list[dict[str, Any]]) -> str:
    parent = metrics.memory(os.getppid())
    whole = text.size(parent + sum(each["memory"] for each in workers))
    if len(workers) == 1:
        return whole
    return gettext("%(memory)s, in %(n)s workers") % {"memory": whole, "n": len(workers)}


def _database() -> str:
    database, log = sizes()
    return gettext("%(database)s, and %(log)s on the way into it") % {
        "database": text.size(database),
        "log": text.size(log),
    }


def facts() -> list[tuple[str, str]]:
    """What the page says, each with its name."""
    workers = of_all_workers()
    newest = next(iter(snapshots.every(core().settings.chat_data)), None)
    return [
        (gettext("New messages reach open pages in"), _delivery(workers)),
        (gettext("Open connections"), _connections(workers)),
        (gettext("Memory"), _memory(workers)),
        (gettext("Database"), _database()),
        (gettext("Last snapshot"), str(newest) if newest else gettext("None yet. One is made before every upgrade")),
        (gettext("Running for"), _duration(time.time() - min(each["started_at"] for each in workers))),
        (gettext("Version"), f"Porchlight {__version__}, SQLite {engine()[0]}"),
    ]


def _checks() -> Iterator[Check]:
    """The same as `python app.py check`; never another address than our own."""
    settings, run = core().settings, gevent.get_hub().threadpool.apply
    on_data = local.checks(settings, thorough=False, clock_shift=metrics.clock_shift())
    of_features = local.of_features(settings, core().looks)
    return chain(aside(on_data, run), of_features, public.way_in(settings))


def _shown() -> dict[str, Any]:
    return {"facts": facts(), "csrf": security.csrf_token(agent().session_hash)}


@server.get("")
def show() -> str:
    """The figures, and the button."""
    return render_template("server/server.html", **_shown())


@server.post("")
def check() -> Response | str:
    """The same with the doctor's findings, each sent as soon as it is there: a page that grows needs no script."""
    if not _one_at_a_time.acquire(blocking=False):
        return render_template("server/server.html", busy=True, **_shown())
    seen: list[Check] = []
    told = {"checks": _noting(_checks(), seen), "summary": lambda: summary([check.finding for check in seen])}
    try:
        response = Response(stream_template("server/server.html", **told, **_shown()))
    except BaseException:
        _one_at_a_time.release()
        raise
    response.call_on_close(_one_at_a_time.release)
    return response


def _noting(checks: Iterator[Check], seen: list[Check]) -> Iterator[Check]:
    for check in checks:
        seen.append(check)
        yield check
