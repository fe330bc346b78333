"""The real server as a process of its own, on a free port, with a folder of its own."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
from httpx._transports import default

ROOT = Path(__file__).resolve().parents[1]
EMAIL, PASSWORD = "ann@example.com", "a quiet harbour at night"
GUNICORN = (sys.executable, "-m", "gunicorn", "wsgi:app")
NOTES = "PORCHLIGHT_NOTES"
"""In the environment, a file: servers that start meanwhile note every SQL statement in it (see `traced.py`)."""
APP = (sys.executable, "app.py")
NOTED = (
    *("test_alerts", "test_forms", "test_hook", "test_hours", "test_identity", "test_look", "test_mail"),
    *("test_mail_strangers", "test_privacy", "test_spam", "test_telegram"),
)
"""Tests whose servers do so, for test_query_plans to look at afterwards."""
_OURS = ("CHAT_", "PYTHONDONTWRITEBYTECODE", "PORT", "HOST", "WEB_CONCURRENCY", "GUNICORN_", "FORWARDED_ALLOW_IPS")
_random = random.Random(os.getpid() * 7919 + time.time_ns())  # not the tests' own seed: two runs must not meet

_create = default.create_ssl_context


@cache
def _tls(authorities: str | None, **asked: Any) -> Any:
    return _create(**asked)


default.create_ssl_context = lambda **asked: _tls(os.environ.get("SSL_CERT_FILE"), **asked)
"""Clients share what they know of TLS: reading the authorities takes 26 ms, for each of thousands of clients."""


def free_port() -> int:
    """A port that nobody has on either loopback, below those that the system hands to outgoing connections."""
    for _ in range(200):
        port = _random.randrange(12000, 32000)
        if all(_is_free(family, host, port) for family, host in _loopbacks()):
            return port
    raise RuntimeError("found no free port")


def chromium() -> str | None:
    """The machine's own Chromium, or the one that is named; None where there is none."""
    return os.environ.get("PORCHLIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def _loopbacks() -> list[tuple[int, str]]:
    return [(socket.AF_INET, "127.0.0.1")] + ([(socket.AF_INET6, "::1")] if has_ipv6() else [])


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback."""
    return socket.has_ipv6 and _is_free(socket.AF_INET6, "::1", 0)


def _is_free(family: int, host: str, port: int) -> bool:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def environment(**settings: str | None) -> dict[str, str]:
    """This process's environment without our settings, plus the given ones (None: left out). Python may keep what it
    compiled: without that each of some hundred starts compiles all of the program twice."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    env["PYTHONUNBUFFERED"] = "1"
    return env | {name: value for name, value in settings.items() if value is not None}


class Server:
    """`gunicorn wsgi:app` in the repository (or a copy). A context manager; ends with a look at what it logged."""

    def __init__(
        self, folder: Path, *, command: tuple[str, ...] = (), root: Path = ROOT, **settings: str | None
    ) -> None:
        self.folder = folder
        self.root = root
        self.port = free_port()
        self.data = folder / "data"
        notes = os.environ.get(NOTES)
        traced = (sys.executable, "tests/traced.py", notes, "gunicorn", "wsgi:app") if notes else GUNICORN
        self.command = command or traced
        self.settings: dict[str, str | None] = {
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "CHAT_DATA": str(self.data),
            "CHAT_OWNER_EMAIL": EMAIL,
            "CHAT_OWNER_PASSWORD": PASSWORD,
            "CHAT_LIMITS": "off",
            **settings,
        }
        self.scheme = "http"
        self.process: subprocess.Popen[bytes] | None = None
        self._output = folder / "output.log"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        """All that it has printed, over every restart."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    @property
    def children(self) -> list[int]:
        """The processes that its master has started: its workers, mostly."""
        assert self.process
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process, without waiting for it to answer."""
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.root,
                env=environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    def start(self) -> Server:
        """Start, and wait until /up says ok."""
        process, began = self.launch(), time.monotonic()
        while time.monotonic() - began < 30:
            assert process.poll() is None, f"the server ended with {process.returncode}:\n{self.output[-3000:]}"
            try:
                if httpx.get(f"{self.url}/up", timeout=5, trust_env=False, verify=False).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.02)
        self.stop(signal.SIGKILL)
        raise AssertionError(f"the server never answered /up:\n{self.output[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """End it: SIGTERM to the master as a system would, SIGKILL to all its processes. Returns the seconds."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        if how == signal.SIGKILL:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(how)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"the server did not stop on {how.name} in 40 s") from None
        self.process = None
        return time.monotonic() - began

    def restart(self, how: signal.Signals = signal.SIGTERM, pause: float = 0.0) -> None:
        """Stop and start on the same port, with the same data."""
        self.stop(how)
        time.sleep(pause)
        self.start()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Stopped while the block runs, whatever happens in it."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.process and self.process.poll() is None:
            self.stop()
        assert "Traceback" not in self.output, f"the server logged an error:\n{self.output[-6000:]}"
