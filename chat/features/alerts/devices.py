"""Devices: the browsers on which an agent is called. Each belongs to the session in which it was added, and goes with
it when that is ended by hand (a trigger, m004): nobody is called on a laptop after "Sign out everywhere"."""

import base64
import binascii
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chat import clock, outbound
from chat.db import Tx
from chat.languages import gettext

MOST = 20  # devices of one agent
LONGEST = 2000  # characters of an endpoint
_COLUMNS = "id, agent_id, endpoint, p256dh, auth, name, session_hash, created_at, success_at, error"


class Device(NamedTuple):
    """One browser of an agent's, and where its push service listens."""

    id: int
    agent_id: int
    endpoint: str
    p256dh: str
    auth: str
    name: str
    session_hash: str
    created_at: str
    success_at: str | None
    error: str


class Subscription(NamedTuple):
    """What a browser hands over when it agrees to be called (Push API, `PushSubscription.toJSON`)."""

    endpoint: str
    p256dh: str
    auth: str


class BadSubscription(ValueError):
    """What came is no subscription that we can use; the text says why."""


def unpack(value: str) -> bytes:
    """base64url as it stands in headers and keys, padded or not. Raises ValueError."""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeError):
        raise ValueError("no base64url") from None


def read(said: Any, private_hosts: tuple[str, ...]) -> Subscription:
    """A subscription that came from a browser, checked: an address on the internet, by https, and a P-256 key.

    Raises BadSubscription.
    """
    keys = said.get("keys") if isinstance(said, dict) else None
    values = [said.get("endpoint"), keys.get("p256dh"), keys.get("auth")] if isinstance(keys, dict) else []
    if len(values) != 3 or not all(isinstance(value, str) and value.isascii() for value in values):
        raise BadSubscription(
            gettext("This browser did not say where it can be called. Reload the page and try again.")
        )
    subscription = Subscription(*values)
    _check_endpoint(subscription.endpoint, private_hosts)
    _check_keys(subscription)
    return subscription


def _check_endpoint(endpoint: str, private_hosts: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise BadSubscription(gettext("The push service's address can't be read.")) from None
    inside = parts.scheme == "http" and host in private_hosts
    if len(endpoint) > LONGEST or not host or parts.username or not (parts.scheme == "https" or inside):
        raise BadSubscription(gettext("The push service's address has to begin with https."))
    try:
        outbound.resolve(host, port or 443, private_hosts)
    except outbound.Refused as refused:
        raise BadSubscription(str(refused)) from None
    except outbound.Failed:
        pass  # its name may be known by the time that it is needed


def _check_keys(subscription: Subscription) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpack(subscription.p256dh))
        whole = len(unpack(subscription.auth)) == 16
    except ValueError:
        whole = False
    if not whole:
        raise BadSubscription(gettext("This browser's keys can't be used. Turn alerts off and on again in it."))


def add(tx: Tx, agent_id: int, session_hash: str, subscription: Subscription, name: str) -> int:
    """Call the agent there from now on. A browser that is known gets today's keys, and belongs to who signed in last.

    Raises BadSubscription when the agent has MOST already.
    """
    count = "SELECT count(*) FROM push_devices WHERE agent_id = ? AND endpoint <> ?"
    if tx.execute(count, [agent_id, subscription.endpoint]).fetchone()[0] >= MOST:
        raise BadSubscription(
            gettext("You have %(most)s devices already. Remove one that you don't use any more.") % {"most": MOST}
        )
    row = tx.execute(
        "INSERT INTO push_devices (agent_id, session_hash, endpoint, p256dh, auth, name, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint) DO UPDATE SET agent_id = excluded.agent_id,"
        " session_hash = excluded.session_hash, p256dh = excluded.p256dh, auth = excluded.auth, name = excluded.name"
        " RETURNING id",
        [agent_id, session_hash, *subscription, name, clock.now()],
    ).fetchone()
    return int(row["id"])


def of_agent(rx: Tx, agent_id: int) -> list[Device]:
    """All devices of the agent, the oldest first."""
    query = f"SELECT {_COLUMNS} FROM push_devices WHERE agent_id = ? ORDER BY id"
    return [Device(*row) for row in rx.execute(query, [agent_id]).fetchall()]


def find(rx: Tx, device_id: int) -> Device | None:
    """That device, or None."""
    row = rx.execute(f"SELECT {_COLUMNS} FROM push_devices WHERE id = ?", [device_id]).fetchone()
    return Device(*row) if row else None


def remove(tx: Tx, agent_id: int, device_id: int) -> bool:
    """Call the agent there no more. False when the agent has no such device."""
    gone = tx.execute("DELETE FROM push_devices WHERE id = ? AND agent_id = ?", [device_id, agent_id])
    return bool(gone.rowcount)


def leave(tx: Tx, agent_id: int, endpoint: str) -> bool:
    """The same by the address: the browser itself says so."""
    gone = tx.execute("DELETE FROM push_devices WHERE endpoint = ? AND agent_id = ?", [endpoint, agent_id])
    return bool(gone.rowcount)


def reached(tx: Tx, device_id: int) -> None:
    """Its push service has taken an alert just now."""
    tx.execute("UPDATE push_devices SET success_at = ?, error = '' WHERE id = ?", [clock.now(), device_id])


def missed(tx: Tx, device_id: int, why: str) -> None:
    """Its push service has not, and this is what it said."""
    tx.execute("UPDATE push_devices SET error = ? WHERE id = ?", [why, device_id])
