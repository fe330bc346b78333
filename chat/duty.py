"""Duty: work that one process of all does at a time, such as sending mail. Whoever holds the kernel lock has it.

When that process ends, however it does, the next one takes over within WATCH seconds.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import gevent

WATCH = 0.5  # seconds between two tries to get the lock
PATIENCE = 0.3  # seconds that greenlets get to end by themselves
REST = 30.0  # seconds until a loop begins again that an error has ended
Loop = Callable[[], None]
log = logging.getLogger("porchlight.duty")


class Duty:
    """The background work of this installation, done here as long as this process holds the lock."""

    def __init__(self, folder: Path, begin: Callable[[], Iterable[Loop]], tell: Callable[[str], object]) -> None:
        """`begin` returns the loops, which run until they are killed; one that an error has ended is told and begins
        again."""
        self._path, self._begin, self._tell = folder / "duty.lock", begin, tell
        self._held: int | None = None
        self._watch: gevent.Greenlet | None = None
        self._work: list[gevent.Greenlet] = []
        self._over = False

    def start(self) -> None:
        """Wait for the lock aside, and do the work once it is ours."""
        self._watch = gevent.spawn(self._wait)

    def _wait(self) -> None:
        held = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                gevent.sleep(WATCH)
        self._held = held
        while not self._work and not self._over:
            try:
                self._work = [gevent.spawn(self._keep_on, loop) for loop in self._begin()]
            except Exception:
                log.exception("The work in the background could not begin; once more in %.0f s", WATCH * 20)
                gevent.sleep(WATCH * 20)

    def _keep_on(self, loop: Loop) -> None:
        while True:
            try:
                return loop()
            except Exception as error:
                name = _name(loop)
                log.exception("%s ended by an error; it begins again in %.0f s", name, REST)
                with suppress(Exception):  # nothing may end this; the log has it
                    self._tell(f"{name}: {type(error).__name__}")
            gevent.sleep(REST)

    def stop(self) -> None:
        """End the work and let go of the lock."""
        self._over = True
        if self._watch:
            self._watch.kill(timeout=PATIENCE)  # first, and alone: until it is gone it may begin the work
        gevent.killall(self._work, block=True, timeout=PATIENCE)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def _name(loop: Loop) -> str:
    run = loop.func if isinstance(loop, partial) else loop
    return f"{run.__module__.removeprefix('chat.')}.{run.__qualname__}"
