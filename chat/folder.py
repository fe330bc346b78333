"""The data folder: what is kept in it, who uses it just now, and how all of it is replaced at once.

Users hold a kernel lock, which ends with the last process that holds it, however that ends. A replacement is made
ready in a folder of its own and then takes one rename; whoever opens the data folder next finishes what a kill cut off.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

DATABASE, KEY, FILES = "chat.sqlite", "secret.key", "files"
KEPT = (FILES, KEY, DATABASE)
"""What a backup holds and a restore replaces. The database comes last, so that what it speaks of is there."""
SNAPSHOTS = "snapshots"
DROPPED = "restore.zip"
"""A backup that is put into the folder under this name is restored at the next start."""
LOCK = "server.lock"
PATIENCE = 1.5  # seconds for a server that is just stopping: workers whose master was killed notice within one
_INCOMING, _SWAP = "incoming-", "swap-"


class Busy(Exception):
    """Somebody else holds the lock; the text says what to do."""


@contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the kernel lock of that file, which is made when missing. Raises Busy when others hold it."""
    held = _take(path, fcntl.LOCK_EX, wait)
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def used(folder: Path) -> Iterator[None]:
    """Use the folder beside others, as a running server does. Raises Busy while a restore is under way."""
    held = _enter(folder)
    try:
        yield
    finally:
        os.close(held)


def occupy(folder: Path) -> None:
    """Use the folder until this process and all its children have ended: for a server. Raises Busy."""
    _enter(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Have the folder for oneself. Raises Busy when a server, or another command, uses it for longer than PATIENCE."""
    held, until = None, monotonic() + PATIENCE
    while held is None:
        try:
            held = _take(folder / LOCK, fcntl.LOCK_EX)
        except Busy:
            if monotonic() > until:
                raise Busy(f"{folder} is in use. Stop the server (or the other command), then try again.") from None
            sleep(0.05)
    try:
        _finish(folder)
        for left in folder.glob(f"{_INCOMING}*"):
            shutil.rmtree(left)
        yield
    finally:
        os.close(held)


def _enter(folder: Path) -> int:
    try:
        if any(folder.glob(f"{_SWAP}*")):
            with lock(folder / LOCK):
                _finish(folder)
        return _take(folder / LOCK, fcntl.LOCK_SH)
    except Busy:
        raise Busy(f"A restore is under way in {folder}. Try again when it has ended.") from None


def _take(path: Path, how: int, wait: bool = False) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        own(path)
        fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Busy(f"{path} is locked.") from None
    return handle


@contextmanager
def incoming(folder: Path) -> Iterator[Path]:
    """A place to make ready what is to come in; empty again afterwards, whatever happens."""
    place = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def swap(folder: Path, place: Path, aside: str) -> None:
    """Put what lies in `place` where it belongs; what was there before goes to the snapshot `aside`.

    To be called with the folder for oneself. A kill leaves all of the old, or what the next who
    comes makes all of the new.
    """
    for path in (place, *place.rglob("*")):
        own(path)
        sync(path)
    place.rename(folder / f"{_SWAP}{aside}")
    sync(folder)
    _finish(folder)


def _finish(folder: Path) -> None:
    for place in folder.glob(f"{_SWAP}*"):
        aside = folder / SNAPSHOTS / place.name.removeprefix(_SWAP)
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in KEPT:
            if (place / name).exists():
                _exchange(folder / name, place / name, aside)
        if not any(aside.iterdir()):
            aside.rmdir()
        for path in (folder / SNAPSHOTS, aside):
            if path.exists():
                own(path)
        place.rmdir()
        sync(folder)


def _exchange(old: Path, new: Path, aside: Path) -> None:
    """The database is there at every moment: the old one is linked aside, then the new one takes its name."""
    kept = aside / old.name
    if old.exists() and not kept.exists():
        if old.is_dir():
            old.rename(kept)
        else:
            _link(old, kept)
    for rest in (old.with_name(f"{old.name}-wal"), old.with_name(f"{old.name}-shm")):
        if rest.exists():
            rest.rename(aside / rest.name)
    sync(aside)
    new.replace(old)
    sync(old.parent)


def _link(old: Path, kept: Path) -> None:
    try:
        os.link(old, kept)
    except OSError:  # a file system without hard links
        old.rename(kept)


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def own(path: Path) -> None:
    """What root makes in the data folder belongs to the folder's owner, or the server could not use it."""
    if os.geteuid() == 0:
        there = path.parent.stat()
        os.chown(path, there.st_uid, there.st_gid)
