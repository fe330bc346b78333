"""Erasing, to the last byte: the rows, their files, what was drawn of them, and what the database's log still holds.

SQLite overwrites what is deleted (`secure_delete`), but its write-ahead log keeps the pages as they were until it is
folded into the file; so after each erasure it is, as soon as nobody reads from it.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gevent
from sqlite_utils.utils import sqlite3

from chat import files, fragments, options, records
from chat.db import StorageError, Store, Tx, connect
from chat.events import By
from chat.records import Erased, Held
from chat.web import Core

WANTED = "privacy.fold"  # the option that says that the log is to be folded
log = logging.getLogger("porchlight.privacy")


def erase(core: Core, site_id: int, person_id: int, by: By, agent_id: int | None = None) -> str:
    """Erase all that is kept of that person, or note that a hold puts it off; returns the receipt's number."""

    def run(tx: Tx) -> tuple[str, Erased | None]:
        try:
            erased = records.erase(tx, person_id, by, agent_id)
        except Held:
            return records.asked(tx, person_id) or records.note(tx, site_id, by, None, person_id), None
        options.put(tx, WANTED, "1")
        return records.note(tx, site_id, by, erased), erased

    number, erased = core.store.write(run)
    if erased:
        clean_up(core.settings.chat_data, erased)
        core.live.look_again()
    return number


def clean_up(data: Path, erased: Erased) -> None:
    """What is no row: the files on the disk, and what is kept drawn in memory."""
    files.discard(data, erased.uploads)
    fragments.forget()


def fold(store: Store) -> bool:
    """Empty the write-ahead log into the file; False when somebody reads from it just now."""
    with store.read() as rx:
        if not options.get(rx, WANTED):
            return False
    if not gevent.get_hub().threadpool.apply(_fold, (store.path,)):
        return False
    store.write(lambda tx: options.put(tx, WANTED, ""))
    return True


def _fold(path: Path) -> bool:
    """In a thread; an error is a no."""
    try:
        with closing(connect(path)) as db:
            db.execute("PRAGMA busy_timeout = 200")
            return not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error:
        return False


def every(seconds: float, what: Callable[[], object]) -> None:
    """Do it again and again; what can't be stored just now is done the next time."""
    while True:
        try:
            what()
        except StorageError as error:
            log.warning("What was to be done about privacy waits: %s", error)
        except Exception:
            log.exception("What was to be done about privacy failed; it is tried again")
        gevent.sleep(seconds)
