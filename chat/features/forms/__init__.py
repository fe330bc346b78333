"""What is asked before the first message: fields of the owner's own, topics to choose from, and a score for leads."""

from chat.features import Feature, Page
from chat.features.forms import pages, visitors
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """What it brings."""
    return Feature(
        "forms",
        blueprints=(visitors.visitors, pages.forms),
        site_page=Page(
            noop("Form"),
            "form",
            noop("What visitors are asked before their first message, topics, and lead scores."),
        ),
        widget=visitors.draw,
        aside=pages.aside,
        lamp=pages.topics,
        texts=visitors.texts,
    )
