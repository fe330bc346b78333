"""What a visitor's browser meets on the way in: address, TLS, proxy; and then what gets through."""

import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlite_utils.utils import sqlite3

from chat.config import Settings
from chat.doctor import Check, Finding, advice, doors, ok, passage, problem, until_shut, warning, wire
from chat.doctor.doors import UNREACHABLE, Door
from chat.doctor.wire import Answer

FORGED = "203.0.113.77"  # an address of the documentation: nobody's
SOON, NOW = 14, 3  # days before a certificate ends


def way_in(settings: Settings, url: str = "") -> Iterator[Check]:
    """All that can be looked at through the door, which leads nowhere while the database can't be read."""
    try:
        found = doors.of(settings, url)
    except sqlite3.Error as error:
        unread = problem(f"The way in was not looked at: the database can't be read ({error}).")
        yield Check("Address", lambda: unread)
        return
    yield from checks(found)


def checks(door: Door) -> Iterator[Check]:
    """All that can be looked at through the door; nothing more when it is shut."""
    later = [
        Check("Encryption", partial(encryption, door)),
        Check("Proxy", partial(proxy, door)),
        Check("Held back", partial(passage.buffering, door)),
        Check("WebSocket", partial(passage.websocket, door)),
        Check("Long poll", partial(passage.poll, door)),
        Check("Headers", partial(passage.headers, door)),
        *(Check(f"Frame of {site.key}", partial(passage.framing, door, site)) for site in door.sites),
        Check("Proxy's clock", partial(passage.date, door)),
    ]
    return until_shut(Check("Address", partial(reachable, door)), later)


def reachable(door: Door) -> Finding:
    """Whether this very server answers there."""
    url = door.address.url
    try:
        answer = door.probe()
    except ssl.SSLCertVerificationError as error:
        return problem(
            f"{url} shows a certificate that browsers refuse: {error.verify_message}.",
            "It has expired, is for another name, or nobody whom browsers trust has signed it.",
            "Get one for this name: Caddy does by itself; for nginx `certbot --nginx`.",
        )
    except UNREACHABLE as error:
        return problem(
            f"{url} can't be reached: {getattr(error, 'strerror', None) or type(error).__name__}.",
            "The name leads elsewhere, a firewall is between, or the proxy is not running.",
            "Look at the DNS entry, ports 80 and 443, and the proxy's log.",
        )
    door.server = _server(answer)
    if answer.status in (502, 503, 504):
        return problem(
            f"{url} answers {answer.status}.",
            "The proxy is there, and does not reach Porchlight behind it.",
            "Is the server running, and is the port after `proxy_pass` or `reverse_proxy` the one in PORT?",
        )
    if answer.status in (301, 302, 307, 308):
        return problem(
            f"{url} leads on to {answer.header('Location')[:200]}.",
            "",
            "Set CHAT_URL to where it leads, if that is the chat.",
        )
    if answer.status != 200:
        return problem(
            f"Something answers at {url} ({answer.status}), but it is not this server.",
            "CHAT_URL leads to another machine or another program, or this is not the data folder of that server.",
            "Look at CHAT_URL and CHAT_DATA, and at the address after `proxy_pass` or `reverse_proxy`.",
        )
    if not door.public:
        return ok(f"{url} answers. CHAT_URL is not set, so the way in from outside was not looked at.")
    return ok(f"{url} answers{f', through {door.server}' if door.server else ''}.")


def _server(answer: Answer) -> str:
    said = f"{answer.header('Server')} {answer.header('Via')}".lower()
    return next((name for name in ("nginx", "Caddy") if name.lower() in said), "")


def encryption(door: Door) -> Finding:
    """The certificate's days, the way from http, and HSTS."""
    address = door.address
    if address.scheme == "http":
        if address.loopback:
            return ok("None needed inside this machine.")
        return problem(
            f"{address.url} is not encrypted.",
            "Messages and passwords can be read on the way, and a shop with https cannot embed a chat without.",
            "Put a proxy with TLS in front; docs/deploy.md shows how.",
        )
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(wire.certificate(address)["notAfter"]), UTC)
    days = (ends - datetime.now(UTC)).days
    if days < SOON:
        return (problem if days < NOW else warning)(
            f"The certificate ends in {days} day{'' if days == 1 else 's'}.",
            "Whatever renews it has stopped, or there is nothing that does.",
            "Renew it: `certbot renew`, and look why that did not happen by itself. Caddy's log says why.",
        )
    plain = _over_http(door)
    if plain:
        return plain
    if not wire.ask(address, "/up").header("Strict-Transport-Security"):
        return problem(
            "Browsers are not told to stay with https (HSTS).",
            "The server does not know that visitors come by https, or the proxy takes the header away.",
            "Set CHAT_PROXY to the number of proxies, and have the proxy say which scheme it was asked by.",
            *door.lines(advice.FORWARDED),
        )
    return ok(f"The certificate is good until {ends:%-d %b %Y}.")


