"""Speech: what goes to Telegram, as plain text (nothing to escape, nothing to inject) and as files, politely paced."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent

from chat import deliveries, files
from chat.db import Store
from chat.deliveries import Delivery
from chat.features.telegram.api import Bot, Wrong
from chat.files import Upload
from chat.outbox import Later, Permanent

LONGEST = 4096  # UTF-16 units of a message
PHOTO = 10 * 1024 * 1024  # bytes of a picture shown as one
PHOTOS = ("image/jpeg", "image/png", "image/webp")
PATIENCE = 5.0  # seconds of "retry after" that are simply waited


def units(text: str) -> int:
    """The text's length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def parts(text: str, most: int = LONGEST) -> list[str]:
    """The text in pieces of at most `most` UTF-16 units: cut between paragraphs, lines or words, where there are some,
    and never inside of a character, with what is joined to it."""
    found = []
    while units(text) > most:
        head = text.encode("utf-16-le")[: 2 * most].decode("utf-16-le", "ignore")
        cut = max(head.rfind("\n\n"), head.rfind("\n", len(head) // 2), 0)
        if cut < len(head) // 2:
            cut = max(head.rfind(" ", len(head) // 2), 0)
        if not cut:
            cut = len(head)
            while cut > len(head) // 2 and _joined(text, cut):
                cut -= 1
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*found, text] if text else found


def _joined(text: str, cut: int) -> bool:
    after = text[cut]
    return after in "\u200d\ufe0f" or text[cut - 1] == "\u200d" or unicodedata.category(after) in ("Mn", "Me", "Sk")


def ask(bot: Bot, method: str, patience: float = PATIENCE, **params: Any) -> Any:
    """A call whose refusals are told in the outbox's words. Waits as long as Telegram asks, `patience` seconds at most;
    raises Later, Permanent, or Wrong for what the caller may mend."""
    return _patiently(lambda: bot.call(method, **params), patience)


@dataclass(frozen=True)
class Voice:
    """Speaks in one place of Telegram's; everything that it says there begins with the tag."""

    bot: Bot
    chat: str
    data: Path
    thread: int | None = None
    tag: str = ""
    patience: float = PATIENCE

    @property
    def _where(self) -> dict[str, Any]:
        return {"chat_id": self.chat} | ({"message_thread_id": self.thread} if self.thread else {})

    def tell(self, store: Store, delivery: Delivery, event_id: int, words: str, shown: list[dict[str, Any]]) -> None:
        """Say what one event says, piece by piece: the words in parts, then each file. How far it came is kept with the
        delivery: what is tried again goes on there and repeats nothing."""
        pieces = [*parts(words, LONGEST - units(self.tag)), *(Upload(**file) for file in shown)]
        event, done = delivery.about.get("told", (0, 0))
        for number, piece in enumerate(pieces, 1):
            if event == event_id and number <= done:
                continue
            self.say(piece)
            if number < len(pieces):
                told = {"told": (event_id, number)}
                store.write(lambda tx, told=told: deliveries.note(tx, delivery.id, **told))  # type: ignore[misc]

    def say(self, piece: str | Upload) -> None:
        """Send a text that is short enough, or a file."""
        if isinstance(piece, Upload):
            return self._show(piece)
        quiet = {"link_preview_options": {"is_disabled": True}}
        ask(self.bot, "sendMessage", self.patience, text=self.tag + piece, **self._where, **quiet)

    def _show(self, file: Upload) -> None:
        """A picture goes as one, if Telegram can show it, anything else as a document."""
        where = self._where | ({"caption": self.tag.strip()} if self.tag else {})
        content = gevent.get_hub().threadpool.apply(_read, (files.path(self.data, file.token),))
        if content is None:
            return self.say(f"{file.name} is not kept here any more.")
        if file.type in PHOTOS and file.size <= PHOTO:
            try:
                _patiently(lambda: self.bot.upload("sendPhoto", "photo", file.name, content, **where), self.patience)
                return
            except Wrong as wrong:
                if wrong.code != 400:  # too long and thin, or no picture after all: as a document it goes
                    raise
        _patiently(lambda: self.bot.upload("sendDocument", "document", file.name, content, **where), self.patience)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except OSError:
        return None


def _patiently(call: Any, patience: float) -> Any:
    waited = 0.0
    while True:
        try:
            return call()
        except Wrong as wrong:
            if wrong.code == 429:
                pause = float(wrong.retry_after or 1)
                if waited + pause > patience:
                    raise Later("Telegram asked us to slow down", pause) from None
                waited += pause
                gevent.sleep(pause)
            elif wrong.code >= 500:
                raise Later(f"Telegram answered with {wrong.code}") from None
            elif wrong.code in (401, 404):
                raise Later("Telegram does not know the bot's token any more") from None
            else:
                raise


def give_up(wrong: Wrong, blocked: str) -> Permanent:
    """What nobody here can mend, in the owner's words; `blocked` for a bot that is not let in."""
    return Permanent(blocked if wrong.code == 403 else f"Telegram refused it: {wrong}")
