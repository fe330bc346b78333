"""The account: how mail goes out and comes in. What the environment says goes before what the owner set on the page."""

import secrets
from email.utils import parseaddr
from typing import NamedTuple

from chat import options
from chat.config import Settings
from chat.db import Tx

WAIT = 120.0  # seconds until an unseen answer goes by mail, if the owner set nothing else
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


def known_secret(settings: Settings, rx: Tx) -> str:
    """What a provider proves itself with; empty when none was made yet."""
    return settings.mail_secret or options.get(rx, "mail.secret")


def secret(settings: Settings, tx: Tx) -> str:
    """What a provider proves itself with at /mail/inbound: the environment's, else one that is made once."""
    known = known_secret(settings, tx)
    if not known:
        known = secrets.token_urlsafe(24)
        options.put(tx, "mail.secret", known)
    return known
