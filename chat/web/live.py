"""Sockets and long polls of both sides: one function each, over the one stream."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any

from flask import Response, request
from gevent.event import Event as Signal
from simple_websocket import Server

from chat import socket
from chat.fragments import Batch
from chat.limits import Full, network
from chat.live import Gone
from chat.readers import AgentReader, VisitorReader
from chat.text import BadText
from chat.web import core

Reader = AgentReader | VisitorReader
log = logging.getLogger("porchlight.live")
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
        self.batch: Batch | None = None
        self._until = monotonic() + wait

    @property
    def open(self) -> bool:
        """Whether the answer is still to come."""
        return self.batch is None and monotonic() < self._until

    @property
    def unread(self) -> bool:
        """A poll carries no signals."""
        return False

    def patience(self) -> float:
        """The seconds that are left to wait."""
        return max(0.0, self._until - monotonic())

    def send(self, batch: Batch) -> None:
        """The answer is there."""
        self.batch = batch

    def idle(self, batch: Batch) -> None:
        """Nothing yet; `open` says when the time is over."""

    def signals(self) -> tuple[()]:
        """A poll carries none."""
        return ()


class LastStates:
    """The state that each reader's last answer carried, for clients that send `since` alone: without it a
    receipt that changes between two of their polls would wait for the next change. Per reader and process."""

    MOST = 10_000

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, reader: Reader) -> str | None:
        """What this reader got last, if that is known here."""
        return self._known.get(reader.key)

    def note(self, reader: Reader, state: str) -> None:
        """Remember what goes out now; the least recent are forgotten."""
        self._known[reader.key] = state
        self._known.move_to_end(reader.key)
        if len(self._known) > self.MOST:
            self._known.popitem(last=False)


_last_states = LastStates()


def answer(reader: Reader, batch: Batch) -> Response:
    """A batch as an answer."""
    if "state" not in request.values:
        _last_states.note(reader, batch.state)
    return Response(batch.html, mimetype="text/html")


def poll(reader: Reader) -> Response:
    """The batch after `since`, at once or when there is one; 204 when there is none within `wait` seconds."""
    cursor = cursor_of(request.args.get("since"))
    state = request.args["state"] if "state" in request.args else _last_states.of(reader)
    try:
        wait = min(max(float(request.args.get("wait") or 0), 0.0), LONGEST_WAIT)
    except ValueError:
        raise BadText("The time to wait is not a number.") from None
    sink = PollSink(wait if wait == wait else 0.0)
    with core().limits.places.hold(address()):
        core().live.stream(reader, cursor, state, sink)
    return answer(reader, sink.batch) if sink.batch else Response(status=204)


def serve(ws: Server, reader_of: Callable[[dict[str, Any]], Reader]) -> None:
    """A socket's whole life: who it is, then the stream, then the right close code."""
    try:
        with core().limits.places.hold(address()):
            _serve(ws, reader_of)
    except Full:
        socket.close(ws, socket.FULL, "Too many connections from this address.")
    except (ConnectionError, TimeoutError):
        pass  # the client vanished
    except Exception:  # an answer of Flask's own would be written into the middle of the stream
        log.exception("A socket's stream failed")
        socket.close(ws, socket.FAILED)


def _serve(ws: Server, reader_of: Callable[[dict[str, Any]], Reader]) -> None:
    said = socket.first_frame(ws)
    sink = socket.SocketSink(ws)
    try:
        cursor, state = cursor_of(said.get("since")), said.get("state")
        # a socket that names no state has none: the first frame brings it
        core().live.stream(reader_of(said), cursor, state if isinstance(state, str) else "", sink)
    except Gone:
        socket.close(ws, socket.NOT_SIGNED_IN)
    except BadText:
        socket.close(ws, socket.POLICY, "not a cursor")
    else:
        socket.close(ws, socket.RESTART if core().live.stopping else 1000)


def take_signals(reader: Reader) -> Response:
    """The signals of a client that polls: one JSON object."""
    told = socket.parse(request.get_data())
    if not told and request.get_data().strip() != b"{}":
        raise BadText("A signal is a JSON object.")
    reader.signal(told)
    return Response(status=204)
