"""Records: all that is kept of a person, found by the tables' own references, so that none is forgotten.

What can be downloaded and what is erased are the same rows. A table that a feature adds is among them as soon as it
refers to a person, a conversation or a message; rows that refer to nobody (letters that became no message) are named
here.
"""

import json
import secrets
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from chat import clock, conversations, events, people
from chat.db import Tx
from chat.files import Upload

ERASED = "Erased visitor"
SHELLS = ("persons", "devices", "conversations")
"""Of these a row without anything personal may stay: that there was a talk, and which token opens nothing any more."""
RECEIPTS = "erasures"
_SECRET = frozenset(("token_hash", "token", "salt"))
_INTERNAL = frozenset((RECEIPTS, "events", "states", "deliveries", "mail_threads", "telegram_topics"))
"""What only points at other rows, or makes the machine go: not in a download."""


class Held(Exception):
    """A legal hold keeps this person's records from being erased."""


class Part(NamedTuple):
    """Rows of one table that belong to the person."""

    table: str
    column: str
    """By which they are found: its own id, or the reference to what they belong to."""
    ids: list[int]


class Erased(NamedTuple):
    """What was taken away."""

    conversations: int
    messages: int
    uploads: list[Upload]
    """Files to be taken from the disk once that is committed."""


class Receipt(NamedTuple):
    """Proof that something was erased, or that it was asked for."""

    receipt: str
    site_id: int
    by: str
    conversations: int
    messages: int
    files: int
    asked_at: str
    done_at: str | None
    """None: a legal hold puts it off."""


@cache
def _references(tables: tuple[str, ...], told: tuple[tuple[str, str, str], ...]) -> dict[str, list[tuple[str, str]]]:
    """For each table, (table, column) of those that refer to it."""
    return {parent: [(table, column) for table, column, to in told if to == parent] for parent in tables}


def children(rx: Tx) -> dict[str, list[tuple[str, str]]]:
    """For each table, (table, column) of those that refer to it."""
    names = tuple(row[0] for row in rx.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall())
    told = tuple(
        (name, row["from"], row["table"])
        for name in names
        for row in rx.execute(f"PRAGMA foreign_key_list({name})").fetchall()
    )
    return _references(names, told)


def walk(rx: Tx, table: str, ids: list[int]) -> list[Part]:
    """Those rows and all that belongs to them, owners before what they own. A table to which others refer is taken by
    its own ids, each once; any other by its reference."""
    below, parts, known = children(rx), [Part(table, "id", ids)], {table: set(ids)}
    for part in parts:
        for child, column in below[part.table]:
            fresh = Part(child, column, part.ids)
            if below[child]:
                found = set(_ids(rx, fresh)) - known.get(child, set())
                known.setdefault(child, set()).update(found)
                fresh = Part(child, "id", sorted(found))
            if fresh.ids:
                parts.append(fresh)
    return parts


_AMONG = "(SELECT value FROM json_each(?))"


def _ids(rx: Tx, part: Part) -> list[int]:
    query = f"SELECT id FROM {part.table} WHERE {part.column} IN {_AMONG}"
    return [row[0] for row in rx.execute(query, [json.dumps(part.ids)]).fetchall()]


def rows(rx: Tx, part: Part) -> list[dict[str, Any]]:
    """The rows of a part as they may be handed out: without what opens doors."""
    found = rx.execute(f"SELECT * FROM {part.table} WHERE {part.column} IN {_AMONG}", [json.dumps(part.ids)])
    kept = [{name: value for name, value in dict(row).items() if name not in _SECRET} for row in found.fetchall()]
    return [{name: value for name, value in row.items() if not isinstance(value, bytes)} for row in kept]


