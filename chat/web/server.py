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
from chat.web import accounts, core, security
from chat.web.accounts import agent
from chat.web.metrics import connections, of_all_workers, sizes

server = Blueprint("server", __name__, url_prefix="/inbox/server")
server.before_request(accounts.require)
_one_at_a_time = BoundedSemaphore(1)


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    if not minutes:
        return "Less than a minute"
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}s"
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def _delivery(workers: list[dict[str, Any]]) -> str:
    recent = [seconds for each in workers for seconds in each["recent"]]
    if not recent:
        return f"Nothing to deliver in the last {metrics.RECENT / 60:.0f} minutes"
    slow = metrics.percentile(recent, 0.95) * 1000
    return f"{slow:.1f} ms or less for 95 of 100, of the last {len(recent):,}"


def _connections(workers: list[dict[str, Any]]) -> str:
    kinds = connections(workers)
    return f"{kinds['socket']:,} by WebSocket, {kinds['poll']:,} by long poll"


def _memory(workers: list[dict[str, Any]]) -> str:
    parent = metrics.memory(os.getppid())
    told = f", in {len(workers)} workers" if len(workers) > 1 else ""
    return f"{text.size(parent + sum(each['memory'] for each in workers))}{told}"


def _database() -> str:
    database, log = sizes()
    return f"{text.size(database)}, and {text.size(log)} on the way into it"


def facts() -> list[tuple[str, str]]:
    """What the page says, each with its name."""
    workers = of_all_workers()
    newest = next(iter(snapshots.every(core().settings.chat_data)), None)
    return [
        ("New messages reach open pages in", _delivery(workers)),
        ("Open connections", _connections(workers)),
        ("Memory", _memory(workers)),
        ("Database", _database()),
        ("Last snapshot", str(newest) if newest else "None yet. One is made before every upgrade"),
        ("Running for", _duration(time.time() - min(each["started_at"] for each in workers))),
        ("Version", f"Porchlight {__version__}, SQLite {engine()[0]}"),
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
