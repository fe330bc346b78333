"""RFC 6455, seen from outside: what a client may do works, what it may not do ends the connection with the right
close code, at once, whoever it is and whatever the server is doing for it at that moment."""

from __future__ import annotations

import codecs
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

import psutil
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.protocol import Protocol as Reference
from websockets.protocol import Side
from wire import BINARY, CLOSE, CONT, NO_CLOSE_FRAME, PING, PONG, TEXT, Wire, close, frame

pytestmark = pytest.mark.xdist_group("websocket-conformance")
LARGEST = 16 * 1024
SIGNAL = json.dumps({"typing": True, "say": "\N{GREEK SMALL LETTER KAPPA}\N{OWL}"}, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def talk(server: Server) -> Visitor:
    """A visitor with a conversation: what is said in it reaches both ends."""
    vera = Visitor(server.url).arrive()
    vera.say("start")
    return vera


@pytest.fixture(params=["before its first frame", "idle", "in use"])
def wire(request: pytest.FixtureRequest, server: Server, talk: Visitor, end: Visitor | Owner) -> Iterator[Wire]:
    """A connection of that end; afterwards it may stand nowhere in the server, and nothing bad in its log."""
    with Wire(end) as wire:
        if request.param == "in use":
            with talking(talk):
                yield wire.begin()
        elif request.param == "idle":
            yield wire.begin()
        else:
            yield wire
    gone(server, wire)


@contextmanager
def talking(talk: Visitor) -> Iterator[None]:
    """Messages go through the conversation all the time."""
    done, tab = threading.Event(), talk.again()

    def chatter() -> None:
        tab.say("chatter")
        while not done.wait(0.02):
            tab.post("chatter")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@cache
def workers_of(server: Server) -> list[psutil.Process]:
    """Its processes; none of them is replaced here."""
    assert server.process
    return psutil.Process(server.process.pid).children()


def gone(server: Server, *wires: Wire) -> None:
    """The server has let go of these connections, and logged no error."""
    ports, workers = {wire.port for wire in wires}, workers_of(server)

    def held() -> set[int]:
        return {c.raddr.port for worker in workers for c in worker.net_connections("tcp") if c.raddr} & ports

    eventually(lambda: not held(), 5, "the end of the connection in the server")
    assert "Traceback" not in server.output, server.output[-3000:]


VIOLATIONS = {
    "an unmasked text": frame(TEXT, SIGNAL, masked=False),
    "an unmasked ping": frame(PING, b"x", masked=False),
    "an unmasked close": frame(CLOSE, b"\x03\xe8", masked=False),
    **{f"reserved bit {rsv}": frame(TEXT, SIGNAL, rsv=rsv) for rsv in (1, 2, 4)},
    "a reserved bit on a ping": frame(PING, rsv=4),
    "a reserved bit on a continuation": frame(TEXT, b"{", fin=False) + frame(CONT, b"}", rsv=2),
    **{f"reserved opcode {opcode}": frame(opcode, b"x") for opcode in (3, 7, 11, 15)},
    "a fragmented ping": frame(PING, b"x", fin=False),
    "a fragmented close": frame(CLOSE, b"\x03\xe8", fin=False),
    "a ping of 126 bytes": frame(PING, b"x" * 126),
    "a close of 126 bytes": close(1000, b"x" * 124),
    "a continuation of nothing": frame(CONT, b"x"),
    "a new message inside another": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "a binary message inside a text": frame(TEXT, b"{", fin=False) + frame(BINARY, b"}"),
    "a close with half a code": frame(CLOSE, b"\x03"),
    **{f"a close with code {code}": close(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999)},
    "a length in two bytes that needs none": frame(TEXT, SIGNAL, width=2),
    "a length in eight bytes that needs two": frame(TEXT, b" " * 200, width=8),
    "a length with its first bit set": bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 63) + b"mask",
}


@pytest.mark.parametrize("said", VIOLATIONS.values(), ids=VIOLATIONS)
def test_what_breaks_the_protocol_is_closed_with_1002(wire: Wire, said: bytes) -> None:
    assert wire.send(said).closed() == 1002


