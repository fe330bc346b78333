"""The bell between the workers of one server: "look again", in a Unix datagram, 15 us away.

It carries no data and may be lost: `PRAGMA data_version` heals that within a tenth of a second (see `live`).
"""

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent

FOLDER = "PORCHLIGHT_BELL"  # how gunicorn's master tells its workers where they meet
COMMITTED, RIGHTS_CHANGED = b".", b"!"
READ = 1  # libev's name for readable


def hang() -> None:
    """Before the workers start: a folder where they meet. A short path, since a socket's name is 100 bytes at most."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="porchlight-")


def take_down() -> None:
    """After the last worker has gone."""
    with suppress(KeyError, OSError):
        folder = Path(os.environ.pop(FOLDER))
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


def meeting_place() -> Path | None:
    """Where this server's workers meet, be it only while one is replaced by another.

    None when nobody hung a bell, or when it is down already, since the server stops.
    """
    folder = os.environ.get(FOLDER)
    return Path(folder) if folder and Path(folder).is_dir() else None


class Bell:
    """One worker's bell; silent when nobody hung a folder."""

    def __init__(self) -> None:
        self._folder = meeting_place()
        if self._folder:
            self._own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._own.setblocking(False)
            self._name = f"{os.getpid()}.bell"
            (self._folder / self._name).unlink(missing_ok=True)  # of one that had the same number
            self._own.bind(str(self._folder / self._name))

    def listen(self, heard: Callable[[bool], None]) -> None:
        """Call `heard` for each ring of another worker: with True when somebody's rights have changed."""
        if self._folder:
            self._watcher = gevent.get_hub().loop.io(self._own.fileno(), READ)
            self._watcher.start(self._hear, heard)

    def _hear(self, heard: Callable[[bool], None]) -> None:
        rings = set()
        with suppress(BlockingIOError):
            while True:
                rings.add(os.read(self._own.fileno(), 1))
        heard(RIGHTS_CHANGED in rings)

    def ring(self, why: bytes = COMMITTED) -> None:
        """Tell every other worker. One that has died is forgotten; one whose ear is full looks anyway."""
        if not self._folder:
            return
        with suppress(OSError):  # the folder is gone: the server stops
            for name in os.listdir(self._folder):
                if name.endswith(".bell") and name != self._name:
                    self._ring(self._folder / name, why)

    def _ring(self, other: Path, why: bytes) -> None:
        try:
            self._own.sendto(why, str(other))
        except ConnectionRefusedError:
            other.unlink(missing_ok=True)
        except OSError:
            pass  # its ear is full, or it has just gone
