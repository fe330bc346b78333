"""The sockets with clients that others wrote (`autobahn`, `websockets`), which hold the server to the RFC at every
byte; and handshakes that are none."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from cast import Owner, Visitor
from harness import Server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from wire import TEXT

pytestmark = pytest.mark.xdist_group("websocket-clients")


@pytest.fixture
def talk(server: Server, vera: Visitor) -> Visitor:
    """A visitor with a conversation."""
    vera.say("start")
    return vera


class Autobahn(WebSocketClientProtocol):  # type: ignore[misc]
    """What autobahn tells, kept."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.ponged = asyncio.Queue[str](), asyncio.Queue[bytes]()
        self.opened, self.left = asyncio.Event(), asyncio.Event()
        self.clean, self.code, self.reason = False, 0, ""

    def onOpen(self) -> None:
        self.opened.set()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        assert not isBinary
        self.heard.put_nowait(payload.decode())

    def onPong(self, payload: bytes) -> None:
        self.ponged.put_nowait(payload)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.clean, self.code, self.reason = wasClean, code, reason
        self.left.set()

    async def until(self, word: str) -> None:
        """Read until a batch holds that word."""
        while word not in await self.heard.get():
            pass


def with_autobahn(end: Visitor | Owner, talk: Callable[[Autobahn], Awaitable[None]]) -> Autobahn:
    """A whole connection with autobahn; it must end within 20 seconds."""

    async def run() -> Autobahn:
        headers = end.socket_headers()
        origin = headers.pop("Origin", None)
        factory = WebSocketClientFactory("ws" + end.url.removeprefix("http") + end.socket_path, origin, headers=headers)
        factory.protocol = Autobahn
        factory.setProtocolOptions(openHandshakeTimeout=5, closeHandshakeTimeout=5, serverConnectionDropTimeout=3)
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(factory, factory.host, factory.port)
        async with asyncio.timeout(20):
            await client.opened.wait()
            await talk(client)
            await client.left.wait()
        transport.close()
        return client

    with ThreadPoolExecutor(1) as aside:  # Playwright leaves a running loop in the thread of the tests
        return aside.submit(asyncio.run, run()).result(60)


def hello(end: Visitor | Owner) -> bytes:
    return json.dumps(end.first_frame(end.log.cursor)).encode()


def test_autobahn_talks_in_fragments_octet_by_octet_and_leaves_cleanly(end: Visitor | Owner, talk: Visitor) -> None:
    async def session(client: Autobahn) -> None:
        client.beginMessage()
        for octet in hello(end):
            client.sendMessageFrame(bytes([octet]), sync=True)
        client.sendPing(b"in between")
        client.endMessage()
        assert await client.ponged.get() == b"in between"
        await client.heard.get()
        client.sendFrame(TEXT, b'{"typing": false}', chopsize=1)
        client.sendMessage(b'{"delivered": 1}', fragmentSize=2)
        await asyncio.to_thread(talk.say, "to be heard by autobahn")
        await client.until("to be heard by autobahn")
        client.sendClose(3001, "that was it")

    done = with_autobahn(end, session)
    assert done.clean and done.code == 3001


WRONG: dict[str, tuple[Callable[[Autobahn], object], int]] = {
    "a reserved opcode": (lambda client: client.sendFrame(3, b"x"), 1002),
    "a reserved bit": (lambda client: client.sendFrame(TEXT, b"{}", rsv=4), 1002),
    "a continuation of nothing": (lambda client: client.sendFrame(0, b"x"), 1002),
    "a reserved close code": (lambda client: client.sendFrame(8, b"\x03\xed"), 1002),
    "broken text": (lambda client: client.sendFrame(TEXT, b"\xc0\x80"), 1007),
    "far too much": (lambda client: client.sendMessage(b" " * 200_000, fragmentSize=10_000), 1009),
}


@pytest.mark.parametrize(("do", "code"), WRONG.values(), ids=WRONG)
def test_autobahn_is_told_what_it_did_wrong(end: Visitor | Owner, do: Callable[[Any], object], code: int) -> None:
    async def session(client: Autobahn) -> None:
        client.sendMessage(hello(end))
        await client.heard.get()
        do(client)

    done = with_autobahn(end, session)
    assert done.code == code and done.clean, f"{done.code} {done.reason}"


