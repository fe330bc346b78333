"""Identity: the VAPID key by which push services know this installation, made once and kept in the database, so that
a copy of that one file goes on calling the same browsers."""

import base64
import hmac
import secrets
from hashlib import sha256

from chat.db import Store, Tx
from chat.features.alerts import webpush

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-5)


def key(store: Store) -> bytes:
    """The private key; made when first asked for."""
    with store.read() as rx:
        found = _read(rx)
    return found or store.write(_make)


def _read(rx: Tx) -> bytes | None:
    row = rx.execute("SELECT value FROM secrets WHERE name = 'vapid'").fetchone()
    return bytes(row["value"]) if row else None


def _make(tx: Tx) -> bytes:
    fresh = (secrets.randbelow(_ORDER - 1) + 1).to_bytes(32)
    tx.execute("INSERT OR IGNORE INTO secrets (name, value) VALUES ('vapid', ?)", [fresh])
    return _read(tx) or fresh


def public(store: Store) -> str:
    """What browsers subscribe with, as base64url."""
    return pack(webpush.public_key(key(store)))


def pack(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def topic(secret: bytes, about: str) -> str:
    """The name under which a push service replaces what it has not delivered yet: 32 characters at most (RFC 8030,
    5.4), telling nothing of what it is about."""
    return pack(hmac.digest(secret, f"topic {about}".encode(), sha256)[:24])
