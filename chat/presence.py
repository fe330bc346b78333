"""Presence: who has a page open. Counted in memory, written down only when somebody comes or has gone."""

from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from time import monotonic

import gevent

from chat.db import StorageError, Store, Tx
from chat.states import HERE

GRACE = 8.0  # seconds: a reload, a next page or a next poll is no departure


class Presence:
    """Counts the open pages of this process; says so in the database by the functions it is given."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: Counter[Hashable] = Counter()
        self._said: dict[Hashable, float] = {}

    def arrive(self, who: Hashable, say: Callable[[Tx], None]) -> None:
        """A page was opened."""
        self._open[who] += 1
        self.stay(who, say)

    def stay(self, who: Hashable, say: Callable[[Tx], None]) -> None:
        """It is still open: say so again when half of the time has gone by."""
        if monotonic() - self._said.get(who, -HERE) > HERE / 2:
            self._said[who] = monotonic()
            self._write(say)

    def leave(self, who: Hashable, say: Callable[[Tx], None]) -> None:
        """A page was closed; who has not come back after the grace time has left."""
        self._open[who] -= 1
        gevent.spawn_later(GRACE, self._check, who, say)

    def _check(self, who: Hashable, say: Callable[[Tx], None]) -> None:
        if self._open[who] <= 0 and who in self._said:
            del self._open[who], self._said[who]
            self._write(say)

    def _write(self, say: Callable[[Tx], None]) -> None:
        with suppress(StorageError):  # presence heals by itself; the store has logged why
            self._store.write(say)
