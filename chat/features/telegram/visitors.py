"""The channel for visitors: what is answered goes to who wrote to the bot last; and what the bot says by itself."""

from typing import Any

from chat import channels, deliveries, messages, options
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.features.telegram import api, speech
from chat.features.telegram.api import Bot, Wrong
from chat.features.telegram.phrases import PHRASES
from chat.files import Upload
from chat.outbox import Later, Nothing, Permanent, Sender

CHANNEL = "telegram"
BLOCKED = "The visitor has blocked the bot"


def remark(tx: Tx, said: Any, phrase: str) -> None:
    """Have the bot say one of its phrases where that was said; the same one waits there once at most."""
    about = {"chat": said.chat, "thread": said.thread, "phrase": phrase}
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
        speech.say(bot, about["chat"], PHRASES[about["phrase"]], about["thread"] or None)

    def _answers(bot: Bot, delivery: Delivery) -> None:
        conversation_id = delivery.conversation_id or 0
        with store.read() as rx:
            door = channels.door(rx, conversation_id, CHANNEL)
            if door is None:
                raise Permanent("The visitor goes on in another conversation")
            unsent = channels.unsent(rx, door)
        if not unsent:
            raise Nothing("It has gone out already")
        while unsent:
            for event in unsent:
                if event.body:
                    speech.say(bot, door.address, event.body)
                for file in (Upload(**told) for told in event.files):
                    speech.show(bot, door.address, settings.chat_data, file)
                reached = event.id
                store.write(lambda tx, reached=reached: channels.passed(tx, conversation_id, CHANNEL, reached))  # type: ignore[misc]
            with store.read() as rx:
                unsent = channels.unsent(rx, door._replace(sent=reached))

    return Sender(CHANNEL, send, failed=_failed)


def _failed(tx: Tx, delivery: Delivery, why: str) -> None:
    """The answers that did not get there say so in the thread; later ones go out without them."""
    door = channels.door(tx, delivery.conversation_id or 0, CHANNEL)
    for event in channels.unsent(tx, door) if door else ():
        messages.undelivered(tx, event.site_id, event.conversation_id, event.message_id or 0, why)
        channels.passed(tx, event.conversation_id, CHANNEL, event.id)