BROKEN = {
    "a lone byte": b"\xff",
    "a cut sequence": b"\xe2\x82",
    "a surrogate": b"\xed\xa0\x80",
    "an overlong slash": b"\xc0\xaf",
    "beyond the last code point": b"\xf4\x90\x80\x80",
}
NOT_UTF_8 = {
    **{f"{name} in a text": frame(TEXT, b"{" + octets) for name, octets in BROKEN.items()},
    "a surrogate in a close": close(1000, BROKEN["a surrogate"]),
    "split over fragments": frame(TEXT, b"\xce", fin=False) + frame(CONT, b"", fin=False) + frame(CONT, b"\xff"),
    "cut by the end of the message": frame(TEXT, b"\xce\xba\xf0", fin=False) + frame(CONT, b"\x9f"),
    "in the middle fragment": frame(TEXT, b"a", fin=False) + frame(CONT, b"\x80", fin=False) + frame(CONT, b"b"),
}


@pytest.mark.parametrize("said", NOT_UTF_8.values(), ids=NOT_UTF_8)
def test_text_that_is_not_utf_8_is_closed_with_1007(wire: Wire, said: bytes) -> None:
    assert wire.send(said).closed() == 1007


TOO_LARGE = {
    "one frame": frame(TEXT, b" " * (LARGEST + 1)),
    "a frame of a megabyte": frame(TEXT, b" " * 1_000_000),
    "binary": frame(BINARY, b" " * (LARGEST + 1)),
    "fragments": frame(TEXT, b" " * 9000, fin=False) + frame(CONT, b" " * 9000),
    "fragments without end": frame(TEXT, b" ", fin=False) + frame(CONT, b" " * 1000, fin=False) * 40,
    "letters of four bytes": frame(TEXT, "\N{OWL}".encode() * (LARGEST // 4 + 1)),
    "a frame announced as 4 EB": bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 62) + b"mask" + b" " * 20_000,
}


@pytest.mark.parametrize("said", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_is_too_large_is_closed_with_1009(wire: Wire, said: bytes) -> None:
    assert wire.send(said).closed() == 1009


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999, None])
def test_a_close_is_answered_with_its_own_code_and_then_the_connection_ends(wire: Wire, code: int | None) -> None:
    assert wire.send(close(code)).closed() == (1005 if code is None else code)


def test_a_close_with_the_longest_reason_is_answered_and_what_follows_it_is_not(wire: Wire) -> None:
    wire.send(close(1000, "\N{OWL}".encode() * 30 + b"abc"), frame(PING, b"too late"), frame(3, b"not looked at"))
    assert wire.closed() == 1000 and wire.pongs() == []


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(125))], ids=len)
def test_a_ping_is_answered_with_its_own_payload(wire: Wire, payload: bytes) -> None:
    wire.send(frame(PING, payload)).until(wire.pongs)
    assert wire.pongs() == [payload]


def test_many_pings_at_once_and_pongs_that_nobody_asked_for(wire: Wire) -> None:
    wire.send(*(frame(PING, b"%d" % i) + frame(PONG, b"unasked") for i in range(50)))
    wire.until(lambda: wire.pongs()[-1:] == [b"49"])
    assert wire.pongs() == sorted(wire.pongs(), key=int)


def test_a_ping_between_fragments_is_answered_before_the_message_ends(wire: Wire) -> None:
    wire.send(frame(TEXT, b"[", fin=False), frame(PING, b"in between"))
    wire.until(wire.pongs)
    wire.send(frame(PONG), frame(CONT, b"", fin=False), frame(CONT, b"]"), close())
    assert wire.closed() in (1000, 4401)  # a visitor whose first frame was no token


def test_a_close_between_fragments_ends_it(wire: Wire) -> None:
    assert wire.send(frame(TEXT, b"{", fin=False), close(1001)).closed() in (1001, 1002)


