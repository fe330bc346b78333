"""The outbox: features follow `events` with a cursor of their own, and senders work off `deliveries`.

A handler runs in the transaction that moves its cursor: what it does to the database happens exactly once. What goes
over the network is a delivery: at least once. One failing feature stops only its own cursor.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import gevent
from gevent.event import Event as Signal

from chat import clock, deliveries, events
from chat.db import StorageError, Store, Tx, sqlite3
from chat.deliveries import Delivery
from chat.events import Event

PACE = 0.2  # seconds between two looks of the handlers: five commits a second at most, however many write
IDLE = 1.0  # seconds after which everybody looks anyway: another process may have written
STEP = 500  # events handled in one transaction
FAR = 5000  # events that concern nobody, after which the cursor is stored all the same
START = "start"  # the cursor that says where the server was started
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


class Nothing(Exception):
    """There is nothing to send any more: it was seen meanwhile."""


class Sender(NamedTuple):
    """What brings a feature's deliveries out. `send` runs outside of any transaction, each wait in it with a timeout;
    it raises Permanent, Later or Nothing, and what else it raises counts as Later. What it stores itself has to bear
    being done again. `sent` is run in the transaction that notes the success."""

    name: str
    send: Callable[[Delivery], None]
    sent: Callable[[Tx, Delivery], object] = lambda tx, delivery: None
    failed: Callable[[Tx, Delivery, str], object] = lambda tx, delivery, why: None
    at_once: int = 1


def note_start(tx: Tx) -> None:
    """Before any request is taken in: what happens from here on is for every handler, whenever it begins to follow."""
    start = "INSERT OR REPLACE INTO cursors (name, event_id) VALUES (?, ?)"
    tx.execute(start, [START, events.newest(tx)])


class Follower:
    """One handler with its cursor."""

    def __init__(self, store: Store, handler: Handler) -> None:
        self._store, self._handler = store, handler
        self._rests_until = 0.0
        self._looked = store.write(self._begin)

    def _begin(self, tx: Tx) -> int:
        """A handler that is new here begins with what has happened since the server was started."""
        start = "SELECT ?, coalesce(max(event_id), 0) FROM cursors WHERE name = ?"
        tx.execute(f"INSERT OR IGNORE INTO cursors (name, event_id) {start}", [self._handler.name, START])
        return int(tx.execute("SELECT event_id FROM cursors WHERE name = ?", [self._handler.name]).fetchone()[0])

    def step(self) -> bool:
        """Handle what is new; True when there may be more. An error undoes the step, which is tried again later."""
        if monotonic() < self._rests_until:
            return False
        with self._store.read() as rx:
            fresh = events.after(rx, self._looked, STEP)
        if not fresh:
            return False
        mine = [event for event in fresh if event.kind in self._handler.kinds]
        try:
            if mine or fresh[-1].id % FAR < len(fresh):
                self._store.write(lambda tx: self._handle(tx, mine, fresh[-1].id))
        except StorageError:
            raise
        except Exception:
            log.exception("%s could not take in what happened; it tries again in %.0f s", self._handler.name, SICK)
            self._rests_until = monotonic() + SICK
            return False
        self._looked = fresh[-1].id
        return len(fresh) == STEP

    def _handle(self, tx: Tx, mine: list[Event], reached: int) -> None:
        for event in mine:
            self._handler.handle(tx, event)
        tx.execute("UPDATE cursors SET event_id = ? WHERE name = ?", [reached, self._handler.name])


class Outbox:
    """The handlers and senders of all features, in one process of all (see `duty`)."""

    def __init__(self, store: Store, handlers: list[Handler], senders: list[Sender]) -> None:
        self._store, self._handlers, self._senders = store, handlers, senders
        self._stirs = [Signal() for _ in range(1 + sum(sender.at_once for sender in senders))]

    def run(self) -> list[gevent.Greenlet]:
        """Begin. The greenlets are killed to stop: what is under way then is tried again at the next start."""
        for sender in self._senders:
            self._store.write(lambda tx, name=sender.name: deliveries.recover(tx, name))  # type: ignore[misc]
        self._store.after_commit.append(self._stir)
        stirs = iter(self._stirs)
        places = [sender for sender in self._senders for _ in range(sender.at_once)]
        return [
            gevent.spawn(self._follow, next(stirs)),
            *(gevent.spawn(self._work_off, sender, next(stirs)) for sender in places),
        ]

    def _stir(self) -> None:
        for signal in self._stirs:
            signal.set()

    def _follow(self, stir: Signal) -> None:
        followers: list[Follower] = []
        while True:
            try:
                for handler in self._handlers[len(followers) :]:
                    followers.append(Follower(self._store, handler))
                while sum(follower.step() for follower in followers):
                    gevent.sleep(0)
            except StorageError as error:
                log.warning("What happened could not be looked at: %s", error)
                gevent.sleep(IDLE)
            gevent.sleep(PACE)
            stir.wait(IDLE)
            stir.clear()

    def _work_off(self, sender: Sender, stir: Signal) -> None:
        while True:
            try:
                while self._send_one(sender):
                    pass
                pause = self._pause(sender)
            except StorageError as error:
                log.warning("What is to go out could not be looked at: %s", error)
                pause = IDLE
            except Exception:
                log.exception("%s could not go on; it tries again in %.0f s", sender.name, SICK)
                pause = SICK
            stir.wait(pause)
            stir.clear()

    def _pause(self, sender: Sender) -> float:
        with self._store.read() as rx:
            due = deliveries.next_at(rx, sender.name)
        if due is None:
            return IDLE
        return min(IDLE, max(0.01, (clock.parse(due) - clock.parse(clock.now())).total_seconds()))

    def _send_one(self, sender: Sender) -> bool:
        with self._store.read() as rx:
            ahead, due = deliveries.is_ahead(rx, sender.name), deliveries.next_at(rx, sender.name)
        if ahead:
            self._store.write(lambda tx: deliveries.set_right(tx, sender.name))
        elif due is None or due > clock.now():
            return False
        delivery = self._store.write(lambda tx: deliveries.claim(tx, sender.name))
        if delivery is None:
            return False
        self._note(delivery, self._attempt(sender, delivery))
        return True

    def _note(self, delivery: Delivery, outcome: Callable[[Tx], object]) -> None:
        """Store what came of it, however long nothing can be stored: half noted, it would never be tried again."""
        while True:
            try:
                return self._store.write(outcome)  # type: ignore[return-value]
            except (StorageError, sqlite3.Error) as error:  # a full disk may fail the statement, not the commit
                log.warning("What came of a delivery could not be stored yet: %s", error)
                gevent.sleep(IDLE)
            except Exception as error:
                log.exception("What came of a delivery of %s could not be stored", delivery.sender)
                why = type(error).__name__
                outcome = lambda tx, why=why: deliveries.put_off(tx, delivery, why)  # type: ignore[misc]  # noqa: E731

    def _attempt(self, sender: Sender, delivery: Delivery) -> Callable[[Tx], object]:
        """Send it; returns how to note what came of it."""
        try:
            sender.send(delivery)
        except Nothing as nothing:
            why = str(nothing)
            return lambda tx: deliveries.drop(tx, delivery, why)
        except Permanent as permanent:
            why = str(permanent)
            return lambda tx: self._failed(tx, sender, delivery, why)
        except Exception as error:
            if not isinstance(error, Later | OSError | StorageError):
                log.exception("A delivery of %s failed in an unknown way", sender.name)
            why, seconds = str(error) or type(error).__name__, getattr(error, "seconds", None)
            if delivery.attempts >= deliveries.ATTEMPTS:
                return lambda tx: self._failed(tx, sender, delivery, why)
            return lambda tx: deliveries.put_off(tx, delivery, why, seconds)
        return lambda tx: (sender.sent(tx, delivery), deliveries.sent(tx, delivery))

    def _failed(self, tx: Tx, sender: Sender, delivery: Delivery, why: str) -> None:
        deliveries.fail(tx, delivery, why)
        sender.failed(tx, delivery, why)
