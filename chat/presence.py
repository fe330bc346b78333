"""Presence: who has a page open. Counted in memory by each process, written down when somebody comes or goes.

A row of `presences` says that one process has a page of somebody's open; who has none left anywhere is gone.
What a crash leaves wears off after HERE seconds, or at the next start.
"""

import os
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Literal

import gevent

from chat import accounts, clock, states
from chat.db import StorageError, Store, Tx
from chat.states import HERE

GRACE = 8.0  # seconds: a reload, a next page or a next poll is no departure
Who = tuple[Literal["conversation", "agent"], int]


def forget_all(tx: Tx) -> None:
    """Before the server's start nobody is here, whatever a crash left."""
    tx.execute("DELETE FROM presences")
    tx.execute("UPDATE agents SET here_until = ''")
    tx.execute("UPDATE states SET visitor_here_until = '' WHERE visitor_here_until <> ''")


def forget_dead(tx: Tx) -> None:
    """Take away what workers left behind that were killed: their rows carry the number of their process."""
    for row in tx.execute("SELECT who, worker FROM presences").fetchall():
        pid = int(row["worker"].partition("-")[0])
        if pid == os.getpid() or not _runs(pid):
            kind, number = row["who"].split()
            _go(tx, (kind, int(number)), row["worker"])


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def counts(rx: Tx) -> dict[str, int]:
    """How many visitors (by their conversations) and agents have a page open."""
    query = "SELECT count(DISTINCT who) FROM presences WHERE who > ? AND who < ? AND until > ?"
    kinds = {"visitor": "conversation", "agent": "agent"}
    return {who: rx.execute(query, [f"{kind} ", f"{kind}!", clock.now()]).fetchone()[0] for who, kind in kinds.items()}


def _come(tx: Tx, who: Who, worker: str) -> None:
    row = [f"{who[0]} {who[1]}", worker, clock.now(HERE)]
    tx.execute("INSERT OR REPLACE INTO presences (who, worker, until) VALUES (?, ?, ?)", row)
    (accounts.arrive if who[0] == "agent" else states.arrive)(tx, who[1])


def _go(tx: Tx, who: Who, worker: str) -> None:
    name = f"{who[0]} {who[1]}"
    tx.execute("DELETE FROM presences WHERE who = ? AND (worker = ? OR until < ?)", [name, worker, clock.now()])
    if not tx.execute("SELECT 1 FROM presences WHERE who = ?", [name]).fetchone():
        (accounts.leave if who[0] == "agent" else states.leave)(tx, who[1])


class Presence:
    """The open pages of this process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker = f"{os.getpid()}-{secrets.token_hex(8)}"
        self._open: Counter[Who] = Counter()
        self._said: dict[Who, float] = {}
        self._leaving: dict[Who, gevent.Greenlet] = {}

    def start(self) -> None:
        """This process serves from here on, maybe in the place of one that was killed."""
        self._store.post(forget_dead)

    def arrive(self, who: Who) -> None:
        """A page was opened."""
        self._open[who] += 1
        if who in self._leaving:
            self._leaving.pop(who).kill(block=False)
        self.stay(who)

    def stay(self, who: Who) -> None:
        """It is still open: say so again when half of the time has gone by."""
        if monotonic() - self._said.get(who, -HERE) > HERE / 2:
            self._said[who] = monotonic()
            self._write(_come, who)

    def leave(self, who: Who) -> None:
        """A page was closed; who has not come back after the grace time has left."""
        self._open[who] -= 1
        if not self._open[who]:
            del self._open[who]
            self._leaving[who] = gevent.spawn_later(GRACE, self._gone, who)

    def _gone(self, who: Who) -> None:
        del self._leaving[who]
        self._said.pop(who, None)
        self._write(_go, who)

    def _write(self, say: Callable[[Tx, Who, str], None], who: Who) -> None:
        with suppress(StorageError):  # the server stops
            self._store.post(lambda tx: say(tx, who, self._worker))
