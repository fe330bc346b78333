"""Sockets and long polls of both sides: one function each, over the one stream."""

import re
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any

from flask import Response, request
from gevent.event import Event as Signal
from simple_websocket import Server

from chat import fragments, socket
from chat.limits import Full, network
from chat.live import Gone, Reader
from chat.text import BadText
from chat.web import core

LONGEST_WAIT = 25.0  # seconds: below every proxy's patience
LARGEST_CURSOR = 2**62


def address() -> str:
    """Who counts as one sender."""
    return network(request.remote_addr or "")


def cursor_of(value: Any) -> int:
    """A cursor that came from outside; absent means 0. Raises BadText when it is none."""
    text = "0" if value in (None, "") else str(value)
    if not (text.isascii() and text.isdigit() and int(text[:19]) <= LARGEST_CURSOR and len(text) <= 19):
        raise BadText("The place in the conversation is not a number. Reload the page.")
    return int(text)


class PollSink:
    """The stream's way into one answer: the first batch, or nothing when the time is over."""

    def __init__(self, wait: float) -> None:
        self.event = Signal()
        self.html: str | None = None
        self._until = monotonic() + wait

    @property
    def open(self) -> bool:
        """Whether the answer is still to come."""
        return self.html is None and monotonic() < self._until

    def patience(self) -> float:
        """The seconds that are left to wait."""
        return max(0.0, self._until - monotonic())

    def send(self, html: str, cursor: int) -> None:
        """The answer is there."""
        self.html = html

    def idle(self, cursor: int, state: str) -> None:
        """The time is over; `open` says so."""

    def signals(self) -> tuple[()]:
        """A poll carries none."""
        return ()


def answer(reader: Reader, batch: str) -> Response:
    """A batch as an answer."""
    _last_states.note(reader.key, batch)
    return Response(batch, mimetype="text/html")


class LastStates:
    """The state that each reader's last poll ended with, for clients that send `since` alone: without it a
    receipt that changes between two of their polls would wait for the next change."""

    MOST = 10_000

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, key: str) -> str | None:
        """What this reader got last, if that is known here."""
        return self._known.get(key)

    def note(self, key: str, html: str) -> None:
        """Remember the state in the batch that goes out now."""
        found = _STATE.search(html)
        if found:
            self._known[key] = found[1]
            self._known.move_to_end(key)
        while len(self._known) > self.MOST:
            self._known.popitem(last=False)


_STATE = re.compile(r'<meta id="state" content="([^"]*)">')
_last_states = LastStates()


def poll(reader: Reader) -> Response:
    """The batch after `since`, at once or when there is one; 204 when there is none within `wait` seconds."""
    cursor = cursor_of(request.args.get("since"))
    state = request.args.get("state") or _last_states.of(reader.key)
    try:
        wait = min(max(float(request.args.get("wait") or 0), 0.0), LONGEST_WAIT)
    except ValueError:
        raise BadText("The time to wait is not a number.") from None
    sink = PollSink(wait if wait == wait else 0.0)
    with core().limits.places.hold(address()):
        _first_look(reader, cursor, state, sink)
        core().live.stream(reader, cursor, state, sink)
    return answer(reader, sink.html) if sink.html else Response(status=204)


def _first_look(reader: Reader, cursor: int, state: str | None, sink: PollSink) -> None:
    """A poll that does not wait still looks once."""
    if sink.open:
        return
    with core().store.read() as rx:
        batch = fragments.batch(rx, reader.feed(rx), cursor, state)
    if batch.news:
        sink.send(batch.html, batch.cursor)


def serve(ws: Server, reader_of: Callable[[dict[str, Any]], Reader]) -> None:
    """A socket's whole life: who it is, then the stream, then the right close code."""
    try:
        with core().limits.places.hold(address()):
            _serve(ws, reader_of)
    except Full:
        socket.close(ws, socket.FULL, "Too many connections from this address.")
    except (ConnectionError, TimeoutError):
        pass  # the client vanished


def _serve(ws: Server, reader_of: Callable[[dict[str, Any]], Reader]) -> None:
    said = socket.first_frame(ws)
    sink = socket.SocketSink(ws)
    try:
        cursor, state = cursor_of(said.get("since")), said.get("state")
        reader = reader_of(said)
        with core().store.read() as rx:
            batch = fragments.batch(rx, reader.feed(rx), cursor, state if isinstance(state, str) else None)
        sink.send(batch.html, batch.cursor)  # also when empty: it proves the socket
        core().live.stream(reader, batch.cursor, batch.state, sink)
    except Gone:
        socket.close(ws, socket.NOT_SIGNED_IN)
    except BadText:
        socket.close(ws, socket.POLICY, "not a cursor")
    else:
        socket.close(ws, socket.RESTART if core().live.stopping else 1000)


def take_signals(reader: Reader) -> Response:
    """The signals of a client that polls: one JSON object."""
    told = request.get_json(silent=True)
    if not isinstance(told, dict):
        raise BadText("A signal is a JSON object.")
    reader.signal(told)
    return Response(status=204)
