"""The channel for visitors: what is answered goes to who wrote to the bot last; and what the bot says by itself."""

from typing import Any

from chat import channels, deliveries, events, languages, messages, options
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.events import Event
from chat.features.telegram import api, speech
from chat.features.telegram.api import Bot, Wrong
from chat.features.telegram.phrases import PHRASES
from chat.outbox import Later, Nothing, Permanent, Sender

CHANNEL = "telegram"
BLOCKED = "The visitor has blocked the bot"


def remark(tx: Tx, said: Any, phrase: str) -> None:
    """Have the bot say one of its phrases where that was said; the same one waits there once at most."""
    about = {"chat": said.chat, "thread": said.thread, "phrase": phrase, "language": said.language}
    deliveries.add(tx, CHANNEL, f"{phrase} to {said.chat} {said.thread}", **about)


def sender(settings: Settings, store: Store) -> Sender:
    """Sends answers and the bot's own phrases; each answer is noted as sent right after it was."""

    def send(delivery: Delivery) -> None:
        with store.read() as rx:
            bot = api.bot(settings, options.every(rx))
        if bot is None:
            raise Later("No bot is set. Put its token on the page Telegram")
        try:
            _phrase(bot, delivery) if "phrase" in delivery.about else _answers(bot, delivery)
        except Wrong as wrong:
            raise speech.give_up(wrong, BLOCKED) from None

    def _phrase(bot: Bot, delivery: Delivery) -> None:
        about = delivery.about
        phrase = PHRASES[about["phrase"]]
        with languages.speaking(about.get("language", "")):
            words = languages.gettext(phrase)
        speech.Voice(bot, about["chat"], settings.chat_data, about["thread"] or None).say(words)

    def _answers(bot: Bot, delivery: Delivery) -> None:
        conversation_id = delivery.conversation_id or 0
        with store.read() as rx:
            door = channels.door(rx, conversation_id, CHANNEL)
            if door is None:
                raise Permanent("The visitor goes on in another conversation")
            unsent = _failed_before(rx, delivery) or channels.unsent(rx, door)
        if not unsent:
            raise Nothing("It has gone out already")
        voice = speech.Voice(bot, door.address, settings.chat_data)
        while unsent:
            for event in unsent:
                voice.tell(store, delivery, event.id, event.body or "", event.shown_files)
                store.write(lambda tx, event=event: _gone(tx, delivery, event))  # type: ignore[misc]
            with store.read() as rx:
                fresh = channels.door(rx, conversation_id, CHANNEL)
                unsent = channels.unsent(rx, fresh) if fresh else []

    return Sender(CHANNEL, send, failed=_failed)


def _gone(tx: Tx, delivery: Delivery, event: Event) -> None:
    """That answer is out. (One that failed before is followed by those that did so with it, and by no other.)"""
    channels.passed(tx, event.conversation_id, CHANNEL, event.id)
    messages.delivered(tx, event.site_id, event.conversation_id, event.message_id or 0)
    if "failed" in delivery.about:
        deliveries.note(tx, delivery.id, failed=[event.id, delivery.about["failed"][1]])


def _failed_before(rx: Tx, delivery: Delivery) -> list[Event]:
    """The answers with which this delivery failed, when it is tried again by hand."""
    after, last = delivery.about.get("failed", (0, 0))
    answers = events.answers(rx, delivery.conversation_id or 0, after) if last else []
    return [event for event in answers if event.id <= last]


def _failed(tx: Tx, delivery: Delivery, why: str) -> None:
    """The answers that did not get there say so in the thread; later ones go out without them."""
    door = channels.door(tx, delivery.conversation_id or 0, CHANNEL)
    lost = _failed_before(tx, delivery) or (channels.unsent(tx, door) if door else [])
    if lost:
        deliveries.note(tx, delivery.id, failed=[lost[0].id - 1, lost[-1].id])
    for event in lost:
        messages.undelivered(tx, event.site_id, event.conversation_id, event.message_id or 0, why)
        channels.passed(tx, event.conversation_id, CHANNEL, event.id)