def fragments(message: bytes, size: int, between: bytes = b"") -> list[bytes]:
    """The message in frames of that many bytes."""
    parts = [message[i : i + size] for i in range(0, len(message), size)]
    last = len(parts) - 1
    return [frame(CONT if i else TEXT, part, fin=i == last) + between for i, part in enumerate(parts)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_first_frame_may_come_in_any_pieces_with_pings_between(
    server: Server, end: Visitor | Owner, size: int
) -> None:
    with Wire(end) as wire:
        for piece in fragments(wire.hello, size, between=frame(PING, b"?")):
            wire.send(piece)
        wire.until(wire.texts)
    gone(server, wire)


@pytest.mark.parametrize("size", [1, 2, 3, 1000], ids=lambda size: f"fragments of {size}")
def test_a_signal_may_come_in_any_pieces(talk: Visitor, ann: Owner, size: int) -> None:
    """Split inside its letters too: the other end must see the visitor type."""
    with Wire(talk) as vera, Wire(ann) as inbox:
        vera.begin()
        inbox.begin()
        for piece in fragments(SIGNAL, size, between=frame(PING)):
            vera.send(piece)
        inbox.until(lambda: "is typing" in "".join(inbox.texts()))
        vera.send(frame(TEXT, b'{"typing": false}'))


def test_an_empty_first_fragment_begins_a_message_whenever_the_rest_comes(talk: Visitor, ann: Owner) -> None:
    with Wire(talk) as vera, Wire(ann) as inbox:
        vera.begin()
        inbox.begin()
        vera.send(frame(TEXT, b"", fin=False), frame(PING, b"read?"))
        vera.until(vera.pongs)  # by now it is read, and the socket may be parked again
        vera.send(frame(CONT, SIGNAL))
        inbox.until(lambda: "is typing" in "".join(inbox.texts()))
        vera.send(frame(TEXT, b'{"typing": false}'))


def test_a_frame_may_come_byte_by_byte(end: Visitor | Owner) -> None:
    with Wire(end) as wire:
        wire.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(TEXT, wire.hello) + frame(PING, b"slow"):
            wire.send(bytes([byte]))
        wire.until(lambda: wire.texts() and wire.pongs() == [b"slow"])


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", "7", '"x"', "nonsense", "[" * 8000, "9" * 5000, '{"a":' * 3000]
)
def test_a_signal_that_is_none_is_passed_over(server: Server, end: Visitor | Owner, talk: Visitor, said: str) -> None:
    with Wire(end) as wire:
        wire.begin().send(frame(TEXT, said.encode()), frame(BINARY, b"\xff\x00"), frame(PING, b"and on"))
        wire.until(wire.pongs)
        talk.say("still heard")
        wire.until(lambda: "still heard" in "".join(wire.texts()))
    gone(server, wire)


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", "nonsense", "[" * 8000, '{"token": 7}', '{"token": "\\ud800"}']
)
def test_a_first_frame_that_names_nobody_is_closed_with_4401(server: Server, talk: Visitor, said: str) -> None:
    with Wire(talk) as wire:
        assert wire.send(frame(TEXT, said.encode())).closed() == 4401
    gone(server, wire)


@pytest.mark.parametrize("cursor", ['"x"', "-1", "1.5", "[1]", "1e400", "NaN", "9" * 30, '"\\ud800"'])
def test_a_first_frame_with_a_cursor_that_is_none_is_closed_with_1008(end: Visitor | Owner, cursor: str) -> None:
    token = json.dumps(end.first_frame(0).get("token"))
    with Wire(end) as wire:
        assert wire.send(frame(TEXT, f'{{"token": {token}, "since": {cursor}}}'.encode())).closed() == 1008


RUDE = {
    "a reset": lambda tcp: tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
    "an end of file": lambda tcp: tcp.shutdown(socket.SHUT_WR),
    "a reset in the middle of a frame": lambda tcp: (
        tcp.sendall(frame(TEXT, SIGNAL)[:-3]),
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
    ),
    "an end of file in the middle of a frame": lambda tcp: (
        tcp.sendall(frame(TEXT, SIGNAL)[:-3]),
        tcp.shutdown(socket.SHUT_WR),
    ),
}


@pytest.mark.parametrize("leave", RUDE.values(), ids=RUDE)
def test_who_leaves_without_a_word_leaves_nothing_behind(wire: Wire, leave: object) -> None:
    leave(wire.tcp)  # type: ignore[operator]
    if wire.tcp.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
        wire.tcp.close()
    else:
        assert wire.closed() in (NO_CLOSE_FRAME, 1000, 1002)


def test_who_never_reads_the_close_frame_is_let_go_all_the_same(server: Server, end: Visitor | Owner) -> None:
    with Wire(end) as wire:
        wire.begin().send(frame(3))
        gone(server, wire)


def test_stalled_and_dripping_clients_are_let_go(server: Server, talk: Visitor) -> None:
    """Half frames, no frames, and a byte now and then: without a first frame nobody stays longer than ten seconds."""
    half = frame(TEXT, b'{"token": "never ends')[:-5]
    quiet, stalled, dripping = Wire(talk), Wire(talk).send(half), Wire(talk)
    endless = Wire(talk).send(frame(TEXT, b"{", fin=False))
    began = time.monotonic()
    for byte in frame(TEXT, b" " * 100):
        dripping.send(bytes([byte]))
        endless.send(frame(CONT, b" ", fin=False), frame(PING))
        if time.monotonic() - began > 9:
            break
        time.sleep(0.2)
    for wire in (quiet, stalled, dripping, endless):
        assert wire.closed(15) in (1008, 4401)
    gone(server, quiet, stalled, dripping, endless)


def test_half_a_frame_later_holds_back_nothing_that_comes_down(talk: Visitor, end: Visitor | Owner) -> None:
    with Wire(end) as wire:
        signal = frame(TEXT, SIGNAL)
        wire.begin().send(signal[:-5])
        talk.say("meanwhile")
        wire.until(lambda: "meanwhile" in "".join(wire.texts()))
        wire.send(signal[-5:], frame(PING, b"whole again"))
        wire.until(wire.pongs)


FRAMES = st.builds(
    frame,
    st.sampled_from([CONT, TEXT, TEXT, BINARY, CLOSE, PING, PONG, 3, 11]),
    st.one_of(st.binary(max_size=130), st.sampled_from([SIGNAL, b"\x03\xe8", b"\x03\xe8bye", b"{}"])),
    fin=st.sampled_from([True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 1, 4]),
    masked=st.sampled_from([True, True, True, True, False]),
)


def verdict(said: bytes, first: bool) -> set[int]:
    """The codes with which a server may end the connection after these bytes and the end of the file."""
    judge = Reference(Side.SERVER, max_size=LARGEST)
    judge.receive_data(said)
    text, whole = None, False
    # a length written wider than it needs to be, which this judge lets pass and the RFC does not
    codes = {1002} if b"\xfe\x00" in said or b"\xff\x00" in said else set()
    for each in judge.events_received():
        assert isinstance(each, Frame)
        text = b"" if each.opcode == TEXT else text
        if text is not None and each.opcode in (TEXT, CONT):
            text += each.data
            try:
                codecs.getincrementaldecoder("utf-8")().decode(text, each.fin)
            except UnicodeDecodeError:
                codes.add(1007)
                if each.fin:
                    return codes | ({4401} if first and whole else set())
        if each.opcode in (TEXT, BINARY, CONT) and each.fin:
            text, whole = None, True
    if first and whole:
        codes.add(4401)  # a first message that names nobody
    if judge.parser_exc is not None:
        return codes | {1002, 1007, 1009}
    if judge.close_rcvd:
        return codes | {judge.close_rcvd.code}
    judge.receive_eof()
    if "after" in str(judge.parser_exc):  # the end came inside a frame, of which the half may tell already
        codes |= {1002, 1007, 1009}
    return codes | {NO_CLOSE_FRAME, 1000} | ({4401} if first else set())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.binary(max_size=40)), min_size=1, max_size=8), st.booleans())
def test_any_bytes_are_judged_as_another_implementation_judges_them(
    server: Server, talk: Visitor, said: list[bytes], idle: bool
) -> None:
    with Wire(talk) as wire:
        (wire.begin() if idle else wire).send(*said)
        with suppress(OSError):  # it may be closed already
            wire.tcp.shutdown(socket.SHUT_WR)
        assert wire.closed() in verdict(b"".join(said), first=not idle)
    gone(server, wire)
