"""Readers: who reads a live stream, what they may see, and what their signals mean."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from chat import accounts, conversations, people, states
from chat.accounts import Agent
from chat.db import Store, Tx
from chat.events import Feed
from chat.limits import Limits, TooMany
from chat.people import BadToken, Context, Visitor
from chat.presence import Presence, Who
from chat.streams import Gone

LARGEST = 2**62
SIGNALS = frozenset(("typing", "delivered", "seen", "page"))


def _cursor(told: Any) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told < LARGEST else 0


class _Counted:
    """What both readers share: being counted as here, and signals that are limited and stored."""

    __slots__ = ("_counted", "_limits", "_presence", "_store", "key")

    def __init__(self, store: Store, presence: Presence, limits: Limits, key: str) -> None:
        self._store, self._presence, self._limits = store, presence, limits
        self.key = key
        """By which this device or session is known among all readers."""
        self._counted: Who | None = None

    def _count(self, who: Who | None) -> None:
        if self._counted:
            self._presence.stay(self._counted)
        elif who:
            self._counted = who
            self._presence.arrive(who)

    def leave(self) -> None:
        """That page is gone."""
        if self._counted:
            self._presence.leave(self._counted)
            self._counted = None

    def listen(self, signals: list[dict[str, Any]], done: Callable[[], object]) -> None:
        """What the page tells of its person, stored in passing; `done` is called when that is over. Too many
        signals are ignored, and so is what is none."""
        allowed = [told for told in signals if self._allowed(told)]
        if allowed:
            self._store.post(lambda tx: self._heed(tx, allowed), done)
        else:
            done()

    def signal(self, told: dict[str, Any]) -> None:
        """One signal, stored before it returns. Gone when the right has ended."""
        with self._store.read() as rx:
            self.feed(rx)
        if self._allowed(told):
            self._store.write(lambda tx: self._heed(tx, [told]))

    def _allowed(self, told: dict[str, Any]) -> bool:
        try:
            self._limits.signals.take(self.key)
        except TooMany:
            return False
        return not SIGNALS.isdisjoint(told)

    def _heed(self, tx: Tx, signals: list[dict[str, Any]]) -> None:
        with suppress(Gone):
            feed = self.feed(tx)
            for told in signals:
                self.note(tx, feed, told)

    def feed(self, rx: Tx) -> Feed:
        raise NotImplementedError

    def note(self, tx: Tx, feed: Feed, told: dict[str, Any]) -> None:
        raise NotImplementedError


class VisitorReader(_Counted):
    """A visitor's device; looks its rights up again each time, so a revoked token ends the stream."""

    __slots__ = ("_claim", "language")

    def __init__(self, store: Store, presence: Presence, limits: Limits, claim: Visitor, language: str) -> None:
        super().__init__(store, presence, limits, claim.token_hash)
        self._claim, self.language = claim, language

    def feed(self, rx: Tx) -> Feed:
        """Their own conversation at this site, which may not have begun. Raises Gone when the token was revoked."""
        try:
            talk = people.recognise(rx, self._claim).conversation_id
            return Feed(self._claim.site.id, talk, "all", self.language)
        except BadToken:
            raise Gone from None

    def here(self, feed: Feed) -> None:
        """The chat is open on this device; counted once there is a conversation to say it of."""
        self._count(("conversation", feed.conversation_id) if feed.conversation_id else None)

    def note(self, tx: Tx, feed: Feed, told: dict[str, Any]) -> None:
        """typing, delivered, seen, page."""
        if feed.conversation_id is None:
            return
        if isinstance(told.get("typing"), bool):
            states.type(tx, feed.conversation_id, "visitor", told["typing"])
        if _cursor(told.get("delivered")):
            states.deliver(tx, feed.conversation_id, "visitor", told["delivered"])
        if _cursor(told.get("seen")):
            states.see(tx, feed.conversation_id, "visitor", told["seen"])
        page = told.get("page")
        if isinstance(page, dict):
            context = Context.of(page_url=str(page.get("url", "")), page_title=str(page.get("title", "")))
            people.notice(tx, self._claim, context)
            states.touch(tx, feed.conversation_id)


class AgentReader(_Counted):
    """A signed-in agent; looks the session up again each time, so signing out ends the stream."""

    __slots__ = ("_agent", "language")

    def __init__(self, store: Store, presence: Presence, limits: Limits, agent: Agent, language: str) -> None:
        super().__init__(store, presence, limits, agent.session_hash)
        self._agent, self.language = agent, language

    def feed(self, rx: Tx) -> Feed:
        """All of every site. Raises Gone when the session has ended."""
        if accounts.of_session_hash(rx, self.key) is None:
            raise Gone
        return Feed(None, None, "agents", self.language)

    def here(self, feed: Feed) -> None:
        """An inbox is open."""
        self._count(("agent", self._agent.id))

    def note(self, tx: Tx, feed: Feed, told: dict[str, Any]) -> None:
        """delivered; typing and seen with the `conversation` they are about."""
        if _cursor(told.get("delivered")):
            states.deliver_to_agents(tx, self._agent.id, told["delivered"])
        conversation_id = _cursor(told.get("conversation"))
        if not conversation_id or conversations.find(tx, conversation_id) is None:
            return
        if isinstance(told.get("typing"), bool):
            states.type(tx, conversation_id, "agent", told["typing"], self._agent.id)
            accounts.use(tx, self.key)
        if _cursor(told.get("seen")):
            states.see(tx, conversation_id, "agent", told["seen"])
