"""Copies of the database: made beside a running server, from one instant, and looked through before they count.

A copy knows that it is one (its application id), so whoever first opens it as the live database, restored or just
dropped in, leaves room in the numbers of events: an old browser's cursor must stay unknown.
"""

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from chat import folder
from chat.db import connect

Tell = Callable[[str, int, int], None]
"""How far long work is: what is done just now, how much of it, of how much."""

MARK = 0x636F7079  # "copy"
STEP = 1024  # pages copied between two words about how far it is
COUNTED = ("sites", "agents", "persons", "conversations", "messages", "events")


class UnusableDatabase(Exception):
    """The file can't be used as it is; the text says why. It was left as it was."""


class NoRoom(Exception):
    """The disk is full, or would be; the text says which."""


@dataclass(frozen=True)
class Contents:
    """What a database holds."""

    version: str
    """The Porchlight that last used it; empty for the first, which did not say."""
    migrations: tuple[str, ...]
    counts: dict[str, int]

    def __str__(self) -> str:
        said = [f"{self.counts[name]:,} {name}" for name in ("conversations", "messages", "events")]
        return f"{said[0]}, {said[1]} and {said[2]}"


def silent(step: str, done: int, total: int) -> None:
    """For work that nobody watches."""


@contextmanager
def explained(path: Path, advice: str = "") -> Iterator[None]:
    """SQLite's errors about that file as UnusableDatabase or NoRoom, in words."""
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise NoRoom(f"There is no room left on the disk of {path.parent}.") from None
        raise UnusableDatabase(f"{path} can't be used: {error}. {advice}".rstrip()) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NoRoom(f"There is no room left on the disk of {path.parent}.") from None
        raise


def contents(rx: Database) -> Contents:
    """What the database holds. Raises UnusableDatabase when it is not one of ours."""
    ours = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'porchlight' ORDER BY id"
    try:
        migrations = tuple(row[0] for row in rx.execute(ours).fetchall())
        counts = {name: rx.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in COUNTED}
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        raise UnusableDatabase("This is a database of another program.") from None
    return Contents(version_of(rx), migrations, counts)


def version_of(rx: Database) -> str:
    """The version that is stamped on the database."""
    number = rx.execute("PRAGMA user_version").fetchone()[0]
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}" if number else ""


def last_version(path: Path) -> str:
    """The version that used that file last; empty for the first, and where the file says nothing."""
    try:
        with closing(connect(path, readonly=True)) as rx:
            return version_of(rx)
    except sqlite3.Error:
        return ""


def stamp(version: str) -> int:
    """A version as the number that a database carries."""
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    return major * 1_000_000 + minor * 1000 + patch


def copy(source: Path, target: Path, tell: Tell = silent) -> Contents:
    """A sound copy of a database that may be in use, in one file; nobody waits for it meanwhile.

    Raises UnusableDatabase when either is damaged or not ours, NoRoom when the disk is full.
    """
    with explained(target), closing(connect(source, readonly=True)) as rx:
        rx.execute("BEGIN")  # all of it is from this instant, whatever is written meanwhile
        found = contents(rx)
        with closing(sqlite3.connect(target, isolation_level=None)) as made:
            made.execute("PRAGMA synchronous = OFF")  # synced once, below
            rx.conn.backup(
                made, pages=STEP, progress=lambda _, left, all_: tell("Copying the database", all_ - left, all_)
            )
            made.execute("PRAGMA journal_mode = DELETE")
            made.execute(f"PRAGMA application_id = {MARK}")
    if check(target, tell, named=source) != found:
        raise UnusableDatabase(f"The copy of {source} does not hold what the original holds.")
    folder.sync(target)
    return found


def bring(source: Path, place: Path, tell: Tell = silent) -> Path:
    """Copy a database file, with what lies beside it unfinished, for use as the live one. The source stays untouched.

    Raises UnusableDatabase when it is damaged or not ours, NoRoom when the disk is full.
    """
    target = place / folder.DATABASE
    with explained(target):
        for rest in ("", "-wal", "-journal"):
            if (beside := source.with_name(source.name + rest)).exists():
                tell("Copying the database", 0, 1)
                shutil.copyfile(beside, target.with_name(target.name + rest))
    with explained(source), closing(connect(target)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    check(target, tell, named=source)
    return target


def check(path: Path, tell: Tell = silent, *, named: Path | None = None) -> Contents:
    """What the file holds, when all of it is sound. Raises UnusableDatabase, about `named` if that is given."""
    tell("Checking the database", 0, 1)
    with explained(named or path), closing(connect(path, readonly=True)) as rx:
        said = rx.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if said != "ok":
            raise UnusableDatabase(f"{named or path} is damaged: {said}.")
        found = contents(rx)
    tell("Checking the database", 1, 1)
    return found


def fold(path: Path) -> None:
    """Put the write-ahead log of a database that nobody uses back into its file, if that can be done. Raises
    UnusableDatabase when somebody uses it after all."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=1)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UnusableDatabase(f"Another program has {path} open. Stop it, then try again.") from None
    except sqlite3.Error:
        pass  # damaged: it is put aside as it is, log included
