"""One SQLite file: many readers, one writer, several writes to a commit.

A write waits for its commit's fsync, so whoever got a result may say "it is on disk". What can take long, waiting
for another program's lock and the fsync, happens in a real thread: in a greenlet it freezes the whole worker
(measured: 2.0 s, against 0.07 s for others when a thread waits). The statements themselves run on the loop: in a
thread each of them would wait for the interpreter's lock (measured: 400 messages/s, against 1,500 this way).
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar
from urllib.parse import quote

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from chat import metrics

T = TypeVar("T")
Tx = Database
"""A transaction's connection; who holds one may write. Readers get the same type, opened read-only."""

SICK = frozenset((5, 6, 7, 8, 10, 11, 13, 14, 26))
"""SQLite's codes for BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: the fault of the disk, or
of another program, and of no statement."""
BATCH = 64  # writes to a commit: they run on the loop, some 100 us each
LOCK_WAIT = 5.0  # seconds to wait for a lock that another program holds
log = logging.getLogger("porchlight.db")


class StorageError(Exception):
    """The database could not be read or written (locked, disk full, damaged): nothing was stored."""


def is_sick(error: Exception) -> bool:
    """Whether the database could not do what any statement asks of it, so that it may work later."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in SICK


def connect(path: Path, *, readonly: bool = False) -> Database:
    """Open the file with the pragmas that every connection needs; transactions are begun by hand."""
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={'ro' if readonly else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=LOCK_WAIT,
    )
    connection.row_factory = sqlite3.Row
    if not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is zeros in the file, not only free space
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return Database(connection)


def engine() -> tuple[str, bool]:
    """SQLite's version, and whether it is free of the WAL-reset bug (mended in 3.51.3)."""
    version = sqlite3.sqlite_version
    return version, tuple(int(part) for part in version.split(".")) >= (3, 51, 3)


class _Write:
    """One queued function, with the place where its result will lie."""

    __slots__ = ("error", "finish", "run", "until", "value")

    def __init__(self, run: Callable[[Tx], Any], finish: Callable[["_Write"], object]) -> None:
        self.run, self.finish = run, finish
        self.until = monotonic() + LOCK_WAIT
        self.value: Any = None
        self.error: Exception | None = None


