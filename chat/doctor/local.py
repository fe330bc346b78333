"""What can be looked at without the server: the database, the disk, the clock, the folder."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from chat import clock, events, files, schema, text
from chat.config import Settings
from chat.db import connect, engine
from chat.doctor import Check, Finding, Looks, ok, problem, warning

LITTLE = 100 * 1024 * 1024  # bytes of free disk under which messages are soon refused
AHEAD = 5.0  # seconds by which a clock may be wrong
RESTORE = "Stop the server, move the file away, and restore a backup in its place."


def checks(settings: Settings, thorough: bool, clock_shift: float = 0.0) -> list[Check]:
    """The local checks. `thorough` reads indexes too (seconds, with a million messages); `clock_shift` is by how
    much the clock was turned while the server ran."""
    database = settings.database
    if not database.exists():
        return [Check("Database", partial(_missing, settings.chat_data))]
    return [
        Check("Database", partial(_opened, database, partial(_sound, thorough))),
        Check("Version", partial(_opened, database, _version)),
        Check("Files", partial(_opened, database, partial(_files, settings))),
        Check("Disk space", partial(space, settings.chat_data)),
        Check("Data folder", partial(folder, settings.chat_data)),
        Check("Clock", partial(_opened, database, partial(_clock, settings.chat_data, clock_shift))),
    ]


def of_features(settings: Settings, looks: Iterable[Looks]) -> list[Check]:
    """What the features have looked at, where there is a database that can be read."""
    try:
        with opened(settings.database) as rx:
            return [check for look in looks for check in look(settings, rx)]
    except sqlite3.DatabaseError:
        return []


def _missing(data: Path) -> Finding:
    return problem(f"There is no database in {data}.", "", "Is CHAT_DATA right? The first start makes one.")


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database, to be read. Where none is at work on it, no file is made beside it: with `sudo` it would belong to
    another user than the server's, which then could not start."""
    if path.with_name(f"{path.name}-wal").exists():
        db = connect(path, readonly=True)
    else:
        still = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        db = Database(sqlite3.connect(still, uri=True, isolation_level=None))
        db.conn.row_factory = sqlite3.Row
    try:
        yield db
    finally:
        db.close()


def _opened(path: Path, look: Callable[[Database], Finding]) -> Finding:
    try:
        with opened(path) as db:
            return look(db)
    except sqlite3.DatabaseError as error:
        return problem(f"{path.name} can't be read: {error}.", "It is damaged, locked, or no database at all.", RESTORE)