def _over_http(door: Door) -> Finding | None:
    plain = replace(door.address, scheme="http", port=80)
    try:
        answer = wire.ask(plain, "/up")
    except UNREACHABLE:
        return None  # nothing there: nobody can be heard there
    if answer.header("Location").startswith("https://"):
        return None
    return warning(
        f"{plain.url} does not lead on to https.",
        "Who types the address without https talks in the open.",
        "Redirect it.",
        *door.lines(advice.TO_HTTPS),
    )


def proxy(door: Door) -> Finding:
    """Whether CHAT_PROXY fits what arrives. Compared with what we know: our scheme, our host, a forged address."""
    if not door.public:
        if door.proxy == "none":
            return ok("None is named, and none was looked for.")
        return warning(
            f"CHAT_PROXY is {door.proxy}, and CHAT_URL is not set, so this can't be looked at.",
            "",
            "Set CHAT_URL to the public address.",
        )
    seen = json.loads(door.probe().body.splitlines()[0])
    there = _proxies(seen["forwarded"])
    if seen["proxy"] == "none":
        return _without_a_name(door, seen, there)
    forged = {"X_Forwarded_For": FORGED} | ({"Fly_Client_IP": FORGED} if seen["proxy"] == "fly" else {})
    lied = json.loads(door.probe(**forged).body.splitlines()[0])
    if lied["address"] == FORGED:
        right = _proxies(lied["forwarded"])
        return problem(
            f"CHAT_PROXY is {seen['proxy']}, but only {right} in front vouch for an address: anybody can forge theirs.",
            "Limits for each address can be got round.",
            f"Set CHAT_PROXY={right or 'none'}, or let the proxy name the client.",
            *door.lines(advice.FORWARDED),
        )
    return _told_right(door, seen) or ok(f"CHAT_PROXY={seen['proxy']} fits: {seen['scheme']}, {seen['host']}.")


def _proxies(forwarded: dict[str, str]) -> int:
    """How many have added to the client's address after what we forged."""
    named = [part.strip() for part in forwarded.get("X-Forwarded-For", "").split(",") if part.strip()]
    return len(named) - (named.index(FORGED) + 1 if FORGED in named else 0)


def _without_a_name(door: Door, seen: dict[str, Any], there: int) -> Finding:
    if "Fly-Client-IP" in seen["forwarded"]:
        return problem("CHAT_PROXY is none, but Fly's edge is in front.", _ALL_ALIKE, "Set CHAT_PROXY=fly.")
    if there or seen["forwarded"].keys() & {"X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"}:
        return problem(
            f"CHAT_PROXY is none, but a proxy is in front{f' ({there} of them)' if there > 1 else ''}.",
            _ALL_ALIKE,
            f"Set CHAT_PROXY={there or 1} and start the server again.",
            *(() if there else door.lines(advice.FORWARDED)),
        )
    if seen["scheme"] != door.address.scheme or seen["host"] != door.address.netloc or door.server:
        return problem(
            f"A proxy is in front that does not say who asks: the server saw {seen['scheme']}://{seen['host']}.",
            _ALL_ALIKE,
            "Add these lines, and set CHAT_PROXY=1.",
            *door.lines(advice.FORWARDED),
        )
    return ok("None in front, and none named.")


_ALL_ALIKE = "All visitors seem to come from one address, so they share its limits, and links begin with http."


def _told_right(door: Door, seen: dict[str, Any]) -> Finding | None:
    wrong = [
        f"{name} {seen[name]!r} instead of {right!r}"
        for name, right in (("scheme", door.address.scheme), ("host", door.address.netloc))
        if seen[name] != right
    ]
    if not wrong:
        return None
    return problem(
        f"The server sees the {' and the '.join(wrong)}.",
        "Links, cookies and the check of a page's origin go wrong: people can't sign in or write.",
        "Have the proxy pass them on.",
        *door.lines(advice.FORWARDED),
    )
