"""The server's figures: `/metrics` for Prometheus, and the sums that "This server" shows.

Each worker answers for itself (a label `worker`), so a counter starts anew only when its worker does, as Prometheus
expects; whoever is asked asks the others. prometheus-client's own multiprocess mode was not taken: it keeps a file a
process for ever, needs a folder in the environment before it is imported, and counts only while it is loaded.
"""

import hmac
import platform
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from flask import Blueprint, Flask, Response, abort, current_app

from chat import __version__, metrics, presence
from chat.colleagues import Colleagues
from chat.db import engine
from chat.web import Core, core, security

blueprint = Blueprint("metrics", __name__)
HISTOGRAMS = {
    "commit_seconds": "Seconds from BEGIN until a commit was on disk.",
    "commit_writes": "Writes that shared one commit.",
    "delivery_seconds": "Seconds from a commit until what is new was written to a waiting connection.",
}


def init_app(app: Flask, colleagues: Colleagues) -> None:
    """Answer the other workers; and whoever has the token, when there is one (else no library is loaded for it)."""
    app.extensions["porchlight-colleagues"] = colleagues
    parts = cast(Core, app.extensions["porchlight"])
    colleagues.listen(lambda: own(parts))
    if parts.settings.metrics_token:
        import_module("prometheus_client")
        app.register_blueprint(blueprint)


def own(parts: Core) -> dict[str, Any]:
    """This worker's figures."""
    return metrics.told() | {"version": __version__, "connections": parts.live.counts(), "busy": parts.busy}


def of_all_workers() -> list[dict[str, Any]]:
    """Every worker's figures, this one's first. One of another version is on its way out, and may know others."""
    colleagues = cast(Colleagues, current_app.extensions["porchlight-colleagues"])
    return [own(core()), *(told for told in colleagues.ask() if told.get("version") == __version__)]


def sizes() -> tuple[int, int]:
    """Bytes of the database, and of what is written and not folded into it yet."""
    database = core().settings.database
    log = database.with_name(f"{database.name}-wal")
    return database.stat().st_size, log.stat().st_size if log.exists() else 0


@blueprint.get("/metrics")
def show() -> Response:
    """All figures in Prometheus' text format, for who brings the token."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    if not hmac.compare_digest(security.bearer().encode(), core().settings.metrics_token.encode()):
        abort(Response("The token is missing or wrong.\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain"))
    families = list(_families(of_all_workers()))
    collector = type("Collector", (), {"collect": lambda self: families})()
    return Response(generate_latest(collector), content_type=CONTENT_TYPE_LATEST)


def _families(workers: list[dict[str, Any]]) -> Iterator[Any]:
    yield from _requests(workers)
    yield from _stored(workers)
    yield from _histograms(workers)
    yield from _gauges(workers)
    yield from _whole()


def _requests(workers: list[dict[str, Any]]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    count = CounterMetricFamily("porchlight_requests", "Requests answered.", labels=["endpoint", "status", "worker"])
    seconds = HistogramMetricFamily(
        "porchlight_request_seconds", "Seconds until a request was answered or parked.", labels=["endpoint", "worker"]
    )
    for each in workers:
        for endpoint, status, number in each["requests"]:
            count.add_metric([endpoint, status, each["worker"]], number)
        for endpoint, histogram in each["request_seconds"].items():
            seconds.add_metric([endpoint, each["worker"]], *_cumulative(histogram))
    yield count
    yield seconds


def _stored(workers: list[dict[str, Any]]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily

    messages = CounterMetricFamily("porchlight_messages", "Messages stored.", labels=["by", "worker"])
    failed = CounterMetricFamily("porchlight_commits_failed", "Commits that stored nothing.", labels=["worker"])
    for each in workers:
        for by, number in each["messages"].items():
            messages.add_metric([by, each["worker"]], number)
        failed.add_metric([each["worker"]], each["commits_failed"])
    yield messages
    yield failed


def _histograms(workers: list[dict[str, Any]]) -> Iterator[Any]:
    from prometheus_client.core import HistogramMetricFamily

    for name, about in HISTOGRAMS.items():
        family = HistogramMetricFamily(f"porchlight_{name}", about, labels=["worker"])
        for each in workers:
            family.add_metric([each["worker"]], *_cumulative(each[name]))
        yield family


def _gauges(workers: list[dict[str, Any]]) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    open_now = GaugeMetricFamily("porchlight_connections", "Parked sockets and polls.", labels=["kind", "worker"])
    gauges = {
        "busy": GaugeMetricFamily("porchlight_requests_under_way", "Requests under way.", labels=["worker"]),
        "resident": GaugeMetricFamily("porchlight_memory_bytes", "Resident memory.", labels=["worker"]),
        "started_at": GaugeMetricFamily("porchlight_start_time_seconds", "When it began (Unix).", labels=["worker"]),
    }
    for each in workers:
        for kind, number in each["connections"].items():
            open_now.add_metric([kind, each["worker"]], number)
        for name, family in gauges.items():
            family.add_metric([each["worker"]], each[name])
    yield from (open_now, *gauges.values())


def _whole() -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    with core().store.read() as rx:
        here = presence.counts(rx)
    present = GaugeMetricFamily("porchlight_present", "People with a page open.", labels=["who"])
    for who, number in here.items():
        present.add_metric([who], number)
    database, log = sizes()
    yield present
    yield GaugeMetricFamily("porchlight_database_bytes", "Size of the database.", value=database)
    yield GaugeMetricFamily("porchlight_wal_bytes", "Size of its write-ahead log.", value=log)
    versions = {"version": __version__, "sqlite": engine()[0], "python": platform.python_version()}
    yield InfoMetricFamily("porchlight", "Versions.", value=versions)


def _cumulative(histogram: dict[str, Any]) -> tuple[list[tuple[str, float]], float]:
    buckets, seen = [], 0
    for bound, number in zip([*map(str, histogram["bounds"]), "+Inf"], histogram["counts"], strict=True):
        seen += number
        buckets.append((bound, float(seen)))
    return buckets, histogram["total"]


def connections(workers: list[dict[str, Any]]) -> Counter[str]:
    """Open connections of the whole server, by kind."""
    return sum((Counter(each["connections"]) for each in workers), Counter())
