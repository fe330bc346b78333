"""Spam: visitors and addresses that are blocked, words that are suspicious, and floods of strangers set apart."""

from chat.features import Feature, Page
from chat.features.spam import gate, pages
from chat.features.spam.proof import Proofs
from chat.features.spam.rules import Rules
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """What spam protection brings."""
    door = gate.Gate(Proofs(core.secret, core.settings.limits))
    return Feature(
        "spam",
        blueprints=(pages.of_site, pages.spam, gate.challenges),
        site_page=Page(noop("Spam"), "spam", noop("Words and addresses that you do not want, and who is blocked.")),
        gate=door,
        guard=Rules(core.settings.limits).look,
        aside=pages.aside,
    )
