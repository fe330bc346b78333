"""A small client for our own public address: HTTP that shows when each part came, and one WebSocket."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, RejectConnection, Request, TextMessage

PATIENCE = 10.0  # seconds for any step
MOST = 256 * 1024  # bytes of an answer


@dataclass(frozen=True)
class Address:
    """A server's address, as `https://chat.example`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ValueError when it is none."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError(url)
        return cls(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def netloc(self) -> str:
        """Host and port, as a Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def loopback(self) -> bool:
        """Whether it leads nowhere but to this machine."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


@dataclass
class Answer:
    """What came back, and when."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = b""
    pauses: list[tuple[float, int]] = field(default_factory=list)
    """For each piece as it came: seconds since the question, bytes."""

    def every(self, name: str) -> list[str]:
        """All headers of that name."""
        return self.headers.get_all(name) or []

    def header(self, name: str) -> str:
        """One header; empty when it is missing."""
        return self.headers.get(name) or ""


def connection(address: Address) -> http.client.HTTPConnection:
    """A connection that is made at the first question; certificates are checked as browsers do."""
    if address.scheme == "https":
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=PATIENCE, context=ssl.create_default_context()
        )
    return http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE)


def ask(address: Address, path: str, method: str = "GET", **headers: str) -> Answer:
    """One question; redirects are not followed. Raises OSError or http.client.HTTPException."""
    line = connection(address)
    try:
        began = monotonic()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, headers={"Accept-Encoding": "identity", **named})
        response = line.getresponse()
        answer = Answer(response.status, response.headers)
        while len(answer.body) < MOST and (piece := response.read1(4096)):
            answer.body += piece
            answer.pauses.append((monotonic() - began, len(piece)))
        return answer
    finally:
        line.close()


def certificate(address: Address) -> dict[str, Any]:
    """The certificate that the server shows, checked. Raises OSError, of which ssl.SSLCertVerificationError is one."""
    line = connection(address)
    try:
        line.connect()
        return dict(line.sock.getpeercert() or {})
    finally:
        line.close()


def hello(address: Address, path: str, first: dict[str, Any], **headers: str) -> tuple[int, str]:
    """Open a WebSocket, send one frame, wait for one: (101, what came), or the refusing status and nothing; a close
    code comes back as status. Raises OSError or http.client.HTTPException."""
    line = connection(address)
    try:
        line.connect()
        ws = WSConnection(ConnectionType.CLIENT)
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        line.sock.sendall(ws.send(Request(host=address.netloc, target=path, extra_headers=named)))
        text = ""
        while data := line.sock.recv(4096):
            ws.receive_data(data)
            for event in ws.events():
                if isinstance(event, AcceptConnection):
                    line.sock.sendall(ws.send(TextMessage(json.dumps(first))))
                elif isinstance(event, RejectConnection):
                    return event.status_code, ""
                elif isinstance(event, CloseConnection):
                    return event.code, ""
                elif isinstance(event, Message):
                    text += str(event.data)
                    if event.message_finished:
                        line.sock.sendall(ws.send(CloseConnection(1000)))
                        return 101, text
        return 0, ""
    finally:
        line.close()
