"""Threads: the random reply addresses, and the Message-IDs by which an answer finds its conversation.

Whoever knows `local+token@domain` speaks in that conversation: as the visitor, or as the agent for whom it was made.
The token has 100 random bits in letters and figures alone, since some servers lower the case of addresses.
"""

import re
import secrets
from email.utils import parseaddr
from typing import NamedTuple

from chat import clock
from chat.db import Tx

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
LENGTH = 20
_TOKEN = re.compile(rf"\+([{_LETTERS}]{{{LENGTH}}})@")
_OWN_ID = re.compile(rf"^([{_LETTERS}]{{{LENGTH}}})\.[0-9]+@")

_ANYWHERE = re.compile(rf"<([{_LETTERS}]{{{LENGTH}}}\.[0-9]+@[A-Za-z0-9.-]+)>")


class Thread(NamedTuple):
    """Who speaks by this token, and where."""

    token: str
    conversation_id: int
    agent_id: int | None
    """None: the visitor."""


def token_of(tx: Tx, conversation_id: int, agent_id: int | None = None) -> str:
    """The conversation's token for the visitor, or for that agent: made when first asked for."""
    query = "SELECT token FROM mail_threads WHERE conversation_id = ? AND agent_id IS ?"
    row = tx.execute(query, [conversation_id, agent_id]).fetchone()
    if row:
        return str(row["token"])
    token = "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
    new = "INSERT INTO mail_threads (token, conversation_id, agent_id, created_at) VALUES (?, ?, ?, ?)"
    tx.execute(new, [token, conversation_id, agent_id, clock.now()])
    return token


def reply_address(mail_from: str, token: str) -> str:
    """Where an answer goes: our own address with the token behind a plus (RFC 5233)."""
    local, _, domain = parseaddr(mail_from)[1].rpartition("@")
    return f"{local}+{token}@{domain}"


def message_id(mail_from: str, token: str, delivery_id: int) -> str:
    """The Message-ID of a delivery, without brackets: the same for each attempt (RFC 5322, 3.6.4)."""
    domain = parseaddr(mail_from)[1].rpartition("@")[2]
    return f"{token}.{delivery_id}@{domain}"


def find(rx: Tx, token: str) -> Thread | None:
    """The thread of that token; None when it was never made."""
    query = "SELECT token, conversation_id, agent_id FROM mail_threads WHERE token = ?"
    row = rx.execute(query, [token]).fetchone()
    return Thread(*row) if row else None


def addressed(rx: Tx, addresses: list[str]) -> Thread | None:
    """The thread that one of these addresses names."""
    return _first(rx, (match[1] for each in addresses if (match := _TOKEN.search(each.lower()))))


def answered(rx: Tx, message_ids: list[str]) -> Thread | None:
    """The thread of our own mail that one of these Message-IDs names, the last one first."""
    return _first(
        rx, (match[1] for each in reversed(message_ids) if (match := _OWN_ID.match(each.strip("<> ").lower())))
    )


def mentioned(told: str) -> list[str]:
    """Message-IDs of ours that stand somewhere in a text, such as a bounce's."""
    return list(dict.fromkeys(_ANYWHERE.findall(told)))[:10]


def _first(rx: Tx, tokens: object) -> Thread | None:
    return next((found for token in tokens if (found := find(rx, token))), None)  # type: ignore[attr-defined]
