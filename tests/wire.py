"""A WebSocket on which anything can be said, also what no client library would say. What comes back is read by the
protocol of the `websockets` package, so a wrong byte from the server is an error here."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from cast import Owner, Visitor
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.uri import parse_uri

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_CLOSE_FRAME = 1006


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, width: int | None = None
) -> bytes:
    """A frame as the client would send it. `width`: the bytes in which its length is written (0, 2 or 8)."""
    size = len(payload)
    width = (0 if size < 126 else 2 if size < 65536 else 8) if width is None else width
    short = {0: size, 2: 126, 8: 127}[width]
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short]) + (size.to_bytes(width, "big") if width else b"")
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A close frame; without a code it is empty."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


class Wire:
    """One connection to the socket of a reader, handshake done. Nothing goes up but what is sent here."""

    def __init__(self, reader: Visitor | Owner) -> None:
        uri = parse_uri("ws" + reader.url.removeprefix("http") + reader.socket_path)
        self._protocol = ClientProtocol(uri, max_size=None)
        request = self._protocol.connect()
        for name, value in reader.socket_headers().items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._hello = json.dumps(reader.first_frame(reader.log.cursor)).encode()
        self.tcp = socket.create_connection((uri.host, uri.port), timeout=5)
        self.port = self.tcp.getsockname()[1]
        self.tcp.sendall(b"".join(self._protocol.data_to_send()))
        self.got: list[Frame] = []
        self.ended = False
        self.handshake: Response | None = None
        self.until(lambda: self.handshake is not None)
        assert self._protocol.handshake_exc is None, self._protocol.handshake_exc

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.tcp.close()

    @property
    def hello(self) -> bytes:
        """What the first frame says."""
        return self._hello

    def begin(self) -> Wire:
        """Say who we are, and wait for the first batch."""
        self.send(frame(TEXT, self._hello))
        self.until(lambda: self.texts())
        return self

    def send(self, *pieces: bytes) -> Wire:
        """Send these bytes; a server that has closed already is no error, its close frame tells."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.tcp.sendall(b"".join(pieces))
        return self

    def texts(self) -> list[str]:
        """The batches so far."""
        return [bytes(each.data).decode() for each in self.got if each.opcode == TEXT]

    def pongs(self) -> list[bytes]:
        """The payloads of the pongs so far."""
        return [bytes(each.data) for each in self.got if each.opcode == PONG]

    def until(self, check: Callable[[], object], seconds: float = 20) -> None:
        """Read until the check is true; AssertionError when it never is, or when the server breaks the protocol."""
        end = time.monotonic() + seconds
        while not check():
            assert not self.ended, f"the connection has ended with {self._protocol.close_rcvd}"
            self.tcp.settimeout(max(0.01, end - time.monotonic()))
            try:
                self._take(self.tcp.recv(65536))
            except ConnectionResetError:
                self.ended = True
            except TimeoutError:
                raise AssertionError(f"nothing in {seconds} s; the last frame was {self.got[-1:]!s:.200}") from None

    def _take(self, data: bytes) -> None:
        if not data:
            self.ended = True
            return
        self._protocol.receive_data(data)
        broken = self._protocol.parser_exc
        assert broken is None or self._protocol.handshake_exc, f"the server broke the protocol: {broken!r}"
        self._protocol.data_to_send()  # what a polite client would answer is not sent
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.handshake = event
            else:
                assert isinstance(event, Frame)
                self.got.append(event)

    def closed(self, seconds: float = 5) -> int:
        """Wait until the server ends the connection; the code in its close frame (1005: none in it, 1006: no frame)."""
        self.until(lambda: self.ended, seconds)
        said = self._protocol.close_rcvd
        return said.code if said else NO_CLOSE_FRAME
