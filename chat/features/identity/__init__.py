"""Who the site says its visitor is: what its own code tells (anybody could), and what it proves by a signed token."""

from chat.features import Feature, Page
from chat.features.identity import pages, visitors
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """What it brings."""
    return Feature(
        "identity",
        blueprints=(visitors.visitors, pages.identity),
        site_page=Page(
            noop("Identity"),
            "identity",
            noop("Who is signed in at your site is the same person here, on every device."),
        ),
        aside=pages.aside,
    )
