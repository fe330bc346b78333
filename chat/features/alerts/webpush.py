"""Web push by our own keys: a payload encrypted for one browser (RFC 8291), signed as ours (RFC 8292), handed to the
push service that the browser named (RFC 8030). No vendor stands between."""

import time
from email.utils import mktime_tz, parsedate_tz
from typing import NamedTuple
from urllib.parse import urlsplit

from chat import outbound
from chat.features.alerts.devices import Device, unpack

LARGEST = 3000  # bytes of a payload: every push service takes 4096 encrypted ones (RFC 8030, 7.2)
LIFE = 12 * 3600  # seconds that a push service keeps an alert for a browser that sleeps (TTL), and that a token counts
LONGEST_PAUSE = 3600.0  # seconds that we let a push service ask for
WAIT = 8.0  # seconds for each step
_MEANINGS = {
    400: "it did not understand us",
    401: "it does not take our keys",
    403: "it does not take our keys",
    413: "the alert is too long for it",
}


class Keys(NamedTuple):
    """Who we are to push services."""

    private: bytes
    """The P-256 scalar, 32 bytes."""
    contact: str
    """Whom they may tell of trouble: `mailto:` or https (RFC 8292, 2.1)."""


class Expired(Exception):
    """The browser does not want to be called any more: forget it."""


class Refused(Exception):
    """The push service will not take it, now or later; the text says what it answered."""


class Busy(Exception):
    """It did not work this time. `seconds`: when to try again, if the push service said so."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


def public_key(private: bytes) -> bytes:
    """What browsers subscribe with: the uncompressed point, 65 bytes."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.derive_private_key(int.from_bytes(private), ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(payload: bytes, p256dh: str, auth: str) -> bytes:
    """The payload for that browser alone, in one record of `aes128gcm` (RFC 8291, RFC 8188)."""
    import http_ece
    from cryptography.hazmat.primitives.asymmetric import ec

    once = ec.generate_private_key(ec.SECP256R1())
    secret, receiver = unpack(auth), unpack(p256dh)
    return bytes(http_ece.encrypt(payload, private_key=once, dh=receiver, auth_secret=secret, version="aes128gcm"))


def authorization(keys: Keys, endpoint: str) -> str:
    """The header that says who we are to this push service: a token for its origin, good for half a day."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from py_vapid import Vapid02

    parts = urlsplit(endpoint)
    signer = Vapid02(ec.derive_private_key(int.from_bytes(keys.private), ec.SECP256R1()))
    signer.conf["no-strict"] = True  # a server in one's own network has an address that the library takes for wrong
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(time.time()) + LIFE, "sub": keys.contact}
    return str(signer.sign(claims)["Authorization"])


def push(device: Device, payload: bytes, topic: str, keys: Keys, private_hosts: tuple[str, ...]) -> None:
    """Hand it to the device's push service. `topic`: it takes the place of what waits there under the same one.

    Raises Expired, Refused or Busy.
    """
    assert len(payload) <= LARGEST, len(payload)
    headers = {
        "Authorization": authorization(keys, device.endpoint),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(LIFE),
        "Urgency": "high",
        "Topic": topic,
    }
    body = encrypt(payload, device.p256dh, device.auth)
    try:
        answer = outbound.ask(
            "POST", device.endpoint, body=body, headers=headers, private_hosts=private_hosts, wait=WAIT
        )
    except outbound.Refused as refused:
        raise Refused(str(refused)) from None
    except outbound.Failed as failed:
        raise Busy(str(failed)) from None
    _judge(answer)


def _judge(answer: outbound.Answer) -> None:
    """What the answer means (RFC 8030, 5 and 8.4)."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise Expired
    said = f"The push service answered {status}"
    if status == 429 or status >= 500:
        raise Busy(f"{said}: it is busy or out of order.", _pause(answer.headers.get("Retry-After", "")))
    raise Refused(f"{said}: {_MEANINGS.get(status, 'it refuses the alert')}.")


def _pause(said: str) -> float | None:
    """Seconds by a Retry-After header, which names seconds or a date (RFC 9110, 10.2.3); None when it names none."""
    date = parsedate_tz(said)
    if said.isascii() and said.isdigit():
        seconds = float(said[:9])
    elif date:
        seconds = mktime_tz(date) - time.time()
    else:
        return None
    return min(LONGEST_PAUSE, max(1.0, seconds))
