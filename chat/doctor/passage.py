"""What gets through the door: sockets, polls, headers, frames, and each part of an answer at once."""

import json
from email.utils import parsedate_to_datetime
from time import monotonic, time

from chat.doctor import Finding, advice, ok, problem, warning, wire
from chat.doctor.doors import UNREACHABLE, Door
from chat.sites import Site

LATE = 0.3  # seconds of the probe's pause that must be seen between its two parts
AHEAD = 30.0  # seconds by which the proxy's clock may be wrong


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
    path = f"/w/{door.sites[0].key}/live?since=0&wait=1"
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
