"""Privacy: what visitors are asked and told, and what becomes of what is kept of them."""

from functools import partial

from chat.features import Feature, Page
from chat.features.privacy import agents, erasing, pages, retention, visitors
from chat.languages import noop
from chat.web import Core

FOLD = 2.0  # seconds between two looks whether the log has to be folded (a replica's program does that by itself)
IDLE = 10.0  # seconds between two looks for agents who do nothing


def declare(core: Core) -> Feature:
    """What privacy brings."""
    folding = partial(erasing.every, FOLD, partial(erasing.fold, core.store))
    looks = partial(erasing.every, retention.LOOK, partial(retention.look, core.store, core.settings.chat_data))
    signing_off = partial(erasing.every, IDLE, partial(agents.sign_off, core))
    return Feature(
        "privacy",
        blueprints=(visitors.visitors, pages.of_site, pages.privacy),
        page=Page(noop("Privacy"), "/inbox/privacy", noop("Addresses, who has read what, and signing off by itself.")),
        site_page=Page(
            noop("Privacy"), "privacy", noop("What visitors are told, what is masked, how long it is kept.")
        ),
        widget=visitors.draw,
        texts=visitors.texts,
        aside=pages.aside,
        background=(looks, signing_off, *(() if core.settings.chat_replica else (folding,))),
    )
