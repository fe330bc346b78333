"""Topics: which conversation is answered where in the owner's chat, and up to which event it was told there.

A forum has a topic for each. A chat without topics has none: its rows carry the conversation's own number, negative.
"""

from typing import NamedTuple

from chat.db import Tx


class Topic(NamedTuple):
    """A conversation's place in the owner's chat."""

    conversation_id: int
    chat: str
    topic: int
    sent: int
    site_id: int

    @property
    def thread(self) -> int | None:
        """Telegram's message_thread_id; None in a chat without topics."""
        return self.topic if self.topic > 0 else None


_SELECT = """
SELECT t.conversation_id, t.chat, t.topic, t.sent, c.site_id
FROM telegram_topics t JOIN conversations c ON c.id = t.conversation_id
"""


def of(rx: Tx, conversation_id: int, chat: str) -> Topic | None:
    """Where that conversation is told in that chat; None when it is not yet."""
    query = f"{_SELECT} WHERE t.conversation_id = ? AND t.chat = ?"
    row = rx.execute(query, [conversation_id, chat]).fetchone()
    return Topic(*row) if row else None


def at(rx: Tx, chat: str, topic: int) -> Topic | None:
    """The conversation of that topic; None when the topic is none of ours."""
    row = rx.execute(f"{_SELECT} WHERE t.chat = ? AND t.topic = ?", [chat, topic]).fetchone()
    return Topic(*row) if row else None


def put(tx: Tx, conversation_id: int, chat: str, topic: int, sent: int) -> None:
    """From now on it is told there; what was told elsewhere stays there."""
    row = [conversation_id, chat, topic, sent]
    tx.execute("INSERT OR REPLACE INTO telegram_topics (conversation_id, chat, topic, sent) VALUES (?, ?, ?, ?)", row)


def passed(tx: Tx, conversation_id: int, event_id: int) -> None:
    """It was told up to that event."""
    change = "UPDATE telegram_topics SET sent = max(sent, ?) WHERE conversation_id = ?"
    tx.execute(change, [event_id, conversation_id])


def forget(tx: Tx, conversation_id: int) -> None:
    """The topic is gone over there."""
    tx.execute("DELETE FROM telegram_topics WHERE conversation_id = ?", [conversation_id])


def move(tx: Tx, old: str, new: str) -> None:
    """The group has become a supergroup: the same topics under another id."""
    tx.execute("UPDATE telegram_topics SET chat = ? WHERE chat = ?", [new, old])
