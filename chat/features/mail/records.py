"""Records: what the sender's domain tells the world about its mail, as the name servers give it out.

SPF (RFC 7208) names who may send, DKIM (RFC 6376) holds the key that signatures are checked with, DMARC (RFC 7489) says
what to do with forgeries, MX (RFC 5321, 5.1) where answers go.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dns.resolver import Resolver

PATIENCE = 4.0  # seconds for the first question, and for all others together: those are asked side by side
SELECTORS = (
    *("default", "google", "selector1", "selector2", "k1", "k2", "k3", "s1", "s2", "s1024", "s2048", "mail", "dkim"),
    *(
        "fm1",
        "fm2",
        "fm3",
        "protonmail",
        "protonmail2",
        "zoho",
        "zmail",
        "pm",
        "mandrill",
        "mx",
        "smtp",
        "key1",
        "key2",
    ),
    *(
        "brevo",
        "mailjet",
        "sendgrid",
        "smtpapi",
        "mailo",
        "mte1",
        "mte2",
        "krs",
        "ed25519",
        "rsa",
        "2024",
        "2025",
        "2026",
    ),
)
"""Names under which providers publish their keys: which one is used stands in the mails only."""


class Unreachable(Exception):
    """No name server has answered: nothing can be said."""


class Records(NamedTuple):
    """What the name servers say about one domain."""

    spf: list[str]
    dmarc: list[str] | None
    keys: list[str] | None
    """The selectors under which a DKIM key was found."""
    mail_servers: list[str] | None
    """Where answers go, the one that is tried first before the others. None, here and above: nobody could say."""
    exists: bool
    """Whether there is such a domain at all."""


def ask(domain: str, resolver: Resolver | None = None) -> Records:
    """Everything about the domain, at once. Raises Unreachable after PATIENCE seconds."""
    from dns.resolver import NXDOMAIN, NoResolverConfiguration

    try:
        asked = resolver or _resolver()
    except (NoResolverConfiguration, OSError):
        raise Unreachable from None
    asked.lifetime = PATIENCE
    try:
        texts = _answers(asked, domain, "TXT")
    except NXDOMAIN:
        return Records([], [], [], [], exists=False)
    if texts is None:
        raise Unreachable
    names = [(domain, kind) for kind in ("MX", "A", "AAAA")]
    names += [(f"_dmarc.{each}", "TXT") for each in _upwards(domain)]
    names += [(f"{each}._domainkey.{domain}", "TXT") for each in SELECTORS]
    with ThreadPoolExecutor(len(names)) as pool:
        told = dict(zip(names, pool.map(lambda name: _look_up(asked, *name), names), strict=True))
    return Records(
        spf=[text for text in texts if text.lower().split(" ")[0] == "v=spf1"],
        dmarc=_dmarc([told[f"_dmarc.{each}", "TXT"] for each in _upwards(domain)]),
        keys=_keys({each: told[f"{each}._domainkey.{domain}", "TXT"] for each in SELECTORS}),
        mail_servers=_mail_servers(*(told[domain, kind] for kind in ("MX", "A", "AAAA"))),
        exists=True,
    )


def _resolver() -> Resolver:
    from dns.resolver import Resolver

    return Resolver()


def _upwards(domain: str) -> list[str]:
    """The domain and those above it that may speak for it (RFC 7489, 6.6.3), without the last label."""
    labels = domain.split(".")
    return [".".join(labels[number:]) for number in range(max(1, len(labels) - 1))]


def _dmarc(upwards: list[list[str] | None]) -> list[str] | None:
    for texts in upwards:
        if texts is None:
            return None
        if found := [text for text in texts if text.replace(" ", "").lower().startswith("v=dmarc1")]:
            return found
    return []


def _keys(told: dict[str, list[str] | None]) -> list[str] | None:
    """A key that is empty was taken back (RFC 6376, 3.6.1)."""
    found = [selector for selector, texts in told.items() if any(tags(text).get("p") for text in texts or ())]
    return None if not found and None in told.values() else found


def _mail_servers(mx: list[str] | None, *addresses: list[str] | None) -> list[str] | None:
    """The domain's own address serves where there is no MX record (RFC 5321, 5.1)."""
    if mx is None:
        return None
    if mx:
        by_preference = sorted(mx, key=lambda text: int(text.split()[0]))
        return [text.split()[-1].rstrip(".") for text in by_preference]
    found = [address for known in addresses for address in known or ()]
    return None if not found and None in addresses else found


def _look_up(resolver: Resolver, name: str, kind: str) -> list[str] | None:
    """The answers; none when there are none, or no such name; None when nobody answered."""
    from dns.resolver import NXDOMAIN

    try:
        return _answers(resolver, name, kind)
    except NXDOMAIN:
        return []


def _answers(resolver: Resolver, name: str, kind: str) -> list[str] | None:
    """The same, but raises NXDOMAIN when there is no such name."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN

    try:
        answers = resolver.resolve(name, kind, raise_on_no_answer=False)
    except NXDOMAIN:
        raise
    except DNSException:
        return None
    if kind == "TXT":
        return [b"".join(each.strings).decode(errors="replace") for each in answers.rrset or ()]
    return [each.to_text() for each in answers.rrset or ()]


def tags(text: str) -> dict[str, str]:
    """`v=DMARC1; p=none` as a dictionary."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
