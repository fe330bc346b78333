"""A stand-in for the other side of the hook: an SMS provider, written to Standard Webhooks by its text alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def sign(secret: str, webhook_id: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `id.timestamp.body`, with the key behind `whsec_`, as `v1,<base64>`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(secret: str, body: bytes, webhook_id: str = "", at: float | None = None) -> dict[str, str]:
    """What goes along with a signed body."""
    webhook_id, stamp = webhook_id or f"msg_{uuid.uuid4().hex}", str(int(time.time() if at is None else at))
    signature = sign(secret, webhook_id, stamp, body)
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature,
    }


@dataclass
class Got:
    """A request that came: its headers and its JSON."""

    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.told["data"].get("messages", [])]

    def is_signed_with(self, secret: str) -> bool:
        expected = sign(secret, self.headers["webhook-id"], self.headers["webhook-timestamp"], self.body)
        return expected in self.headers["webhook-signature"].split(" ")


@dataclass
class Provider:
    """The server. A context manager; answers with what is in `answers`, then with 200."""

    got: list[Got] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], float]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def __enter__(self) -> Provider:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.provider = self  # type: ignore[attr-defined]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *about: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/in"

    def answer(self, status: int, wait: float = 0.0, **headers: str) -> None:
        """The next request that has no answer yet gets this one."""
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, wait))

    def with_text(self, text: str) -> list[Got]:
        """The requests that carry an answer of that text."""
        return [got for got in list(self.got) if text in got.texts]


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *about: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        content = self.server.provider.files.get(self.path)  # type: ignore[attr-defined]
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def do_POST(self) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, told, wait = provider.answers.pop(0) if provider.answers else (200, {}, 0.0)
        provider.got.append(Got({name.lower(): value for name, value in self.headers.items()}, body, status))
        time.sleep(wait)
        try:
            self.send_response(status)
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"noted <b>well</b>")
        except OSError:
            return
