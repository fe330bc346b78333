"""The command line, as its reader sees it; and data folders to use it on."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from harness import APP, ROOT, environment

FIRST_VERSION = ROOT / "tests" / "data" / "first_version.sql"
STEPS = ("Copying", "Checking", "Packing", "Exporting")
"""How the lines begin that say how far it is."""


def verb(data: Path, *args: str | Path, fails: bool = False, room: int | None = None) -> str:
    """Run a verb on that data folder. It must go well, or (`fails`) end with one clear line and nothing else.

    With `room`, no file may grow beyond so many bytes: what a full disk is to a program. Returns what it printed.
    """

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(
        [*APP, *map(str, args)],
        cwd=ROOT,
        env=environment(CHAT_DATA=str(data), CHAT_LIMITS="off"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=shrink if room is not None else None,
    )
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    assert (done.returncode != 0) == fails, f"{args}: exit code {done.returncode}\n{output}"
    if fails:
        said = [line for line in output.splitlines() if line.strip() and not line.startswith(STEPS)]
        assert len(said) == 1 and len(said[0].split()) >= 5, output
    return output


def first_version(data: Path) -> Path:
    """A data folder as the first version left it."""
    text = FIRST_VERSION.read_text(encoding="utf-8")
    data.mkdir(mode=0o700)
    with closing(sqlite3.connect(data / "chat.sqlite")) as db:
        db.executescript(text)
        db.execute("PRAGMA journal_mode = WAL")
    (data / "secret.key").write_bytes(bytes.fromhex(text.partition("-- secret.key: ")[2].split()[0]))
    return data


def bodies(database: Path) -> list[str]:
    """The texts in a database file, in order; it must be sound."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in db.execute("SELECT body FROM messages ORDER BY id")]


def rename_everything(database: Path, to: str) -> None:
    """Make the data different, so that old and new can be told apart."""
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE messages SET body = ?", [to])


def everything_in(folder: Path) -> dict[str, bytes]:
    """Each file of a folder with its bytes, locks left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".lock", "-shm"))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


TOUCHING = ("open", "os.", "shutil.", "sqlite3.connect", "tempfile.")


def killed_at_every_step(work: Callable[[], object]) -> Iterator[int]:
    """Do the work again and again, each time in a process that is killed (-9) one file operation later, until it
    comes through; yields after each death."""
    for step in range(2000):
        pid = os.fork()
        if pid == 0:
            _die_at(step, work)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the work failed by itself"
            assert step > 10, "it was never interrupted"
            return
        yield step
    raise AssertionError("it never came through")


def _die_at(step: int, work: Callable[[], object]) -> None:
    left = step

    def hook(event: str, _: object) -> None:
        nonlocal left
        if event.startswith(TOUCHING) and event != "os.kill":
            left -= 1
            if left == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(hook)
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


@contextmanager
def bound(path: Path, mode: int) -> Iterator[None]:
    """A folder with other permissions while the block runs."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)
