"""Fetching: the owner's mailbox by IMAP (RFC 9051), watched by IDLE (RFC 2177) or asked every few seconds.

How far it was read is stored in the transaction that stores the letter. Nothing is deleted; what was taken in is
marked as read.
"""

from __future__ import annotations

import imaplib
import logging
import ssl
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import gevent

from chat import clock, outbound
from chat.config import Settings
from chat.db import StorageError, Store, Tx
from chat.features.mail import account, inbox, letterbook
from chat.letters import parsing
from chat.limits import Buckets, TooMany

if TYPE_CHECKING:
    from imapclient import IMAPClient

WAIT = 30.0  # seconds for each step of an answer of the server
IN_ALL = 300.0  # seconds for one letter, 25 MB of it included: one who drips holds nobody up for longer
POLL = 10.0  # seconds between two looks where the server can't tell by itself
RENEW = 10.0  # seconds of IDLE until the next look: a server may be slow to announce (Dovecot without inotify: 30 s),
# and a letter that comes between the last look and IDLE may not be announced at all
PAUSES = (2.0, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds before each new try
UNSET = 3.0  # seconds between two looks whether there is a mailbox by now
log = logging.getLogger("porchlight.mail")


class Mailbox:
    """The one mailbox of this installation."""

    def __init__(self, settings: Settings, store: Store, limit: Buckets) -> None:
        self._settings, self._store, self._limit = settings, store, limit
        self._name = ""

    def watch(self) -> None:
        """Take in letters for as long as this process has the duty."""
        failed = 0
        while True:
            url = ""
            try:
                with self._store.read() as rx:
                    url = account.of(self._settings, rx).imap_url
                if not url:
                    gevent.sleep(UNSET)
                    continue
                self._stay(url)
            except Exception as error:  # what is unknown too: nobody else looks after the mailbox
                if not isinstance(error, imaplib.IMAP4.error | OSError | StorageError):
                    log.exception("The mailbox can't be read")
                self._say(url, failed, error)
                gevent.sleep(PAUSES[min(failed, len(PAUSES) - 1)])
                failed += 1
            else:
                failed = 0

    def _say(self, url: str, failed: int, error: Exception) -> None:
        why = explained(url, error)
        if not failed:
            log.warning("The mailbox can't be read: %s", why)
        with suppress(StorageError):
            self._store.write(lambda tx: _note_error(tx, name_of(url), why))

    def _stay(self, url: str) -> None:
        """Until the connection breaks, or the address has changed."""
        client = connect(url)
        try:
            told = client.select_folder(folder_of(url))
            self._name = name_of(url)
            validity, first = int(told[b"UIDVALIDITY"]), _first(client, told)
            last = self._store.write(lambda tx: _begin(tx, self._name, validity, first))
            while True:
                while (reached := self._take_all(client, last)) > last:  # what comes meanwhile is announced to nobody
                    last = reached
                self._wait(client)
                with self._store.read() as rx:
                    if account.of(self._settings, rx).imap_url != url:
                        return
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.shutdown()

    def _wait(self, client: IMAPClient) -> None:
        if not client.has_capability("IDLE"):
            gevent.sleep(POLL)
            client.noop()
            return
        client.idle()
        client.idle_check(timeout=RENEW)
        client.idle_done()

    def _take_all(self, client: IMAPClient, last: int) -> int:
        fresh = sorted(uid for uid in client.search(["UID", f"{last + 1}:*"]) if uid > last)
        for uid in fresh:
            self._take(client, uid)
            last = uid
        return last

    def _take(self, client: IMAPClient, uid: int) -> None:
        told = client.fetch([uid], ["RFC822.SIZE"]).get(uid)
        if told is None:
            return  # gone meanwhile
        if told[b"RFC822.SIZE"] > parsing.LARGEST:
            why = "It is larger than 25 MB, so it was left in the mailbox."
            self._store.write(lambda tx: _left(tx, self._name, uid, why))
            return
        with gevent.Timeout(IN_ALL, TimeoutError("it took too long")):
            raw = client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {}).get(b"BODY[]")
        if raw is None:
            return
        try:
            reached = partial(_reached, name=self._name, uid=uid)
            inbox.take_in(self._store, self._settings.chat_data, raw, self._limit, reached)
        except (StorageError, OSError):
            raise
        except TooMany:
            why = "Its sender has sent too many at once, so it was left in the mailbox."
            self._store.write(lambda tx: _left(tx, self._name, uid, why))
            return
        except Exception as error:  # one letter must not hold up all others for ever
            log.exception("A letter could not be taken in, so it was left in the mailbox")
            why = f"It could not be taken in ({type(error).__name__}), so it was left in the mailbox."
            self._store.write(lambda tx: _left(tx, self._name, uid, why))
            return
        with suppress(imaplib.IMAP4.error):  # a mailbox that is read-only
            client.add_flags([uid], [b"\\Seen"], silent=True)


