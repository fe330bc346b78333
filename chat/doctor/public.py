"""What a visitor's browser meets on the way in: address, TLS, proxy, sockets, polls, headers, frames."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic, time
from typing import Any

from sqlite_utils.utils import sqlite3

from chat import keys, sites
from chat.config import Settings
from chat.doctor import Check, Finding, Lines, advice, local, ok, problem, tickets, until_shut, warning, wire
from chat.doctor.wire import Address, Answer
from chat.sites import Site

FORGED = "203.0.113.77"  # an address of the documentation: nobody's
SOON, NOW = 14, 3  # days before a certificate ends
LATE = 0.3  # seconds of the probe's pause that must be seen between its two parts
AHEAD = 30.0  # seconds by which the proxy's clock may be wrong
UNREACHABLE = (OSError, http.client.HTTPException)


@dataclass
class Door:
    """The way in that is looked at."""

    address: Address
    public: bool
    """Whether it is the public address; else it is only the server's own, inside the machine."""
    proxy: str
    """CHAT_PROXY as it is set here."""
    secret: bytes
    sites: list[Site]
    server: str = field(default="", init=False)
    """What answers there, by its own words: nginx, Caddy; empty when it does not say."""

    def probe(self, path: str = "/up/probe", **headers: str) -> Answer:
        """What the server makes of a request through this door."""
        return wire.ask(self.address, path, Authorization=f"Bearer {tickets.issue(self.secret)}", **headers)

    def lines(self, both: tuple[Lines, ...]) -> tuple[Lines, ...]:
        """Those for the proxy that is there; for both when it does not say which it is."""
        return tuple(each for each in both if self.server.lower() in each.place.lower()) or both


def own_address(settings: Settings) -> Address:
    """Where the server listens, inside this machine."""
    return Address.of(replace(settings, chat_url="").local_url)


def door(settings: Settings, url: str = "") -> Door:
    """The public address (or `url`) as the way in; without either, the server's own.

    Raises ValueError for a wrong address, and sqlite3.Error when the database can't be read.
    """
    given = url or settings.chat_url
    with local.opened(settings.database) as db:
        secret, known = keys.secret(db), sites.every(db)
    return Door(Address.of(given) if given else own_address(settings), bool(given), settings.chat_proxy, secret, known)


def way_in(settings: Settings, url: str = "") -> Iterator[Check]:
    """All that can be looked at through the door, which leads nowhere while the database can't be read."""
    try:
        found = door(settings, url)
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
        Check("Held back", partial(buffering, door)),
        Check("WebSocket", partial(websocket, door)),
        Check("Long poll", partial(poll, door)),
        Check("Headers", partial(headers, door)),
        *(Check(f"Frame of {site.key}", partial(framing, door, site)) for site in door.sites),
        Check("Proxy's clock", partial(date, door)),
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


def buffering(door: Door) -> Finding:
    """Whether the first part of an answer comes at once, or only with the last."""
    answer = door.probe("/up/probe?wait=1")
    pause = answer.pauses[-1][0] - answer.pauses[0][0] if len(answer.pauses) > 1 else 0.0
    if pause >= LATE:
        return ok("Nothing: answers come through as they are made.")
    return warning(
        "Answers are held back until they are whole.",
        "A proxy collects them. Talks go on, but long downloads and this page show nothing until their end.",
        "Switch the collecting off.",
        *door.lines(advice.UNBUFFERED),
    )


def _token(door: Door) -> str:
    answer = wire.ask(door.address, f"/w/{door.sites[0].key}/session", "POST", Content_Length="0")
    return str(json.loads(answer.body)["token"])


def websocket(door: Door) -> Finding:
    """Whether a WebSocket is let through, and brings its first frame."""
    path, first = f"/w/{door.sites[0].key}/socket", {"token": _token(door), "since": 0}
    try:
        status, text = wire.hello(door.address, path, first, Origin=door.address.url)
        refused = status == 403
        if refused:  # it is still to be seen whether one of nobody's page gets through
            status, text = wire.hello(door.address, path, first)
    except UNREACHABLE as error:
        return _no_socket(door, f"It was cut: {type(error).__name__}.")
    if status != 101 or 'id="cursor"' not in text:
        return _no_socket(door, f"It was refused ({status}).")
    if refused:
        return problem(
            "The server took our own page for another site's, and refused it (403).",
            "It does not know its own address: see Proxy.",
            "Have the proxy pass on host and scheme, and set CHAT_PROXY and CHAT_URL.",
            *door.lines(advice.FORWARDED),
        )
    return ok("Let through.")


