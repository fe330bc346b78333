"""Proof of work, under load alone: a stranger's browser computes for half a second before a conversation begins.

ALTCHA's algorithm, version 1 (altcha.org): find the number that, behind the salt, has the challenge as its SHA-256. A
solution is good for one visitor of one site, so that nobody can use another's, and for nobody who has begun already.
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from chat.limits import Buckets, TooMany, network
from chat.people import Visitor

MOST = 100_000  # numbers to try: half of them on average
LASTS = timedelta(minutes=5)
LONGEST = 1000  # characters of a solution
FROM_ADDRESS, AT_SITE, SPAN = 80, 150, 600.0  # conversations that begin in so many seconds before proof is asked for


class Asked(TooMany):
    """There is load: try again after `seconds`, or at once with a solution of `challenge`."""

    def __init__(self, seconds: int, challenge: dict[str, Any]) -> None:
        super().__init__(seconds)
        self.challenge = challenge


class Proofs:
    """What one process has seen begin, and the key by which it knows its own challenges."""

    def __init__(self, secret: bytes, enabled: bool) -> None:
        self._key = hmac.new(secret, b"proof of work", hashlib.sha256).hexdigest()
        self._addresses = Buckets(burst=FROM_ADDRESS, rate=FROM_ADDRESS / SPAN, enabled=enabled)
        self._sites = Buckets(burst=AT_SITE, rate=AT_SITE / SPAN, enabled=enabled)

    def ask(self, who: Visitor, address: str, solution: str) -> None:
        """Let them begin if there is no load, or for a good solution. Raises Asked. Who is known is never asked."""
        if who.person_id is not None:
            return
        try:
            self._addresses.take(network(address))
            self._sites.take(str(who.site.id))
        except TooMany as full:
            if not self.proves(who, solution):
                raise Asked(full.seconds, self.challenge(who)) from None

    def challenge(self, who: Visitor) -> dict[str, Any]:
        """A new one, for that visitor at that site and as hard as they are now; signed."""
        from altcha.v1 import create_challenge  # loaded under load alone

        expires = datetime.now(UTC) + LASTS
        made = create_challenge(
            algorithm="SHA-256",
            max_number=MOST,
            salt_length=12,
            hmac_key=self._key,
            salt="",
            number=None,
            expires=expires,
            params=_bound(who),
        )
        return dict(made.to_dict())

    def proves(self, who: Visitor, solution: str) -> bool:
        """Whether that is the solution (base64 of JSON, as ALTCHA sends it) of a challenge made for this visitor."""
        from altcha.v1 import extract_params, verify_solution

        try:
            said = json.loads(base64.b64decode(solution[:LONGEST], validate=True))
        except (ValueError, binascii.Error, RecursionError):
            return False
        kinds = {"algorithm": str, "challenge": str, "number": int, "salt": str, "signature": str}
        if not isinstance(said, dict) or any(type(said.get(name)) is not kind for name, kind in kinds.items()):
            return False
        told = {name: values for name, values in extract_params(said).items() if name != "expires"}  # type: ignore[arg-type]
        if told != {name: [value] for name, value in _bound(who).items()} or "expires" not in said["salt"]:
            return False
        return said["algorithm"] == "SHA-256" and verify_solution(said, self._key)[0]  # type: ignore[call-overload, no-any-return]


def _bound(who: Visitor) -> dict[str, str]:
    return {"site": who.site.key, "visitor": who.token_hash[:32], "most": str(MOST)}
