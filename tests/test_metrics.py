"""/metrics: shut without a token, right when something happens, and cheap where it is counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import ROOT, Server, environment
from prometheus_client.parser import text_string_to_metric_families as parsed
from test_start_stop import one_clear_line, run_badly

from chat import metrics

pytestmark = pytest.mark.xdist_group("metrics")

TOKEN = "a-token-that-nobody-guesses"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that tell their figures to who has the token."""
    with Server(tmp_path_factory.mktemp("measured"), CHAT_METRICS_TOKEN=TOKEN, WEB_CONCURRENCY="2") as running:
        yield running


def ask(server: Server, headers: dict[str, str]) -> httpx.Response:
    return httpx.get(f"{server.url}/metrics", headers=headers, trust_env=False)


def figures(server: Server, name: str, **labels: str) -> float:
    """The sum over all workers of the samples with that name and these labels."""
    answer = ask(server, BEARER)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    samples = [sample for family in parsed(answer.text) for sample in family.samples if sample.name == name]
    assert samples, f"{name} is not among {answer.text[:2000]}"
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_without_a_token_in_the_settings_there_is_no_such_page_and_no_library(server: Server) -> None:
    assert ask(server, BEARER).status_code == 404
    code = (
        "import sys; from app import create_app; from chat import config, schema; s = config.load();"
        "schema.prepare(s.database); create_app(s); print('prometheus_client' in sys.modules)"
    )
    env = environment(CHAT_DATA=str(server.folder))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("said", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
def test_who_has_not_the_token_gets_401(measured: Server, said: str | None) -> None:
    answer = ask(measured, {} if said is None else {"Authorization": said.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert "porchlight_" not in answer.text


def test_messages_commits_requests_and_deliveries_are_counted_over_all_workers(measured: Server) -> None:
    before = figures(measured, "porchlight_messages_total", by="visitor") if has_messages(measured) else 0
    vera = Visitor(measured.url).arrive()
    with Owner(measured.url).arrive().socket() as inbox, vera.again().following("poll"):
        eventually(lambda: figures(measured, "porchlight_connections") >= 2, what="two connections")
        for number in range(5):
            vera.say(f"line {number}")
        for _ in range(5):
            inbox.recv(timeout=10)
        eventually(lambda: figures(measured, "porchlight_delivery_seconds_count") >= 5, what="deliveries")
    assert figures(measured, "porchlight_messages_total", by="visitor") == before + 5
    assert figures(measured, "porchlight_requests_total", endpoint="visitor.post", status="200") >= 5
    assert figures(measured, "porchlight_request_seconds_count", endpoint="visitor.post") >= 5
    assert figures(measured, "porchlight_commit_writes_sum") >= figures(measured, "porchlight_commit_seconds_count") > 0
    assert 0 < figures(measured, "porchlight_delivery_seconds_sum") < 5


def has_messages(server: Server) -> bool:
    return "porchlight_messages_total{" in ask(server, BEARER).text


def test_memory_sizes_and_version_are_told(measured: Server) -> None:
    assert 20e6 < figures(measured, "porchlight_memory_bytes") < 500e6
    database = measured.data / "chat.sqlite"
    assert figures(measured, "porchlight_database_bytes") == database.stat().st_size
    assert figures(measured, "porchlight_wal_bytes") > 0
    assert figures(measured, "porchlight_info") == 1
    workers = {line.partition('worker="')[2].partition('"')[0] for line in ask(measured, BEARER).text.splitlines()}
    assert len(workers - {""}) == 2, "one label for each worker"


def test_nothing_private_is_among_the_figures(measured: Server) -> None:
    vera = Visitor(measured.url).arrive()
    vera.say("a secret between us")
    vera.http.get("/nothing/like/this?token=abc")
    told = ask(measured, BEARER).text
    for private in ("secret", vera.token[:20], "127.0.0.1", "token=abc", "nothing/like", "ann@"):
        assert private not in told, private


def test_a_short_token_is_refused_with_one_clear_line(tmp_path: Path) -> None:
    output = run_badly(tmp_path, (sys.executable, "app.py"), CHAT_METRICS_TOKEN="short")
    one_clear_line(output, "CHAT_METRICS_TOKEN")
    assert "'short'" not in output


def test_counting_costs_little() -> None:
    """Both lines in the core's way together: below 10 us even on a busy machine (1 us each on a quiet one)."""
    best = min(timed(1000) for _ in range(20))
    print(f"committed and delivered: {best * 1e6:.2f} us")
    assert best < 10e-6


def timed(rounds: int) -> float:
    began = perf_counter()
    for _ in range(rounds):
        metrics.committed(1, 0.001)
        metrics.delivered(0.001)
    return (perf_counter() - began) / rounds


def test_the_page_shows_what_was_measured(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ann, vera = Owner(server.url).arrive(), Visitor(server.url).arrive()
        assert "/inbox/server" in {link.attrs.get("href") for link in ann.page("/inbox/settings").all("a")}
        assert "Nothing to deliver" in ann.page("/inbox/server").text
        with ann.again().socket() as inbox:
            inbox.recv(timeout=10)  # it waits from here on: what comes now is delivered
            vera.say("hello")
            inbox.recv(timeout=10)
            # one delivery may go with a look that was under way: the next one counts
            eventually(lambda: (vera.say("and"), "ms or less" in ann.page("/inbox/server").text)[1], what="a figure")
            shown = ann.page("/inbox/server")
    assert "1 by WebSocket, 0 by long poll" in shown.text
    for word in ("Memory", "MB", "Database", "Running for", "Porchlight 0.", "SQLite 3."):
        assert word in shown.text
    assert "/inbox/archive" in {link.attrs.get("href") for link in shown.all("a")}
