"""Readers: who reads a live stream, what they may see, and what their signals mean."""

from typing import Any

from chat import accounts, conversations, people, states
from chat.accounts import Agent
from chat.db import Store, Tx
from chat.events import Feed
from chat.limits import Limits, TooMany
from chat.live import Gone
from chat.people import BadToken, Context, Tokens, Visitor
from chat.presence import Presence, Who
from chat.sites import Site

LARGEST = 2**62


def _cursor(told: Any) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 < told < LARGEST else 0


class VisitorReader:
    """A visitor's device; looks its rights up again each time, so a revoked token ends the stream."""

    def __init__(
        self, store: Store, presence: Presence, limits: Limits, tokens: Tokens, site: Site, token: str
    ) -> None:
        self._store, self._presence, self._limits = store, presence, limits
        self._tokens, self._site, self._token = tokens, site, token
        self._counted: Who | None = None

    @property
    def key(self) -> str:
        """By which this device is known among all readers."""
        return self._token

    def who(self, rx: Tx) -> Visitor:
        """The visitor. Raises Gone when the token is not (or no longer) good."""
        try:
            return self._tokens.identify(rx, self._site, self._token)
        except BadToken:
            raise Gone from None

    def feed(self, rx: Tx) -> Feed:
        """Their own conversation at this site, which may not have begun."""
        return Feed(self._site.id, self.who(rx).conversation_id, "all")

    def here(self, feed: Feed) -> None:
        """The chat is open on this device; counted once there is a conversation to say it of."""
        if self._counted:
            self._presence.stay(self._counted)
        elif feed.conversation_id:
            self._counted = ("conversation", feed.conversation_id)
            self._presence.arrive(self._counted)

    def leave(self) -> None:
        """That page is gone."""
        if self._counted:
            self._presence.leave(self._counted)

    def signal(self, told: dict[str, Any]) -> None:
        """typing, delivered, seen, page; what is none of these is ignored, and so are too many."""
        with self._store.read() as rx:
            visitor = self.who(rx)
        if visitor.conversation_id is None or not _allowed(self._limits, visitor.token_hash):
            return
        self._store.write(lambda tx: self._note(tx, visitor, visitor.conversation_id or 0, told))

    def _note(self, tx: Tx, visitor: Visitor, conversation_id: int, told: dict[str, Any]) -> None:
        if isinstance(told.get("typing"), bool):
            states.type(tx, conversation_id, "visitor", told["typing"])
        if _cursor(told.get("delivered")):
            states.deliver(tx, conversation_id, "visitor", told["delivered"])
        if _cursor(told.get("seen")):
            states.see(tx, conversation_id, "visitor", told["seen"])
        page = told.get("page")
        if isinstance(page, dict):
            people.notice(
                tx, visitor, Context.of(page_url=str(page.get("url", "")), page_title=str(page.get("title", "")))
            )
            states.touch(tx, conversation_id)


class AgentReader:
    """A signed-in agent; looks the session up again each time, so signing out ends the stream."""

    def __init__(self, store: Store, presence: Presence, limits: Limits, site: Site, agent: Agent) -> None:
        self._store, self._presence, self._limits = store, presence, limits
        self._site, self._agent = site, agent
        self._counted: Who | None = None

    def feed(self, rx: Tx) -> Feed:
        """All of the site. Raises Gone when the session has ended."""
        if accounts.of_session_hash(rx, self._agent.session_hash) is None:
            raise Gone
        return Feed(self._site.id, None, "agents")

    @property
    def key(self) -> str:
        """By which this session is known among all readers."""
        return self._agent.session_hash

    def here(self, feed: Feed) -> None:
        """An inbox is open."""
        if self._counted:
            self._presence.stay(self._counted)
        else:
            self._counted = ("agent", self._agent.id)
            self._presence.arrive(self._counted)

    def leave(self) -> None:
        """That inbox is gone."""
        if self._counted:
            self._presence.leave(self._counted)

    def signal(self, told: dict[str, Any]) -> None:
        """delivered; typing and seen with the `conversation` they are about."""
        with self._store.read() as rx:
            self.feed(rx)
        if _allowed(self._limits, self._agent.session_hash):
            self._store.write(lambda tx: self._note(tx, told))

    def _note(self, tx: Tx, told: dict[str, Any]) -> None:
        if _cursor(told.get("delivered")):
            states.deliver_to_agents(tx, self._site.id, self._agent.id, told["delivered"])
        conversation_id = _cursor(told.get("conversation"))
        if not conversation_id or conversations.find(tx, self._site.id, conversation_id) is None:
            return
        if isinstance(told.get("typing"), bool):
            states.type(tx, conversation_id, "agent", told["typing"], self._agent.id)
        if _cursor(told.get("seen")):
            states.see(tx, conversation_id, "agent", told["seen"])


def _allowed(limits: Limits, key: str) -> bool:
    try:
        limits.signals.take(key)
    except TooMany:
        return False
    return True
