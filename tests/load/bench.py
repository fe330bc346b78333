"""The bench: one table, Porchlight beside a Starlette baseline that does the same job. Asserts nothing.

python tests/load/bench.py --rows delivery,fanout --only ours --seconds 8
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
import psutil
from client import MARK, Crowd, Wire, Writer, open_poll, open_socket, token
from harness import ROOT, Server, free_port

VISITORS, RATE, WRITERS = 50, 200, 64
SIZES = (1000, 5000, 10_000)


@dataclass
class Target:
    """A server under test, on a core of its own where the machine has two."""

    name: str
    port: int
    root: psutil.Process

    def processes(self) -> list[psutil.Process]:
        return [self.root, *self.root.children(recursive=True)]

    def memory(self) -> float:
        """PSS of all processes, in bytes."""
        return float(sum(each.memory_full_info().pss for each in self.processes()))

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far."""
        return float(sum(sum(each.cpu_times()[:2]) for each in self.processes()))


def _pin(target: Target) -> Target:
    if (os.cpu_count() or 1) > 1 and hasattr(os, "sched_setaffinity"):
        for process in target.processes():
            os.sched_setaffinity(process.pid, {0})
        os.sched_setaffinity(0, {1})
    return target


@contextmanager
def ours(folder: Path) -> Iterator[Target]:
    with Server(folder) as server:
        assert server.process
        yield _pin(Target("Porchlight", server.port, psutil.Process(server.process.pid)))


@contextmanager
def baseline(folder: Path) -> Iterator[Target]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", "tests/load", "baseline:app", "--port", str(port)]
    env = os.environ | {"BASELINE_DB": str(folder / "baseline.sqlite")}
    options = ["--log-level", "error", "--no-access-log", "--backlog", "4096"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, env=env)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/up", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield _pin(Target("Starlette", port, psutil.Process(process.pid)))
    finally:
        process.kill()  # told politely it would wait for every open socket
        process.wait(20)


class Share:
    """How much of its core the client itself used: near 100 % it would be the limit."""

    def __enter__(self) -> Share:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.percent = (time.process_time() - self._cpu) / (time.perf_counter() - self._wall) * 100


def _ms(seconds: list[float], rank: float) -> str:
    return f"{sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * rank))] * 1000:.2f} ms"


def delivery(target: Target, seconds: float) -> dict[str, str]:
    """Open loop: a message every 5 ms whatever comes back, timed until another tab of its visitor has it."""
    tokens = [token(target.port) for _ in range(VISITORS)]
    writers = [Writer(target.port, each) for each in tokens]
    for number, writer in enumerate(writers):
        writer.post(number)
        while not writer.heard():
            pass
    readers = [open_socket(target.port, each) for each in tokens]
    crowd, answering = Crowd([*writers, *readers]), set(writers)
    took: list[float] = []
    sent: dict[int, float] = {}
    mark, late = 1000, 0
    with Share() as share:
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds + 0.5:
            due = began + (mark - 1000) / RATE
            if now >= due and due < began + seconds:
                writer = writers[mark % VISITORS]
                if writer.at:
                    late += 1  # its last answer has not come: it is asked all the same, on the next turn
                sent[mark], writer.at = time.perf_counter(), 1.0
                writer.post(mark)
                mark += 1
                continue
            for wire in crowd.ready(min(due - now, 0.05)):
                if wire in answering:
                    if wire.heard():  # type: ignore[attr-defined]
                        wire.at = 0.0  # type: ignore[attr-defined]
                    continue
                data, at = wire.sock.recv(262144), time.perf_counter()
                took += [at - sent[int(found)] for found in MARK.findall(data) if int(found) in sent]
    assert len(took) >= len(sent), f"{len(sent) - len(took)} were not delivered"
    label = f"delivery at {RATE} messages/s, p50 / p99"
    return {label: f"{_ms(took, 0.5)} / {_ms(took, 0.99)}", "(client's share of its core)": f"{share.percent:.0f} %"}


def saturation(target: Target, seconds: float) -> dict[str, str]:
    """Closed loop: every writer posts again as soon as it is answered."""
    writers = [Writer(target.port, token(target.port)) for _ in range(WRITERS)]
    crowd, took, mark = Crowd(list(writers)), [], 0
    cpu = target.cpu()
    with Share() as share:
        began = time.perf_counter()
        for writer in writers:
            writer.post(mark)
        while time.perf_counter() < began + seconds:
            for wire in crowd.ready(1):
                if wire.heard():  # type: ignore[attr-defined]
                    took.append(time.perf_counter() - wire.at)  # type: ignore[attr-defined]
                    mark += 1
                    wire.post(mark)  # type: ignore[attr-defined]
        wall = time.perf_counter() - began
    each = (target.cpu() - cpu) / len(took) * 1e6
    return {
        "durable messages/s at saturation": f"{len(took) / wall:.0f}",
        "its acknowledgement, p50 / p99": f"{_ms(took, 0.5)} / {_ms(took, 0.99)}",
        "server CPU a message": f"{each:.0f} us",
        "(client's share of its core) ": f"{share.percent:.0f} %",
    }


