"""A push service on this machine, written from the published documents, and browsers that are called through it.

It takes what RFC 8030 has a push service take, checks who calls by RFC 8292, and decrypts by RFC 8291 and RFC 8188 with
keys that it made itself. Of `cryptography` it uses the curve, the signature and AES alone; nothing of what encrypts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from feed import eventually


def unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pack(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF with SHA-256 for one block of output (RFC 5869)."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:length]


@dataclass
class Call:
    """One alert as it came in: its headers, and what the browser read."""

    headers: dict[str, str]
    note: dict[str, Any]
    size: int
    claims: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


class Phone:
    """A browser that wants to be called: its keys, its address, and what reached it."""

    def __init__(self, service: PushService) -> None:
        self.service, self.id = service, secrets.token_urlsafe(12)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = secrets.token_bytes(16)
        self.calls: list[Call] = []
        self.tries = 0
        self.answers: list[tuple[int, dict[str, str]]] = []
        """What the service answers next, before it takes calls again."""
        self.wait = 0.0
        service.phones[f"/push/{self.id}"] = self

    @property
    def subscription(self) -> dict[str, Any]:
        keys = {"p256dh": pack(point(self.key.public_key())), "auth": pack(self.auth)}
        return {"endpoint": f"{self.service.url}/push/{self.id}", "expirationTime": None, "keys": keys}

    def decrypt(self, body: bytes) -> bytes:
        """RFC 8188 with the keys of RFC 8291: one record of aes128gcm."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert length == 65 and len(record) <= size, "the sender's key is the record's name, and there is one record"
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        info = b"WebPush: info\x00" + point(self.key.public_key()) + sender
        material = derive(self.auth, shared, info, 32)
        key = derive(salt, material, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = derive(salt, material, b"Content-Encoding: nonce\x00", 12)
        plain = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\x00")
        assert plain[-1:] == b"\x02", "the last record ends with its mark"
        return plain[:-1]

    def told(self, count: int = 1, seconds: float = 10) -> list[Call]:
        """All that reached it, once there are so many."""
        eventually(lambda: len(self.calls) >= count, seconds, f"{count} alerts (there are {len(self.calls)})")
        return self.calls


class PushService:
    """The server. What does not follow the documents is refused, and told in `wrong`."""

    def __init__(self) -> None:
        self.phones: dict[str, Phone] = {}
        self.wrong: list[str] = []
        self.keys: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, headers = outer.take(self.path, dict(self.headers.items()), body)
                self.send_response(status)
                for name, value in ({"Content-Length": "0"} | headers).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *ignored: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        phone = self.phones.get(path)
        if phone is None:
            return 404, {}
        phone.tries += 1
        time.sleep(phone.wait)
        try:
            claims = self.check_sender(headers["Authorization"])
            self.check_headers(headers, body)
            note = json.loads(phone.decrypt(body))
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
            return 400, {}
        if phone.answers:
            return phone.answers.pop(0)
        phone.calls.append(Call(headers, note, len(body), claims))
        return 201, {"Location": f"{self.url}/m/{secrets.token_hex(8)}"}

    def check_headers(self, headers: dict[str, str], body: bytes) -> None:
        """RFC 8030: TTL is a must; a topic has 32 characters of base64url at most; an urgency is one of four."""
        assert headers["TTL"].isdigit()
        assert headers["Urgency"] in ("very-low", "low", "normal", "high")
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,32}", headers["Topic"])
        assert headers["Content-Encoding"] == "aes128gcm" and len(body) <= 4096
        assert "Crypto-Key" not in headers and "Encryption" not in headers

    def check_sender(self, header: str) -> dict[str, Any]:
        """RFC 8292: `vapid t=<JWT>, k=<key>`, signed with ES256, for our origin, for a day at most, with a contact."""
        scheme, _, rest = header.partition(" ")
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        assert scheme.lower() == "vapid" and given.keys() == {"t", "k"}
        head, claims, signature = given["t"].split(".")
        assert json.loads(unpack(head))["alg"] == "ES256"
        raw = unpack(signature)
        assert len(raw) == 64
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpack(given["k"]))
        pair = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        key.verify(pair, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        said: dict[str, Any] = json.loads(unpack(claims))
        assert said["aud"] == self.url, "a token is for one push service"
        assert time.time() < said["exp"] <= time.time() + 24 * 3600
        assert said["sub"].startswith(("mailto:", "https:"))
        self.keys.add(given["k"])
        return said

    def __enter__(self) -> PushService:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