def _sound(thorough: bool, db: Database) -> Finding:
    told = [row[0] for row in db.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(5)").fetchall()]
    if told != ["ok"]:
        return problem(
            f"The database is damaged: {'; '.join(told)}.", "A disk fault, or a copy made while it ran.", RESTORE
        )
    orphans = db.execute("PRAGMA foreign_key_check").fetchone() if thorough else None
    if orphans:
        return problem(f"A row of {orphans[0]} belongs to nothing.", "Something else wrote to the file.", RESTORE)
    messages = db.execute("SELECT max(id) FROM messages").fetchone()[0] or 0
    bytes_used = db.execute("PRAGMA page_count").fetchone()[0] * db.execute("PRAGMA page_size").fetchone()[0]
    return ok(f"Sound: {text.size(bytes_used)}." if messages else f"Sound, and empty so far: {text.size(bytes_used)}.")


def _version(db: Database) -> Finding:
    applied = {migration.name for migration in schema.migrations.applied(db)}
    known = {migration.name for migration in schema.migrations.pending(Database(memory=True))}
    if applied - known:
        return problem(
            f"The database was last used by a newer Porchlight (it has the change {min(applied - known)!r}).",
            "This version would harm it, so it does not start on it.",
            "Install that version again, or restore a backup made by this one.",
        )
    if known - applied:
        number = len(known - applied)
        return warning(
            f"The database lacks {number} change{'s' if number > 1 else ''} of this version.",
            "It was last used by an older one.",
            "The next start brings it up to date.",
        )
    version, sound = engine()
    if not sound:
        return warning(
            f"SQLite {version} has a rare fault in WAL mode, mended in 3.51.3.",
            "",
            "`pip install pysqlite3` brings a newer one.",
        )
    return ok(f"Tables up to date; SQLite {version}.")


def _files(settings: Settings, db: Database) -> Finding:
    count, gone = files.take_stock(db, settings.chat_data)
    if not count:
        return ok("No message came with one yet.")
    if gone:
        named = ", ".join(text.line(name, 40) for name in gone[:3])
        return problem(
            f"{len(gone)} of {count} files that came with messages are not in the data folder: {named}"
            f"{' and more' if len(gone) > 3 else ''}.",
            "The links to them lead nowhere. A replica holds the database alone.",
            "Put the folder `files` of a backup in its place.",
        )
    if settings.chat_replica:
        why = "The replica holds the database alone, so they would be lost with this machine's disk."
        return warning(
            f"All {count} files are there, but not in the replica.", why, "Make a `backup` from time to time."
        )
    return ok(f"All {count} that came with messages are there.")


def space(data: Path) -> Finding:
    """Whether the disk has room: for messages, and for a copy of the database (a backup, a snapshot, a restore)."""
    free = shutil.disk_usage(data).free
    used = sum(file.stat().st_size for file in data.glob("chat.sqlite*"))
    if free < LITTLE:
        return problem(
            f"Only {text.size(free)} are free on the disk of the data folder.",
            "When it is full, messages are refused (visitors keep theirs, and send them again).",
            "Make room, or move the data folder to a larger disk.",
        )
    if free < 2 * used:
        return warning(
            f"{text.size(free)} are free, and the database has {text.size(used)}.",
            "A backup, a snapshot or a restore needs room for a copy of it.",
            "Make room soon.",
        )
    return ok(f"{text.size(free)} free; the database has {text.size(used)}.")


def folder(data: Path) -> Finding:
    """Whether what lies in the folder can be written, and by nobody else."""
    try:
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        return problem(
            f"{data} can't be written to: {error.strerror}.",
            "The server's user has no right to, or the disk is mounted read-only.",
            f"Give it to the user who runs the server: `chown -R <user> {data}`.",
        )
    locked = [path.name for path in data.rglob("*") if not os.access(path, os.W_OK)]
    if locked:
        return problem(
            f"{locked[0]} in the data folder can't be written to.",
            "It belongs to another user: a command was run as root, or a backup was restored by one.",
            f"Give it to the user who runs the server: `chown -R <user> {data}`.",
        )
    if data.stat().st_mode & 0o077:
        return warning(
            "Other users of this machine can look into the data folder.", "", f"Close it: `chmod 700 {data}`."
        )
    return ok("Writable, and closed to other users.")


def _clock(data: Path, shift: float, db: Database) -> Finding:
    with tempfile.NamedTemporaryFile(dir=data) as file:
        disk = os.stat(file.name).st_mtime - time.time()
    if abs(disk) > AHEAD:
        return warning(
            f"The disk's clock differs from this machine's by {abs(disk):.0f} seconds.",
            "The data folder lies on another machine.",
            "Let both keep time by NTP.",
        )
    if abs(shift) > AHEAD:
        return warning(
            f"The clock was turned by {shift:+.0f} seconds while the server ran.",
            "Times on messages from before and after do not fit together.",
            "Let the machine keep time by NTP (`timedatectl set-ntp true`).",
        )
    last = db.execute("SELECT created_at FROM events WHERE id = ?", [events.newest(db)]).fetchone()
    ahead = (clock.parse(last[0]) - datetime.now(UTC)).total_seconds() if last else 0.0
    if ahead > AHEAD:
        return problem(
            f"The newest message is from the future, by {ahead:,.0f} seconds.",
            "The clock is behind, or was ahead when it was written.",
            "Set the clock (`timedatectl`). Messages keep their order whatever it says; sign-ins and times do not.",
        )
    return ok(f"{clock.moment(clock.now())}.")
