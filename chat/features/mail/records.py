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
    dmarc: list[str]
    keys: list[str]
    """The selectors under which a DKIM key was found."""
    mail_servers: list[str]
    exists: bool
    """Whether there is such a domain at all."""


def ask(domain: str, resolver: Resolver | None = None) -> Records:
    """Everything about the domain, at once. Raises Unreachable after PATIENCE seconds."""
    from dns.resolver import NoResolverConfiguration

    try:
        asked = resolver or _resolver()
    except (NoResolverConfiguration, OSError):
        raise Unreachable from None
    asked.lifetime = PATIENCE
    first = (domain, "TXT")
    texts = _look_up(asked, *first)
    if texts is None:
        raise Unreachable
    names = [(domain, "MX"), (domain, "A")]
    names += [(f"_dmarc.{each}", "TXT") for each in _upwards(domain)]
    names += [(f"{each}._domainkey.{domain}", "TXT") for each in SELECTORS]
    with ThreadPoolExecutor(len(names)) as pool:
        found = zip(names, pool.map(lambda name: _look_up(asked, *name), names), strict=True)
    told = {first: texts} | {name: answers or [] for name, answers in found}
    return Records(
        spf=[text for text in texts if text.lower().split(" ")[0] == "v=spf1"],
        dmarc=next((of for each in _upwards(domain) if (of := _dmarc(told[f"_dmarc.{each}", "TXT"]))), []),
        keys=[each for each in SELECTORS if any("p=" in text for text in told[f"{each}._domainkey.{domain}", "TXT"])],
        mail_servers=[text.split()[-1].rstrip(".") for text in told[domain, "MX"]] or told[domain, "A"],
        exists=any(told[name] for name in (first, *names[:2])),
    )


def _resolver() -> Resolver:
    from dns.resolver import Resolver

    return Resolver()


def _upwards(domain: str) -> list[str]:
    """The domain and those above it that may speak for it (RFC 7489, 6.6.3), without the last label."""
    labels = domain.split(".")
    return [".".join(labels[number:]) for number in range(max(1, len(labels) - 1))]


def _dmarc(texts: list[str]) -> list[str]:
    return [text for text in texts if text.replace(" ", "").lower().startswith("v=dmarc1")]


def _look_up(resolver: Resolver, name: str, kind: str) -> list[str] | None:
    """The answers; none when there are none; None when nobody answered."""
    from dns import resolver as dns
    from dns.exception import DNSException

    try:
        answers = resolver.resolve(name, kind, raise_on_no_answer=False)
    except dns.NXDOMAIN:
        return []
    except DNSException:
        return None
    if kind == "TXT":
        return [b"".join(each.strings).decode(errors="replace") for each in answers.rrset or ()]
    return [each.to_text() for each in answers.rrset or ()]


def tags(text: str) -> dict[str, str]:
    """`v=DMARC1; p=none` as a dictionary."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