def everything(rx: Tx, person_id: int, *, notes: bool) -> dict[str, list[dict[str, Any]]]:
    """All that is kept of that person, by table; what agents noted among themselves only if asked for."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part in walk(rx, "persons", [person_id]):
        if part.table not in _INTERNAL:
            found.setdefault(part.table, []).extend(rows(rx, part))
    hidden = set() if notes else _notes(rx, [row["id"] for row in found.get("conversations", [])])
    found["messages"] = [row for row in found.get("messages", []) if row["id"] not in hidden]
    found["files"] = [row for row in found.get("files", []) if row["message_id"] not in hidden]
    return found


def uploads(rx: Tx, person_id: int, *, notes: bool) -> list[tuple[int, Upload]]:
    """(id, file) of all files in that person's conversations."""
    talks = conversations.of_person(rx, person_id)
    hidden = set() if notes else _notes(rx, talks)
    query = f"SELECT id, message_id, token, name, type, size FROM files WHERE conversation_id IN {_AMONG}"
    found = sorted(tuple(row) for row in rx.execute(query, [json.dumps(talks)]).fetchall())
    return [(row[0], Upload(*row[2:])) for row in found if row[1] not in hidden]


def _notes(rx: Tx, talks: Iterable[int]) -> set[int]:
    query = f"SELECT subject FROM events WHERE conversation_id IN {_AMONG} AND kind = 'message.posted'"
    found = rx.execute(f"{query} AND audience = 'agents'", [json.dumps(list(talks))])
    return {row[0] for row in found.fetchall()}


def counts(rx: Tx, person_id: int) -> tuple[int, int, int]:
    """How many conversations, messages and files there are of that person."""
    talks = conversations.of_person(rx, person_id)
    said = f"SELECT count(*) FROM messages WHERE conversation_id IN {_AMONG}"
    sent = f"SELECT count(*) FROM files WHERE conversation_id IN {_AMONG}"
    told = json.dumps(talks)
    return len(talks), rx.execute(said, [told]).fetchone()[0], rx.execute(sent, [told]).fetchone()[0]


# Erasing.


def erase(tx: Tx, person_id: int, by: events.By, agent_id: int | None = None) -> Erased:
    """Take away all that is kept of that person. What stays is that there was a talk, with no name, word or address,
    and the hash of a token that opens nothing any more. Raises Held."""
    _refuse_held(tx, person_id)
    emails, talks = _addresses(tx, person_id), conversations.of_person(tx, person_id)
    erased = _erase(tx, walk(tx, "persons", [person_id]), spare=SHELLS)
    _forget_letters(tx, emails)
    blank = "name = ?, email = NULL, external_id = NULL, proven_at = NULL, held_why = ''"
    tx.execute(f"UPDATE persons SET {blank} WHERE id = ?", [ERASED, person_id])
    people.revoke_all(tx, person_id)
    for talk in talks:
        conversations.blank(tx, talk, by, agent_id)
    return erased


def drop(tx: Tx, talks: list[int]) -> Erased:
    """Take those conversations away as if they had never been, with the persons and devices that are left without any.
    Those of somebody who is held stay."""
    query = (
        f"SELECT c.id, c.person_id FROM conversations c JOIN persons p ON p.id = c.person_id WHERE c.id IN {_AMONG}"
        " AND p.held_at IS NULL"
    )
    found = tx.execute(query, [json.dumps(talks)]).fetchall()
    talks, theirs = [row["id"] for row in found], sorted({row["person_id"] for row in found})
    emails = {person: _addresses(tx, person) for person in theirs}
    erased = _erase(tx, walk(tx, "conversations", talks))
    left = [person for person in theirs if not conversations.of_person(tx, person)]
    _forget_letters(tx, [email for person in left for email in emails[person]])
    if left:
        _erase(tx, walk(tx, "persons", left))
    return erased


def _erase(tx: Tx, parts: list[Part], spare: tuple[str, ...] = ()) -> Erased:
    talks = [number for part in parts if part.table == "conversations" for number in part.ids]
    messages = sum(len(part.ids) for part in parts if part.table == "messages")
    query = f"SELECT token, name, type, size FROM files WHERE conversation_id IN {_AMONG}"
    uploads = [Upload(*row) for row in tx.execute(query, [json.dumps(talks)]).fetchall()]
    for part in reversed(parts):
        if part.table == RECEIPTS:
            tx.execute(f"UPDATE erasures SET person_id = NULL WHERE {part.column} IN {_AMONG}", [json.dumps(part.ids)])
        elif part.table not in spare:
            tx.execute(f"DELETE FROM {part.table} WHERE {part.column} IN {_AMONG}", [json.dumps(part.ids)])
    tx.execute(f"DELETE FROM presences WHERE who IN {_AMONG}", [json.dumps([f"conversation {talk}" for talk in talks])])
    return Erased(len(talks), messages, uploads)


