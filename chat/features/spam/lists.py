"""Lists: the words and the addresses that a site does not want, as the owner typed them."""

import ipaddress
import re
from functools import lru_cache

from chat import sites, text
from chat.db import Tx
from chat.languages import gettext

MOST = 500  # lines of a list
LONGEST = 100  # characters of a line
WORDS, ADDRESSES = "spam.words", "spam.addresses"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadList(ValueError):
    """A line that can't be taken; the text says which and why, `field` in which list."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def of_site(rx: Tx, site_id: int) -> tuple[str, str]:
    """(words, addresses), a line each."""
    kept = sites.options(rx, site_id)
    return kept.get(WORDS, ""), kept.get(ADDRESSES, "")


def put(tx: Tx, site_id: int, words: str, addresses: str) -> None:
    """Keep both lists."""
    sites.put(tx, site_id, WORDS, words)
    sites.put(tx, site_id, ADDRESSES, addresses)


def check(words: str, addresses: str) -> tuple[str, str]:
    """Both lists, cleaned. Raises BadList."""
    return _lines("words", words), _lines("addresses", "\n".join(_network(line) for line in addresses.splitlines()))


def _lines(field: str, typed: str) -> str:
    lines = list(dict.fromkeys(filter(None, (text.line(line, LONGEST) for line in typed.splitlines()))))
    if len(lines) > MOST:
        raise BadList(field, gettext("%(most)s lines at most.") % {"most": MOST})
    return "\n".join(lines)


def _network(line: str) -> str:
    said = text.line(line, LONGEST)
    try:
        network = ipaddress.ip_network(said, strict=False) if said else None
    except ValueError:
        why = gettext("“%(said)s” is no address. It looks like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/48.") % {
            "said": said
        }
        raise BadList("addresses", why) from None
    if network and network.prefixlen < 8:
        raise BadList(
            "addresses",
            gettext("%(said)s would shut out a large part of the internet. /8 is the widest.") % {"said": said},
        )
    return "" if network is None else str(network).removesuffix(f"/{network.max_prefixlen}")


@lru_cache(maxsize=64)
def _networks(addresses: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(line) for line in addresses.splitlines())


@lru_cache(maxsize=64)
def _any_of(words: str) -> re.Pattern[str]:
    each = (r"\s+".join(map(re.escape, line.casefold().split())) for line in words.splitlines())
    return re.compile(rf"(?<!\w)({'|'.join(each)})(?!\w)")


def word_in(words: str, body: str) -> str:
    """The first of these words that stands in the text, as a whole word, whatever its case; empty when none does."""
    found = _any_of(words).search(body.casefold()) if words else None
    return found.group() if found else ""


def holds(addresses: str, address: str) -> bool:
    """Whether that address is in one of these networks."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6 and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip in network for network in _networks(addresses))
