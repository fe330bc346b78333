"""The letter book: every mail that came or went, without its text. By it nothing is taken in or sent for a second time,
and each mail names those before it (In-Reply-To, References)."""

import json
from typing import NamedTuple

from chat import clock
from chat.db import Tx


class Entry(NamedTuple):
    """One line of the book."""

    direction: str
    message_id: str
    conversation_id: int | None
    message: int | None
    kind: str
    address: str
    subject: str
    note: str
    created_at: str


_COLUMNS = ", ".join(Entry._fields)


def known(rx: Tx, direction: str, message_id: str) -> bool:
    """Whether that mail stands in the book already."""
    query = "SELECT 1 FROM mail_letters WHERE direction = ? AND message_id = ?"
    return rx.execute(query, [direction, message_id]).fetchone() is not None


def enter(
    tx: Tx,
    direction: str,
    message_id: str,
    kind: str,
    address: str,
    subject: str,
    *,
    conversation_id: int | None = None,
    message: int | None = None,
    note: str = "",
) -> None:
    """Write a mail down; one that stands there stays as it is."""
    values = [direction, message_id, conversation_id, message, kind, address, subject, note, clock.now()]
    tx.execute(
        "INSERT INTO mail_letters (direction, message_id, conversation_id, message, kind, address, subject,"
        " note, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        values,
    )


def parents(rx: Tx, conversation_id: int, address: str, limit: int = 20) -> list[str]:
    """The Message-IDs of the talk with that address, oldest first: what the next mail refers to."""
    query = (
        "SELECT message_id FROM mail_letters WHERE conversation_id = ? AND address = ?"
        " AND kind IN ('new', 'answer', 'transcript', 'alert') ORDER BY id DESC LIMIT ?"
    )
    rows = rx.execute(query, [conversation_id, address, limit]).fetchall()
    return [row["message_id"] for row in reversed(rows)]


def written_to(rx: Tx, conversation_id: int) -> str:
    """The visitor's address to which the last mail about that conversation went; empty when none did."""
    query = (
        "SELECT address FROM mail_letters WHERE conversation_id = ? AND direction = 'out' AND kind = 'answer'"
        " ORDER BY id DESC LIMIT 1"
    )
    row = rx.execute(query, [conversation_id]).fetchone()
    return str(row["address"]) if row else ""


def conversation_of(rx: Tx, message_ids: list[str], address: str) -> int | None:
    """The conversation to which one of these letters belongs that came from that address."""
    query = (
        "SELECT conversation_id FROM mail_letters WHERE direction = 'in' AND message_id IN (SELECT value FROM"
        " json_each(?)) AND address = ? AND conversation_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    row = rx.execute(query, [json.dumps(message_ids), address]).fetchone()
    return int(row["conversation_id"]) if row else None


def is_answer_to_notice(rx: Tx, message_ids: list[str]) -> bool:
    """Whether one of these is a mail of ours that is about no conversation."""
    query = (
        "SELECT 1 FROM mail_letters WHERE direction = 'out' AND message_id IN (SELECT value FROM json_each(?))"
        " AND kind IN ('digest', 'test') LIMIT 1"
    )
    return rx.execute(query, [json.dumps(message_ids)]).fetchone() is not None


def sent_message(rx: Tx, message_id: str) -> Entry | None:
    """Our own mail with that Message-ID."""
    query = f"SELECT {_COLUMNS} FROM mail_letters WHERE direction = 'out' AND message_id = ?"
    row = rx.execute(query, [message_id]).fetchone()
    return Entry(*row) if row else None


def latest(rx: Tx, direction: str, limit: int = 10) -> list[Entry]:
    """The last mails in that direction, newest first."""
    query = f"SELECT {_COLUMNS} FROM mail_letters WHERE direction = ? ORDER BY id DESC LIMIT ?"
    return [Entry(*row) for row in rx.execute(query, [direction, limit]).fetchall()]
