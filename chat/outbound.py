"""Outbound: the one way by which we ask another server something. The address is somebody's word, so it is guarded.

Resolved once, only addresses of the public internet (or hosts that CHAT_PRIVATE_HOSTS names), the connection made to
just that address, no redirects, WAIT seconds, MOST bytes: nobody makes us knock at the doors of the house's own
network (OWASP ASVS 5.0, 1.3.6; server-side request forgery).
"""

import errno
import ipaddress
import socket
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import gevent

WAIT = 5.0  # seconds for each step
IN_ALL = 60.0  # seconds for all of it, beyond the step's: one who drips holds nobody up
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_INSIDE = tuple(map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "::/96", "fec0::/10")))
"""Local translation prefixes, IPv4-compatible and site-local addresses: all of them may lead into the house."""
MOST = 1024 * 1024  # bytes of an answer that are read


class Refused(ValueError):
    """That address is none that we call; the text says why."""


class Failed(OSError):
    """There was no answer; the text says why."""


def reason(error: BaseException) -> str:
    """Why another server was not reached, in words; what no word is known for stays as the system says it."""
    while isinstance(inner := getattr(error, "reason", None) or error.__cause__, Exception):
        error = inner  # urllib3 wraps what the system said
    if isinstance(error, socket.gaierror):
        return "no server of that name is known"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate can't be trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS on that port"
    known = {
        errno.ECONNREFUSED: "nothing listens on that port",
        errno.ECONNRESET: "it hung up",
        errno.EPIPE: "it hung up",
        errno.ENETUNREACH: "there is no way to it from this machine",
        errno.EHOSTUNREACH: "there is no way to it from this machine",
    }
    return known.get(getattr(error, "errno", None) or 0, " ".join(str(error).split())[:200] or "it hung up")


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Any
    body: bytes


def resolve(host: str, port: int, private_hosts: tuple[str, ...] = ()) -> str:
    """The one address to connect to. Raises Refused for one that is not public, Failed when the name is unknown."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failed(f"{host} could not be reached: {reason(error)}") from None
    allowed = host.lower() in private_hosts
    for *_, address in found:
        if allowed or _is_public(ipaddress.ip_address(str(address[0]).partition("%")[0])):
            return str(address[0])
    raise Refused(f"{host} is no address on the internet. If it is yours, name it in CHAT_PRIVATE_HOSTS.")


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is out there; an IPv6 address counts as the IPv4 one that it is translated to (RFC 6052, 3056)."""
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in _INSIDE):
            return False
        inner = ip.ipv4_mapped or ip.sixtofour
        ip = inner or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip)
    return ip.is_global and not ip.is_multicast


def ask(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    private_hosts: tuple[str, ...] = (),
    wait: float = WAIT,
    most: int = MOST,
) -> Answer:
    """One request. Raises Refused for an address that we do not call, Failed when nothing comes back, in time."""
    import urllib3

    try:
        parts = urlsplit(url)
    except ValueError:
        raise Refused(f"{url[:200]!r} is no address on the web.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Refused(f"{url[:200]!r} is no address on the web.")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Refused(f"{url[:200]!r} names a port that is none.") from None
    if parts.scheme == "http" and parts.hostname.lower() not in private_hosts:
        raise Refused(f"{parts.hostname} would be asked without encryption (http).")
    with gevent.Timeout(wait, Failed(f"{parts.hostname} could not be reached: its name was not looked up in time")):
        address = resolve(parts.hostname, port, private_hosts)
    common: dict[str, Any] = {"timeout": urllib3.Timeout(connect=wait, read=wait), "retries": False, "maxsize": 1}
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        tls = {"server_hostname": parts.hostname, "assert_hostname": parts.hostname}
        pool = urllib3.HTTPSConnectionPool(address, port, **tls, **common)
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **common)
    named = {"Host": parts.netloc, "User-Agent": "Porchlight", **(headers or {})}
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool, gevent.Timeout(wait + IN_ALL, TimeoutError("it took too long")):
            response = pool.request(
                method, target, body=body or None, headers=named, redirect=False, preload_content=False
            )
            return Answer(response.status, response.headers, response.read(most))
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Failed(f"{parts.hostname} could not be reached: {reason(error)}") from None
