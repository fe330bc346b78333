"""Features: what stands beside the conversation itself. Each is one package with one declaration, listed in app.py.

A feature uses the same doors as the core: `events` by a handler with a cursor of its own, `deliveries` by a sender,
`channels.receive` for what comes in. The core never imports one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import gevent
from flask import Blueprint
from markupsafe import Markup

from chat import channels, files
from chat.config import Settings
from chat.conversations import Conversation
from chat.db import Store, Tx
from chat.duty import Duty
from chat.outbox import Handler, Outbox, Sender
from chat.people import Visitor


class Page(NamedTuple):
    """A feature's page in the owner's settings."""

    title: str
    address: str
    what: str
    """What one does there, in a sentence."""


@dataclass(frozen=True)
class Feature:
    """What one feature brings. Everything in it is made by `declare(core)`, once a process."""

    name: str
    blueprints: tuple[Blueprint, ...] = ()
    page: Page | None = None
    site_page: Page | None = None
    """The same for one site: its address is the last part, below /inbox/sites/<key>/."""
    handlers: tuple[Handler, ...] = ()
    senders: tuple[Sender, ...] = ()
    background: tuple[Callable[[], None], ...] = ()
    """Loops that run as long as this process has the duty, each in a greenlet of its own; they are killed to stop."""
    widget: Callable[[Tx, Visitor, str, str], Markup] | None = None
    """What stands under the visitor's conversation: drawn for the visitor, the document (w, c) and its token."""
    aside: Callable[[Conversation, str], Markup] | None = None
    """What stands in the inbox beside a thread, with the token for its forms."""


def work(settings: Settings, store: Store, features: list[Feature]) -> Duty:
    """What all features do in the background, for one process of this installation to do."""
    handlers = [channels.answers, *(handler for feature in features for handler in feature.handlers)]
    outbox = Outbox(store, handlers, [sender for feature in features for sender in feature.senders])

    def begin() -> list[gevent.Greenlet]:
        with store.read() as rx:
            files.sweep(rx, settings.chat_data)
        return outbox.run() + [gevent.spawn(loop) for feature in features for loop in feature.background]

    return Duty(settings.chat_data, begin)
