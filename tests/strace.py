"""The system calls of a running server, in the order in which they happened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = "write,writev,pwrite64,pwritev,sendto,sendmsg,sendfile,fsync,fdatasync"
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)", re.S)
_UNFINISHED = " <unfinished ...>"


def command(output: Path, program: tuple[str, ...]) -> tuple[str, ...]:
    """The program with every process and thread of it traced into that file. It stays the process that was started,
    so signals reach it as always."""
    options = ("-D", "-f", "--seccomp-bpf", "-yy", "-s", "70000", "-e", f"trace={CALLS}", "-o", str(output))
    return ("strace", *options, *program)


@dataclass(frozen=True)
class Call:
    """A system call. `begin` and `end` are places in the one order of all of them."""

    name: str
    args: str
    begin: int
    end: int
    ok: bool

    @property
    def syncs_the_wal(self) -> bool:
        """Whether it brought the write-ahead log to the disk."""
        return self.name in ("fsync", "fdatasync") and "chat.sqlite-wal>" in self.args and self.ok

    @property
    def writes_the_wal(self) -> bool:
        """Whether it wrote into the write-ahead log."""
        return "write" in self.name and "chat.sqlite-wal>" in self.args.partition(",")[0] and self.ok

    @property
    def peer(self) -> int | None:
        """The port at the other end of the connection that it wrote to; None when it was none."""
        found = re.match(r"\d+<TCP(?:v6)?:\[[^]]*->[^]]*?:(\d+)\]", self.args)
        return int(found[1]) if found else None


def calls(output: Path) -> Iterator[Call]:
    """The calls, by their end."""
    begun: dict[str, tuple[str, str, int]] = {}
    for place, line in enumerate(output.read_text(errors="replace").splitlines()):
        found = _LINE.match(line)
        if not found:
            continue  # signals and ends of processes
        pid, rest = found[1], found["rest"]
        if found["name"] and rest.endswith(_UNFINISHED):
            begun[pid] = (found["name"], rest.removesuffix(_UNFINISHED), place)
            continue
        name, args, begin = begun.pop(pid) if found["resumed"] else (found["name"], "", place)
        yield Call(name, args + rest, begin, place, not re.search(r"= -1 \w+ \(", rest[-200:]))
