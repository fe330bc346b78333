"""What the bench measures: a function a row, from a running server to labelled figures."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from itertools import islice

from client import MARK, Crowd, Wire, Writer, arrive, close, open_polls, open_sockets
from targets import Meter, Target

Figures = dict[str, str]
VISITORS, RATE, WRITERS, TABS = 50, 200, 64, 1000


@dataclass(frozen=True)
class Effort:
    """How long and how much."""

    seconds: float = 15.0
    sizes: tuple[int, ...] = (1000, 5000, 10_000)
    rounds: int = 15
    idle: int = 5000
    idle_seconds: float = 42.0
    """Two heartbeats of both servers, which send one every 20 s."""


QUICK = Effort(seconds=4.0, sizes=(1000,), rounds=5, idle=1000, idle_seconds=6.0)


def _ms(seconds: list[float], rank: float) -> str:
    return f"{sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * rank))] * 1000:.2f}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _shares(row: str, meter: Meter) -> Figures:
    """What belongs below each row, so that its figure can be believed."""
    return {
        f"{row}: the client's share of its core": _percent(meter.client),
        f"{row}: others on the server's core": _percent(meter.others),
    }


def delivery(target: Target, effort: Effort) -> Figures:
    """Open loop: a message every 5 ms whatever comes back; timed from its POST until another tab has it."""
    visitors = arrive(target.port, VISITORS)
    free = deque(Writer(target.port, visitor) for visitor in visitors)
    crowd = Crowd([*free, *open_sockets(target.port, visitors)])
    sent, took, due_marks, late = dict[int, float](), list[float](), iter(range(1, int(effort.seconds * RATE))), 0.0
    mark = next(due_marks, 0)
    with Meter(target) as meter:
        began, silent_since = time.perf_counter(), time.perf_counter()
        while mark or sent:
            now = time.perf_counter()
            assert now < silent_since + 10, f"{len(sent)} were not delivered"
            due = began + mark / RATE
            if mark and now >= due and free:
                writer = free.popleft()
                writer.post(mark)
                sent[mark], late = writer.at, max(late, writer.at - due)
                mark = next(due_marks, 0)
                continue
            for wire in crowd.ready(min(due - now, 0.05) if mark and free else 0.05):
                silent_since = time.perf_counter()
                if isinstance(wire, Writer):
                    if wire.answered():
                        free.append(wire)
                else:
                    took += _arrived(wire, sent)
    label = f"delivery at {RATE} messages/s"
    return {
        f"{label}, p50 (ms)": _ms(took, 0.5),
        f"{label}, p99 (ms)": _ms(took, 0.99),
        f"{label}: CPU of the server": _percent(meter.server / meter.seconds),
        f"{label}: the latest POST behind its time (ms)": f"{late * 1000:.1f}",
        **_shares(label, meter),
    }


def _arrived(wire: Wire, sent: dict[int, float]) -> list[float]:
    """How long each message took that has just come in whole."""
    assert wire.hear(), "a socket ended"
    at, end, took = time.perf_counter(), 0, []
    for found in MARK.finditer(wire.received):
        end = found.end()
        if int(found[1]):
            took.append(at - sent.pop(int(found[1])))  # a second time would be a KeyError
    wire.received = wire.received[max(end, len(wire.received) - 64) :]
    return took


def saturation(target: Target, effort: Effort) -> Figures:
    """Closed loop: every writer posts again as soon as it is answered."""
    writers = [Writer(target.port, visitor) for visitor in arrive(target.port, WRITERS)]
    crowd, took, mark = Crowd(writers), list[float](), 0
    for writer in writers:
        writer.post(mark := mark + 1)
    for measured in (False, True):  # a second to warm up first
        took.clear()
        with Meter(target) as meter:
            end = time.perf_counter() + (effort.seconds if measured else 1.0)
            while time.perf_counter() < end:
                for writer in crowd.ready(1):
                    assert isinstance(writer, Writer)
                    if writer.answered():
                        took.append(time.perf_counter() - writer.at)
                        writer.post(mark := mark + 1)
    label = f"saturation, {WRITERS} writers"
    return {
        f"{label}: durable messages/s": f"{len(took) / meter.seconds:,.0f}",
        f"{label}: answered, p50 (ms)": _ms(took, 0.5),
        f"{label}: answered, p99 (ms)": _ms(took, 0.99),
        f"{label}: CPU of the server a message (us)": f"{meter.server / len(took) * 1e6:,.0f}",
        **_shares(label, meter),
    }


def sockets(target: Target, effort: Effort) -> Figures:
    """Sockets that have had their first batch and are silent; each belongs to another visitor."""
    return _memory(target, effort, "socket")


def polls(target: Target, effort: Effort) -> Figures:
    """The same with polls that wait."""
    return _memory(target, effort, "poll")


def _memory(target: Target, effort: Effort, kind: str) -> Figures:
    coming, open_all = iter(arrive(target.port, max(effort.sizes))), open_sockets if kind == "socket" else open_polls
    wires, figures = list[Wire](), Figures()
    close(open_all(target.port, arrive(target.port, 50)))  # the first ones load code and fill caches
    target.settle()
    before = target.memory()
    for size in effort.sizes:
        wires += open_all(target.port, list(islice(coming, size - len(wires))))
        target.settle()
        each = (target.memory() - before) / size
        assert kind == "socket" or not any(Crowd(wires).ready(0)), "a poll was over before all were open"
        figures[f"memory of an idle {kind}, {size:,} of them (KB)"] = f"{each / 1000:.1f}"
    return figures


def fanout(target: Target, effort: Effort) -> Figures:
    """One message to a thousand of its visitor's tabs: from the POST until the last of them has it; the median."""
    (visitor,) = arrive(target.port, 1)
    writer = Writer(target.port, visitor)
    wires = open_sockets(target.port, [visitor] * TABS)
    with Meter(target) as meter:
        by_socket = [_until_all(target, wires, writer, mark) for mark in range(1, effort.rounds + 1)]
    close(wires)
    by_poll = []
    for mark in range(1001, 1001 + effort.rounds):
        wires = open_polls(target.port, [visitor] * TABS)
        by_poll.append(_until_all(target, wires, writer, mark))
        close(wires)
    return {
        f"one message to {TABS:,} sockets, the last has it (ms)": _ms(by_socket, 0.5),
        f"one message to {TABS:,} polls, the last has it (ms)": _ms(by_poll, 0.5),
        "one message to many: others on the server's core": _percent(meter.others),
    }


def _until_all(target: Target, wires: list[Wire], writer: Writer, mark: int) -> float:
    target.settle()
    wanted, last = b">m%d.<" % mark, 0.0

    def got(wire: Wire) -> bool:
        nonlocal last
        wire.hear()
        if wanted not in wire.received:
            return False
        last, wire.received = time.perf_counter(), b""
        return True

    crowd = Crowd(wires, edge=True)
    writer.post(mark)
    crowd.until(got, len(wires))
    Crowd([writer]).until(lambda _: writer.answered(), 1)
    return last - writer.at


def cpu(target: Target, effort: Effort) -> Figures:
    """What sockets cost that say nothing, heartbeats included."""
    wires = open_sockets(target.port, arrive(target.port, effort.idle))
    target.settle()
    with Meter(target) as meter:
        time.sleep(effort.idle_seconds)
    close(wires)
    return {f"CPU while {effort.idle:,} sockets are idle": _percent(meter.server / meter.seconds)}


ROWS = {
    "delivery": delivery,
    "saturation": saturation,
    "sockets": sockets,
    "polls": polls,
    "fanout": fanout,
    "cpu": cpu,
}
