"""The lamp: whether it burns for a site's visitors. Only if the hours say so, nobody has said "away", and somebody has
an inbox open or can be called.

What is asked of the database for that is asked once a second by each process; who has an inbox open, each time.
"""

from collections.abc import Hashable
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic

from chat import accounts, clock, conversations, options, sites
from chat.db import Tx
from chat.features.hours import away, paces, schedule
from chat.porch import Light
from chat.sites import Site
from chat.web import Core

FRESH = 1.0  # seconds
QUEUE = 3  # people who wait, beyond whom each is told their place
LINE = 100  # of those who came last, in whom a place is looked for
LATELY = 86400.0  # seconds; who has waited longer stands in nobody's way


class Lamp:
    """One process's knowledge of it: a Porch."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known: dict[int, Light] = {}
        self._line: tuple[int, ...] = ()
        self._looked = -FRESH

    def light(self, rx: Tx, site_id: int, conversation_id: int | None) -> Light:
        """For that visitor."""
        light = self._lights(rx).get(site_id) or Light(False)
        if light.away:
            return light
        name = accounts.home(rx)
        if not (light.home or name):
            return light._replace(pace=0)
        ahead = self._line.index(conversation_id) if conversation_id in self._line else 0
        return light._replace(home=True, name=name, ahead=ahead)

    def lights(self, rx: Tx) -> Hashable:
        """For all sites."""
        return accounts.home(rx), *self._lights(rx).items()

    def queue(self, rx: Tx) -> tuple[int, ...]:
        """Those who wait, the longest first; nobody while they are few."""
        self._lights(rx)
        return self._line

    def forget(self) -> None:
        """Something was set: look at once."""
        self._looked = -FRESH

    def _lights(self, rx: Tx) -> dict[int, Light]:
        """As they are while nobody has an inbox open."""
        if monotonic() - self._looked > FRESH:
            reached = any(feature.reaches(rx) for feature in self._core.features if feature.reaches)
            everywhere = away.until(options.every(rx), clock.now())
            self._known = {site.id: of(rx, site, everywhere, reached) for site in sites.every(rx)}
            self._line = line(rx)
            self._looked = monotonic()
        return self._known


def of(rx: Tx, site: Site, everywhere: str, reached: bool) -> Light:
    """One site's light, before it is asked who is there. `everywhere`: until when the whole installation is away."""
    told, now = sites.options(rx, site.id), datetime.now(UTC).replace(second=0, microsecond=0)
    hours = told.get(schedule.NAME, "")
    zone = schedule.loads(hours).zone
    gone = away.latest(everywhere, away.until(told, clock.now()))
    if not gone and _opens(hours, now) == now:
        return Light(reached, pace=paces.usual(rx, site.id, paces.hour_of(zone, now)))
    back = None if gone == away.OPEN_END else _opens(hours, clock.parse(gone) if gone else now)
    return Light(False, away=True, back_at=clock.text(back) if back else "", zone=zone or "UTC")


@lru_cache(maxsize=256)
def _opens(hours: str, moment: datetime) -> datetime | None:
    """The same all through a minute: worked out once."""
    return schedule.loads(hours).opens(moment)


def line(rx: Tx) -> tuple[int, ...]:
    """The conversations that wait for an answer, the longest first, if there are more than QUEUE."""
    oldest = clock.now(-LATELY)
    lately = [number for number, since in conversations.waiting(rx, LINE) if since > oldest]
    return tuple(reversed(lately)) if len(lately) > QUEUE else ()
