"""One SQLite file: many readers on the loop, one writer in a real thread, several writes to a commit.

A write waits for its commit's fsync, so whoever got a result may say "it is on disk". The writer is a
real thread because a lock wait inside a greenlet freezes the whole worker (measured: 2.0 s, against
0.07 s for others when a thread waits). Many writes share one fsync: `synchronous=FULL` costs little.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.event import AsyncResult
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

T = TypeVar("T")
Tx = Database
"""A transaction's connection; who holds one may write. Readers get the same type, opened read-only."""

BATCH = 256
LOCK_WAIT = 5.0  # seconds to wait for a lock that another program holds
log = logging.getLogger("porchlight.db")
_SimpleQueue = monkey.get_original("queue", "SimpleQueue")
_start_thread = monkey.get_original("_thread", "start_new_thread")
_Lock = monkey.get_original("_thread", "allocate_lock")


class StorageError(Exception):
    """The database could not be read or written (locked, disk full, damaged): nothing was stored."""


def connect(path: Path, *, readonly: bool = False) -> Database:
    """Open the file with the pragmas that every connection needs; transactions are begun by hand."""
    connection = sqlite3.connect(
        f"file:{path}?mode={'ro' if readonly else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=LOCK_WAIT,
    )
    connection.row_factory = sqlite3.Row
    if not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return Database(connection)


def engine() -> tuple[str, bool]:
    """SQLite's version, and whether it is free of the WAL-reset bug (mended in 3.51.3)."""
    version = sqlite3.sqlite_version
    return version, tuple(int(part) for part in version.split(".")) >= (3, 51, 3)


class _Write:
    """One queued function, with the place where its result will lie."""

    __slots__ = ("answer", "error", "run", "value")

    def __init__(self, run: Callable[[Tx], Any]) -> None:
        self.run, self.answer = run, AsyncResult()
        self.value: Any = None
        self.error: BaseException | None = None

    def finish(self) -> None:
        if self.error is None:
            self.answer.set(self.value)
        else:
            self.answer.set_exception(self.error)


class Store:
    """The database of one process: `read()` for a consistent view, `write(fn)` for a durable change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None
        """Why the last commit failed, for the owner to read; None when it went well."""
        self.after_commit: list[Callable[[], None]] = []
        self._closing = False
        self._idle: list[Database] = []
        self._queue: Any = _SimpleQueue()
        self._closed = _Lock()
        self._closed.acquire()
        self._done: deque[_Write] = deque()
        self._bell = gevent.get_hub().loop.async_()  # the one thing of a loop that another thread may touch
        self._bell.start(self._announce)
        self._writer = connect(path)
        _start_thread(self._work, ())

    @contextmanager
    def read(self) -> Iterator[Database]:
        """One read transaction: everything asked inside sees the same instant. StorageError once closed."""
        if self._closing:
            raise StorageError("the server is stopping")
        rx = self._idle.pop() if self._idle else connect(self.path, readonly=True)
        try:
            rx.execute("BEGIN")
            yield rx
        except sqlite3.Error as error:
            rx.close()
            raise StorageError(str(error)) from error
        except BaseException:
            self._rest(rx)
            raise
        self._rest(rx)

    def _rest(self, rx: Database) -> None:
        rx.execute("COMMIT")
        if self._closing:
            rx.close()
        else:
            self._idle.append(rx)

    def write(self, run: Callable[[Tx], T]) -> T:
        """Run `run(tx)` in the writer and wait until its commit is on disk.

        An exception of `run` undoes that run alone and is raised here. StorageError means that the
        commit failed and nothing was stored.
        """
        if self._closing:
            raise StorageError("the server is stopping")
        write = _Write(run)
        self._queue.put(write)
        return write.answer.get()

    def close(self) -> None:
        """Finish what is queued, then close. The last connection to close folds the WAL into the file."""
        self._closing = True
        self._queue.put(None)
        self._closed.acquire()
        for rx in self._idle:
            rx.close()

    def _work(self) -> None:
        open_for_work = True
        while open_for_work:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            open_for_work = None not in batch
            writes = [write for write in batch if write is not None]
            if writes:
                self._commit(writes)
        self._writer.close()
        self._closed.release()

    def _commit(self, writes: list[_Write]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for write in writes:
                self._run(write)
            self._writer.execute("COMMIT")
            self.trouble = None
        except Exception as error:
            self._abandon(writes, error)
        self._done.extend(writes)
        self._bell.send()

    def _run(self, write: _Write) -> None:
        tx = self._writer
        tx.execute("SAVEPOINT one")
        try:
            write.value = write.run(tx)
        except Exception as error:
            if not tx.conn.in_transaction:  # a full disk ends the whole transaction by itself
                raise
            write.error = error
            tx.execute("ROLLBACK TO one")
        tx.execute("RELEASE one")

    def _abandon(self, writes: list[_Write], error: Exception) -> None:
        if self._writer.conn.in_transaction:
            self._writer.execute("ROLLBACK")
        if self.trouble != str(error):
            log.error("Nothing can be stored: %s", error)
        self.trouble = str(error)
        for write in writes:
            write.error = StorageError(str(error))

    def _announce(self) -> None:
        while self._done:
            self._done.popleft().finish()
        for callback in self.after_commit:
            callback()
