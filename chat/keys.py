"""The installation's secret, which signs visitors' tokens and forms; and what is stored of a token."""

import hashlib

from chat.db import Tx


def secret(rx: Tx) -> bytes:
    """The 256-bit key, made with the database and kept in it: a copy of that one file keeps every visitor's talk."""
    return bytes(rx.execute("SELECT value FROM secrets WHERE name = 'signing'").fetchone()["value"])


def fingerprint(token: str) -> str:
    """What is stored of a token with 128 random bits or more: enough to know it again, useless to a thief."""
    return hashlib.sha256(token.encode()).hexdigest()