def _place(target: Target, visitor: str) -> tuple[bytes, bytes]:
    writer = Writer(target.port, visitor)
    writer.post(0)
    while not writer.heard():
        pass
    return writer.cursor, writer.state


def _polls(target: Target, count: int, visitor: str, place: tuple[bytes, bytes]) -> list[Wire]:
    wires = []
    for number in range(count):
        wires.append(open_poll(target.port, visitor, *place))
        if number % 100 == 99:
            time.sleep(0.05)
    time.sleep(0.2)
    return wires


def sockets(target: Target, count: int) -> dict[str, str]:
    """A fiftieth of the sockets belongs to each of fifty visitors, all idle."""
    visitors = [token(target.port) for _ in range(VISITORS)]
    for visitor in visitors:
        _place(target, visitor)
    before = target.memory()
    crowd = [open_socket(target.port, visitors[number % VISITORS]) for number in range(count)]
    time.sleep(1)
    return {f"memory an idle socket, {len(crowd):,}": f"{(target.memory() - before) / count / 1000:.2f} KB"}


def polls(target: Target, count: int) -> dict[str, str]:
    """The same with polls."""
    visitors = [token(target.port) for _ in range(VISITORS)]
    places = {visitor: _place(target, visitor) for visitor in visitors}
    before = target.memory()
    crowd = [wire for each in visitors for wire in _polls(target, count // VISITORS, each, places[each])]
    return {f"memory an idle poll, {len(crowd):,}": f"{(target.memory() - before) / count / 1000:.2f} KB"}


def fanout(target: Target, seconds: float) -> dict[str, str]:
    """One message to a thousand of one visitor's tabs, from the POST until the last has it; the median of seven."""
    visitor = token(target.port)
    writer = Writer(target.port, visitor)
    figures = {}
    sockets = [open_socket(target.port, visitor) for _ in range(1000)]
    crowd, took = Crowd(sockets), []
    for mark in range(7):
        took.append(_until_all(crowd, writer, mark, 1000))
    figures["one message to 1,000 sockets, last"] = f"{statistics.median(took) * 1000:.1f} ms"
    for wire in sockets:
        wire.sock.close()
    time.sleep(1)
    took = []
    for mark in range(10, 17):
        polls = _polls(target, 1000, visitor, (writer.cursor, writer.state))
        took.append(_until_all(Crowd(polls), writer, mark, 1000))
        for wire in polls:
            wire.sock.close()
    figures["one message to 1,000 polls, last"] = f"{statistics.median(took) * 1000:.1f} ms"
    return figures


def _until_all(crowd: Crowd, writer: Writer, mark: int, count: int) -> float:
    wanted = f">m{mark}.<".encode()

    def got(wire: Wire) -> bool:
        wire.received += wire.sock.recv(65536)
        if wanted not in wire.received:
            return False
        wire.received = b""
        return True

    writer.post(mark)
    last = crowd.until(got, count, 20)
    while not writer.heard():
        pass
    return last - writer.at


def idle(target: Target, seconds: float) -> dict[str, str]:
    """What five thousand sockets cost that say nothing, heartbeats included."""
    visitors = [token(target.port) for _ in range(VISITORS)]
    sockets = [open_socket(target.port, visitors[number % VISITORS]) for number in range(5000)]
    time.sleep(1)
    cpu, began = target.cpu(), time.perf_counter()
    time.sleep(max(seconds, 20))
    share = (target.cpu() - cpu) / (time.perf_counter() - began)
    for wire in sockets:
        wire.sock.close()
    return {"CPU while 5,000 sockets are idle": f"{share * 100:.1f} % of a core"}


ROWS: dict[str, Callable[[Target, float], dict[str, str]]] = {
    "delivery": delivery,
    "saturation": saturation,
    **{f"sockets-{count}": lambda target, _, count=count: sockets(target, count) for count in SIZES},
    **{f"polls-{count}": lambda target, _, count=count: polls(target, count) for count in SIZES},
    "fanout": fanout,
    "idle": idle,
}


def machine() -> str:
    names = ("flask", "gunicorn", "gevent", "pysqlite3", "starlette", "uvicorn", "uvloop", "aiosqlite")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; {versions}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="which of " + ", ".join(ROWS))
    parser.add_argument("--only", choices=("ours", "baseline"), help="measure one of the two")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    servers = {"ours": ours, "baseline": baseline}
    chosen = [options.only] if options.only else list(servers)
    table: dict[str, dict[str, str]] = {}
    for row in options.rows.split(","):
        for server in chosen:
            with tempfile.TemporaryDirectory() as folder, servers[server](Path(folder)) as target:
                for label, figure in ROWS[row](target, options.seconds).items():
                    table.setdefault(label.strip() + ("" if label == label.strip() else " "), {})[server] = figure
                    print(f"{target.name}: {label}: {figure}", file=sys.stderr)
    print(f"{machine()}\n\n| | {' | '.join(chosen)} |\n|---|{'---|' * len(chosen)}")
    for label, figures in table.items():
        print(f"| {label.strip()} | {' | '.join(figures.get(server, '') for server in chosen)} |")


if __name__ == "__main__":
    main()
