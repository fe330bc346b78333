"""A lean client: raw sockets, one epoll, requests made beforehand, no parsing beyond what a row needs.

A client library would measure itself. What this one can do at most is the bench's column "empty server".
"""

from __future__ import annotations

import base64
import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
CURSOR = re.compile(rb'id="cursor" content="(\d+)"')
STATE = re.compile(rb'id="state" content="([^"]*)"')
MARK = re.compile(rb">m(\d+)\.<")
HELD = 200  # connections that are being opened at once: below the backlog of every server
PATIENCE = 30.0  # seconds of silence after which a row gives up
KEY = base64.b64encode(b"sixteen bytes ok").decode()


class Visitor:
    """Somebody with a token, and the place in the conversation that their last answer told."""

    def __init__(self, token: str) -> None:
        self.token, self.cursor, self.state = token, b"0", b""
        self._head = (
            f"POST /w/main/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        ).encode()

    def post(self, mark: int) -> bytes:
        """A message, to be known by its mark."""
        body = b"body=m%d.&client_id=00000000-0000-4000-8000-%012x&since=%b&state=%b"
        body %= mark, mark, self.cursor, self.state
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    def heard(self, answer: bytes) -> None:
        """Take the place from an answer. AssertionError when it is no 200."""
        assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
        if found := CURSOR.search(answer):
            self.cursor = found[1]
        if found := STATE.search(answer):
            self.state = found[1]

    def poll(self, wait: int = 25) -> bytes:
        """A long poll from this place."""
        query = f"since={self.cursor.decode()}&state={self.state.decode()}&wait={wait}"
        head = f"GET /w/main/live?{query} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        return head.encode()

    def hello(self) -> bytes:
        """The first frame of a socket; its mask is nothing, so that the bytes stay as they are."""
        said = json.dumps({"token": self.token, "since": 0}).encode()
        size = bytes([0x80 | len(said)]) if len(said) < 126 else b"\xfe" + len(said).to_bytes(2, "big")
        return b"\x81" + size + bytes(4) + said


class Wire:
    """One connection, and what came in on it."""

    def __init__(self, port: int, first: bytes = b"") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.received = b""
        if first:
            self.sock.sendall(first)

    def hear(self) -> bool:
        """Take what has come; False when the other side has ended."""
        try:
            data = self.sock.recv(262144)
        except BlockingIOError:
            return True
        self.received += data
        return bool(data)

    def answer(self) -> bytes | None:
        """The next whole HTTP answer, once it has come."""
        assert self.hear(), f"the connection ended: {self.received[:300]!r}"
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return None
        answer, self.received = self.received, b""
        return answer


class Writer(Wire):
    """A visitor's tab that posts."""

    def __init__(self, port: int, visitor: Visitor) -> None:
        super().__init__(port)
        self.visitor, self.at = visitor, 0.0

    def post(self, mark: int) -> None:
        """Send a message; `at` is when."""
        request = self.visitor.post(mark)
        self.at = time.perf_counter()
        self.sock.sendall(request)

    def answered(self) -> bool:
        """Whether the answer has come."""
        answer = self.answer()
        if answer is not None:
            self.visitor.heard(answer)
        return answer is not None


class Socket(Wire):
    """A visitor's tab that reads by WebSocket."""

    def __init__(self, port: int, visitor: Visitor) -> None:
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        head = f"GET /w/main/socket HTTP/1.1\r\nHost: bench\r\n{upgrade}\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        super().__init__(port, head.encode())
        self._visitor, self._upgraded = visitor, False

    def opened(self) -> bool:
        """Go on with the opening; whether the first batch has come."""
        assert self.hear(), f"the connection ended: {self.received[:300]!r}"
        if not self._upgraded and b"\r\n\r\n" in self.received:
            assert self.received.startswith(b"HTTP/1.1 101"), self.received[:300]
            self._upgraded, self.received = True, self.received.partition(b"\r\n\r\n")[2]
            self.sock.sendall(self._visitor.hello())
        if b'id="cursor"' not in self.received:
            return False
        self.received = b""
        return True


class Crowd:
    """Many wires, watched together. With `edge` each is named once for what came, also when it has ended."""

    def __init__(self, wires: Iterable[Wire] = (), *, edge: bool = False) -> None:
        self._epoll = select.epoll()
        self._wires: dict[int, Wire] = {}
        self._events = select.EPOLLIN | (select.EPOLLET if edge else 0)
        for wire in wires:
            self.add(wire)

    def add(self, wire: Wire) -> None:
        self._wires[wire.sock.fileno()] = wire
        self._epoll.register(wire.sock.fileno(), self._events)

    def drop(self, wire: Wire) -> None:
        del self._wires[wire.sock.fileno()]
        self._epoll.unregister(wire.sock.fileno())

    def ready(self, seconds: float) -> Iterator[Wire]:
        """Those who have something to read."""
        for fd, _ in self._epoll.poll(max(seconds, 0)):
            yield self._wires[fd]

    def until(self, done: Callable[[Wire], bool], count: int) -> None:
        """Read until `done` was true so many times."""
        while count:
            silent = True
            for wire in self.ready(PATIENCE):
                silent, count = False, count - done(wire)
            assert not silent, f"{count} heard nothing for {PATIENCE:.0f} s"


def converse(port: int, requests: Sequence[bytes], connections: int = 32) -> list[bytes]:
    """Ask all of it over a few connections; the answers in the same order."""
    answers, todo = [b""] * len(requests), iter(enumerate(requests))
    crowd, asked = Crowd(), dict[Wire, int]()

    def ask(wire: Wire) -> None:
        for number, request in islice(todo, 1):
            asked[wire] = number
            wire.sock.sendall(request)

    def heard(wire: Wire) -> bool:
        if (answer := wire.answer()) is None:
            return False
        answers[asked[wire]] = answer
        ask(wire)
        return True

    for _ in range(min(connections, len(requests))):
        wire = Wire(port)
        crowd.add(wire)
        ask(wire)
    crowd.until(heard, len(requests))
    close(asked)
    return answers


def arrive(port: int, count: int) -> list[Visitor]:
    """So many visitors; each has written a message, as somebody has whom the server keeps a conversation for."""
    request = b"POST /w/main/session HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n"
    answers = converse(port, [request] * count)
    visitors = [Visitor(json.loads(answer.partition(b"\r\n\r\n")[2])["token"]) for answer in answers]
    for visitor, answer in zip(visitors, converse(port, [each.post(0) for each in visitors]), strict=True):
        visitor.heard(answer)
    return visitors


def open_sockets(port: int, visitors: Sequence[Visitor]) -> list[Wire]:
    """A socket for each, which has had its first batch."""
    crowd, opened, coming = Crowd(), list[Wire](), iter(visitors)

    def begin(count: int) -> None:
        for visitor in islice(coming, count):
            crowd.add(Socket(port, visitor))

    def done(wire: Wire) -> bool:
        assert isinstance(wire, Socket)
        if not wire.opened():
            return False
        crowd.drop(wire)
        opened.append(wire)
        begin(1)
        return True

    begin(HELD)
    crowd.until(done, len(visitors))
    return opened


def open_polls(port: int, visitors: Sequence[Visitor]) -> list[Wire]:
    """A waiting poll for each, on a connection of its own. Nobody says when a poll has begun to wait: a request that
    was sent after it has been answered then."""
    polls = []
    for first in range(0, len(visitors), HELD):
        polls += [Wire(port, visitor.poll()) for visitor in visitors[first : first + HELD]]
        converse(port, [visitors[first].poll(wait=0)])
    return polls


def close(wires: Iterable[Wire]) -> None:
    """Hang up at once, without leaving the port behind for a minute."""
    for wire in wires:
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wire.sock.close()
