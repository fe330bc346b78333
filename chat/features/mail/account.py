"""The account: how mail goes out and comes in. What the environment says goes before what the owner set on the page."""

import secrets
from email.utils import parseaddr
from typing import NamedTuple

from chat import options
from chat.config import Settings
from chat.db import Store, Tx

WAIT = 120.0  # seconds until an unseen answer goes by mail, if the owner set nothing else
SECRET = "mail.secret"
WAITS = (30.0, 120.0, 600.0, 3600.0)


class Account(NamedTuple):
    """Everything that is set about mail."""

    smtp_url: str
    imap_url: str
    mail_from: str
    wait: float
    """Seconds until an answer that the visitor has not seen goes by mail."""
    transcripts: bool
    """Whether a visitor gets the talk when it is closed."""

    @property
    def sends(self) -> bool:
        """Whether mail can go out."""
        return bool(self.smtp_url and self.mail_from)

    @property
    def address(self) -> str:
        """The address that mail comes from, without its name."""
        return parseaddr(self.mail_from)[1]


def of(settings: Settings, rx: Tx) -> Account:
    """How it stands."""
    told = options.every(rx)
    return Account(
        smtp_url=settings.smtp_url or told.get("mail.smtp", ""),
        imap_url=settings.imap_url or told.get("mail.imap", ""),
        mail_from=settings.mail_from or told.get("mail.from", ""),
        wait=float(told.get("mail.wait", WAIT)),
        transcripts="mail.transcripts" in told,
    )


def secret(settings: Settings, store: Store) -> str:
    """What a provider proves itself with at /mail/inbound: the environment's, else one that is made once."""
    if settings.mail_secret:
        return settings.mail_secret
    with store.read() as rx:
        known = options.get(rx, SECRET)
    return known or store.write(_make_secret)


def _make_secret(tx: Tx) -> str:
    if not options.get(tx, SECRET):
        options.put(tx, SECRET, secrets.token_urlsafe(24))
    return options.get(tx, SECRET)
