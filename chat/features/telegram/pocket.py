"""The owner's pocket: every conversation is told in the connected chat, in a topic of its own or as tagged messages.

A delivery says only "look at that conversation": what was not told there yet goes out in order, and is noted as told
piece by piece. What the owner wrote in Telegram itself is not repeated there.
"""

from chat import conversations, deliveries, events, options, people, sites, text
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.events import Event, Feed
from chat.features.telegram import api, place, speech, topics
from chat.features.telegram.api import Bot, Wrong
from chat.features.telegram.place import Place
from chat.features.telegram.topics import Topic
from chat.outbox import Handler, Later, Nothing, Sender

NAME = "telegram.pocket"
KINDS = frozenset(
    ("message.posted", "message.undelivered", "message.delivered", "conversation.closed", "conversation.reopened")
)
PATIENCE = 60.0  # seconds: a group may be written to some 20 times a minute, so waiting is the usual case
PAGES = 1000  # conversations whose last told page is remembered
GONE = "The bot was taken out of the chat where you answer. Connect it again on the page Telegram"
NO_TOPICS = "The bot can't make topics in the group: make it an administrator who may manage topics"
_TOPIC_GONE = ("message thread not found", "topic_deleted", "topic_id_invalid", "topic not found")


def follower(settings: Settings) -> Handler:
    """Whatever happens in a conversation is to be told, if a chat is connected."""

    def follow(tx: Tx, event: Event) -> None:
        connected = options.get(tx, "telegram.place")
        if connected and not event.suspected and (settings.telegram_token or options.get(tx, "telegram.token")):
            about = {"site": event.site_id, "since": event.id - 1}
            deliveries.add(
                tx, NAME, f"conversation {event.conversation_id}", conversation_id=event.conversation_id, **about
            )

    return Handler(NAME, KINDS, follow)


def sender(settings: Settings, store: Store) -> Sender:
    """Tells the owner's chat, one conversation at a time."""
    teller = _Teller(settings, store)
    return Sender(NAME, teller.send)


def move(tx: Tx, old: str, new: str) -> None:
    """The group has become a supergroup, and has another id: everything goes on there."""
    place.move(tx, old, new)
    topics.move(tx, old, new)


