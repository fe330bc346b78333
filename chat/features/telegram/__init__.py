"""Telegram: the owner answers from the pocket, and visitors write to the owner's bot.

Written to the published Bot API (core.telegram.org/bots/api). One loop fetches what came (`intake`); what goes out are
deliveries: answers to visitors (`visitors`), and what happens in the conversations to the owner's chat (`pocket`).
"""

from chat.features import Feature, Page
from chat.features.telegram import intake, pages, place, pocket, visitors
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """The page, the loop that fetches, the two senders, and what follows the events."""
    return Feature(
        name="telegram",
        blueprints=(pages.telegram, pages.link),
        page=Page(
            "Telegram",
            "/inbox/telegram",
            noop("Answer from your phone without opening this page, and let visitors write there."),
        ),
        handlers=(pocket.follower(core.settings),),
        senders=(visitors.sender(core.settings, core.store), pocket.sender(core.settings, core.store)),
        widget=pages.draw,
        background=(intake.Intake(core.settings, core.store, core.secret, core.limits.doors).run,),
        reaches=lambda rx: place.find(rx) is not None,
    )
