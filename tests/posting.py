"""What the tests of e-mail share: a shop that is reached by it, letters that are pushed, and time that passes."""

from __future__ import annotations

import hmac
from contextlib import closing
from email.message import EmailMessage
from hashlib import sha256
from typing import Any

import httpx
from cast import Visitor
from harness import Server
from mailer import ADDRESS, Dovecot, Smtp

from chat.db import connect
from chat.features.mail import notices

VERA = "Vera Example <vera@example.org>"
SECRET = "a secret for providers".replace(" ", "-")


def by_mail(smtp: Smtp, mailbox: Dovecot | None = None) -> dict[str, str]:
    """The settings of a server that sends and is pushed letters, and fetches them where there is a mailbox."""
    fetched = {"CHAT_IMAP_URL": mailbox.url} if mailbox else {}
    return fetched | {"CHAT_SMTP_URL": smtp.url, "CHAT_MAIL_FROM": f"Shop <{ADDRESS}>", "CHAT_MAIL_SECRET": SECRET}


def due(server: Server, thread: str, key: str = "conversation") -> None:
    """Time passes: the mail about that conversation that waits is due now."""
    with closing(connect(server.data / "chat.sqlite")) as db:
        which = "sender = 'mail' AND state = 'waiting' AND key LIKE ?"
        like = f"{key}%{thread.rpartition('/')[2]}"
        db.execute(f"UPDATE deliveries SET next_at = '2000-01-01T00:00:00.000Z' WHERE {which}", [like])


def waiting(server: Server, thread: str) -> int:
    """How many mails with answers of that conversation wait to go out."""
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        which = "sender = 'mail' AND key = ? AND state IN ('waiting', 'sending')"
        key = f"conversation {thread.rpartition('/')[2]}"
        return int(db.execute(f"SELECT count(*) FROM deliveries WHERE {which}", [key]).fetchone()[0])


def leave_address(visitor: Visitor, email: str) -> httpx.Response:
    return visitor.http.post("/w/main/address", data={"email": email}, headers=visitor.auth())


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    return str(part.get_content())


def alerted(server: Server, smtp: Smtp, thread: str, *, brief: bool = False) -> EmailMessage:
    """The mail to Ann about a conversation at which nobody has looked."""
    number, count = int(thread.rpartition("/")[2]), len(smtp.mails)
    with closing(connect(server.data / "chat.sqlite")) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE states SET agent_seen = 0 WHERE conversation_id = ?", [number])
        notices.alert(db, 1, number, brief=brief)
        db.execute("COMMIT")
    due(server, thread, "alert")
    return smtp.wait_for(count + 1)


def push(server: Server, raw: bytes, **more: Any) -> httpx.Response:
    """A provider pushes a letter, signed."""
    signature = hmac.new(SECRET.encode(), raw, sha256).hexdigest()
    headers = {"X-Porchlight-Signature": f"sha256={signature}", "Content-Type": "message/rfc822"} | more
    return httpx.post(f"{server.url}/mail/inbound", content=raw, headers=headers, trust_env=False, timeout=30)
