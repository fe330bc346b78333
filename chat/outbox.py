"""The outbox: features follow `events` with a cursor of their own, and senders work off `deliveries`.

A handler runs in the transaction that moves its cursor: what it does to the database happens exactly once. What goes
over the network is a delivery: at least once. One failing feature stops only its own cursor.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from time import monotonic
from typing import NamedTuple

import gevent
from gevent.event import Event as Signal

from chat import clock, deliveries, events
from chat.db import StorageError, Store, Tx
from chat.deliveries import Delivery
from chat.events import Event

PACE = 0.2  # seconds between two looks of the handlers: five commits a second at most, however many write
LOOK = 0.05  # seconds between two looks for what is due, in all senders' name
IDLE = 1.0  # seconds after which everybody looks anyway: another process may have written
STEP = 500  # events handled in one transaction
FAR = 5000  # events that concern nobody, after which the cursor is stored all the same
START = "start"  # the cursor that says where the server was started, until every handler has one of its own
SICK = 30.0  # seconds that a handler rests which has failed
log = logging.getLogger("porchlight.outbox")


class Handler(NamedTuple):
    """What a feature does when something happens: in a transaction, quickly, without any network."""

    name: str
    kinds: frozenset[str]
    handle: Callable[[Tx, Event], None]


class Permanent(Exception):
    """Trying again would not help; the text tells the owner why."""


class Later(Exception):
    """It did not work this time; the text tells why. `seconds`: when to try again, if the other side said so."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class NotYet(Later):
    """Its turn has not come, so this was no attempt."""


class Nothing(Exception):
    """There is nothing to send any more: it was seen meanwhile."""


class Sender(NamedTuple):
    """What brings a feature's deliveries out. `send` runs outside of any transaction, each wait in it with a timeout;
    it raises Permanent, Later, NotYet or Nothing, and what else it raises counts as Later. What it stores itself has to
    bear being done again. `sent` and `failed` are run in the transaction that notes how it ended."""

    name: str
    send: Callable[[Delivery], None]
    sent: Callable[[Tx, Delivery], object] = lambda tx, delivery: None
    failed: Callable[[Tx, Delivery, str], object] = lambda tx, delivery, why: None
    at_once: int = 1


def note_start(tx: Tx) -> None:
    """Before any request is taken in: what happens from here on is for every handler, whenever it begins to follow.
    A note that is still there stays: that server ended before any handler had begun."""
    tx.execute("INSERT OR IGNORE INTO cursors (name, event_id) VALUES (?, ?)", [START, events.newest(tx)])


def _begin(tx: Tx, names: list[str]) -> None:
    """A handler that is new here begins with what has happened since the server was started."""
    row = tx.execute("SELECT event_id FROM cursors WHERE name = ?", [START]).fetchone()
    start = row[0] if row else events.newest(tx)
    for name in names:
        tx.execute("INSERT OR IGNORE INTO cursors (name, event_id) VALUES (?, ?)", [name, start])
    tx.execute("DELETE FROM cursors WHERE name = ?", [START])


class _Outcome(NamedTuple):
    """How to note what came of an attempt; should a feature's own part of that fail, the state alone is noted."""

    note: Callable[[Tx], object]
    state: deliveries.End


class Follower:
    """One handler with its cursor."""

    def __init__(self, store: Store, handler: Handler) -> None:
        self.name = handler.name
        self._store, self._handler = store, handler
        self._rests_until = 0.0
        self._looked: int | None = None

    def _reached(self) -> int:
        with self._store.read() as rx:
            at = rx.execute("SELECT event_id FROM cursors WHERE name = ?", [self._handler.name])
            return int(at.fetchone()[0])

    def step(self, after: Callable[[int], list[Event]]) -> bool:
        """Handle what is new; True when there may be more. An error undoes the step, which is tried again later."""
        if monotonic() < self._rests_until:
            return False
        try:
            return self._step(after)
        except StorageError:
            raise
        except Exception:
            log.exception("%s could not take in what happened; it tries again in %.0f s", self._handler.name, SICK)
            self._rests_until = monotonic() + SICK
            return False

    def _step(self, after: Callable[[int], list[Event]]) -> bool:
        if self._looked is None:
            self._looked = self._reached()
        fresh = after(self._looked)
        if not fresh:
            return False
        mine = [event for event in fresh if event.kind in self._handler.kinds]
        if mine or fresh[-1].id % FAR < len(fresh):
            self._store.write(lambda tx: self._handle(tx, mine, fresh[-1].id))
        self._looked = fresh[-1].id
        return len(fresh) == STEP

    def _handle(self, tx: Tx, mine: list[Event], reached: int) -> None:
        for event in mine:
            self._handler.handle(tx, event)
        tx.execute("UPDATE cursors SET event_id = ? WHERE name = ?", [reached, self._handler.name])


