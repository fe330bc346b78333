"""The database brought up to date: which migrations it has, and what happens before and after."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from chat import __version__, copies, events, snapshots
from chat.copies import Tell, UnusableDatabase
from chat.db import connect
from chat.migrations import migrations
from chat.snapshots import Snapshot


class NewerDatabase(UnusableDatabase):
    """The file was written by a newer Porchlight: this one would harm it, so it does not start."""


def names() -> list[str]:
    """Every migration that is known here, in order."""
    return [migration.name for migration in migrations.pending(Database(memory=True))]


def refuse_newer(applied: Iterable[str]) -> None:
    """Raise NewerDatabase when one of these migrations is unknown here."""
    unknown = sorted(set(applied) - set(names()))
    if unknown:
        raise NewerDatabase(
            f"The database was last used by a newer Porchlight (it has the change {unknown[0]!r}, unknown here)."
            " Start that version, or restore a backup made by this one."
        )


def migrate(db: Database) -> None:
    """Bring the file up to date, and stamp our version on it. Raises NewerDatabase when it holds a migration
    unknown here, UnusableDatabase when one fails: that one is undone."""
    refuse_newer(migration.name for migration in migrations.applied(db))
    try:
        migrations.apply(db)
    except sqlite3.Error as error:
        failed, first = migrations.pending(db)[0].name, not migrations.applied(db)
        if first:
            raise UnusableDatabase(
                f"The database could not be made: {error}. Nothing is lost: there was none."
            ) from None
        raise UnusableDatabase(
            f"The change {failed} failed ({error}), and was undone. Run `rollback`, and start the version before."
        ) from None
    begin_anew(db)
    if copies.version_of(db) != __version__:
        db.execute(f"PRAGMA user_version = {copies.stamp(__version__)}")


def begin_anew(db: Database) -> None:
    """A copy that becomes the live database leaves room in its numbers, once."""
    if db.execute("PRAGMA application_id").fetchone()[0] == copies.MARK:
        with db.atomic():
            events.leave_room(db)
            db.execute("PRAGMA application_id = 0")


def prepare(path: Path, tell: Tell = copies.silent) -> Snapshot | None:
    """Make the file, or bring it up to date; before that, keep a snapshot, which is returned.

    Raises UnusableDatabase when it is newer, or no database at all, or when a change fails; NoRoom when the disk is
    too full for the snapshot. The file is then as it was.
    """
    advice = "Move it away, or restore a backup in its place."
    with snapshots.turn(path.parent), copies.explained(path, advice), closing(connect(path)) as db:
        applied = [migration.name for migration in migrations.applied(db)]
        refuse_newer(applied)
        late = migrations.pending(db) if applied else []
        snapshot = snapshots.take(path, tell) if late else None
        migrate(db)
        return snapshot