def _forget_letters(tx: Tx, emails: list[str]) -> None:
    """Letters from there that became no message, and so belong to no conversation."""
    tx.execute(f"DELETE FROM mail_letters WHERE conversation_id IS NULL AND address IN {_AMONG}", [json.dumps(emails)])


def _addresses(rx: Tx, person_id: int) -> list[str]:
    """Under which they were written to: letters that became no message are known by them alone."""
    query = (
        "SELECT email FROM persons WHERE id = ? AND email IS NOT NULL UNION SELECT d.address FROM doors d"
        " WHERE d.channel = 'mail' AND d.conversation_id IN (SELECT id FROM conversations WHERE person_id = ?)"
    )
    return [row[0] for row in rx.execute(query, [person_id, person_id]).fetchall()]


# Holds.


def hold(tx: Tx, person_id: int, why: str) -> None:
    """Nothing of that person is erased from now on: not by retention, not by them, not by an agent."""
    tx.execute("UPDATE persons SET held_at = ?, held_why = ? WHERE id = ?", [clock.now(), why, person_id])


def release(tx: Tx, person_id: int) -> None:
    """The hold has ended. What the visitor asked for meanwhile is done by whoever looks (`put_off`)."""
    tx.execute("UPDATE persons SET held_at = NULL, held_why = '' WHERE id = ?", [person_id])


def held(rx: Tx, person_id: int) -> tuple[str, str] | None:
    """(since when, why) of the hold on that person; None when there is none."""
    row = rx.execute("SELECT held_at, held_why FROM persons WHERE id = ?", [person_id]).fetchone()
    return (row["held_at"], row["held_why"]) if row and row["held_at"] else None


def _refuse_held(rx: Tx, person_id: int) -> None:
    if held(rx, person_id):
        raise Held


# Receipts.


def note(tx: Tx, site_id: int, by: str, erased: Erased | None, person_id: int | None = None) -> str:
    """Note what was erased, or (None) that a hold puts off what that person asked for; returns the receipt's number."""
    number = f"{secrets.token_hex(2)}-{secrets.token_hex(4)}-{secrets.token_hex(4)}".upper()
    done = clock.now() if erased else None
    counted = [erased.conversations, erased.messages, len(erased.uploads)] if erased else [0, 0, 0]
    tx.execute(
        "INSERT INTO erasures (receipt, site_id, person_id, by, conversations, messages, files, asked_at, done_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [number, site_id, None if erased else person_id, by, *counted, clock.now(), done],
    )
    return number


_RECEIPT = "SELECT receipt, site_id, by, conversations, messages, files, asked_at, done_at FROM erasures"


def receipt(rx: Tx, number: str) -> Receipt | None:
    """The receipt with that number."""
    row = rx.execute(f"{_RECEIPT} WHERE receipt = ?", [number]).fetchone()
    return Receipt(*row) if row else None


def receipts(rx: Tx, site_id: int, limit: int = 20) -> list[Receipt]:
    """The newest receipts of that site."""
    query = f"{_RECEIPT} WHERE site_id = ? ORDER BY id DESC LIMIT ?"
    return [Receipt(*row) for row in rx.execute(query, [site_id, limit]).fetchall()]


def asked(rx: Tx, person_id: int) -> str | None:
    """The number under which that person's wish waits for the end of a hold."""
    row = rx.execute("SELECT receipt FROM erasures WHERE person_id = ?", [person_id]).fetchone()
    return str(row["receipt"]) if row else None


def put_off(rx: Tx) -> list[int]:
    """The persons whose wish to be erased waits, and no hold any more."""
    query = (
        "SELECT e.person_id FROM erasures e JOIN persons p ON p.id = e.person_id"
        " WHERE e.person_id > 0 AND p.held_at IS NULL"
    )
    return [row[0] for row in rx.execute(query).fetchall()]


def done(tx: Tx, number: str, erased: Erased) -> None:
    """What was put off is done."""
    values = [erased.conversations, erased.messages, len(erased.uploads), clock.now(), number]
    change = "conversations = ?, messages = ?, files = ?, done_at = ?, person_id = NULL"
    tx.execute(f"UPDATE erasures SET {change} WHERE receipt = ?", values)
