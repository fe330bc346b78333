"""Updates: what Telegram tells the bot, read strictly: everything in it is a stranger's word."""

import re
from typing import Any, NamedTuple

from chat import languages, text

KINDS = ("message", "edited_message")
"""What is asked for (allowed_updates)."""
ANONYMOUS = "1087968824"  # GroupAnonymousBot: stands for whichever administrator hides behind the group
_TAG = re.compile(r"#c([0-9]{1,18})\b")
_FILES = {
    "document": "file",
    "video": "video.mp4",
    "animation": "animation.mp4",
    "audio": "audio.mp3",
    "voice": "voice.ogg",
    "video_note": "video.mp4",
}
_SERVICE = {"forum_topic_closed": "close", "forum_topic_reopened": "reopen"}


class Sent(NamedTuple):
    """A file that somebody sent, to be fetched."""

    file_id: str
    name: str
    size: int


class Said(NamedTuple):
    """One message, as far as we care."""

    chat: str
    private: bool
    forum: bool
    title: str
    thread: int
    """The topic's id; 0 outside of topics."""
    message_id: int
    user: str
    name: str
    language: str
    """That they use Telegram in, if it is one of ours."""
    bot: bool
    text: str
    """Cleaned; empty when there is none, or none that can be shown."""
    files: tuple[Sent, ...]
    edited: bool
    service: str
    """`close`, `reopen`, `moved`, or empty for what a person wrote."""
    moved_to: str
    about: int
    """The conversation that our own message is about, to which this is a reply; 0 for none."""

    @property
    def command(self) -> str:
        """`/close` of `/close@our_bot now`; empty when it is no command."""
        first = self.text.partition(" ")[0] if self.text.startswith("/") else ""
        return first.partition("@")[0].lower()

    @property
    def argument(self) -> str:
        """What stands behind the command, or all of a text that is none."""
        return (self.text.partition(" ")[2] if self.command else self.text).strip()


def read(update: dict[str, Any], bot_id: str) -> Said | None:
    """The message of an update; None for other kinds. Raises ValueError, TypeError or KeyError for what is none."""
    kind = next((kind for kind in KINDS if kind in update), None)
    if kind is None:
        return None
    told = update[kind]
    chat, user = told["chat"], told.get("from") or {}
    name = text.line(f"{user.get('first_name', '')} {user.get('last_name', '')}", 60)
    moved_to = told.get("migrate_to_chat_id")
    service = "moved" if moved_to else next((what for sign, what in _SERVICE.items() if sign in told), "")
    return Said(
        chat=str(int(chat["id"])),
        private=chat.get("type") == "private",
        forum=bool(chat.get("is_forum")),
        title=text.line(str(chat.get("title") or name), 100),
        thread=int(told.get("message_thread_id", 0)) if told.get("is_topic_message") or chat.get("is_forum") else 0,
        message_id=int(told["message_id"]),
        user=str(user.get("id", "")),
        name=name,
        language=languages.find(str(user.get("language_code", ""))),
        bot=bool(user.get("is_bot")),
        text=_text(told),
        files=_files(told),
        edited=kind == "edited_message",
        service=service,
        moved_to=str(int(moved_to)) if moved_to else "",
        about=_about(told.get("reply_to_message") or {}, bot_id),
    )


def _text(told: dict[str, Any]) -> str:
    if "contact" in told:
        contact = told["contact"]
        return tidy(
            f"{contact.get('first_name', '')} {contact.get('last_name', '')}: {contact.get('phone_number', '')}"
        )
    if "location" in told:
        place = told["location"]
        return f"{float(place['latitude']):.6f}, {float(place['longitude']):.6f}"
    return tidy(str(told.get("text") or told.get("caption") or ""))


def tidy(raw: str) -> str:
    """The text as we keep it; what can't be shown is left out rather than all of it refused."""
    for attempt in (raw, "\n".join(text.line(line, 4096) for line in raw.splitlines())):
        try:
            return text.clean(attempt, 4096)
        except text.BadText:
            continue
    return ""


def _files(told: dict[str, Any]) -> tuple[Sent, ...]:
    if "photo" in told:
        largest = max(told["photo"], key=lambda size: size.get("width", 0) * size.get("height", 0))
        return (Sent(str(largest["file_id"]), "photo.jpg", int(largest.get("file_size", 0))),)
    for kind, name in _FILES.items():
        if kind in told:
            file = told[kind]
            return (Sent(str(file["file_id"]), str(file.get("file_name") or name), int(file.get("file_size", 0))),)
    return ()


def _about(answered: dict[str, Any], bot_id: str) -> int:
    """Our messages begin with the conversation's tag, before anything that a visitor could have written."""
    if str((answered.get("from") or {}).get("id", "")) != bot_id:
        return 0
    tag = _TAG.match(str(answered.get("text") or answered.get("caption") or ""))
    return int(tag[1]) if tag else 0
