"""What a stranger throws at the door: nobody else is held up, nothing is stored, and no trace is shown."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx
import pytest
from cast import Owner, Visitor
from harness import Server
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

pytestmark = pytest.mark.xdist_group("rough")


@pytest.mark.parametrize("frame", ["{}", json.dumps({"typing": True}), json.dumps({"x": "y" * 15_000})], ids=len)
def test_one_who_floods_a_socket_holds_nobody_up_and_fills_no_memory(server: Server, vera: Visitor, frame: str) -> None:
    vera.say("I was here first")
    done = threading.Event()

    def flood() -> None:
        with vera.again().socket() as ws:
            while not done.is_set():
                try:
                    ws.send(frame)
                except (WebSocketException, OSError):
                    return

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        for _ in range(10):
            assert httpx.get(f"{server.url}/up", timeout=3, trust_env=False).status_code == 200
            time.sleep(0.1)
    finally:
        done.set()
        thread.join(20)


def test_a_socket_of_an_unknown_site_is_refused_before_the_handshake(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{server.port}/w/nosuch/socket", proxy=None):
        pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize(
    "body",
    ['{"page": {"url": "http://\\ud800", "title": "Sale \\ud83d"}}', "[" * 30_000, '{"seen": 1e400}', '{"page": []}'],
    ids=["half an emoji", "deep", "infinite", "no object"],
)
def test_odd_signals_break_nothing(vera: Visitor, body: str) -> None:
    vera.say("hello")
    answer = vera.http.post("/w/main/signals", content=body, headers=vera.auth() | {"Content-Type": "application/json"})
    assert answer.status_code in (204, 422)


def test_half_an_emoji_in_a_pages_title_leaves_the_socket_open(vera: Visitor) -> None:
    vera.say("hello")
    with vera.socket() as ws:
        vera.hear(ws, "")
        ws.send('{"page": {"url": "https://shop.example/", "title": "Sale \\ud83d"}}')
        vera.say("still there")
        vera.hear(ws, "still there")


@pytest.mark.parametrize("path", ["/w/main", "/c/main"])
def test_head_reads_and_stores_nothing(vera: Visitor, path: str) -> None:
    vera.say("only this")
    form = {"body": "by HEAD", "client_id": "b3b1b6a2-7d0e-4d3e-9f0e-2f3c1d5e6a7b", "token": vera.token}
    assert vera.http.request("HEAD", path, data=form).status_code == 200
    assert vera.again().catch_up().texts() == ["only this"]


@pytest.mark.parametrize("size", ["zz", "-1"])
def test_a_chunk_of_no_size_is_said_to_be_unreadable(server: Server, size: str) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        head = "POST /w/main/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.sendall(f"{head}{size}\r\nabc\r\n".encode())
        assert wire.recv(1000).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/conversations/99999999999999999999999",
        "/inbox/conversations/99999999999999999999999/messages?before=1",
        "/inbox/live?since=0&state=99999999999999999999999",
        "/inbox/live?since=0&state=%C2%B2",
        "/static/.",
        "/static/vendor/../vendor/htmx-4.0.1.min.x.js",
    ],
)
def test_no_address_is_too_odd_for_an_answer(ann: Owner, path: str) -> None:
    assert ann.http.get(path).status_code in (200, 204, 404)


@pytest.mark.parametrize(
    "to", ["//evil.example", "/inbox/%0d%0aX:y", "/inbox?a=%0d%0aX:y", "//[::1/inbox", "https://x"]
)
def test_signing_in_leads_to_the_inbox_and_nowhere_else(server: Server, to: str) -> None:
    ann = Owner(server.url)
    sent = {"email": "ann@example.com", "password": "a quiet harbour at night"}
    answer = ann.http.post(f"/inbox/login?next={to}", data=sent, headers=ann.auth())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/inbox")


@pytest.mark.parametrize("invisible", ["\u200b\u200b", "\u200f", "\ufeff", "\U000e0041"], ids=ascii)
def test_what_nobody_can_see_is_no_message(vera: Visitor, invisible: str) -> None:
    assert vera.post(invisible).status_code == 422