class Store:
    """The database of one process: `read()` for a consistent view, `write(fn)` for a durable change."""

    def __init__(self, path: Path, *, checkpoints: bool = True) -> None:
        """`checkpoints` off: somebody else folds the WAL into the file (Litestream, which must see all of it first)."""
        self.path = path
        self.trouble: str | None = None
        """Why the last commit failed, for the owner to read; None when it went well."""
        self.after_commit: list[Callable[[], None]] = []
        self._closing = False
        self._idle: list[Database] = []
        self._queue: deque[_Write] = deque()
        self._asked = Event()
        self._aside = ThreadPool(1)
        self._writer = connect(path)
        self._writer.execute("PRAGMA busy_timeout = 0")
        if not checkpoints:
            self._writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._watcher = connect(path, readonly=True)
        self._work = gevent.spawn(self._write_on)

    @contextmanager
    def read(self) -> Iterator[Database]:
        """One read transaction: everything asked inside sees the same instant. StorageError once closed."""
        if self._closing:
            raise StorageError("the server is stopping")
        rx = None
        try:
            rx = self._idle.pop() if self._idle else connect(self.path, readonly=True)
            rx.execute("BEGIN")
            yield rx
        except sqlite3.Error as error:
            if rx:
                rx.close()
            raise StorageError(str(error)) from error
        except BaseException:
            self._rest(rx)
            raise
        self._rest(rx)

    def _rest(self, rx: Database) -> None:
        try:
            rx.execute("COMMIT")
        except sqlite3.Error as error:  # a sick disk has ended the transaction by itself
            rx.close()
            raise StorageError(str(error)) from error
        if self._closing:
            rx.close()
        else:
            self._idle.append(rx)

    def version(self) -> int:
        """A number that changes with every commit of any process; asking costs 2 us."""
        try:
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StorageError(str(error)) from error

    def write(self, run: Callable[[Tx], T]) -> T:
        """Run `run(tx)` in the writer and wait until its commit is on disk. `run` must not switch greenlets; it speaks
        the caller's language.

        An exception of `run` undoes that run alone and is raised here. StorageError means that a statement or the
        commit failed by the disk's fault, and nothing was stored.
        """
        answer = AsyncResult()

        def finish(write: _Write) -> None:
            if write.error:
                answer.set_exception(write.error)
            else:
                answer.set(write.value)

        self._enqueue(_Write(partial(copy_context().run, run), finish))
        return answer.get()

    def post(self, run: Callable[[Tx], object], done: Callable[[], object] = lambda: None) -> None:
        """The same without waiting, for state that heals by itself; `done` is called whatever came of it.
        StorageError only when closed."""

        def finish(write: _Write) -> None:
            if write.error and not isinstance(write.error, StorageError):  # of those the store has logged why
                log.error("A write that nobody waits for failed", exc_info=write.error)
            done()

        self._enqueue(_Write(run, finish))

    def _enqueue(self, write: _Write) -> None:
        if self._closing:
            raise StorageError("the server is stopping")
        self._queue.append(write)
        self._asked.set()

    def close(self) -> None:
        """Finish what is queued, then close. The last connection to close folds the WAL into the file."""
        self._closing = True
        self._asked.set()
        self._work.join()
        for connection in (*self._idle, self._watcher, self._writer):
            connection.close()

    def _write_on(self) -> None:
        while self._queue or not self._closing:
            self._asked.wait()
            self._asked.clear()
            while self._queue:
                self._commit([self._queue.popleft() for _ in range(min(len(self._queue), BATCH))])

    def _commit(self, writes: list[_Write]) -> None:
        began = perf_counter()
        try:
            self._begin(writes[0].until)  # the oldest: who came later has a try of its own when that time is over
        except Exception as error:
            locked = "locked" in str(error)
            late = [write for write in writes if locked and write.until > monotonic()]
            self._queue.extendleft(reversed(late))
            writes = writes[: len(writes) - len(late)]
            self._abandon(writes, error)
            return self._finish(writes)
        try:
            for write in writes:
                self._run(write)
            self._aside_do("COMMIT")
            metrics.committed(len(writes), perf_counter() - began)
            self.trouble = None
        except Exception as error:
            self._abandon(writes, error)
        self._finish(writes)

    def _finish(self, writes: list[_Write]) -> None:
        for callback in self.after_commit:  # first: whoever waits for news has waited longer than who brought it
            callback()
        for write in writes:
            write.finish(write)

    def _begin(self, until: float) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # another process writes: wait for it aside
            try:
                left = max(0.0, until - monotonic())
                self._aside_do(f"PRAGMA busy_timeout = {left * 1000:.0f}", "BEGIN IMMEDIATE")
            finally:
                self._writer.execute("PRAGMA busy_timeout = 0")

    def _aside_do(self, *statements: str) -> None:
        error = self._aside.apply(self._attempt, (statements,))
        if error:
            raise error

    def _attempt(self, statements: tuple[str, ...]) -> Exception | None:
        """In the thread; an error comes back as a value, since gevent prints what a thread raises."""
        try:
            for statement in statements:
                self._writer.execute(statement)
        except sqlite3.Error as error:
            return error
        return None

    def _run(self, write: _Write) -> None:
        tx = self._writer
        tx.execute("SAVEPOINT one")
        try:
            write.value = write.run(tx)
        except Exception as error:
            if not tx.conn.in_transaction:  # a full disk ends the whole transaction by itself
                raise
            write.error = StorageError(str(error)) if is_sick(error) else error
            tx.execute("ROLLBACK TO one")
        tx.execute("RELEASE one")

    def _abandon(self, writes: list[_Write], error: Exception) -> None:
        with suppress(sqlite3.Error):
            if self._writer.conn.in_transaction:
                self._writer.execute("ROLLBACK")
        metrics.commit_failed()
        if self.trouble != str(error):
            log.error("Nothing can be stored: %s", error)
        self.trouble = str(error)
        for write in writes:
            write.error = StorageError(str(error))
