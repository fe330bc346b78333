"""The reader: letters are read in a process of its own, since some take minutes of the one lock that Python has.

4,000 empty lines cost mail-parser-reply 2 s, 100 KB of "On On On" 317 s, and in a thread nobody else was served
meanwhile. Here a letter has SECONDS, then it is tried once without cutting quotes, then it is kept as it came.
"""

import os
import pickle
import resource
import struct
import subprocess
import sys
from contextlib import suppress
from typing import BinaryIO

import gevent
from gevent.lock import BoundedSemaphore

from chat.config import ROOT
from chat.letters import parsing
from chat.letters.parsing import Letter

SECONDS, TRIES = 10.0, 2  # for one letter
IDLE = 60.0  # seconds after the last letter until the process ends
MEMORY = 1024 * 1024 * 1024  # bytes of address space: a letter of 25 MB takes some 300
_HEAD = struct.Struct("!Q?")


class Reader:
    """Reads one letter after the other; the process is started when there is one to read."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = BoundedSemaphore(1)
        self._end_of_rest: gevent.Greenlet | None = None

    def read(self, raw: bytes) -> Letter:
        """The letter in these bytes; one that can't be read in time is a file, with what its head says."""
        with self._turn:
            if self._end_of_rest:
                self._end_of_rest.kill()
            try:
                return self._read(raw)
            finally:
                self._end_of_rest = gevent.spawn_later(IDLE, self._end)

    def _read(self, raw: bytes) -> Letter:
        cut = True
        for _ in range(TRIES):
            try:
                with gevent.Timeout(SECONDS, TimeoutError()):
                    return self._ask(raw, cut)
            except TimeoutError:
                self._end()
                cut = False
            except (OSError, EOFError, struct.error, pickle.UnpicklingError):  # it died: of this letter, or before
                self._end()
            except BaseException:  # killed in the middle: the answer that is under way must meet no other letter
                self._end()
                raise
        return parsing.sealed(raw)

    def _ask(self, raw: bytes, cut: bool) -> Letter:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "chat.letters.reader"]
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        there, back = self._process.stdin, self._process.stdout
        assert there and back
        there.write(_HEAD.pack(len(raw), cut) + raw)
        there.flush()
        size, _ = _HEAD.unpack(back.read(_HEAD.size))
        letter = pickle.loads(back.read(size))  # from our own program, by a pipe that nobody else has
        assert isinstance(letter, Letter)
        return letter

    def _end(self) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]


def serve(asked: BinaryIO, answers: BinaryIO) -> None:
    """In the process: read what comes until nothing does any more."""
    while head := asked.read(_HEAD.size):
        size, cut = _HEAD.unpack(head)
        letter = pickle.dumps(parsing.read(asked.read(size), cut=cut))
        answers.write(_HEAD.pack(len(letter), False) + letter)
        answers.flush()


if __name__ == "__main__":
    os.nice(5)
    with suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