class Outbox:
    """The handlers and senders of all features, in one process of all (see `duty`)."""

    def __init__(self, store: Store, handlers: list[Handler], senders: list[Sender]) -> None:
        self._store, self._senders = store, senders
        self._followers = [Follower(store, handler) for handler in handlers]
        self._stirs = Signal(), Signal()
        self._due = {sender.name: [Signal() for _ in range(sender.at_once)] for sender in senders}

    def loops(self) -> list[Callable[[], None]]:
        """What to run for ever, each in a greenlet that is killed to stop: what is under way then is tried again at
        the next start."""
        self._store.write(lambda tx: _begin(tx, [follower.name for follower in self._followers]))
        for sender in self._senders:
            self._store.write(lambda tx, name=sender.name: deliveries.recover(tx, name))  # type: ignore[misc]
        self._store.after_commit.append(self._stir)
        places = [(sender, signal) for sender in self._senders for signal in self._due[sender.name]]
        follow, call = self._stirs
        return [
            partial(self._follow, follow),
            partial(self._call, call),
            *(partial(self._work_off, *place) for place in places),
        ]

    def _stir(self) -> None:
        for signal in self._stirs:
            signal.set()

    def _follow(self, stir: Signal) -> None:
        while True:
            try:
                while sum([follower.step(self._reading()) for follower in self._followers]):
                    gevent.sleep(0)
            except StorageError as error:
                log.warning("What happened could not be looked at: %s", error)
                gevent.sleep(IDLE)
            gevent.sleep(PACE)
            stir.wait(IDLE)
            stir.clear()

    def _reading(self) -> Callable[[int], list[Event]]:
        """Reads what has happened since; once for all handlers that have come equally far."""

        @cache
        def after(looked: int) -> list[Event]:
            with self._store.read() as rx:
                return events.after(rx, looked, STEP)

        return after

    def _call(self, stir: Signal) -> None:
        """Wake the senders that have something due: one look for all of them, since most commits concern none."""
        while True:
            try:
                pause = self._call_due()
            except StorageError as error:
                log.warning("What is to go out could not be looked at: %s", error)
                pause = IDLE
            gevent.sleep(LOOK)
            stir.wait(pause)
            stir.clear()

    def _call_due(self) -> float:
        """Wake them; returns the seconds until the next one is due."""
        now = clock.now()
        with self._store.read() as rx:
            due = {name: deliveries.next_at(rx, name) for name in self._due}
            ahead = [name for name in self._due if due[name] and deliveries.is_ahead(rx, name)]
        for name in ahead:
            self._store.write(lambda tx, name=name: deliveries.set_right(tx, name))  # type: ignore[misc]
        for name, at in due.items():
            if name in ahead or (at and at <= now):
                for signal in self._due[name]:
                    signal.set()
        soonest = min((at for at in due.values() if at and at > now), default=clock.now(IDLE))
        return min(IDLE, max(0.0, (clock.parse(soonest) - clock.parse(now)).total_seconds()))

    def _work_off(self, sender: Sender, due: Signal) -> None:
        while True:
            due.wait()
            due.clear()
            try:
                while self._send_one(sender):
                    pass
            except StorageError as error:
                log.warning("What is to go out could not be looked at: %s", error)
                gevent.sleep(IDLE)

    def _send_one(self, sender: Sender) -> bool:
        with self._store.read() as rx:
            due = deliveries.next_at(rx, sender.name)
        if due is None or due > clock.now():
            return False
        delivery = self._store.write(lambda tx: deliveries.claim(tx, sender.name))
        if delivery is None:
            return False
        self._note(delivery, self._attempt(sender, delivery))
        return True

    def _note(self, delivery: Delivery, outcome: _Outcome) -> None:
        """Store what came of it, however long nothing can be stored: half noted, it would never be tried again."""
        note = outcome.note
        while True:
            try:
                self._store.write(note)
                return
            except StorageError as error:
                log.warning("What came of a delivery could not be stored yet: %s", error)
                gevent.sleep(IDLE)
            except Exception as error:
                if note is not outcome.note:
                    raise
                log.exception("All that came of a delivery of %s could not be stored", delivery.sender)
                note = partial(deliveries.end, delivery=delivery, state=outcome.state, why=type(error).__name__)

    def _attempt(self, sender: Sender, delivery: Delivery) -> _Outcome:
        """Send it; returns how to note what came of it."""
        try:
            sender.send(delivery)
        except Nothing as nothing:
            return _Outcome(partial(deliveries.end, delivery=delivery, state="dropped", why=str(nothing)), "dropped")
        except NotYet as early:
            why, seconds = str(early), early.seconds
            return _Outcome(lambda tx: deliveries.put_off(tx, delivery, why, seconds, counts=False), "failed")
        except Exception as error:
            if not isinstance(error, Permanent | Later | OSError | StorageError):
                log.exception("A delivery of %s failed in an unknown way", sender.name)
            why, seconds = str(error) or type(error).__name__, getattr(error, "seconds", None)
            if isinstance(error, Permanent) or delivery.attempts >= deliveries.ATTEMPTS:
                return _Outcome(lambda tx: _failed(tx, sender, delivery, why), "failed")
            return _Outcome(lambda tx: deliveries.put_off(tx, delivery, why, seconds), "failed")
        return _Outcome(lambda tx: (sender.sent(tx, delivery), deliveries.end(tx, delivery, "sent")), "sent")


def _failed(tx: Tx, sender: Sender, delivery: Delivery, why: str) -> None:
    deliveries.end(tx, delivery, "failed", why)
    sender.failed(tx, delivery, why)
