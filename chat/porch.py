"""The porch: whether somebody is home, as visitors of a site read it. State, never events.

The core knows one thing of it: who has an inbox open. A feature that knows more (hours, whether somebody can be called)
stands in for it, by `init`.
"""

from collections.abc import Hashable
from typing import NamedTuple, Protocol

from chat import accounts
from chat.db import Tx


class Light(NamedTuple):
    """What a visitor may read of it. Hashable: what is drawn of it is kept."""

    home: bool
    """Somebody is here, or is called when the visitor writes."""
    name: str = ""
    """Who has an inbox open; empty when nobody has."""
    away: bool = False
    """By the hours, or because somebody said so; else nobody can be called."""
    back_at: str = ""
    """When away: the instant of coming back, where that is known."""
    zone: str = "UTC"
    """In which that is said to who has no script."""
    pace: int = 0
    """Minutes in which answers usually come at this hour of the week; 0: not enough is known to say so."""
    ahead: int = 0
    """How many people wait before this visitor; 0: none, or too few to speak of."""


class Porch(Protocol):
    """Who knows."""

    def light(self, rx: Tx, site_id: int, conversation_id: int | None) -> Light:
        """For one visitor at that site."""

    def lights(self, rx: Tx) -> Hashable:
        """For all sites: whenever this changes, everybody who waits looks again."""

    def queue(self, rx: Tx) -> tuple[int, ...]:
        """The conversations that are told their place: when it changes, they look again."""


class _Inboxes:
    """Somebody is home while an inbox is open."""

    def light(self, rx: Tx, site_id: int, conversation_id: int | None) -> Light:
        name = accounts.home(rx)
        return Light(bool(name), name)

    def lights(self, rx: Tx) -> Hashable:
        return accounts.home(rx)

    def queue(self, rx: Tx) -> tuple[int, ...]:
        return ()


_asked: list[Porch] = [_Inboxes()]


def init(porch: Porch | None) -> None:
    """Ask this one, in the one application of this process; None: the core's own."""
    _asked[:] = [porch or _Inboxes()]


def light(rx: Tx, site_id: int, conversation_id: int | None = None) -> Light:
    """What that visitor reads."""
    return _asked[0].light(rx, site_id, conversation_id)


def lights(rx: Tx) -> Hashable:
    """What all visitors read, to be compared."""
    return _asked[0].lights(rx)


def queue(rx: Tx) -> tuple[int, ...]:
    """The conversations that are told their place in the queue, in its order."""
    return _asked[0].queue(rx)
