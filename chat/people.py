"""Persons and their devices: who a visitor is. Nothing is stored before the visitor acts."""

import json
import random
import secrets
from dataclasses import dataclass
from functools import lru_cache
from time import time
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer

from chat import clock, text
from chat.db import Tx
from chat.keys import fingerprint
from chat.sites import Site

TOKEN_DAYS = 365
_MOODS = """Amber Bright Calm Clever Gentle Golden Happy Kind Lively Lucky
    Mellow Merry Misty Patient Quick Quiet Silver Sunny Swift Warm""".split()
_ANIMALS = """Badger Beaver Crane Dolphin Falcon Finch Fox Hare Heron Lark
    Lynx Marten Otter Owl Panda Robin Seal Swallow Tortoise Wren""".split()


class BadToken(Exception):
    """No token, one that this installation did not sign, one of another site, expired or revoked."""


class Blocked(BadToken):
    """An agent does not want to hear from this visitor, or from this address."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A device's claim to be somebody at one site; the ids are None until it has acted."""

    site: Site
    key: str
    token_hash: str
    person_id: int | None = None
    conversation_id: int | None = None


@dataclass(frozen=True)
class Context:
    """What the browser tells of itself and of the page that the visitor is on; all cut to sane lengths."""

    user_agent: str = ""
    language: str = ""
    timezone: str = ""
    page_url: str = ""
    page_title: str = ""
    referrer: str = ""
    address: str = ""
    """The network that it came from, as far as the owner has it kept."""

    @classmethod
    def of(cls, **told: str) -> "Context":
        """From untrusted strings: one line each; addresses only if they are http or https."""
        lines = {
            name: text.line(value, 200 if name in ("language", "timezone") else 1000) for name, value in told.items()
        }
        for name in ("page_url", "referrer"):
            if not lines.get(name, "").startswith(("http://", "https://")):
                lines[name] = ""
        if _host(lines["referrer"]) == _host(lines["page_url"]):
            lines["referrer"] = ""  # from page to page of the same site: not where they came from
        return cls(**lines)


def _host(url: str) -> str:
    return url.split("/", 3)[2] if url else ""


class Tokens:
    """Signs and reads visitors' tokens: 128 random bits, one site, expiring; valid before anything is stored."""

    def __init__(self, secret: bytes) -> None:
        self._signer = URLSafeTimedSerializer(secret, salt="visitor")
        self._verified = lru_cache(maxsize=4096)(self._verify)  # who talks is asked for again and again

    def issue(self, site: Site) -> tuple[str, str]:
        """A new (token, visitor key)."""
        key = secrets.token_urlsafe(16)
        return self._signer.dumps([site.key, key]), key

    def read(self, site: Site, token: str) -> Visitor:
        """What the token claims, without a look at what is stored. Raises BadToken, also for another site's."""
        try:
            site_key, key, signed_at, token_hash = self._verified(token)
        except (BadData, ValueError, TypeError):
            raise BadToken from None
        # itsdangerous' own `max_age` refuses a token from the future too: a clock set right shut everybody out
        if site_key != site.key or time() - signed_at > TOKEN_DAYS * 86400:
            raise BadToken
        return Visitor(site, key, token_hash)

    def _verify(self, token: str) -> tuple[str, str, float, str]:
        (site_key, key), signed_at = self._signer.loads(token, return_timestamp=True)
        return site_key, key, signed_at.timestamp(), fingerprint(token)

    def identify(self, rx: Tx, site: Site, token: str) -> Visitor:
        """Whose token this is. Raises BadToken, also for a revoked one."""
        return recognise(rx, self.read(site, token))


def recognise(rx: Tx, claim: Visitor) -> Visitor:
    """The visitor with what is stored of them by now. Raises BadToken when the device was revoked, Blocked."""
    query = (
        "SELECT d.person_id, d.revoked_at, (SELECT max(id) FROM conversations WHERE person_id = d.person_id),"
        " p.blocked_at FROM devices d JOIN persons p ON p.id = d.person_id WHERE d.token_hash = ?"
    )
    device = rx.execute(query, [claim.token_hash]).fetchone()
    if device is None:
        return claim
    person_id, revoked_at, conversation_id, blocked_at = device
    if revoked_at:
        raise BadToken
    if blocked_at:
        raise Blocked
    return Visitor(claim.site, claim.key, claim.token_hash, person_id, conversation_id)


def with_new_conversations(rx: Tx, conversation_id: int) -> set[str]:
    """The token hashes of the visitors whose conversations began after that one."""
    query = "SELECT d.token_hash FROM conversations c JOIN devices d ON d.person_id = c.person_id WHERE c.id > ?"
    return {row[0] for row in rx.execute(query, [conversation_id])}


def friendly_name(chance: random.Random | None = None) -> str:
    """A name for somebody who gave none, easy to tell from others: `Quiet Otter`."""
    choice = (chance or random).choice
    return f"{choice(_MOODS)} {choice(_ANIMALS)}"


