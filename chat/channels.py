"""Channels: the doors by which a conversation goes on. One conversation, many doors, one history.

`web` is the widget. A feature brings another one: what comes in by it goes through `receive`, and the answers to a
visitor who came in last by it become deliveries of the sender that has the channel's name.
"""

import uuid
from typing import NamedTuple

from chat import conversations, deliveries, events, files, messages, people, states
from chat.db import Tx
from chat.events import Event
from chat.files import Upload
from chat.languages import noop
from chat.outbox import Handler

WEB = "web"
NAMES = {WEB: noop("chat"), "mail": noop("e-mail"), "telegram": "Telegram", "hook": noop("another channel")}
PAUSES = {"mail": 5.0}
"""Seconds in which several answers become one delivery, where a letter gathers them; elsewhere each goes at once."""
_IDS = uuid.UUID("0f1d6a5e-5a55-4c1c-9d0c-2f0f2c9b7f10")


class Door(NamedTuple):
    """Where a visitor is reached by a channel."""

    conversation_id: int
    channel: str
    address: str
    sent: int
    """The event up to which answers have gone out by it."""


class Incoming(NamedTuple):
    """What a visitor said through a channel."""

    channel: str
    address: str
    """Where answers go; whoever writes from there is the same visitor to this channel."""
    name: str
    body: str
    """Cleaned (`text.clean`); may be empty when there are files."""
    external_id: str
    """The channel's own id of it: the same one again changes nothing."""
    subject: str = ""
    files: tuple[Upload, ...] = ()
    fresh: bool = False
    """Begin a conversation, though one with that address is known."""
    opens: bool = True
    """Answers go there from now on; not when somebody else may have written it."""
    note: bool = False
    """Told of the visitor, not by them (a call's note): for agents alone."""


def client_id(channel: str, external_id: str) -> str:
    """The message's own id, made of the channel's: what comes twice is known by it."""
    return str(uuid.uuid5(_IDS, f"{channel} {external_id}"))


class Received(NamedTuple):
    """What became of it."""

    conversation_id: int
    message_id: int
    not_kept: str = ""
    """Why its files were not kept; the message says so as well, to those who answer."""


def receive(tx: Tx, site_id: int, incoming: Incoming, conversation_id: int | None = None) -> Received:
    """Store what was said, once. Without a conversation it goes to the newest one of that address, or begins one. From
    now on this door is used for the answers."""
    if conversation_id is None:
        before = None if incoming.fresh else known(tx, site_id, incoming.channel, incoming.address)
        conversation_id = before or _begin(tx, site_id, incoming)
    sender_id = client_id(incoming.channel, incoming.external_id)
    stored = messages.of_client_id(tx, conversation_id, sender_id)
    if stored is not None:
        return Received(conversation_id, stored)
    by: events.By = "system" if incoming.note else "visitor"
    audience: events.Audience = "agents" if incoming.note else "all"
    not_kept = files.lack_of_room(tx, site_id, conversation_id, incoming.files)
    body = f"{incoming.body}\n\n[{not_kept}]".strip() if not_kept else incoming.body
    message_id = messages.post(
        tx, site_id, conversation_id, by, body, sender_id, channel=incoming.channel, audience=audience
    )
    if incoming.opens:
        open_door(tx, conversation_id, incoming.channel, incoming.address)
    if not not_kept:
        files.attach(tx, site_id, conversation_id, message_id, incoming.files)
    return Received(conversation_id, message_id, not_kept)


def _begin(tx: Tx, site_id: int, incoming: Incoming) -> int:
    email = incoming.address if incoming.channel == "mail" else None
    person_id = people.add(tx, site_id, incoming.name, email)
    return conversations.begin(tx, site_id, person_id, incoming.channel, incoming.subject)


def known(rx: Tx, site_id: int, channel: str, address: str) -> int | None:
    """The newest conversation with that address; None when there is none at this site."""
    query = (
        "SELECT max(c.id) FROM doors d JOIN conversations c ON c.id = d.conversation_id"
        " WHERE d.channel = ? AND d.address = ? AND c.site_id = ?"
    )
    found = rx.execute(query, [channel, address, site_id]).fetchone()[0]
    return int(found) if found else None


def open_door(tx: Tx, conversation_id: int, channel: str, address: str) -> None:
    """The visitor can be reached there. What was answered before the door was first opened does not go out by it."""
    newest = "(SELECT coalesce(max(id), 0) FROM events WHERE conversation_id = ?)"
    tx.execute(
        f"INSERT INTO doors (conversation_id, channel, address, sent) VALUES (?, ?, ?, {newest})"
        " ON CONFLICT (conversation_id, channel) DO UPDATE SET address = excluded.address",
        [conversation_id, channel, address, conversation_id],
    )


def close_door(tx: Tx, conversation_id: int, channel: str) -> None:
    """The visitor does not want to be reached there any more."""
    tx.execute("DELETE FROM doors WHERE conversation_id = ? AND channel = ?", [conversation_id, channel])


def turn_to(tx: Tx, conversation_id: int, channel: str, address: str) -> None:
    """The visitor goes on by that door in this conversation, and in no other one: answers go there from now on, before
    they have said anything."""
    tx.execute("DELETE FROM doors WHERE channel = ? AND address = ?", [channel, address])
    open_door(tx, conversation_id, channel, address)
    conversations.come_by(tx, conversation_id, channel)


def unsent(rx: Tx, door: Door) -> list[Event]:
    """The answers that have not gone out by this door, oldest first; a batch of them at most. What the visitor has
    seen on the web meanwhile is not repeated: they may go from door to door."""
    seen = states.of(rx, door.conversation_id).visitor_seen
    return events.answers(rx, door.conversation_id, max(door.sent, seen))


def between(rx: Tx, conversation_id: int, after: int, last: int) -> list[Event]:
    """The answers after one event and up to another one: what a delivery has carried, or is to carry again."""
    return [event for event in events.answers(rx, conversation_id, after) if event.id <= last]


def lost(tx: Tx, answers: list[Event], why: str) -> None:
    """These answers did not reach the visitor: each says so in the thread."""
    for event in answers:
        messages.undelivered(tx, event.site_id, event.conversation_id, event.message_id or 0, why)


def door(rx: Tx, conversation_id: int, channel: str) -> Door | None:
    """Where the visitor is reached by that channel; None when nobody knows."""
    query = "SELECT conversation_id, channel, address, sent FROM doors WHERE conversation_id = ? AND channel = ?"
    row = rx.execute(query, [conversation_id, channel]).fetchone()
    return Door(*row) if row else None


def passed(tx: Tx, conversation_id: int, channel: str, event_id: int) -> None:
    """Answers up to that event have gone out by this door."""
    change = "UPDATE doors SET sent = max(sent, ?) WHERE conversation_id = ? AND channel = ?"
    tx.execute(change, [event_id, conversation_id, channel])


def _answer(tx: Tx, event: Event) -> None:
    """An agent has answered: whoever came in last by another door than the web gets it by that door."""
    if event.by not in ("agent", "bot"):
        return
    channel = conversations.channel_of(tx, event.conversation_id)
    if channel != WEB:
        key = f"conversation {event.conversation_id}"
        deliveries.add(tx, channel, key, after=PAUSES.get(channel, 0.0), conversation_id=event.conversation_id)


answers = Handler("channels", frozenset(("message.posted",)), _answer)
"""Follows every answer and gives it to the door by which the visitor came in last. (Who left the web is e-mailed by the
feature mail, which looks whether they have seen it.)"""
