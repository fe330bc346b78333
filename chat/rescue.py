"""The way back: a data folder that is empty gets its database from the replica, before the server starts."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from chat import clock, events, files, folder, health
from chat.config import Settings
from chat.db import connect
from chat.replica import program

PROGRESS = 1.0  # seconds between two lines of progress


class Unreadable(Exception):
    """The data could not be fetched; the text says why. Nothing was changed."""


def restore(settings: Settings, say: Callable[[str], None]) -> None:
    """Fetch the database from the replica when there is none here; `say` gets lines for the owner. Never overwrites.

    It is checked, and given room for the numbers that are lost, before it takes its name: a kill in the middle
    leaves an empty folder. Raises Unreadable.
    """
    database = settings.database
    if not settings.chat_replica or database.exists():
        return
    if left := [path.name for path in settings.chat_data.glob(f"{database.name}-*")]:
        raise Unreadable(f"{settings.chat_data} has no {database.name} but {left[0]}: move what is left of it away")
    for stale in settings.chat_data.glob("restore-*"):  # of an attempt that was killed
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=settings.chat_data, prefix="restore-") as room:
        copy = Path(room) / database.name
        if not _fetch(settings.chat_replica, copy, say):
            return
        newest, count = _prepare(copy)
        shutil.rmtree(settings.chat_data / f".{database.name}-litestream", ignore_errors=True)  # of the lost database
        copy.rename(database)
    folder.sync(settings.chat_data)
    say(
        f"\n  There was no data here, so it was fetched from the replica {settings.chat_replica}\n"
        f"  It is from {clock.parse(newest):%-d %b %Y, %H:%M:%S} UTC, {_ago(clock.parse(newest))}."
        " What came after that is lost."
    )
    if count:
        say(
            f"  {count} files that came with messages are not in a replica. If you have a backup, put its folder"
            f" `files` into {settings.chat_data}."
        )


def _ago(moment: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}s ago"
    return f"{seconds} seconds ago"


def _fetch(url: str, target: Path, say: Callable[[str], None]) -> bool:
    command = [program(), "restore", "-if-replica-exists", "-integrity-check", "quick", "-o", str(target), url]
    with tempfile.TemporaryFile("w+") as said:
        process, told = subprocess.Popen(command, stdout=said, stderr=said), time.monotonic()
        while process.poll() is None:
            time.sleep(0.02)
            if time.monotonic() - told > PROGRESS:
                size = sum(part.stat().st_size for part in target.parent.iterdir())
                say(f"  Fetching the data from the replica: {size / 1e6:.0f} MB so far ...")
                told = time.monotonic()
        said.seek(0)
        if process.returncode:
            raise Unreadable(said.read().strip().rpartition("\n")[2] or f"Litestream ended with {process.returncode}")
    return target.exists()


def _prepare(copy: Path) -> tuple[str, int]:
    """Leave room in the numbers; returns when it was last written to, and how many files belong to it."""
    db = connect(copy)
    try:
        db.execute("BEGIN IMMEDIATE")
        newest = health.newest_moment(db)
        count = files.take_stock(db, copy.parent)[0]
        events.leave_room(db)
        db.execute("COMMIT")
    finally:
        db.close()  # folds its WAL into the file
    folder.sync(copy)
    return newest, count
