"""Every route that there is, features' and later ones' too: closed to nobody's visit and to other sites' pages, never a
stack trace, and guarded by the same headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from cast import Owner
from harness import Server

from app import create_app
from chat import config, schema

pytestmark = pytest.mark.xdist_group("every-route")
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
OPEN = {"/inbox/login", "/inbox/setup/x"}
"""Where somebody who is nobody yet has to come in."""
ANYBODYS = ("/inbox/alerts/manifest.webmanifest", "/inbox/alerts/worker.js")
FRAMED = ("/w/main", "/w/main.js", "/w/main/consent")
LIVE = ("/socket", "/live")
"""Streams, which have tests of their own."""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """(method, path) of each, with something in the place of its variables."""
    data = tmp_path_factory.mktemp("routes")
    schema.prepare(data / "chat.sqlite")
    app = create_app(config.load({"CHAT_DATA": str(data)}))
    found = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:any\(w, c\)):\w+>", "w", rule.rule)
        path = re.sub(r"<int(?:\([^)]*\))?:\w+>", "1", path)
        path = re.sub(r"<key>", "main", path)
        path = re.sub(r"<(?:\w+:)?\w+>", "x", path)
        found |= {(method, path) for method in (rule.methods or ()) if method in ("GET", "POST")}
    return sorted(found)


def owners(routes: list[tuple[str, str]], method: str) -> list[str]:
    return [path for how, path in routes if how == method and path.startswith("/inbox") and path not in OPEN]


def test_there_are_many(routes: list[tuple[str, str]]) -> None:
    assert len(routes) > 70 and len(owners(routes, "POST")) >= 30


def test_nobody_gets_into_any_page_of_the_owners(routes: list[tuple[str, str]], nobody: httpx.Client) -> None:
    let_in = {}
    for path in owners(routes, "GET"):
        answer = nobody.get(path)
        sent_away = answer.status_code in (301, 302, 303) and "/inbox/login" in answer.headers["Location"]
        if not (sent_away or answer.status_code in (400, 401, 403, 404) or path in ANYBODYS):
            let_in[path] = answer.status_code
    assert not let_in


def test_nobody_changes_anything(routes: list[tuple[str, str]], nobody: httpx.Client, server: Server) -> None:
    let_in = {}
    for path in owners(routes, "POST"):
        answer = nobody.post(path, headers={"Origin": server.url}, data={"csrf": "x"})
        sent_away = answer.status_code in (302, 303) and "/inbox/login" in answer.headers["Location"]
        if not (sent_away or answer.status_code in (401, 403)):
            let_in[path] = answer.status_code
    assert not let_in


@pytest.mark.parametrize(
    ("headers", "fields"),
    [(FOREIGN, {}), ({"Origin": "null"}, {}), ({}, {"csrf": "x"}), ({}, {}), ({"Sec-Fetch-Site": "same-site"}, {})],
    ids=["another site", "no origin to name", "a wrong token", "no token", "a sister domain"],
)
def test_the_owners_own_browser_changes_nothing_for_others(
    routes: list[tuple[str, str]], ann: Owner, headers: dict[str, str], fields: dict[str, str]
) -> None:
    taken = {}
    for path in owners(routes, "POST"):
        answer = ann.http.post(path, headers=headers, data=fields)
        if answer.status_code not in (400, 401, 403):
            taken[path] = answer.status_code
    assert not taken


def test_every_answer_is_guarded_and_none_is_a_stack_trace(
    routes: list[tuple[str, str]], ann: Owner, nobody: httpx.Client
) -> None:
    wrong: dict[str, Any] = {}
    for path in {path for method, path in routes if method == "GET" and not path.endswith(LIVE)}:
        for who in (ann.http, nobody):
            answer = who.get(path)
            headers = answer.headers
            framed = "frame-ancestors 'none'" in headers.get("Content-Security-Policy", "")
            good = answer.status_code < 500 and headers.get("X-Content-Type-Options") == "nosniff"
            good &= framed or path in FRAMED or path.startswith("/static/")
            if not good or "unsafe" in headers.get("Content-Security-Policy", ""):
                wrong[path] = (answer.status_code, dict(headers))
    assert not wrong


@pytest.mark.parametrize("typed", ["x" * 60_000, "\x00\x01", "<script>alert(1)</script>", "🏮" * 5000, "{}", "-1"])
def test_no_field_of_the_owners_forms_is_a_stack_trace(
    routes: list[tuple[str, str]], ann: Owner, typed: str, tmp_path: Path
) -> None:
    csrf = ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]
    names = ("name", "key", "domains", "from", "smtp", "imap", "wait", "address", "token", "delivery", "conversation")
    names += ("body", "client_id", "since", "mail_after", "quiet_from", "timezone", "digest", "to", "wish", "what")
    broken = {}
    for path in owners(routes, "POST"):
        if path in ("/inbox/logout", "/inbox/server", "/inbox/mail/checks"):
            continue
        form = {name: typed if len(typed) < 10_000 else typed[: 60_000 // len(names)] for name in names}
        answer = ann.http.post(path, headers=ann.auth(), data={"csrf": csrf, **form}, timeout=60)
        if answer.status_code >= 500:
            broken[path] = answer.status_code
    assert not broken
