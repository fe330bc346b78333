"""Live: who waits, who is woken, and the one stream behind socket and poll.

A wake-up carries no data, it says "look again": a lost or doubled one is harmless. After a commit one query tells
whose conversation changed, and only those readers look; what several of them wait for is asked and drawn once.
"""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable
from time import monotonic, perf_counter

import gevent
from gevent.event import Event as Signal

from chat import batches, conversations, events, metrics, people, porch, states
from chat.batches import Batch
from chat.bell import RIGHTS_CHANGED, Bell
from chat.db import StorageError, Store, Tx
from chat.events import Feed
from chat.streams import End, Gone, Reader, Sink

INBOXES = "inboxes"  # the one key under which all of them wait: each shows every site
OTHER_WORKERS = 0.1  # seconds between looks for commits of other processes, should their bell not have been heard
ALONE = 1.0  # the same with one worker: only commands write beside it
MANY = 5000  # changes since the last look: waking everybody is cheaper than asking who (a seed, a long sleep)
SHARE = 250  # connections that are fed before everything else has its turn
log = logging.getLogger("porchlight.live")


class Look:
    """One instant of the database, asked once for all who wait for the same."""

    def __init__(self, rx: Tx) -> None:
        self._rx = rx
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._batches: dict[tuple[Feed, int, str | None, bool], Batch] = {}

    def feed(self, reader: Reader) -> Feed:
        """What the reader may see now. Raises Gone."""
        wanted = reader.key, reader.language
        feed = self._feeds.get(wanted)
        if feed is None:
            feed = self._feeds[wanted] = reader.feed(self._rx)
        return feed

    def batch(self, feed: Feed, cursor: int, state: str | None, named: bool) -> Batch:
        """What a reader at that place lacks."""
        wanted = (feed, cursor, state, named)
        batch = self._batches.get(wanted)
        if batch is None:
            batch = self._batches[wanted] = batches.batch(self._rx, feed, cursor, state, named=named)
        return batch


def _key(feed: Feed, reader: Reader) -> Hashable:
    """For what a sink is woken; a visitor whose conversation has not begun waits for that."""
    return INBOXES if feed.audience == "agents" else feed.conversation_id or reader.key


