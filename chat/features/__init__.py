"""Features: what stands beside the conversation itself. Each is one package with one declaration, listed in app.py.

A feature uses the same doors as the core: `events` by a handler with a cursor of its own, `deliveries` by a sender,
`channels.receive` for what comes in. The core never imports one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gevent
from flask import Blueprint
from markupsafe import Markup

from chat import channels, clock, deliveries, files, options
from chat.config import Settings
from chat.conversations import Conversation
from chat.db import StorageError, Store, Tx
from chat.doctor import Check, ok, warning
from chat.duty import Duty, Loop
from chat.outbox import Handler, Outbox, Sender
from chat.own_texts import Text
from chat.people import Context, Visitor
from chat.porch import Porch
from chat.sites import Site

DAY = 86400.0
TROUBLE = "work.trouble"
"""The option that says when which part of the background work failed last, since it was begun."""
log = logging.getLogger("porchlight.features")


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
    background: tuple[Loop, ...] = ()
    """Loops that run as long as this process has the duty, each in a greenlet of its own; they are killed to stop, and
    begun again should an error end one."""
    widget: Callable[[Tx, Visitor, str, str], Markup] | None = None
    """What stands under the visitor's conversation: drawn for the visitor, the document (w, c) and its token."""
    gate: Callable[[Visitor], None] | None = None
    """Looks at who wants to say something before anything is stored, in the request: raises limits.TooMany, or not."""
    guard: Callable[[Tx, Visitor, str, Context, str], str] | None = None
    """Looks at a visitor's words before they are stored, with what their browser told and their address: raises
    people.Blocked, and nothing is stored; else says why they are suspicious, or nothing. Quickly, in a transaction."""
    aside: Callable[[Conversation, str], Markup] | None = None
    """What stands in the inbox beside a thread, with the token for its forms."""
    lamp: Callable[[str], Markup] | None = None
    """What stands on top of the inbox's list, with the token for its forms."""
    porch: Porch | None = None
    """Knows better than the core whether somebody is home; one feature at most."""
    reaches: Callable[[Tx], bool] | None = None
    """Whether somebody can be called just now who has no inbox open."""
    loader: Callable[[Tx, Site], dict[str, object]] | None = None
    """What the loader has to know of it, besides: as few bytes as can be. `parts` names files of static/ whose code
    stands in the loader of such a site."""
    texts: Callable[[Tx, Site], list[Text]] | None = None
    """What the owner wrote there for visitors, to be translated."""


def work(settings: Settings, store: Store, features: list[Feature]) -> Duty:
    """What all features do in the background, for one process of this installation to do."""
    handlers = [channels.answers, *(handler for feature in features for handler in feature.handlers)]
    outbox = Outbox(store, handlers, [sender for feature in features for sender in feature.senders])
    loops = [loop for feature in features for loop in feature.background]

    def begin() -> list[Loop]:
        store.write(lambda tx: options.put(tx, TROUBLE, ""))
        return [*outbox.loops(), *loops, partial(tidy, settings.chat_data, store)]

    def tell(what: str) -> None:
        store.write(lambda tx: options.put(tx, TROUBLE, f"{clock.now()} {what}"))

    return Duty(settings.chat_data, begin, tell)


def tidy(data: Path, store: Store) -> None:
    """Once a day: forget what is long done, and take away the files of which nothing knows."""
    while True:
        try:
            files.sweep(store, data)
            while store.write(deliveries.prune):
                gevent.sleep(0.1)
        except StorageError as error:
            log.warning("What is old could not be taken away: %s", error)
        gevent.sleep(DAY)


def look(settings: Settings, rx: Tx) -> list[Check]:
    """What the doctor says of the background work."""
    at, _, what = options.get(rx, TROUBLE).partition(" ")
    if not at:
        return [Check("Background work", lambda: ok("Nothing has failed since it was begun."))]
    why = "An error that nobody had foreseen ended it; it was begun again half a minute later."
    do = "If this comes again, look into the server's log for that time, and report what stands there."
    return [Check("Background work", lambda: warning(f"A part of it failed on {clock.moment(at)}: {what}", why, do))]
