"""Retention: once a day, what is older than the owner wants it is erased, in slices, so that nobody waits for it."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import gevent

from chat import clock, conversations, files, options, records, sites
from chat.db import Store, Tx
from chat.features.privacy import erasing, reads, settings
from chat.records import Erased
from chat.sites import Site

LOOK = 5.0  # seconds between two looks whether it is time
LOOKED_AT, SLICE = 200, 20  # conversations that are looked at, and erased, at once
PAUSE = 0.05  # seconds between two slices: others write meanwhile
_SWEPT = "privacy.swept"
log = logging.getLogger("porchlight.privacy")


class Swept(NamedTuple):
    """How it went the last time, at one site."""

    at: str
    erased: int = 0
    held: int = 0
    """What is old enough, and kept by a legal hold."""


def last(rx: Tx, site_id: int) -> Swept | None:
    """How it went the last time; None when that has not been yet."""
    told = options.get(rx, f"{_SWEPT}.{site_id}")
    return Swept(**json.loads(told)) if told else None


def want(tx: Tx) -> None:
    """Do it as soon as may be: something else was set."""
    options.put(tx, _SWEPT, "")


def look(store: Store, data: Path) -> None:
    """Sweep if this day's time has come; and do what was put off by holds that have ended."""
    finish_what_was_put_off(store, data)
    today = f"{datetime.now(UTC):%F}"
    with store.read() as rx:
        if options.get(rx, _SWEPT) == today:
            return
        every = sites.every(rx, removed=True)
    for site in every:
        sweep(store, data, site)
    store.write(lambda tx: (reads.forget_old(tx), options.put(tx, _SWEPT, today)))
    with store.read() as rx:
        files.sweep(rx, data)


def sweep(store: Store, data: Path, site: Site) -> None:
    """Erase what has been silent at that site for longer than its days, and note how it went."""
    with store.read() as rx:
        days = settings.of_site(rx, site.id).days
    if not days:
        return store.write(lambda tx: options.put(tx, f"{_SWEPT}.{site.id}", ""))
    before, after, held, gone = clock.now(-int(days) * 86400), 0, 0, Erased(0, 0, [])
    while True:
        with store.read() as rx:
            found = conversations.by_age(rx, site.id, after, LOOKED_AT)
        if not found:
            break
        after = found[-1].id
        old = [each for each in found if each.last_at < before]
        held += sum(each.held for each in old)
        for start in range(0, len(old), SLICE):
            gone = _add(gone, _drop(store, data, [each.id for each in old[start : start + SLICE] if not each.held]))
            gevent.sleep(PAUSE)
        gevent.sleep(0)
    store.write(lambda tx: _note(tx, site, gone, Swept(clock.now(), gone.conversations, held)))
    if gone.conversations:
        log.info("%d conversations of %s were older than %s days, and erased", gone.conversations, site.key, days)


def _add(before: Erased, now: Erased) -> Erased:
    return Erased(
        before.conversations + now.conversations, before.messages + now.messages, before.uploads + now.uploads
    )


def _drop(store: Store, data: Path, talks: list[int]) -> Erased:
    erased = store.write(lambda tx: records.drop(tx, talks))
    erasing.clean_up(data, erased)
    return erased


def _note(tx: Tx, site: Site, gone: Erased, swept: Swept) -> None:
    options.put(tx, f"{_SWEPT}.{site.id}", json.dumps(swept._asdict()))
    if gone.conversations:
        records.note(tx, site.id, "retention", gone)
        options.put(tx, erasing.WANTED, "1")


def finish_what_was_put_off(store: Store, data: Path) -> None:
    """Erase those who asked for it while a legal hold kept them, now that it has ended."""
    with store.read() as rx:
        waiting = records.put_off(rx)
    for person_id in waiting:

        def run(tx: Tx, person_id: int = person_id) -> Erased | None:
            number = records.asked(tx, person_id)
            if number is None or records.held(tx, person_id):
                return None
            erased = records.erase(tx, person_id, "visitor")
            records.done(tx, number, erased)
            options.put(tx, erasing.WANTED, "1")
            return erased

        if erased := store.write(run):
            erasing.clean_up(data, erased)
