"""Notes: what an alert says, and the tickets with which it can be answered on the spot.

A worker in the browser has no form and no token of its own, so each note brings one for just its conversation and
its action, for the agent whom it was written for, and for as long as the push service keeps it.
"""

import json
import uuid
from typing import Any, NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer

from chat import text
from chat.features.alerts.plans import Plan
from chat.features.alerts.unseen import Unseen
from chat.features.alerts.webpush import LIFE
from chat.languages import gettext, ngettext

LONGEST = 240  # characters of a visitor's words: four bytes each at most, far below what a push may carry
_IDS = uuid.UUID("6f2f7a3c-0f0b-4d4e-9a55-1b7b7f8e2d11")


class Ticket(NamedTuple):
    """Lets one agent do one thing in one conversation, as it stood at that event."""

    agent_id: int
    conversation_id: int
    action: str
    event_id: int

    def sign(self, secret: bytes) -> str:
        """The text of it."""
        return str(_signer(secret).dumps(list(self)))


class BadTicket(ValueError):
    """It was not made by us, not for this, or too long ago."""


def _signer(secret: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="alerts: what a notification may do")


def redeem(secret: bytes, signed: str, agent_id: int, action: str) -> Ticket:
    """The ticket, if it is good for this agent and this action. Raises BadTicket."""
    try:
        ticket = Ticket(*_signer(secret).loads(signed, max_age=LIFE))
    except (BadSignature, TypeError):
        raise BadTicket(gettext("This notification is too old to act on. Open the conversation instead.")) from None
    if (ticket.agent_id, ticket.action) != (agent_id, action):
        raise BadTicket(gettext("This notification was for somebody else. Open the conversation instead."))
    return ticket


def client_id(signed: str) -> str:
    """The id of the one reply that a ticket is good for: sent twice, it is stored once."""
    return str(uuid.uuid5(_IDS, signed))


def of_conversation(plan: Plan, told: Unseen, secret: bytes, *, signed_in: bool) -> dict[str, Any]:
    """The note about one conversation. Words and tickets only for a browser that is signed in."""
    where = f"/inbox/conversations/{told.conversation_id}"
    note: dict[str, Any] = {"tag": where, "url": where, "event": told.event_id, "silent": not plan.sound}
    if not (plan.show_text and signed_in):
        return note | {"title": gettext("New message"), "body": gettext("Open the inbox to read it.")}
    name = text.line(told.name, 60)
    body = " ".join(told.body.split()) or gettext("Sent a file")
    tickets = {
        action: Ticket(plan.agent_id, told.conversation_id, action, told.event_id).sign(secret)
        for action in ("reply", "close")
    }
    news = ngettext("{name}: {n} new message", "{name}: {n} new messages", told.count)
    title = name if told.count == 1 else news.replace("{n}", str(told.count)).replace("{name}", name)
    return note | {"title": title, "body": _short(body), **tickets}


def of_many(plan: Plan, count: int) -> dict[str, Any]:
    """One note for everything that is new, in place of one each."""
    body = gettext("Open the inbox to read them.")
    news = ngettext("{n} conversation has new messages", "{n} conversations have new messages", count)
    return {
        "tag": "/inbox",
        "url": "/inbox",
        "title": news.replace("{n}", str(count)),
        "body": body,
        "silent": not plan.sound,
    }


def test(name: str) -> dict[str, Any]:
    """What "Send a test" sends."""
    body = gettext("This is how a new message is announced on %(device)s.") % {"device": name or gettext("this device")}
    return {"tag": "test", "url": "/inbox/alerts", "title": gettext("Alerts work"), "body": body, "test": True}


def packed(note: dict[str, Any]) -> bytes:
    """As it is encrypted."""
    return json.dumps(note, ensure_ascii=False, separators=(",", ":")).encode()


def _short(body: str) -> str:
    return body if len(body) <= LONGEST else f"{body[: LONGEST - 1].rstrip()}…"
