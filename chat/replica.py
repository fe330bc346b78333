"""Continuous backup: Litestream runs beside the server. `chat.rescue` is the way back.

gunicorn's master imports this: the standard library is enough for it.
"""

import ctypes
import json
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chat.config import BadSetting, Settings

LOOK, SEND = "500ms", "250ms"  # for changes, and between two parcels: a message is in the replica within 2 s
KEPT = "168h"  # how far back the replica can show the past
LAST_PARCEL = 7.0  # seconds to send what is left at the end; systemd, Docker and Fly wait 10
LONGEST_PAUSE = 60.0  # seconds before another try with a program that keeps ending
log = logging.getLogger("porchlight.replica")


def program() -> str:
    """The path of Litestream. Raises BadSetting when there is none on this machine."""
    beside = Path(sys.executable).with_name("litestream")
    found = str(beside) if beside.exists() else shutil.which("litestream")
    if not found:
        raise BadSetting(
            "CHAT_REPLICA needs the program `litestream`, which is not here. `pip install -r requirements.txt` brings"
            " it for Linux and macOS on x86-64 and ARM; for other machines install version 0.5 from https://litestream.io."
        )
    return found


def check(settings: Settings) -> None:
    """Whether replicating can begin at all. Raises BadSetting with one line otherwise."""
    if not settings.chat_replica:
        return
    program()
    if settings.chat_replica.startswith("file://"):
        folder = Path(settings.chat_replica.removeprefix("file://"))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise BadSetting(
                f"CHAT_REPLICA is {settings.chat_replica!r}, which can't be written to: {error.strerror}."
            ) from None


class Replica:
    """Litestream as a child of gunicorn's master: started again when it ends, ended when the master does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._since, self._again, self._pause = 0.0, 0.0, 1.0

    def install(self, arbiter: Any) -> None:
        """Start, and look after it whenever the master looks after its workers: once a second."""
        self._start()
        manage_workers = arbiter.manage_workers

        def manage_all() -> None:
            manage_workers()
            self._look()

        arbiter.manage_workers = manage_all

    def stop(self) -> None:
        """Have it send what is left, and end it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(LAST_PARCEL)
        except subprocess.TimeoutExpired:
            log.error("The replica did not take the last changes in time; they follow after the next start.")
            self._process.kill()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [program(), "replicate", "-config", str(_configuration(self._settings)), "-no-expand-env"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the server, which writes until it has ended
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self._since = time.monotonic()

    def _look(self) -> None:
        now = time.monotonic()
        if self._process and self._process.poll() is not None:
            self._process = None
            self._pause = 1.0 if now - self._since > LONGEST_PAUSE else min(2 * self._pause, LONGEST_PAUSE)
            self._again = now + self._pause
            log.error("Litestream has ended, so the replica stands still. Trying again in %.0f s.", self._pause)
        elif self._process is None and now >= self._again:
            self._start()


def _configuration(settings: Settings) -> Path:
    """Write Litestream's configuration into the data folder, where it serves `litestream` by hand as well."""
    database = {
        "path": str(settings.database),
        "monitor-interval": LOOK,
        "replica": {"url": settings.chat_replica, "sync-interval": SEND},
    }
    everything = {
        "logging": {"level": "warn", "stderr": True},
        "snapshot": {"interval": "24h", "retention": KEPT},
        "shutdown-sync-timeout": f"{LAST_PARCEL - 1:.0f}s",
        "dbs": [database],
    }
    path = settings.chat_data / "litestream.yml"
    path.write_text(json.dumps(everything, indent=2) + "\n")  # JSON is YAML
    return path


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    """In the child: two of them on one database, after a `kill -9` and a new start, would harm the replica."""
    assert _libc
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