class _Teller:
    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._pages: dict[int, str] = {}

    def send(self, delivery: Delivery) -> None:
        """Raises the outbox's Later, Permanent and Nothing."""
        with self._store.read() as rx:
            bot, where = api.bot(self._settings, options.every(rx)), place.find(rx)
        if bot is None or where is None:
            raise Nothing("No chat is connected any more")
        try:
            self._catch_up(bot, where, delivery)
        except Wrong as wrong:
            if wrong.moved_to:
                moved_to = wrong.moved_to
                self._store.write(lambda tx: move(tx, where.chat, moved_to))
                raise Later("The group has become a supergroup", 0.1) from None
            if any(sign in str(wrong).lower() for sign in _TOPIC_GONE):
                self._store.write(lambda tx: self._forget(tx, delivery, where.chat))
                raise Later("The topic was deleted over there", 0.1) from None
            raise speech.give_up(wrong, GONE) from None

    def _forget(self, tx: Tx, delivery: Delivery, chat: str) -> None:
        """A new topic goes on where the deleted one stopped."""
        told = topics.of(tx, delivery.conversation_id or 0, chat)
        if told:
            deliveries.note(tx, delivery.id, since=told.sent)
            topics.forget(tx, told.conversation_id)

    def _catch_up(self, bot: Bot, where: Place, delivery: Delivery) -> None:
        topic = self._topic(bot, where, delivery)
        told = False
        while fresh := self._fresh(topic):
            for event in fresh:
                told |= self._tell(bot, where, topic, event, delivery)
                self._store.write(lambda tx, event=event: topics.passed(tx, event.conversation_id, event.id))  # type: ignore[misc]
            topic = topic._replace(sent=fresh[-1].id)
        if not told:
            raise Nothing("It was told already, or written there")

    def _fresh(self, topic: Topic) -> list[Event]:
        with self._store.read() as rx:
            return events.since(rx, Feed(topic.site_id, topic.conversation_id, "agents"), topic.sent)

    def _topic(self, bot: Bot, where: Place, delivery: Delivery) -> Topic:
        conversation_id, about = delivery.conversation_id or 0, delivery.about
        with self._store.read() as rx:
            known = topics.of(rx, conversation_id, where.chat)
            talk = conversations.find(rx, conversation_id)
            name = sites.beside(rx, int(about["site"]), talk.name) if talk else ""
        if not name:
            raise Nothing("The conversation is gone")
        if known and bool(known.thread) == where.forum:
            return known
        number = -conversation_id
        if where.forum:
            number = self._new_topic(bot, where, name)
        sent = int(about["since"])
        self._store.write(lambda tx: topics.put(tx, conversation_id, where.chat, number, sent))
        return Topic(conversation_id, where.chat, number, sent, int(about["site"]))

    def _new_topic(self, bot: Bot, where: Place, name: str) -> int:
        try:
            made = speech.ask(bot, "createForumTopic", PATIENCE, chat_id=where.chat, name=text.line(name, 100) or "?")
        except Wrong as wrong:
            if wrong.code == 400 and not wrong.moved_to:  # what waits goes out once that is mended
                raise Later(f"{NO_TOPICS} ({wrong})") from None
            raise
        return int(made["message_thread_id"])

    def _tell(self, bot: Bot, where: Place, topic: Topic, event: Event, delivery: Delivery) -> bool:
        """False for what is no news there."""
        if event.kind in ("conversation.closed", "conversation.reopened") and topic.thread:
            method = "closeForumTopic" if event.kind == "conversation.closed" else "reopenForumTopic"
            try:
                speech.ask(bot, method, PATIENCE, chat_id=where.chat, message_thread_id=topic.thread)
            except Wrong as wrong:
                if "TOPIC_NOT_MODIFIED" not in str(wrong).upper():
                    raise
            return True
        if event.kind == "message.posted" and event.by == "agent" and event.channel == "telegram":
            return False
        tag = "" if topic.thread else f"#c{topic.conversation_id} "
        voice = speech.Voice(bot, where.chat, self._settings.chat_data, topic.thread, tag, PATIENCE)
        shown = event.files if event.kind == "message.posted" else []
        voice.tell(self._store, delivery, event.id, self._words(event), shown)
        return True

    def _words(self, event: Event) -> str:
        who = event.author or {"bot": "Bot", "system": "Note"}.get(event.by, "Somebody")
        if event.kind == "conversation.closed":
            return f"Closed by {who}."
        if event.kind == "conversation.reopened":
            return f"Opened again by {who}."
        if event.kind == "message.undelivered":
            return f"Not delivered: {event.failure}. It was “{text.line(event.body or 'a file', 60)}”"
        if event.kind == "message.delivered":
            return f"Delivered after all: “{text.line(event.body or 'a file', 60)}”"
        said = f"{who}: {event.body or 'sent a file'}"
        return said + self._page(event) if event.by == "visitor" else said

    def _page(self, event: Event) -> str:
        """The page that the visitor is on, when it is another one than was told last, and the way to the inbox."""
        with self._store.read() as rx:
            person_id = people.of_conversation(rx, event.conversation_id)
            device = people.devices_of(rx, [person_id]).get(person_id, {})
        page = f"{device.get('page_title', '')} {device.get('page_url', '')}".strip()
        if self._pages.get(event.conversation_id) == page:
            return ""
        first = event.conversation_id not in self._pages
        if len(self._pages) >= PAGES:
            self._pages.clear()
        self._pages[event.conversation_id] = page
        url = self._settings.chat_url
        way = f"\n{url}/inbox/conversations/{event.conversation_id}" if url and first else ""
        return (f"\n\nOn {page}" if page else "\n" if way else "") + way
