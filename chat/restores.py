"""Restore and rollback: what is to come in is made ready and checked apart, then takes one rename."""

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chat import archives, copies, folder, schema, snapshots
from chat.copies import Contents, Tell
from chat.db import connect
from chat.snapshots import Snapshot


@dataclass(frozen=True)
class Restored:
    """What a restore or a rollback did."""

    contents: Contents
    """What is live now."""
    applied: tuple[str, ...]
    """The changes of the tables that were made on the way."""
    late: tuple[str, ...]
    """The changes that this version would make at its next start."""
    aside: str
    """The snapshot that keeps what was there before; empty when nothing was."""


def restore(data: Path, source: Path, tell: Tell = copies.silent) -> Restored:
    """Put an archive, or a bare database file of ours, in the place of what the data folder holds.

    Raises folder.Busy while a server runs, BadArchive, UnusableDatabase or NoRoom: then everything is as it was.
    """
    kind = archives.kind_of(source)
    with folder.alone(data), folder.incoming(data) as place:
        if kind == "archive":
            archives.unpack(source, place, tell)
            if (data / folder.FILES).exists():
                (place / folder.FILES).mkdir(mode=0o700, exist_ok=True)
            copies.check(place / folder.DATABASE, tell, named=source)
        else:
            copies.bring(source, place, tell)
            keys = [beside.with_name(folder.KEY) for beside in (source, data / folder.DATABASE)]
            _bring_beside(next((key for key in keys if key.exists()), keys[0]), place / folder.KEY)
        before, now = _wake(place / folder.DATABASE, upgrade=True)
        applied = tuple(name for name in now.migrations if name not in before.migrations)
        return Restored(now, applied, (), _swap(data, place, "before-restore"))


def roll_back(data: Path, snapshot: Snapshot, tell: Tell = copies.silent) -> Restored:
    """Put a snapshot in the place of what the data folder holds. It is not migrated: an older version is to use it.

    Raises folder.Busy while a server runs, UnusableDatabase or NoRoom: then everything is as it was.
    """
    with folder.alone(data), folder.incoming(data) as place:
        database = copies.bring(snapshot.database, place, tell)
        for name in (folder.KEY, folder.FILES):
            _bring_beside(snapshot.path / name, place / name)
        _, now = _wake(database, upgrade=False)
        late = tuple(name for name in schema.names() if name not in now.migrations)
        return Restored(now, (), late, _swap(data, place, "before-rollback", spare=snapshot.name))


def _bring_beside(source: Path, target: Path) -> None:
    with copies.explained(target):
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copyfile(source, target)
            target.chmod(0o600)


def _wake(database: Path, *, upgrade: bool) -> tuple[Contents, Contents]:
    """Make a copy fit to be the live database; returns what it held before and holds now."""
    with copies.explained(database), closing(connect(database)) as db:
        before = copies.contents(db)
        db.execute(f"PRAGMA application_id = {copies.MARK}")
        schema.refuse_newer(before.migrations)
        if upgrade:
            schema.migrate(db)
        else:
            schema.begin_anew(db)
        now = copies.contents(db)
        db.execute("PRAGMA journal_mode = DELETE")
    folder.sync(database)
    return before, now


def _swap(data: Path, place: Path, reason: str, spare: str = "") -> str:
    present = data / folder.DATABASE
    if present.exists():
        copies.fold(present)
    aside = snapshots.name(copies.last_version(present), reason)
    folder.swap(data, place, aside)
    snapshots.prune(data, spare=spare)
    return aside if (data / folder.SNAPSHOTS / aside).exists() else ""
