"""The servers that the bench drives, each alone on a core while its client has another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from harness import Server, free_port

SERVERS_CORE, CLIENTS_CORE = 0, 1
PINNED = hasattr(os, "sched_setaffinity") and {SERVERS_CORE, CLIENTS_CORE} <= os.sched_getaffinity(0)
TICK = 1 / os.sysconf("SC_CLK_TCK")
HERE = Path(__file__).parent
GUNICORN = ("-m", "gunicorn", "-k", "gevent", "--no-control-socket", "--keep-alive", "30", "--log-level", "error")
UVICORN = ("-m", "uvicorn", "--log-level", "error", "--no-access-log", "--backlog", "4096")


@dataclass
class Target:
    """A running server."""

    name: str
    port: int
    root: psutil.Process

    def processes(self) -> list[psutil.Process]:
        return [self.root, *self.root.children(recursive=True)]

    def memory(self) -> float:
        """PSS of all its processes, in bytes; what the kernel keeps for a connection is not in it."""
        return float(sum(each.memory_full_info().pss for each in self.processes()))

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far."""
        return float(sum(sum(each.cpu_times()[:2]) for each in self.processes()))

    def settle(self) -> None:
        """Wait until it does nothing."""
        used, quiet = self.cpu(), 0
        for _ in range(100):
            time.sleep(0.1)
            quiet = quiet + 1 if self.cpu() - used <= TICK else 0
            used = self.cpu()
            if quiet == 3:
                return
        raise AssertionError(f"{self.name} never comes to rest")


@dataclass
class Meter:
    """What a stretch of time cost: the server, the client, and whoever else was on the server's core."""

    target: Target
    seconds: float = 0.0
    server: float = 0.0
    client: float = 0.0
    others: float = 0.0
    _at: list[float] = field(default_factory=list)

    def _read(self) -> list[float]:
        return [time.perf_counter(), self.target.cpu(), time.process_time(), _busy()]

    def __enter__(self) -> Meter:
        self._at = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        seconds, server, client, busy = (now - then for now, then in zip(self._read(), self._at, strict=True))
        self.seconds, self.server = seconds, server
        self.client, self.others = client / seconds, max(busy - server, 0) / seconds if PINNED else 0.0


def _busy() -> float:
    """Seconds that the server's core has worked, for anybody."""
    if not PINNED:
        return 0.0
    times = psutil.cpu_times(percpu=True)[SERVERS_CORE]
    return sum(times) - times.idle - times.iowait - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)


@contextmanager
def _on(core: int) -> Iterator[None]:
    """What is started meanwhile, with all its threads, stays on that core; afterwards this process has the other."""
    if PINNED:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        if PINNED:
            os.sched_setaffinity(0, {CLIENTS_CORE})


@contextmanager
def ours(folder: Path) -> Iterator[Target]:
    """Porchlight as its tests start it: `gunicorn wsgi:app`, one worker, CHAT_LIMITS=off."""
    server = Server(folder)
    with ExitStack() as stopped:
        with _on(SERVERS_CORE):
            server.start()
        stopped.push(server)
        assert server.process
        yield Target("Porchlight", server.port, psutil.Process(server.process.pid))


@contextmanager
def _other(name: str, folder: Path, *command: str) -> Iterator[Target]:
    port = free_port()
    arguments = [part.format(port=port) for part in command]
    env = os.environ | {"BASELINE_DB": str(folder / "baseline.sqlite")}
    with _on(SERVERS_CORE):
        process = subprocess.Popen([sys.executable, *arguments], cwd=HERE, env=env, stdin=subprocess.DEVNULL)
    try:
        _await(process, port)
        yield Target(name, port, psutil.Process(process.pid))
    finally:
        if command[1] == "gunicorn":
            process.terminate()  # it takes its worker along
        else:
            process.kill()  # told politely, uvicorn would wait for every open socket
        process.wait(20)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, f"it ended with {process.returncode}"
        try:
            httpx.post(f"http://127.0.0.1:{port}/w/main/session", trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("it never answered")


SERVERS = {
    "ours": ours,
    "baseline": lambda folder: _other("Starlette baseline", folder, *UVICORN, "baseline:app", "--port", "{port}"),
    "empty": lambda folder: _other("empty server", folder, "empty.py", "{port}"),
    "wsgi": lambda folder: _other("plain WSGI", folder, *GUNICORN, "-b", "127.0.0.1:{port}", "plain:wsgi"),
    "flask": lambda folder: _other("plain Flask", folder, *GUNICORN, "-b", "127.0.0.1:{port}", "plain:flask"),
}
