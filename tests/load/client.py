"""A lean client for the bench: raw sockets, one epoll, bytes made beforehand. Its own share of a core is printed with
each row: a client near 100 % would measure itself."""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
import time
import uuid
from collections.abc import Callable, Iterator

LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
CURSOR = re.compile(rb'id="cursor" content="(\d+)"')
STATE = re.compile(rb'id="state" content="([^"]*)"')
MARK = re.compile(rb">m(\d+)\.<")


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def answer(self) -> bytes | None:
        """The next whole HTTP answer (head and body), when it has come; b'' when the connection has ended."""
        data = self.sock.recv(262144)
        if not data:
            return b""
        self.received += data
        head, mark, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not mark or (length and len(body) < int(length[1])):
            return None
        answer, self.received = self.received, b""
        return answer

    def ask(self, request: bytes) -> bytes:
        """Send and wait for the answer."""
        self.sock.sendall(request)
        while (answer := self.answer()) is None:
            pass
        return answer


class Writer(Wire):
    """Somebody who posts."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(port)
        self.cursor, self.state, self.at = b"0", b"", 0.0
        self._head = (
            f"POST /w/main/messages HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        ).encode()

    def post(self, mark: int) -> None:
        """Send a message, to be known by its mark."""
        body = f"body=m{mark}.&client_id={uuid.uuid4()}&since=".encode() + self.cursor + b"&state=" + self.state
        self.at = time.perf_counter()
        self.sock.sendall(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def heard(self) -> bool:
        """Whether the answer has come; AssertionError when it is no 200."""
        answer = self.answer()
        if answer is None:
            return False
        assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
        if cursor := CURSOR.search(answer):
            self.cursor = cursor[1]
        if state := STATE.search(answer):
            self.state = state[1]
        return True


def token(port: int) -> str:
    """A visitor's token."""
    request = f"POST /w/main/session HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"
    return str(json.loads(Wire(port).ask(request.encode()).partition(b"\r\n\r\n")[2])["token"])


def open_socket(port: int, token: str) -> Wire:
    """A WebSocket that has had its first frame."""
    wire = Wire(port)
    key = base64.b64encode(os.urandom(16)).decode()
    answer = wire.ask(
        (
            f"GET /w/main/socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    assert answer.startswith(b"HTTP/1.1 101"), answer[:300]
    said = json.dumps({"token": token, "since": 0}).encode()
    mask = b"\0\0\0\0"  # a mask of nothing, so that the bytes can stay as they are
    size = bytes([0x80 | len(said)]) if len(said) < 126 else bytes([0xFE]) + len(said).to_bytes(2, "big")
    wire.sock.sendall(b"\x81" + size + mask + said)
    assert b'id="cursor"' in wire.sock.recv(262144)
    wire.sock.setblocking(False)
    return wire


def open_poll(port: int, token: str, since: bytes, state: bytes) -> Wire:
    """A poll that waits; on a connection of its own, since a parked one ends it."""
    wire = Wire(port)
    wire.sock.sendall(
        f"GET /w/main/live?since={since.decode()}&wait=25&state={state.decode()} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    return wire


class Crowd:
    """Many wires, watched together."""

    def __init__(self, wires: list[Wire]) -> None:
        self._epoll = select.epoll()
        self._wires = {wire.sock.fileno(): wire for wire in wires}
        for fd in self._wires:
            self._epoll.register(fd, select.EPOLLIN)

    def ready(self, seconds: float) -> Iterator[Wire]:
        """Those who have something to read."""
        for fd, _ in self._epoll.poll(max(seconds, 0)):
            yield self._wires[fd]

    def until(self, done: Callable[[Wire], bool], count: int, seconds: float) -> float:
        """Read until `done` was true of so many; returns when that was."""
        end = time.perf_counter() + seconds
        while count and (left := end - time.perf_counter()) > 0:
            for wire in self.ready(left):
                count -= done(wire)
        assert not count, f"{count} never got it"
        return time.perf_counter()