def _no_socket(door: Door, what: str) -> Finding:
    return problem(
        f"WebSockets do not get through. {what}",
        "A proxy does not pass the Upgrade on. The chat works all the same, by long polls, a little slower.",
        "Let them through.",
        *door.lines(advice.UPGRADE),
    )


def poll(door: Door) -> Finding:
    """Whether a poll may wait, and is answered when its time is over."""
    path = f"/w/{door.sites[0].key}/live?since=0&wait=0.5"
    began = monotonic()
    answer = wire.ask(door.address, path, Authorization=f"Bearer {_token(door)}")
    seconds = monotonic() - began
    if answer.status == 204 and seconds >= LATE:
        return ok("Waits and is answered.")
    if answer.status in (200, 204):
        return ok("Is answered.")
    return problem(
        f"A long poll is answered {answer.status} after {seconds:.1f} seconds.",
        "The proxy gives up before there is news. Who has no WebSocket hears nothing.",
        "Give it patience: a poll takes up to 25 seconds.",
        *door.lines(advice.PATIENT),
    )


def headers(door: Door) -> Finding:
    """Whether the headers that protect the pages arrive, once, and nothing is added to them."""
    answer = wire.ask(door.address, "/inbox/login")
    policies = answer.every("Content-Security-Policy")
    if not policies or "frame-ancestors 'none'" not in policies[0] or not answer.header("X-Content-Type-Options"):
        return problem(
            "The headers that protect the inbox do not arrive.",
            "The proxy takes them away, or puts others in their place.",
            "Take out what hides or replaces Content-Security-Policy and X-Content-Type-Options.",
        )
    for name in ("Content-Security-Policy", "X-Frame-Options", "Referrer-Policy"):
        if len(answer.every(name)) > 1:
            return problem(
                f"The proxy adds a second {name}.",
                "Browsers take both, so the stricter one counts.",
                "Porchlight sends its own: take the proxy's away.",
                *door.lines(advice.hidden(name)),
            )
    return ok("As they should be.")


def framing(door: Door, site: Site) -> Finding:
    """Whether the site's own pages, and only they, may frame its chat."""
    answer = wire.ask(door.address, f"/w/{site.key}")
    if answer.header("X-Frame-Options"):
        return problem(
            f"The proxy adds X-Frame-Options: {answer.header('X-Frame-Options')}.",
            "Browsers then refuse to show the chat on your site.",
            "Take it away: Porchlight says by itself who may frame what.",
            *door.lines(advice.hidden("X-Frame-Options")),
        )
    allowed = " ".join(site.domains) or "*"
    policies = answer.every("Content-Security-Policy")
    if len(policies) != 1 or not policies[0].endswith(f"frame-ancestors {allowed}"):
        return problem(
            f"The chat's page arrives with another policy than the server's (frame-ancestors {allowed}).",
            "The proxy adds or replaces Content-Security-Policy. Browsers may refuse to show the chat on your site.",
            "Take it away: Porchlight says by itself who may frame what.",
            *door.lines(advice.hidden("Content-Security-Policy")),
        )
    return ok("Any site may frame it." if allowed == "*" else f"These may frame it: {allowed}.")


def date(door: Door) -> Finding:
    """Whether the proxy's clock agrees with ours."""
    said = wire.ask(door.address, "/up").header("Date")
    if not said:
        return ok("It does not tell the time.")
    off = parsedate_to_datetime(said).timestamp() - time()
    if abs(off) > AHEAD:
        return warning(
            f"{door.address.url} tells a time that is {abs(off):,.0f} seconds {'ahead' if off > 0 else 'behind'}.",
            "One of the two clocks is wrong.",
            "Let both machines keep time by NTP (`timedatectl set-ntp true`).",
        )
    return ok("Agrees with this machine's.")
