"""Parking: a connection that waits, as a descriptor on the loop and a cursor, without a greenlet.

A socket is parked once it has said who it is, a poll when there is nothing for it yet. Both are sinks of the one
live stream and differ only in how they wrap its bytes. The figures stand in docs/performance.md.
"""

import os
import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.util import http_date

from chat import socket
from chat.batches import Batch
from chat.live import Live
from chat.streams import End, Reader, Sink

READ, WRITE = 1, 2  # libev's names for what a descriptor can be ready for
SLOW = 30.0  # seconds in which a reader must take something of what waits for it; after that it is cut
LINGER = 2.0  # seconds for the other side to close too
MOST = 18_000  # parked connections of a process: below the 20,000 open files that systems often allow


class Parked(Sink):
    """A waiting connection: who reads, from where, and what could not be written yet."""

    __slots__ = ("_backlog", "_closing", "_fd", "_io", "_live", "_on_close", "_rested", "_timer")

    def __init__(
        self,
        live: Live,
        fd: int,
        reader: Reader,
        cursor: int,
        state: str | None,
        on_close: Callable[[], None],
        *,
        named: bool,
    ) -> None:
        super().__init__(reader, cursor, state, named)
        self._live, self._fd, self._on_close = live, fd, on_close
        self._backlog, self._closing, self._rested = b"", False, False
        loop = gevent.get_hub().loop
        self._io, self._timer = loop.io(fd, READ), loop.timer(0)
        self._io.start(self._on_io)
        live.join(self)

    def received(self, data: bytes) -> None:
        """Bytes came in."""
        raise NotImplementedError

    def cut(self) -> None:
        """It has taken nothing for SLOW seconds."""
        self.close()

    # What they share: writing without ever waiting, and letting go.

    @property
    def ready(self) -> bool:
        """Whether it can take a batch: it is there, and has taken what was sent before."""
        return not (self._fd < 0 or self._backlog or self._closing)

    def wait(self, seconds: float) -> None:
        """Be looked at again after that time at the latest."""
        self._timer.stop()
        self._timer = gevent.get_hub().loop.timer(max(seconds, 0.0))
        self._timer.start(self._on_time)

    def write(self, data: bytes) -> None:
        """Send, and keep what does not go out at once; nothing more is read or made for it meanwhile."""
        sent = 0
        if not self._backlog:
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                pass
            except OSError:
                return self.close()
        if sent < len(data):
            if not self._backlog:
                self._listen(WRITE)
                self.wait(SLOW)
            self._backlog += data[sent:]
        return None

    def _listen(self, events: int) -> None:
        self._io.stop()
        self._io.events = events
        self._io.start(self._on_io)

    def _on_io(self) -> None:
        if self._backlog:
            return self._flush()
        try:
            data = os.read(self._fd, socket.CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.close()
        elif not self._closing:
            self.received(data)
        return None

    def _flush(self) -> None:
        try:
            sent = os.write(self._fd, self._backlog)
        except BlockingIOError:
            return
        except OSError:
            return self.close()
        self._backlog = self._backlog[sent:]
        if self._backlog:
            self.wait(SLOW)
        elif self._closing:
            self._say_no_more()
        else:
            self._listen(READ)
            self.rest(news=True)

    def rest(self, *, news: bool) -> None:
        """Be looked at: the time is over, or there is room for what is `news`."""
        self._timer.stop()
        self._rested = True
        self._live.look_at(self, news=news)

    def _on_time(self) -> None:
        if self._closing:
            self.close()
        elif self._backlog:
            self.cut()
        else:
            self.rest(news=False)

    def finish(self, last: bytes) -> None:
        """Send the last bytes, then close; what the client still sends is read, or the system would take back
        what it has not read yet."""
        if self._fd < 0 or self._closing:
            return
        self.write(last)
        self._closing = True
        if self._fd >= 0 and not self._backlog:
            self._say_no_more()

    def _say_no_more(self) -> None:
        borrowed = sockets.socket(fileno=self._fd)
        with suppress(OSError):
            borrowed.shutdown(sockets.SHUT_WR)
        borrowed.detach()
        self._listen(READ)
        self.wait(LINGER)

    def close(self) -> None:
        """Let go of the connection. A second time does nothing."""
        if self._fd < 0:
            return
        self._io.stop()
        self._timer.stop()
        os.close(self._fd)
        self._fd, self._backlog = -1, b""
        self._live.leave(self)
        self._on_close()


class ParkedSocket(Parked):
    """A WebSocket that waits. Incoming bytes wake a protocol parser; it has none while no frame is half there."""

    __slots__ = ("_inbound", "_unread")
    kind = "socket"

    def __init__(self, inbound: socket.Inbound, *common: Any) -> None:
        self._inbound: socket.Inbound | None = inbound
        self._unread = b""
        super().__init__(*common, named=True)
        self.rest(news=True)  # the first frame comes even when nothing is in it: it proves that the socket works

    def received(self, data: bytes) -> None:
        """No more is read until this has been heard: a client that floods waits like everybody else."""
        self._io.stop()
        self._unread = data
        self._live.look_at(self, news=False)  # what it says changes something, or it is not worth a query

    def signals(self) -> list[dict[str, Any]]:
        """What the client has said; pings and closes are answered on the way."""
        inbound = self._inbound = self._inbound or (socket.Inbound() if self._unread else None)
        if inbound is None or self._fd < 0 or self._closing:
            return []
        inbound.feed(self._unread)
        self._unread = b""
        signals = [socket.parse(message) for message in inbound.pop_messages()]
        if inbound.over:
            self.finish(inbound.pop_reply())
        elif inbound.reply:
            self.write(inbound.pop_reply())
        if not inbound.half:
            self._inbound = None  # 1.5 KB that most of them never need again
        if not signals:
            self.heard()
        return signals

    def heard(self) -> None:
        """Go on reading."""
        if self.ready and not self._io.active:
            self._listen(READ)

    def take(self, batch: Batch) -> None:
        """What is new; or, when the time is over, an empty batch as heartbeat: a page sees no protocol pings."""
        self.cursor, self.state, self.named = batch.cursor, batch.state, False
        rested, self._rested = self._rested, False
        if batch.news or rested:
            self.write(socket.frame(batch.html))
        if rested and self.ready:
            self._grow_old()

    def _grow_old(self) -> None:
        if self._inbound and self._inbound.grows_old():
            return self.finish(socket.closing(socket.POLICY, "half a message"))
        # on the full second: those of one second are fed together, at a third of the cost
        return self.wait(socket.HEARTBEAT - gevent.get_hub().loop.now() % 1)

    def end(self, why: End) -> None:
        """Close with the code that tells the page whether to come back."""
        code = {End.RESTART: socket.RESTART, End.GONE: socket.NOT_SIGNED_IN, End.FAILED: socket.FAILED}[why]
        self.finish(socket.closing(code))

    def cut(self) -> None:
        """Too slow: the code waits behind what waits already, once more as long."""
        self._backlog += socket.closing(socket.FULL, "too slow")
        self._closing = True
        self.wait(SLOW)


class ParkedPoll(Parked):
    """A poll that waits for its one answer, written without the server that took the question."""

    __slots__ = ("_answered", "_head")
    kind = "poll"

    def __init__(self, head: bytes, answered: Callable[[str], None], *common: Any) -> None:
        self._head, self._answered = head, answered
        super().__init__(*common, named=False)  # what it named was looked at before it was parked

    def received(self, data: bytes) -> None:
        """A second question on this connection gets no answer; the client asks it again on another."""

    def take(self, batch: Batch) -> None:
        """The answer, if there is anything; 204 when the time is over."""
        if batch.news:
            self._answered(batch.state)
            self._answer(200, batch.html)
        elif self._rested:
            self._answer(204)

    def end(self, why: End) -> None:
        """An answer that sends the client on its way."""
        self._answer({End.RESTART: 204, End.GONE: 401, End.FAILED: 503}[why])

    def _answer(self, status: int, html: str = "") -> None:
        body = html.encode()
        kind = f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n" if status != 204 else ""
        first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nDate: {http_date()}\r\nConnection: close\r\n{kind}"
        self.finish(first.encode() + self._head + b"\r\n" + body)
