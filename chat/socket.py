"""WebSockets: flask-sock shakes hands, then frames and close codes are wsproto's (RFC 6455), without a greenlet."""

import json
from functools import lru_cache
from typing import Any

import gevent
from flask import Flask, request
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage

HEARTBEAT = 20.0  # seconds; nginx cuts idle sockets at 60, Cloudflare at about 100
FIRST_FRAME = 10.0  # seconds for the client to say who it is
LARGEST_MESSAGE = 16 * 1024
CHUNK = 4096  # bytes read at once, before others have their turn
RESTART, FULL, POLICY, TOO_BIG, FAILED, NOT_SIGNED_IN = 1012, 1013, 1008, 1009, 1011, 4401


class _NoThread:
    """In the place of simple-websocket's reading thread: after its handshake nothing of it is needed."""

    name = ""

    def __init__(self, target: object) -> None: ...
    def start(self) -> None: ...


def init_app(app: Flask) -> None:
    """Have flask-sock shake hands and do no more: no thread, no deflate (100 KB a connection)."""
    app.config["SOCK_SERVER_OPTIONS"] = {"thread_class": _NoThread}

    @app.before_request
    def refuse_extensions() -> None:
        request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)


@lru_cache(maxsize=64)
def frame(html: str) -> bytes:
    """A batch as a text frame: made once for all who get the same."""
    return Connection(ConnectionType.SERVER).send(TextMessage(html))


def closing(code: int, reason: str = "") -> bytes:
    """A close frame."""
    return Connection(ConnectionType.SERVER).send(CloseConnection(code, reason))


class Inbound:
    """What a client says, out of its bytes as they come: whole messages to take, and what is to be sent back."""

    def __init__(self) -> None:
        self._wire = Connection(ConnectionType.SERVER)
        self._part = b""
        self._begun = False
        self._quiet = False
        self.messages: list[bytes] = []
        self.reply = b""
        """Pongs, and the close frame once it is over."""
        self.over = False
        """Whether the closing handshake has begun, by the client's wish or its fault."""

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if not data:
            return
        self._quiet = False
        self._wire.receive_data(data)
        for event in self._wire.events():
            if self.over:
                return
            if isinstance(event, Message):
                self._add(event)
            elif isinstance(event, Ping):
                self.reply += self._wire.send(event.response())
            elif isinstance(event, CloseConnection):  # the client's own, or wsproto's word for a broken frame
                self._close(event.response())

    def _add(self, event: Message) -> None:
        self._part += event.data.encode() if isinstance(event.data, str) else event.data
        if len(self._part) > LARGEST_MESSAGE:
            self._close(CloseConnection(TOO_BIG, "too big"))
        elif event.message_finished:
            self.messages.append(self._part)
            self._part = b""
        self._begun = not event.message_finished  # by a first part that may be empty

    def _close(self, event: CloseConnection) -> None:
        self.reply += self._wire.send(event)
        self.over = True

    def pop_messages(self) -> list[bytes]:
        """What has come in whole, once."""
        messages, self.messages = self.messages, []
        return messages

    def pop_reply(self) -> bytes:
        """What is to be sent back, once."""
        reply, self.reply = self.reply, b""
        return reply

    def grows_old(self) -> bool:
        """Said at each heartbeat; True when there was nothing since the last one: the rest will not come."""
        quiet, self._quiet = self._quiet, True
        return quiet

    @property
    def half(self) -> bool:
        """Whether a message has begun and is not whole."""
        decoder = self._wire._proto._frame_decoder  # wsproto says nowhere else whether a frame is half there
        return bool(self._begun or decoder.header or len(decoder.buffer))


def first_frame(sock: Any, inbound: Inbound) -> dict[str, Any]:
    """What the client says of itself; empty when it says nothing in time, closes, or sends no JSON object."""
    with gevent.Timeout(FIRST_FRAME, False):
        while not (inbound.messages or inbound.over):
            data = sock.recv(CHUNK)
            if not data:
                raise ConnectionResetError
            inbound.feed(data)
            if inbound.reply:
                sock.sendall(inbound.pop_reply())
    return parse(inbound.messages.pop(0)) if inbound.messages else {}


def parse(frame: Any) -> dict[str, Any]:
    """A signal from a frame: a JSON object, or empty for anything else."""
    try:
        told = json.loads(frame)
    except (TypeError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
