"""Live: who waits, who is woken, and the one stream behind socket and poll.

A wake-up carries no data, it says "look again": a lost or doubled one is harmless. After a commit one
query tells whose conversation changed, and only those readers look.
"""

import logging
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

import gevent
from gevent.event import Event as Signal

from chat import accounts, conversations, events, fragments, states
from chat.db import StorageError, Store, Tx
from chat.events import Feed
from chat.fragments import Batch

OTHER_WORKERS = 0.05  # seconds between looks for commits of other processes
ALONE = 1.0  # the same with one worker: only commands write beside it


class Reader(Protocol):
    """Who reads a stream. `feed` raises Gone when the right to read has ended."""

    def feed(self, rx: Tx) -> Feed: ...
    def here(self, feed: Feed) -> None: ...
    def leave(self) -> None: ...
    def signal(self, told: dict[str, Any]) -> None: ...


class Sink(Protocol):
    """Where a stream goes: a socket, or a poll's one answer."""

    event: Any

    @property
    def open(self) -> bool: ...
    @property
    def unread(self) -> bool: ...
    def patience(self) -> float: ...
    def send(self, batch: Batch) -> None: ...
    def idle(self, batch: Batch) -> None: ...
    def signals(self) -> Iterable[dict[str, Any]]: ...


_NOBODY = "nobody"  # the key of who waits for nothing
log = logging.getLogger("porchlight.live")


class Gone(Exception):
    """The reader may not read (any more): not signed in, signed out, revoked."""


def _key(feed: Feed) -> Hashable:
    return ("site", feed.site_id) if feed.audience == "agents" else feed.conversation_id


class Live:
    """The readers of one process."""

    def __init__(self, store: Store, workers: int) -> None:
        self.stopping = False
        self._store = store
        self._patience = OTHER_WORKERS if workers > 1 else ALONE
        self._waiting: defaultdict[Hashable, set[Any]] = defaultdict(set)
        self._commit = Signal()
        store.after_commit.append(self._commit.set)

    def start(self) -> None:
        """Watch for commits from here on."""
        with self._store.read() as rx:
            self._seen = self._newest(rx)
            self._home = accounts.home(rx)
        gevent.spawn(self._watch)

    def stop(self) -> None:
        """Tell every stream to end; sockets close with 1012, polls answer."""
        self.stopping = True
        self.look_again()

    def look_again(self) -> None:
        """Have every stream look its rights up again: somebody signed out."""
        self._wake(list(self._waiting))

    def stream(self, reader: Reader, cursor: int, state: str | None, sink: Sink) -> None:
        """Feed the sink until it closes, the server stops, or the reader is Gone. Looks at least once.

        `idle` gets the batch when there was nothing to send: after the first look, and whenever the sink's
        patience is over.
        """
        key, rested, first = _NOBODY, True, True
        try:
            while True:
                sink.event.clear()  # before looking: what happens from here on wakes again
                for told in sink.signals():
                    reader.signal(told)
                with self._store.read() as rx:
                    feed = reader.feed(rx)
                    key = self._move(key, _key(feed), sink.event)
                    batch = fragments.batch(rx, feed, cursor, state, named=first)
                if batch.news:
                    sink.send(batch)
                elif rested:
                    sink.idle(batch)
                cursor, state, first = batch.cursor, batch.state, False
                reader.here(feed)
                if not sink.open or self.stopping:
                    return
                rested = not (batch.more or sink.unread) and not sink.event.wait(sink.patience())
        finally:
            reader.leave()
            self._move(key, _NOBODY, sink.event)
            self._waiting[_NOBODY].discard(sink.event)

    def _move(self, old: Hashable, new: Hashable, event: Any) -> Hashable:
        if new != old:
            self._waiting[old].discard(event)
            if not self._waiting[old]:
                del self._waiting[old]
            self._waiting[new].add(event)
        return new

    def _watch(self) -> None:
        while True:
            self._commit.wait(self._patience)
            self._commit.clear()
            if self.stopping:
                return
            try:
                self._look()
            except StorageError as error:  # the next look may go well; without one nobody would wake again
                log.error("Nobody could be woken: %s", error)

    def _look(self) -> None:
        with self._store.read() as rx:
            home, newest = accounts.home(rx), self._newest(rx)
            if (home, newest) == (self._home, self._seen):
                return
            changed = events.changed_since(rx, self._seen[0]) | states.changed_since(rx, self._seen[1])
        first_of_new = max(changed, default=0) > self._seen[2]
        keys: set[Hashable] = changed | {key for key in self._waiting if isinstance(key, tuple)}
        if first_of_new:
            keys.add(None)  # a session without a conversation may have one now
        if home != self._home:
            keys = set(self._waiting)
        self._seen, self._home = newest, home
        self._wake(keys)

    def _newest(self, rx: Tx) -> tuple[int, int, int]:
        return events.newest(rx), states.version(rx), conversations.newest(rx)

    def _wake(self, keys: Iterable[Hashable]) -> None:
        for key in keys:
            for event in self._waiting.get(key, ()):
                event.set()