def welcome(tx: Tx, visitor: Visitor, context: Context) -> int:
    """The person behind the device, made at the first act; what the browser tells is refreshed."""
    device = tx.execute("SELECT person_id FROM devices WHERE token_hash = ?", [visitor.token_hash]).fetchone()
    if device:
        notice(tx, visitor, context)
        return int(device["person_id"])
    person_id = add(tx, visitor.site.id, friendly_name())
    _add_device(tx, visitor, person_id, context)
    return person_id


def join(tx: Tx, visitor: Visitor, person_id: int, context: Context) -> None:
    """Another device of a person whom we know, such as the one on which they read their mail."""
    _add_device(tx, visitor, person_id, context)


def _add_device(tx: Tx, visitor: Visitor, person_id: int, context: Context) -> None:
    at = clock.now()
    row = {"site_id": visitor.site.id, "person_id": person_id, "token_hash": visitor.token_hash}
    row |= {**vars(context), "created_at": at, "seen_at": at}
    marks = ", ".join("?" * len(row))
    tx.execute(f"INSERT INTO devices ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def add(tx: Tx, site_id: int, name: str, email: str | None = None) -> int:
    """A new person; an e-mail address that they gave proves nothing, and merges them with nobody."""
    new = "INSERT INTO persons (site_id, name, email, created_at) VALUES (?, ?, ?, ?)"
    return int(tx.execute(new, [site_id, name or friendly_name(), email, clock.now()]).lastrowid)


def of_conversation(rx: Tx, conversation_id: int) -> int:
    """With whom that conversation is."""
    query = "SELECT person_id FROM conversations WHERE id = ?"
    return int(rx.execute(query, [conversation_id]).fetchone()["person_id"])


def rename(tx: Tx, person_id: int, name: str) -> None:
    """The person said what they are called."""
    tx.execute("UPDATE persons SET name = ? WHERE id = ?", [name, person_id])


def reachable_at(tx: Tx, person_id: int, email: str | None) -> None:
    """The person left an e-mail address ("answer me there"), or took it back."""
    tx.execute("UPDATE persons SET email = ? WHERE id = ?", [email, person_id])


def notice(tx: Tx, visitor: Visitor, context: Context) -> None:
    """Refresh what the device tells; what it does not tell this time stays."""
    told = {name: value for name, value in vars(context).items() if value}
    columns = ", ".join(f"{name} = ?" for name in [*told, "seen_at"])
    values = [*told.values(), clock.now(), visitor.token_hash]
    tx.execute(f"UPDATE devices SET {columns} WHERE token_hash = ?", values)


_BLANK = ", ".join(f"{name} = ''" for name in Context.__annotations__)


def revoke(tx: Tx, visitor: Visitor) -> None:
    """That device's token opens nothing any more, and what it told of itself is forgotten."""
    change = f"UPDATE devices SET {_BLANK}, revoked_at = ? WHERE token_hash = ?"
    tx.execute(change, [clock.now(), visitor.token_hash])


def revoke_all(tx: Tx, person_id: int) -> None:
    """The same for every device of that person."""
    tx.execute(f"UPDATE devices SET {_BLANK}, revoked_at = ? WHERE person_id = ?", [clock.now(), person_id])


def block(tx: Tx, person_id: int, *, blocked: bool) -> None:
    """That person can't write or read here any more, or again."""
    at = clock.now() if blocked else None
    tx.execute("UPDATE persons SET blocked_at = ? WHERE id = ?", [at, person_id])


def blocked_at(rx: Tx, person_id: int) -> str | None:
    """Since when that person is blocked; None when they are not."""
    row = rx.execute("SELECT blocked_at FROM persons WHERE id = ?", [person_id]).fetchone()
    return row["blocked_at"] if row else None


def blocked(rx: Tx, site_id: int, limit: int = 100) -> list[tuple[str, str, int]]:
    """(name, since when, conversation) of those who are blocked at that site, the newest first."""
    query = (
        "SELECT p.name, p.blocked_at, (SELECT max(id) FROM conversations WHERE person_id = p.id) FROM persons p"
        " WHERE p.site_id = ? AND p.blocked_at IS NOT NULL ORDER BY p.blocked_at DESC LIMIT ?"
    )
    return [tuple(row) for row in rx.execute(query, [site_id, limit]).fetchall()]


def forget_addresses(tx: Tx) -> None:
    """No device's network is kept any more."""
    tx.execute("UPDATE devices SET address = '' WHERE address <> '' AND address > ''")


def devices_of(rx: Tx, person_ids: list[int]) -> dict[int, dict[str, Any]]:
    """What each person's last used device told."""
    query = "SELECT * FROM devices WHERE person_id IN (SELECT value FROM json_each(?)) ORDER BY seen_at"
    return {row["person_id"]: dict(row) for row in rx.execute(query, [json.dumps(person_ids)]).fetchall()}
