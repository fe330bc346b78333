"""Limits: token buckets in memory, and how many connections an address may hold."""

import ipaddress
import time
from collections import Counter, OrderedDict

BUCKETS = 50_000  # the least used are forgotten first: memory stays flat under a flood of addresses


class TooMany(Exception):
    """The limit is reached; try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"try again in {seconds} s")
        self.seconds = seconds


class Full(Exception):
    """This address, or the server, holds as many connections as it may."""


def network(address: str) -> str:
    """What counts as one sender: an IPv4 address, or an IPv6 /64 (one household has that many)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 6 and ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def shortened(address: str) -> str:
    """The network that an address is in, too wide to point at a household: /24 of IPv4, /48 of IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if ip.version == 6 and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


class Buckets:
    """A bucket a key holds `burst` tokens and gains `rate` a second; each call takes one."""

    def __init__(self, burst: float, rate: float, enabled: bool = True) -> None:
        self.burst, self.rate, self.enabled = burst, rate, enabled
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Take a token, or raise TooMany with the seconds until there is one."""
        if not self.enabled:
            return
        now = time.monotonic()
        level, at = self._levels.pop(key, (self.burst, now))
        level = min(self.burst, level + (now - at) * self.rate)
        if level < 1:
            self._levels[key] = (level, now)
            raise TooMany(int((1 - level) / self.rate) + 1)
        self._levels[key] = (level - 1, now)
        while len(self._levels) > BUCKETS:
            self._levels.popitem(last=False)

    def has(self, key: str) -> bool:
        """Take a token if there is one."""
        try:
            self.take(key)
        except TooMany:
            return False
        return True


class Places:
    """At most `most` connections an address at the same time."""

    def __init__(self, most: int, enabled: bool = True) -> None:
        self.most, self.enabled = most, enabled
        self._held: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Take a place, to be given back when the connection ends. Raises Full when there is none."""
        if self.enabled and self._held[key] >= self.most:
            raise Full
        self._held[key] += 1

    def give(self, key: str) -> None:
        """Give it back."""
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


class Limits:
    """Every limit of the product in one place; `off` is for load tests."""

    def __init__(self, enabled: bool) -> None:
        self.visitor = Buckets(burst=20, rate=1, enabled=enabled)
        """Messages of one visitor: nobody types faster."""
        self.address = Buckets(burst=120, rate=10, enabled=enabled)
        """Messages and new sessions of one address: an office behind one address still talks."""
        self.site = Buckets(burst=2000, rate=200, enabled=enabled)
        """Messages of one site: however many addresses a flood comes from, the server and the other sites go on."""
        self.agent = Buckets(burst=200, rate=20, enabled=enabled)
        self.signals = Buckets(burst=60, rate=10, enabled=enabled)
        """Typing, delivered and seen, a reader."""
        self.login = Buckets(burst=10, rate=1 / 6, enabled=enabled)
        """Passwords tried, an address and an account: slower, never locked out."""
        self.wishes = Buckets(burst=10, rate=1 / 600, enabled=enabled)
        """E-mail addresses left and conversations sent to them, from one address: nobody has us write to the world."""
        self.doors = Buckets(burst=200, rate=1 / 30, enabled=enabled)
        """Letters and messages by other doors than the web, from one address: a backlog comes in, a flood does not."""
        self.places = Places(most=200, enabled=enabled)
        """Sockets and polls of one address."""
