"""The hook: a signed door for whatever speaks HTTP (SMS, a phone system, a program of one's own), both ways.

Signed after Standard Webhooks (github.com/standard-webhooks), so that ready-made libraries fit on the other side.
"""

from chat.features import Feature, Page
from chat.features.hook import incoming, outgoing, pages
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """The address that takes in, the page, and the sender."""
    return Feature(
        name="hook",
        blueprints=(incoming.door, pages.hook),
        page=Page(
            noop("Another channel"),
            "/inbox/hook",
            noop("Connect SMS, a phone system or a program of yours, both ways."),
        ),
        aside=pages.aside,
        senders=(outgoing.Outgoing(core.settings, core.store).sender,),
    )
