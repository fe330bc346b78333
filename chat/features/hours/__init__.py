"""Home or away: the hours of a site, the owner's switch, and what visitors read of both."""

from datetime import UTC, datetime

from chat import clock, sites
from chat.db import Tx
from chat.features import Feature, Page
from chat.features.hours import paces, pages, schedule
from chat.features.hours.lamp import Lamp
from chat.languages import noop
from chat.sites import Site
from chat.web import Core


def declare(core: Core) -> Feature:
    """What it brings."""
    return Feature(
        "hours",
        blueprints=(pages.hours, pages.switch),
        site_page=Page(
            noop("Hours"),
            "hours",
            noop("When you are there, in which time zone, and on which holidays you are not."),
        ),
        handlers=(paces.handler,),
        porch=Lamp(core),
        lamp=pages.draw,
        loader=_for_loader,
    )


def _for_loader(rx: Tx, site: Site) -> dict[str, object]:
    """The hours: by them the launcher knows whether to light its ring, however old its copy is."""
    mine = schedule.loads(sites.options(rx, site.id).get(schedule.NAME, ""))
    return {} if mine.always else {"hours": mine.for_loader(datetime.now(UTC).astimezone(clock.zone(mine.zone)).date())}