def connect(url: str) -> IMAPClient:
    """A connection that is signed in. Raises IMAP4.error and OSError; `explained` tells them in words."""
    from imapclient import IMAPClient

    parts, tls = urlsplit(url), ssl.create_default_context()
    secure = parts.scheme == "imaps"
    client = IMAPClient(parts.hostname or "", parts.port, ssl=secure, ssl_context=tls if secure else None, timeout=WAIT)
    try:
        if not secure and client.has_capability("STARTTLS"):
            client.starttls(tls)
        client.login(unquote(parts.username or ""), unquote(parts.password or ""))
    except BaseException:
        with suppress(imaplib.IMAP4.error, OSError):
            client.shutdown()
        raise
    return client


def folder_of(url: str) -> str:
    """The folder that is read: INBOX, if the address names none."""
    return unquote(urlsplit(url).path.strip("/")) or "INBOX"


def name_of(url: str) -> str:
    """The mailbox without its password."""
    parts = urlsplit(url)
    return f"{unquote(parts.username or '')}@{parts.hostname}/{folder_of(url)}"


def without_password(url: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.username + '@' if parts.username else ''}{parts.hostname}{port}{parts.path}"


def explained(url: str, error: Exception) -> str:
    """What went wrong, and what to do, in words."""
    host, told = urlsplit(url).hostname, " ".join(str(error).split())[:200]
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {host} can't be trusted: {error.verify_message}."
    if type(error).__name__ == "LoginError":
        return f"{host} refused the user name or the password: {told}"
    if isinstance(error, imaplib.IMAP4.abort):
        return f"{host} could not be reached: it hung up"
    if isinstance(error, OSError):
        return f"{host} could not be reached: {outbound.reason(error)}"
    return f"{host} said: {told}"


def _first(client: IMAPClient, told: dict[bytes, object]) -> int:
    """Where to begin in a mailbox that was never read: with what came unread since yesterday, not with years."""
    recent = client.search(["UNSEEN", "SINCE", date.today() - timedelta(days=1)])
    return min(recent) - 1 if recent else int(str(told[b"UIDNEXT"])) - 1


def _begin(tx: Tx, name: str, validity: int, first: int) -> int:
    """Where we are in the mailbox. When its numbers mean something else by now, we begin as with a new one."""
    row = tx.execute("SELECT uid_validity, uid FROM mailboxes WHERE name = ?", [name]).fetchone()
    uid = row["uid"] if row and row["uid_validity"] == validity else first
    tx.execute(
        "INSERT OR REPLACE INTO mailboxes (name, uid_validity, uid, looked_at) VALUES (?, ?, ?, ?)",
        [name, validity, uid, clock.now()],
    )
    return int(uid)


def _reached(tx: Tx, name: str, uid: int) -> None:
    tx.execute("UPDATE mailboxes SET uid = ?, looked_at = ?, error = '' WHERE name = ?", [uid, clock.now(), name])


def _left(tx: Tx, name: str, uid: int, why: str) -> None:
    letterbook.enter(tx, "in", f"{uid}.{name}@left", "refused", "", "", note=why)
    _reached(tx, name, uid)


def _note_error(tx: Tx, name: str, why: str) -> None:
    new = "INSERT INTO mailboxes (name, uid_validity, uid, looked_at, error) VALUES (?, 0, 0, ?, ?)"
    tx.execute(f"{new} ON CONFLICT (name) DO UPDATE SET error = excluded.error", [name, clock.now(), why])


class Sight(NamedTuple):
    """How the mailbox was last found."""

    name: str
    looked_at: str
    error: str


def sight(rx: Tx, url: str) -> Sight | None:
    """How that mailbox was last found; None when nobody has looked yet."""
    row = rx.execute("SELECT name, looked_at, error FROM mailboxes WHERE name = ?", [name_of(url)]).fetchone()
    return Sight(*row) if row else None
