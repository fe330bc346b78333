"""Rules: why a conversation looks suspicious. Few and simple, so that the reason can be said in a sentence.

A suspicious conversation loses nothing: it stands in a view of its own and calls nobody, until an agent says that it is
fine. Only what begins is judged, and words of the owner's list; who has talked before is never put away by a flood. The
counts are kept in memory, each process its own, and with CHAT_LIMITS=off there are none.
"""

import hashlib
import re

from chat import clock, conversations
from chat.db import Tx
from chat.features.spam import lists
from chat.limits import Buckets, network
from chat.people import Blocked, Context, Visitor

FLOOD, FLOOD_TIME = 60, 600.0  # so many conversations that began at a site in so many seconds are a flood
SAME_WORDS, FROM_ONE_ADDRESS = (
    10,
    60,
)  # conversations with the same first words in an hour; from one address in FLOOD_TIME
TELLING = 12  # letters and digits: shorter first words ("Hello") are the same by chance
MOST_LINKS = 2
IN_A_FLOOD = "It began during a flood of new conversations, and its browser named no page of yours."
_LINK = re.compile(r"https?://|www\.", re.I)


class Rules:
    """What one process has seen lately."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._words = Buckets(burst=SAME_WORDS, rate=SAME_WORDS / 3600, enabled=enabled)
        self._floods = Buckets(burst=1, rate=1 / 60)
        self._addresses = Buckets(burst=FROM_ONE_ADDRESS, rate=FROM_ONE_ADDRESS / FLOOD_TIME, enabled=enabled)

    def look(self, tx: Tx, who: Visitor, body: str, context: Context, address: str) -> str:
        """Why these words are suspicious; empty when they are not. Raises Blocked for an address that is listed."""
        words, addresses = lists.of_site(tx, who.site.id)
        if addresses and lists.holds(addresses, address):
            raise Blocked
        if word := lists.word_in(words, body):
            return f"“{word}” is on your list of words."
        return "" if who.conversation_id else self._begins(tx, who.site.id, body, context, address)

    def _begins(self, tx: Tx, site_id: int, body: str, context: Context, address: str) -> str:
        if len(_LINK.findall(body)) > MOST_LINKS:
            return f"The first message has more than {MOST_LINKS} links."
        if not self._words.has(_same(site_id, body)):
            return "Many others began with the same words within the hour."
        if not self._addresses.has(network(address)):
            return "Many conversations began from this address within minutes."
        if self._enabled and not context.page_url and _is_flooded(tx, site_id):
            self._set_apart(tx, site_id)
            return IN_A_FLOOD
        return ""

    def _set_apart(self, tx: Tx, site_id: int) -> None:
        """Those too with which it became a flood; looked for once a minute."""
        if self._floods.has(str(site_id)):
            for talk in conversations.of_strangers(tx, site_id, 2 * FLOOD, clock.now(-FLOOD_TIME)):
                conversations.suspect(tx, talk, IN_A_FLOOD)


def _same(site_id: int, body: str) -> str:
    plain = "".join(mark for mark in body.casefold() if mark.isalnum())
    told = plain if len(plain) >= TELLING else f"{plain} {clock.now()}"
    return f"{site_id} {hashlib.sha256(told.encode()).hexdigest()}"


def _is_flooded(tx: Tx, site_id: int) -> bool:
    began = conversations.began_lately(tx, site_id, FLOOD)
    return began is not None and began > clock.now(-FLOOD_TIME)
