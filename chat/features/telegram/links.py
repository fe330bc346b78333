"""Links by which a visitor goes on in Telegram: t.me/<bot>?start=<who>, signed, good for an hour.

Telegram takes 64 of the characters A-Z a-z 0-9 _ - there. Whoever has the link reads the answers: it is the visitor's.
"""

import hmac
import time
from hashlib import sha256

SECONDS = 3600


def parameter(secret: bytes, conversation_id: int) -> str:
    """What stands behind `start=`."""
    told = f"{conversation_id:x}-{int(time.time()) + SECONDS:x}"
    return f"{told}-{_sign(secret, told)}"


def _sign(secret: bytes, told: str) -> str:
    return hmac.new(secret, f"telegram link {told}".encode(), sha256).hexdigest()[:32]


def read(secret: bytes, given: str) -> int | None:
    """The conversation that the parameter names; None for one that is tampered with, guessed, or too old."""
    told, _, signature = given.rpartition("-")
    if not hmac.compare_digest(signature.encode(), _sign(secret, told).encode()):
        return None
    conversation_id, _, until = told.partition("-")
    return int(conversation_id, 16) if time.time() < int(until, 16) else None