class Live:
    """The waiting connections of one process, and the greenlet that feeds them all."""

    def __init__(self, store: Store, workers: int) -> None:
        self.stopping = False
        self.parked = 0
        """How many connections wait."""
        self._store = store
        self._patience = OTHER_WORKERS if workers > 1 else ALONE
        self._waiting: defaultdict[Hashable, set[Sink]] = defaultdict(set)
        self._ready: deque[Sink] = deque()
        self._stir = Signal()
        self._bell = Bell()
        self._news_since = 0.0
        store.after_commit += [self._note_news, self._stir.set, self._bell.ring]

    def start(self) -> None:
        """Watch for commits from here on."""
        self._version, self._looked = self._store.version(), monotonic()
        with self._store.read() as rx:
            self._seen, self._lights, self._places = self._newest(rx), porch.lights(rx), porch.queue(rx)
        self._bell.listen(self._heard)
        gevent.spawn(self._run)

    def stop(self) -> None:
        """End every stream; sockets close with 1012, polls answer."""
        self.stopping = True
        for sink in self._all():
            self._end(sink, End.RESTART)

    def join(self, sink: Sink) -> None:
        """A connection begins to wait."""
        self.parked += 1
        self._waiting[sink.key].add(sink)
        self.look_at(sink)

    def leave(self, sink: Sink) -> None:
        """It waits no more."""
        self.parked -= 1
        self._discard(sink)
        sink.reader.leave()

    def look_at(self, sink: Sink, *, news: bool = True) -> None:
        """Something may be new for this one; or it has only rested long enough."""
        sink.woken |= news
        self._queue(sink)
        self._stir.set()

    def _queue(self, sink: Sink) -> None:
        if not sink.queued:
            sink.queued = True
            self._ready.append(sink)

    def look_again(self) -> None:
        """Have every stream of every worker look its rights up again: somebody signed out."""
        self._wake(list(self._waiting))
        self._bell.ring(RIGHTS_CHANGED)

    def counts(self) -> Counter[str]:
        """How many sockets and polls wait."""
        return Counter(sink.kind for sink in self._all())

    def _all(self) -> list[Sink]:
        return [sink for sinks in self._waiting.values() for sink in sinks]

    def _note_news(self) -> None:
        self._news_since = self._news_since or perf_counter()

    def _heard(self, rights_changed: bool) -> None:
        self._note_news()
        if rights_changed:
            self._wake(list(self._waiting))
        self._stir.set()

    def _discard(self, sink: Sink) -> None:
        waiting = self._waiting[sink.key]
        waiting.discard(sink)
        if not waiting:
            del self._waiting[sink.key]

    def _run(self) -> None:
        while not self.stopping:
            if not self._ready:
                self._stir.wait(self._patience)
            self._stir.clear()
            try:
                self._look()
                self._feed_some()
            except StorageError as error:
                log.error("Nobody could be woken: %s", error)
                gevent.sleep(ALONE)
            except Exception:  # whatever it is: the next look may go well, and without one nobody would wake again
                log.exception("Nobody could be woken")
                gevent.sleep(ALONE)
            if self._ready:
                gevent.sleep(0.000_001)  # not 0, which only goes round among greenlets: sockets have their turn too

    def _feed_some(self) -> None:
        """Feed a share of those who are to be looked at, all from one instant."""
        if not self._ready:
            return
        with self._store.read() as rx:
            look = Look(rx)
            for _ in range(min(len(self._ready), SHARE)):
                sink = self._ready.popleft()
                sink.queued = False
                self._feed(sink, look)

    def _feed(self, sink: Sink, look: Look) -> None:
        try:
            if signals := sink.signals():
                sink.reader.listen(signals, sink.heard)
            if not sink.ready:
                return
            feed = look.feed(sink.reader)
            key = _key(feed, sink.reader)
            if isinstance(sink.key, int) and key != sink.key:
                sink.named = True  # their talk is another one now: however they came by their cursor, it is of no use
            self._move(sink, key)
            woken, sink.woken = sink.woken, False
            if woken:
                batch = look.batch(feed, sink.cursor, sink.state, sink.named)
            else:  # a wake-up is never lost within a process: for a heartbeat nothing has to be asked
                batch = batches.nothing(sink.cursor, sink.state)
            sink.reader.here(feed)
            sink.take(batch)
            if sink.since and batch.news:
                metrics.delivered(perf_counter() - sink.since)
            sink.since = 0.0
            if batch.more:
                self.look_at(sink)
        except Gone:
            self._end(sink, End.GONE)
        except Exception:  # one reader's trouble is nobody else's
            log.exception("A stream failed")
            self._end(sink, End.FAILED)

    def _end(self, sink: Sink, why: End) -> None:
        try:
            sink.end(why)
        except Exception:
            log.exception("A stream could not be ended")

    def _move(self, sink: Sink, key: Hashable) -> None:
        if key != sink.key:
            self._discard(sink)
            sink.key = key
            self._waiting[key].add(sink)

    def _look(self) -> None:
        """Queue whoever is touched by what was committed, here or elsewhere."""
        version, now, since = self._store.version(), monotonic(), self._news_since
        self._news_since = 0.0
        if version == self._version and now - self._looked < ALONE:
            return
        self._looked = now  # without a commit, too: somebody's presence may have worn off
        with self._store.read() as rx:
            lights, queue, newest = porch.lights(rx), porch.queue(rx), self._newest(rx)
            many = any(after - before > MANY for after, before in zip(newest, self._seen, strict=True))
            keys = set(self._waiting) if many or lights != self._lights else self._touched(rx)
        if queue != self._places:
            keys |= {*queue, *self._places}
        self._version, self._seen, self._lights, self._places = version, newest, lights, queue
        self._wake(keys, since)

    def _touched(self, rx: Tx) -> set[Hashable]:
        """Whose waiting is over: the conversations with news, those that began, and every inbox."""
        keys: set[Hashable] = {*events.changed_since(rx, self._seen[0]), *states.changed_since(rx, self._seen[1])}
        keys |= people.with_new_conversations(rx, self._seen[2])
        return keys | {INBOXES} if keys else keys

    def _newest(self, rx: Tx) -> tuple[int, int, int]:
        return events.newest(rx), states.version(rx), conversations.newest(rx)

    def _wake(self, keys: Iterable[Hashable], since: float = 0.0) -> None:
        for key in keys:
            for sink in self._waiting.get(key, ()):
                sink.woken = True
                sink.since = sink.since or since
                self._queue(sink)
        self._stir.set()
