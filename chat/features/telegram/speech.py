"""Speech: what goes to Telegram, as plain text (nothing to escape, nothing to inject) and as files, politely paced."""

import unicodedata
from pathlib import Path
from typing import Any

import gevent

from chat import files
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


def say(bot: Bot, chat: str, text: str, thread: int | None = None, tag: str = "", patience: float = PATIENCE) -> None:
    """Send a text of any length; each of its pieces begins with the tag."""
    for part in parts(text, LONGEST - units(tag)):
        where: dict[str, Any] = {"chat_id": chat} | ({"message_thread_id": thread} if thread else {})
        quiet = {"link_preview_options": {"is_disabled": True}}
        ask(bot, "sendMessage", patience, text=tag + part, **where, **quiet)


def show(
    bot: Bot, chat: str, data: Path, file: Upload, thread: int | None = None, tag: str = "", patience: float = PATIENCE
) -> None:
    """Send a file: a picture as one, if Telegram can show it, anything else as a document."""
    where: dict[str, Any] = {"chat_id": chat} | ({"message_thread_id": thread} if thread else {})
    where |= {"caption": tag.strip()} if tag else {}
    content = gevent.get_hub().threadpool.apply(_read, (files.path(data, file.token),))
    if content is None:
        return say(bot, chat, f"{file.name} is not kept here any more.", thread, tag, patience)
    if file.type in PHOTOS and file.size <= PHOTO:
        try:
            return _patiently(lambda: bot.upload("sendPhoto", "photo", file.name, content, **where), patience)
        except Wrong as wrong:
            if wrong.code != 400:  # too long and thin, or no picture after all: as a document it goes
                raise
    _patiently(lambda: bot.upload("sendDocument", "document", file.name, content, **where), patience)


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
