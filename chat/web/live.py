"""Sockets and long polls of both sides: one function each, over the one stream."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from socket import SHUT_WR
from sys import intern
from typing import Any

import gevent
from flask import Response, current_app, request
from simple_websocket import Server

from chat import batches, descriptor, parking, socket
from chat.batches import Batch
from chat.events import Feed
from chat.limits import Full, network
from chat.people import BadToken
from chat.readers import AgentReader, VisitorReader
from chat.streams import Gone
from chat.text import BadText
from chat.web import core

Reader = AgentReader | VisitorReader
log = logging.getLogger("porchlight.live")
LONGEST_WAIT = 25.0  # seconds: below every proxy's patience
LARGEST_CURSOR = 2**62
OWN_HEADERS = ("Content-Type", "Content-Length", "Content-Encoding")  # of the answer that comes later


def address() -> str:
    """Who counts as one sender."""
    return network(request.remote_addr or "")


def cursor_of(value: Any) -> int:
    """A cursor that came from outside; absent means 0. Raises BadText when it is none."""
    text = "0" if value in (None, "") else str(value)
    if not (text.isascii() and text.isdigit() and int(text[:19]) <= LARGEST_CURSOR and len(text) <= 19):
        raise BadText("The place in the conversation is not a number. Reload the page.")
    return int(text)


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
    if "state" not in request.form and "state" not in request.args:
        _last_states.note(reader, batch.state)
    return Response(batch.html, mimetype="text/html")


def poll(reader: Reader) -> Response:
    """The batch after `since`, at once or when there is one; 204 when there is none within `wait` seconds.

    Looking and parking happen without a switch between them, so no commit can fall in the middle.
    """
    cursor, wait = cursor_of(request.args.get("since")), _wait()
    state = request.args["state"] if "state" in request.args else _last_states.of(reader)
    with core().store.read() as rx:
        feed = reader.feed(rx)
        batch = batches.batch(rx, feed, cursor, state)
    if batch.news:
        _be_here_for_a_moment(reader, feed)
        return answer(reader, batch)
    if not wait or core().live.stopping:
        _be_here_for_a_moment(reader, feed)
        return Response(status=204)
    return _park(reader, cursor, state, wait)


def _wait() -> float:
    try:
        wait = float(request.args.get("wait") or 0)
    except ValueError:
        raise BadText("The time to wait is not a number.") from None
    return min(wait, LONGEST_WAIT) if wait > 0 and request.method == "GET" else 0.0


def _be_here_for_a_moment(reader: Reader, feed: Feed) -> None:
    reader.here(feed)
    reader.leave()


class AnsweredElsewhere(Response):
    """For gunicorn: leave this connection alone, somebody else has it."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def __call__(self, environ: object, start_response: object) -> Any:
        """gunicorn takes StopIteration as a connection that is done with."""
        self._meanwhile()
        raise StopIteration


def _place() -> Callable[[], None]:
    """A place among the waiting, and how to give it back. Raises Full."""
    if core().live.parked >= parking.MOST:
        raise Full
    places, mine = core().limits.places, intern(address())
    places.take(mine)
    return partial(places.give, mine)


def _park(reader: Reader, cursor: int, state: str | None, wait: float) -> Response:
    leave = _place()
    try:
        head, (fd, meanwhile) = _head(), descriptor.of(request.environ["gunicorn.socket"])
    except OSError:  # as many files are open as the system allows
        leave()
        raise Full from None
    note = partial(_last_states.note, reader) if "state" not in request.args else lambda state: None
    parking.ParkedPoll(head, note, core().live, fd, reader, cursor, state, leave).wait(wait)
    return AnsweredElsewhere(meanwhile)


def _head() -> bytes:
    """The headers that every answer of ours gets, for the one that is written later."""
    headers = current_app.process_response(Response()).headers
    return "".join(f"{name}: {value}\r\n" for name, value in headers if name not in OWN_HEADERS).encode()


def serve(ws: Server, reader_of: Callable[[dict[str, Any]], Reader]) -> None:
    """From the handshake to the first frame, which says who it is; then the socket is parked."""
    ws.connected = False  # what flask-sock would do with it afterwards is no longer its business
    inbound, sock = socket.Inbound(), ws.sock
    try:
        code = _serve(sock, inbound, reader_of)
    except (ConnectionError, TimeoutError):
        return  # the client vanished
    except Exception:  # an answer of Flask's own would be written into the middle of the stream
        log.exception("A socket could not be served")
        code = socket.FAILED
    if code and not inbound.over:
        with suppress(OSError):
            sock.sendall(socket.closing(code))
            sock.shutdown(SHUT_WR)
            with gevent.Timeout(parking.LINGER, False):
                while sock.recv(socket.CHUNK):
                    pass


def _serve(sock: Any, inbound: socket.Inbound, reader_of: Callable[[dict[str, Any]], Reader]) -> int:
    """Park it, or the code to close it with."""
    try:
        leave = _place()
    except Full:
        return socket.FULL
    meanwhile = None
    try:
        said = socket.first_frame(sock, inbound)
        reader, cursor, state = reader_of(said), cursor_of(said.get("since")), said.get("state")
        with core().store.read() as rx:
            reader.feed(rx)
        if core().live.stopping:
            return socket.RESTART
        fd, meanwhile = descriptor.of(sock)
        # a socket that names no state has none: the first frame brings it
        state = state if isinstance(state, str) else ""
        parking.ParkedSocket(inbound, core().live, fd, reader, cursor, state, leave)
    except (Gone, BadToken):
        return socket.NOT_SIGNED_IN
    except BadText:
        return socket.POLICY
    finally:
        if meanwhile is None:
            leave()
    meanwhile()
    return 0


def take_signals(reader: Reader) -> Response:
    """The signals of a client that polls: one JSON object."""
    told = socket.parse(request.get_data())
    if not told and request.get_data().strip() != b"{}":
        raise BadText("A signal is a JSON object.")
    reader.signal(told)
    return Response(status=204)
