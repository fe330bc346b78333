"""Snapshots: the database as it was before a migration, a restore or a rollback, in a folder each."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chat import copies, folder
from chat.copies import Tell, UnusableDatabase

KEPT = 5
REASONS = {
    "before-upgrade": "before an upgrade",
    "before-restore": "before a restore",
    "before-rollback": "before a rollback",
}
_TIME = "%Y-%m-%dT%H-%M-%S.%f"
_HALF = ".half-"


@dataclass(frozen=True, order=True)
class Snapshot:
    """One snapshot; they sort by time."""

    made_at: datetime
    path: Path
    version: str
    """The Porchlight that had used the data last; empty for the first, which did not say."""
    reason: str

    @property
    def name(self) -> str:
        """By which it is asked for."""
        return self.path.name

    @property
    def database(self) -> Path:
        """The copy of the database."""
        return self.path / folder.DATABASE

    def __str__(self) -> str:
        by = f"version {self.version}" if self.version else "the first version"
        return f"{self.made_at:%-d %b %Y, %H:%M:%S} UTC, {REASONS[self.reason]}, data of {by}"


def name(version: str, reason: str) -> str:
    """What a snapshot that is made now is called: when, by which version's data, why."""
    return f"{datetime.now(UTC).strftime(_TIME)[:-3]}Z_{version or 'first'}_{reason}"


def of(path: Path) -> Snapshot | None:
    """The snapshot in that folder, if it is one."""
    made_at, _, rest = path.name.partition("_")
    version, _, reason = rest.partition("_")
    if reason not in REASONS or not (path / folder.DATABASE).exists():
        return None
    moment = datetime.strptime(made_at.rstrip("Z"), _TIME)
    return Snapshot(moment, path, "" if version == "first" else version, reason)


def every(data: Path) -> list[Snapshot]:
    """All of the data folder, the newest first."""
    place = data / folder.SNAPSHOTS
    found = [of(path) for path in place.iterdir()] if place.exists() else []
    return sorted((each for each in found if each), reverse=True)


def find(data: Path, asked: str | None) -> Snapshot:
    """The snapshot of that name, or the newest. Raises UnusableDatabase when there is none."""
    there = every(data)
    if not there:
        raise UnusableDatabase(f"There is no snapshot in {data / folder.SNAPSHOTS} yet: nothing to go back to.")
    for each in there:
        if asked in (None, each.name):
            return each
    raise UnusableDatabase(f"There is no snapshot {asked!r}. `rollback --list` names those that there are.")


@contextmanager
def turn(data: Path) -> Iterator[None]:
    """Wait for one's turn to change the tables: two servers that start at once must not both do it."""
    place = data / folder.SNAPSHOTS
    place.mkdir(mode=0o700, exist_ok=True)
    folder.own(place)
    with folder.lock(place / ".lock", wait=True):
        for half in place.glob(f"{_HALF}*"):
            shutil.rmtree(half)
        yield


def take(database: Path, tell: Tell) -> Snapshot:
    """Keep a checked copy of the database, beside a server that may be running. In one's turn.

    Raises UnusableDatabase or NoRoom: then nothing was changed, and nothing half is left.
    """
    place = database.parent / folder.SNAPSHOTS
    half = place / f"{_HALF}{datetime.now(UTC):%H%M%S%f}"
    half.mkdir(mode=0o700)
    try:
        version = copies.copy(database, half / folder.DATABASE, tell).version
        key = database.with_name(folder.KEY)
        if key.exists():
            shutil.copyfile(key, half / folder.KEY)
            (half / folder.KEY).chmod(0o600)
        for path in (half, *half.iterdir()):
            folder.own(path)
            folder.sync(path)
        made = half.rename(place / name(version, "before-upgrade"))
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    folder.sync(place)
    prune(database.parent, spare=made.name)
    found = of(made)
    assert found is not None
    return found


def prune(data: Path, spare: str = "") -> None:
    """Keep the newest five, and the one that is in use."""
    for old in every(data)[KEPT:]:
        if old.name != spare:
            shutil.rmtree(old.path)
