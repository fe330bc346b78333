"""Sockets after flask-sock has shaken hands: whole frames, heartbeat, close codes, signals."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import gevent.lock
from flask import Flask, request
from simple_websocket import ConnectionClosed, Server

from chat.fragments import Batch

HEARTBEAT = 20.0  # seconds; nginx cuts idle sockets at 60, Cloudflare at about 100
SLOW = 15.0  # seconds in which a reader must take one frame; after that it is cut
FIRST_FRAME = 10.0  # seconds for the client to say who it is
LARGEST_FRAME = 16 * 1024
MOST_UNREAD = 16  # frames
RESTART, FULL, POLICY, FAILED, NOT_SIGNED_IN, NO_ACCESS = 1012, 1013, 1008, 1011, 4401, 4403


class WholeFrames:
    """A socket whose `send` sends all: simple-websocket calls it once and ignores the count, so a slow
    reader's stream breaks in the middle of a frame (seen after 94 of 300 frames of 30 KB)."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._one_frame = gevent.lock.RLock()
        self.close, self.fileno = sock.close, sock.fileno
        self.waiting: Callable[[], int] = lambda: 0
        """How many frames lie unread: with too many of them the sender has to wait."""

    def recv(self, size: int) -> bytes:
        """Bytes of the client, but never so many that it could starve others or fill the memory: a `recv` that is
        ready does not yield by itself (measured: one flooding client stopped the server for 9 s)."""
        gevent.sleep(0)
        while self.waiting() > MOST_UNREAD:
            gevent.sleep(0.05)
        return bytes(self._sock.recv(size))

    def send(self, data: bytes) -> int:
        """Send the whole frame, or raise OSError when the reader is gone or too slow."""
        with self._one_frame, gevent.Timeout(SLOW, TimeoutError("the reader is too slow")):
            self._sock.sendall(data)
        return len(data)


def init_app(app: Flask) -> None:
    """Give flask-sock its limits, and every handshake a socket that sends whole frames."""
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": LARGEST_FRAME}

    @app.before_request
    def prepare() -> None:
        if "gunicorn.socket" in request.environ and request.headers.get("Upgrade", "").lower() == "websocket":
            request.environ["gunicorn.socket"] = WholeFrames(request.environ["gunicorn.socket"])
            # permessage-deflate would cost 100 KB a connection
            request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)


def bound(ws: Server) -> None:
    """From here on unread frames make their sender wait; a socket that was closed meanwhile reads to its end."""
    if isinstance(ws.sock, WholeFrames):
        ws.sock.waiting = lambda: len(ws.input_buffer) if ws.connected else 0


def first_frame(ws: Server) -> dict[str, Any]:
    """What the client says of itself; empty when it says nothing in time, or no JSON object."""
    bound(ws)
    try:
        return parse(ws.receive(timeout=FIRST_FRAME))
    except ConnectionClosed:
        return {}


def parse(frame: Any) -> dict[str, Any]:
    """A signal from a frame: a JSON object, or empty for anything else."""
    try:
        told = json.loads(frame)
    except (TypeError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def close(ws: Server, code: int, reason: str = "") -> None:
    """Close with that code; a client that is gone already is no error."""
    with suppress(ConnectionClosed, OSError):
        ws.close(code, reason)


class SocketSink:
    """The live stream's way into one WebSocket."""

    def __init__(self, ws: Server) -> None:
        self._ws = ws
        self.event = ws.event

    @property
    def open(self) -> bool:
        """Whether anybody is still there."""
        return bool(self._ws.connected)

    @property
    def unread(self) -> bool:
        """Whether signals wait to be taken."""
        return bool(self._ws.input_buffer)

    def patience(self) -> float:
        """How long to be silent at most, in seconds."""
        return HEARTBEAT

    def send(self, batch: Batch) -> None:
        """Send a batch; a reader that is gone or too slow ends the stream."""
        try:
            self._ws.send(batch.html)
        except (ConnectionClosed, OSError):
            self._ws.connected = False

    def idle(self, batch: Batch) -> None:
        """An empty batch: the proof that the socket works, and then the heartbeat (a page sees no protocol pings)."""
        self.send(batch)

    def signals(self) -> Iterator[dict[str, Any]]:
        """What the client has said since the last time."""
        for _ in range(MOST_UNREAD):  # then a look at what is new: who talks without a pause still gets answers
            if self._ws.input_buffer:
                yield parse(self._ws.input_buffer.pop(0))
