"""The door: the address through which visitors come in, and how to knock at it."""

import http.client
from dataclasses import dataclass, field, replace

from chat import keys, sites
from chat.config import Settings
from chat.doctor import Lines, local, tickets, wire
from chat.doctor.wire import Address, Answer
from chat.sites import Site

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


def of(settings: Settings, url: str = "") -> Door:
    """The public address (or `url`) as the way in; without either, the server's own.

    Raises ValueError for a wrong address, and sqlite3.Error when the database can't be read.
    """
    given = url or settings.chat_url
    with local.opened(settings.database) as db:
        secret, known = keys.secret(db), sites.every(db)
    return Door(Address.of(given) if given else own_address(settings), bool(given), settings.chat_proxy, secret, known)
