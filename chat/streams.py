"""Streams: who reads one, where it goes, and why it ends. `chat.live` is what stands between."""

from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any, Protocol

from chat.batches import Batch
from chat.db import Tx
from chat.events import Feed


class Gone(Exception):
    """The reader may not read (any more): not signed in, signed out, revoked."""


class End(Enum):
    """Why a stream ends."""

    RESTART = "the server stops"
    GONE = "the reader may not read any more"
    FAILED = "something went wrong"


class Reader(Protocol):
    """Who reads a stream. `feed` raises Gone when the right to read has ended."""

    @property
    def key(self) -> str: ...
    @property
    def language(self) -> str: ...
    def feed(self, rx: Tx) -> Feed: ...
    def here(self, feed: Feed) -> None: ...
    def leave(self) -> None: ...
    def listen(self, signals: list[dict[str, Any]], done: Callable[[], object]) -> None: ...


class Sink:
    """Where a stream goes: a parked socket or poll. What Live notes about it stands here too."""

    __slots__ = ("cursor", "key", "named", "queued", "reader", "since", "state", "woken")
    kind = ""

    def __init__(self, reader: Reader, cursor: int, state: str | None, named: bool) -> None:
        self.reader, self.cursor, self.state, self.named = reader, cursor, state, named
        self.key: Hashable = None
        self.queued = self.woken = False
        self.since = 0.0

    @property
    def ready(self) -> bool:
        """Whether it can take a batch: it is there, and has taken what was sent before."""
        raise NotImplementedError

    def signals(self) -> list[dict[str, Any]]:
        """What the client has said since the last look; a poll says nothing."""
        return []

    def heard(self) -> None:
        """That was stored: it may say more."""

    def take(self, batch: Batch) -> None:
        """What the stream has for it now."""
        raise NotImplementedError

    def end(self, why: End) -> None:
        """The stream is over."""
        raise NotImplementedError