def test_autobahn_hears_why_the_server_closes(server: Server, talk: Visitor) -> None:
    async def session(client: Autobahn) -> None:
        client.sendMessage(hello(talk))
        await client.heard.get()
        with sqlite3.connect(server.data / "chat.sqlite", timeout=10) as db:
            db.execute("UPDATE devices SET revoked_at = 'now' WHERE id = (SELECT max(id) FROM devices)")
        db.close()
        talk.poll()  # refused
        await client.left.wait()

    done = with_autobahn(talk, session)
    assert done.clean and done.code == 4401


def test_the_websockets_package_talks_with_everything_it_has(end: Visitor | Owner, talk: Visitor) -> None:
    """Compression offered, fragments, pings, text and bytes, a close that is answered."""
    address = "ws" + end.url.removeprefix("http") + end.socket_path
    with connect(address, additional_headers=end.socket_headers(), proxy=None, max_size=None) as ws:
        assert ws.protocol.extensions == [], "compression costs 100 KB a connection"
        text = hello(end).decode()
        ws.send(text[i : i + 3] for i in range(0, len(text), 3))
        ws.recv(timeout=5)
        waits = [ws.ping(f"ping {i}") for i in range(20)]
        assert all(wait.wait(5) for wait in waits)
        ws.send(b'{"typing": false}')
        ws.send(["", '{"typing"', "", ": false}", ""])
        talk.say("to be heard by websockets")
        while "to be heard by websockets" not in str(ws.recv(timeout=5)):
            pass
        ws.close(4002, "done")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                ws.recv(timeout=5)
    assert closed.value.rcvd and closed.value.rcvd.code == 4002


GOOD = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def shake(
    end: Visitor | Owner, method: str = "GET", path: str = "", **changes: str | None
) -> tuple[int, dict[str, str]]:
    """The answer to that handshake: status and headers, all names in small letters."""
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    sent = {name: value for name, value in (GOOD | end.socket_headers() | changed).items() if value is not None}
    wire = HTTPConnection(end.url.removeprefix("http://"), timeout=5)
    wire.putrequest(method, path or end.socket_path, skip_accept_encoding=True)
    for name, value in sent.items():
        wire.putheader(name, value)
    wire.endheaders()
    answer = wire.getresponse()
    wire.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"},
        {"Connection": "UPGRADE"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits, x-unknown"},
        {"Sec_WebSocket_Protocol": "chat, superchat"},
    ],
    ids=str,
)
def test_a_handshake_as_it_should_be_is_taken(end: Visitor | Owner, changes: dict[str, str]) -> None:
    status, headers = shake(end, **changes)
    assert status == 101 and headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"
    assert "sec-websocket-extensions" not in headers and "sec-websocket-protocol" not in headers


WRONG_HANDSHAKES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "no key": ({"Sec_WebSocket_Key": None}, (400,)),
    "an empty key": ({"Sec_WebSocket_Key": ""}, (400,)),
    "a key that is too short": ({"Sec_WebSocket_Key": "c2hvcnQ="}, (400,)),
    "a key that is no base64": ({"Sec_WebSocket_Key": "not base64 at all!!!"}, (400,)),
    "no version": ({"Sec_WebSocket_Version": None}, (400, 426)),
    "an old version": ({"Sec_WebSocket_Version": "8"}, (426,)),
    "a version that is no number": ({"Sec_WebSocket_Version": "thirteen"}, (400, 426)),
    "no upgrade": ({"Upgrade": None}, (400, 404, 426)),
    "another upgrade": ({"Upgrade": "h2c"}, (400, 404, 426)),
    "no connection": ({"Connection": None}, (400, 404, 426)),
    "a connection that stays": ({"Connection": "keep-alive"}, (400, 404, 426)),
    "a POST": ({"method": "POST", "Content_Length": "0"}, (400, 403, 405)),
    "a body": ({"Content_Length": "5"}, (400,)),
    "a foreign origin": ({"Origin": "https://evil.example"}, (403,)),
    "an unknown site": ({"path": "/w/nosuch/socket"}, (404,)),
}


@pytest.mark.parametrize(("changes", "statuses"), WRONG_HANDSHAKES.values(), ids=WRONG_HANDSHAKES)
def test_a_handshake_that_is_none_is_refused(
    server: Server, end: Visitor | Owner, changes: dict[str, Any], statuses: tuple[int, ...]
) -> None:
    logged = len(server.output)
    status, headers = shake(end, **changes)
    assert status in statuses
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
    assert "Traceback" not in server.output[logged:]


def test_a_handshake_to_the_inbox_without_a_session_is_refused(server: Server) -> None:
    assert shake(Owner(server.url))[0] == 401
