"""The ground under a server that can be made to give way: its disk and its clock."""

from __future__ import annotations

import os
import resource
import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import Server

SIZE = 192 * 1024 * 1024


class Disk:
    """A small disk of its own under the server's data when we may mount one; else a limit on the size of its files."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._filler = server.data / "filler"
        self.real = False

    def __enter__(self) -> Disk:
        self._server.data.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "porchlight-chaos", str(self._server.data)]
        self.real = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        return self

    def __exit__(self, *error: Any) -> None:
        if self.real:
            subprocess.run(["umount", "--lazy", str(self._server.data)], check=True)

    def fill(self) -> None:
        """From here on nothing more can be written."""
        if not self.real:
            limit_files(self._server, (self._server.data / "chat.sqlite-wal").stat().st_size)
            return
        with self._filler.open("wb", buffering=0) as filler:
            for size in (1024 * 1024, 4096):
                with suppress(OSError):
                    while filler.write(b"\0" * size):
                        pass

    def free(self) -> None:
        """There is room again."""
        self._filler.unlink(missing_ok=True)
        if not self.real:
            limit_files(self._server, resource.RLIM_INFINITY)


def limit_files(server: Server, most: int) -> None:
    """What a full disk is to the server: no file may grow beyond that."""
    assert server.process
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for pid in (server.process.pid, *map(int, children)):
        with suppress(ProcessLookupError):  # gone meanwhile
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


class Clock:
    """The wall clock of the server's processes. A small library in front of the C library moves it."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("tcc")
        assert compiler, "no C compiler here (cc or tcc); `make test` says how to get one"
        library, self._file = folder / "clock.so", folder / "clock"
        command = [
            compiler,
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-o",
            str(library),
            str(Path(__file__).with_name("clock.c")),
        ]
        subprocess.run(command, check=True)
        self.shift(0)
        self.settings = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(self._file)}

    def shift(self, minutes: int) -> None:
        """From now on the clock stands that far from the true time."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:  # in place: it is mapped
            file.write(struct.pack("q", minutes * 60))
