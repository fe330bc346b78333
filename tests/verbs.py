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
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner
from harness import APP, ROOT, environment

from chat.cli import main

FIRST_VERSION = ROOT / "tests" / "data" / "first_version.sql"
STEPS = ("Copying", "Checking", "Packing", "Exporting")
"""How the lines begin that say how far it is."""


def verb(data: Path, *args: str | Path, fails: bool = False) -> str:
    """Run a verb on that data folder. It must go well, or (`fails`) end with one clear line and nothing else.
    Returns what it printed."""
    settings = dict.fromkeys(os.environ) | environment(CHAT_DATA=str(data), CHAT_LIMITS="off")
    done = CliRunner(env=settings).invoke(main, list(map(str, args)), prog_name="app.py")
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return _judge(done.exit_code, done.output, fails)


def command(data: Path, *args: str | Path, fails: bool = False, room: int | None = None) -> str:
    """The same as a process of its own. With `room`, no file may grow beyond so many bytes: what a full disk is to
    a program."""

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(
        [*APP, *map(str, args)],
        cwd=ROOT,
        env=environment(CHAT_DATA=str(data), CHAT_LIMITS="off"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        preexec_fn=shrink if room is not None else None,
    )
    return _judge(done.returncode, done.stdout, fails)


def _judge(code: int, output: str, fails: bool) -> str:
    assert "Traceback" not in output, output
    assert (code != 0) == fails, f"exit code {code}\n{output}"
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
    """Each file of a folder with its bytes; locks and an empty log are nothing."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".lock", "-shm"))]
    held = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return {name: content for name, content in held.items() if content or not name.endswith("-wal")}


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
