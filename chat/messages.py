"""Messages: the rules of posting live here, for every door."""

import hashlib
import secrets
import uuid

from chat import clock, conversations, events, masking, metrics, sites, states, text
from chat.db import Tx
from chat.languages import gettext


class NoConversation(Exception):
    """There is no such conversation at this site."""


def sender_id(raw: str) -> str:
    """The sender's own id for a message, by which a repeated one is known. Raises text.BadText if it's no UUID."""
    try:
        return str(uuid.UUID(raw))
    except ValueError:
        lacking = gettext("This message came without its id, so it was not stored. Reload the page and send it again.")
        raise text.BadText(lacking) from None


def digest(salt: bytes, body: str) -> str:
    """What proves a text without showing it."""
    return hashlib.sha256(salt + body.encode()).hexdigest()


def post(
    tx: Tx,
    site_id: int | None,
    conversation_id: int,
    by: events.By,
    body: str,
    client_id: str,
    agent_id: int | None = None,
    channel: str = "web",
    audience: events.Audience = "all",
) -> int:
    """Store a cleaned message once, whatever is repeated; returns its id. A closed conversation opens again.

    `channel` is the door by which it came; a visitor's answers go out by the last one. What only agents may read
    (`audience`) changes nothing else: neither who waits nor what is closed.

    Raises NoConversation for one of another site than that, or (None: an agent, who may write to all) for none.
    """
    found = tx.execute("SELECT site_id, closed_at FROM conversations WHERE id = ?", [conversation_id])
    conversation = found.fetchone()
    if conversation is None or site_id not in (None, conversation["site_id"]):
        raise NoConversation
    site_id = int(conversation["site_id"])
    if by == "visitor" and sites.has(tx, site_id, "privacy.mask"):
        body = masking.mask(body)
    salt = secrets.token_bytes(16)
    stored = tx.execute(
        "INSERT INTO messages (conversation_id, client_id, by, agent_id, body, salt, digest, created_at, channel)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conversation_id, client_id) DO NOTHING RETURNING id",
        [conversation_id, client_id, by, agent_id, body, salt, digest(salt, body), clock.now(), channel],
    ).fetchone()
    if stored is None:
        return of_client_id(tx, conversation_id, client_id) or 0
    metrics.stored(by)
    if conversation["closed_at"] and audience == "all":
        conversations.reopen(tx, conversation_id, by, agent_id)
    event_id = events.append(
        tx, site_id, conversation_id, "message.posted", by, subject=stored["id"], agent_id=agent_id, audience=audience
    )
    if audience == "agents":
        conversations.annotate(tx, conversation_id, event_id, stored["id"])
        states.touch(tx, conversation_id)
        return int(stored["id"])
    conversations.advance(tx, conversation_id, event_id, by, stored["id"], channel)
    if by == "agent":
        conversations.trust(tx, conversation_id)  # whom one answers is no spam
    _settle(tx, conversation_id, by, event_id)
    return int(stored["id"])


def of_client_id(rx: Tx, conversation_id: int, client_id: str) -> int | None:
    """The message with that id of its sender's; None when it was never stored."""
    query = "SELECT id FROM messages WHERE conversation_id = ? AND client_id = ?"
    row = rx.execute(query, [conversation_id, client_id]).fetchone()
    return int(row["id"]) if row else None


def undelivered(tx: Tx, site_id: int, conversation_id: int, message_id: int, why: str) -> None:
    """A message did not reach the visitor by its door: agents read why in the thread. Said twice, it is noted once."""
    if _fate(tx, message_id) == "message.undelivered":
        return
    change = "UPDATE messages SET failure = ? WHERE id = ? AND conversation_id = ?"
    if tx.execute(change, [why, message_id, conversation_id]).rowcount:
        _tell(tx, site_id, conversation_id, "message.undelivered", message_id)


def delivered(tx: Tx, site_id: int, conversation_id: int, message_id: int) -> None:
    """It went out after all: agents, who read that it had not, read that too."""
    if _fate(tx, message_id) == "message.undelivered":
        _tell(tx, site_id, conversation_id, "message.delivered", message_id)


def _tell(tx: Tx, site_id: int, conversation_id: int, kind: str, message_id: int) -> None:
    events.append(tx, site_id, conversation_id, kind, "system", subject=message_id, audience="agents")


def _fate(rx: Tx, message_id: int) -> str:
    """The kind of the last event about it: that it was posted, when nothing went wrong on its way."""
    row = rx.execute("SELECT kind FROM events WHERE subject = ? ORDER BY id DESC LIMIT 1", [message_id]).fetchone()
    return str(row["kind"]) if row else ""


def _settle(tx: Tx, conversation_id: int, by: events.By, event_id: int) -> None:
    """Who has written has stopped typing; an agent who answers has seen what was there."""
    if by == "agent":
        marks = {"agent_delivered": event_id, "agent_seen": event_id, "agent_typing_until": ""}
        states.touch(tx, conversation_id, **marks)
    else:
        states.touch(tx, conversation_id, visitor_typing_until="")
