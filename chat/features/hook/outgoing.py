"""Answers go to the owner's address, signed. Each delivery carries the same answers under the same webhook-id however
often it is tried, so that the other side can tell a repeated one; the answers of a conversation go out in order."""

import json
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from chat import channels, clock, deliveries, messages, outbound, sites
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.events import Event
from chat.features.hook import account
from chat.features.hook.account import Account
from chat.outbound import Answer
from chat.outbox import Later, Nothing, NotYet, Permanent, Sender

CHANNEL = "hook"
LONGEST_PAUSE = 24 * 3600.0  # seconds of a Retry-After that are believed
GONE = "Your address said that it is gone for good (410), so nothing goes there until you save it again"


class Load(NamedTuple):
    """What one delivery carries."""

    site: str
    address: str
    answers: list[Event]


def post(settings: Settings, mine: Account, webhook_id: str, told: dict[str, Any]) -> Answer:
    """One signed request. Raises outbound's Refused and Failed."""
    from standardwebhooks.webhooks import Webhook

    now, body = datetime.now(UTC), json.dumps(told, ensure_ascii=False)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(webhook_id, now, body) for secret in mine.secrets),
    }
    return outbound.ask(
        "POST", mine.address, body=body.encode(), headers=headers, private_hosts=settings.private_hosts, most=2000
    )


class Outgoing:
    """The sender."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self.sender = Sender(CHANNEL, self.send, self._sent, self._failed)

    def send(self, delivery: Delivery) -> None:
        """Raises what the outbox understands."""
        load = self._store.write(lambda tx: _load(tx, delivery))
        with self._store.read() as rx:
            mine = account.of(rx)
        if not mine.address or not mine.secrets:
            raise Permanent("No address or no secret is set on the page “Another channel”")
        if mine.off:
            raise Permanent(GONE)
        stamp = re.sub(r"\D", "", delivery.created_at)  # a restored database gives the same numbers once more
        try:
            answer = post(self._settings, mine, f"msg_{stamp}_{delivery.id}", self._words(delivery, load))
        except outbound.Refused as error:
            raise Permanent(str(error).rstrip(".")) from None
        self._judge(answer)

    def _judge(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        if answer.status == 410:
            self._store.write(account.switch_off)
            raise Permanent(GONE)
        asked = answer.headers.get("Retry-After", "")
        pause = min(float(asked), LONGEST_PAUSE) if asked.isascii() and asked.isdigit() else None
        raise Later(f"Your address answered with {answer.status}", pause)

    def _words(self, delivery: Delivery, load: Load) -> dict[str, Any]:
        data = {
            "site": load.site,
            "conversation": delivery.conversation_id,
            "address": load.address,
            "messages": [self._message(event) for event in load.answers],
        }
        return {"type": "answer.posted", "timestamp": load.answers[-1].created_at, "data": data}

    def _message(self, event: Event) -> dict[str, Any]:
        url = self._settings.local_url
        files = [
            {"name": file["name"], "type": file["type"], "size": file["size"], "url": f"{url}/files/{file['token']}"}
            for file in event.shown_files
        ]
        told = {"id": event.message_id, "by": event.by, "name": event.author, "text": event.body}
        return {**told, "at": event.created_at, "files": files}

    def _sent(self, tx: Tx, delivery: Delivery) -> None:
        for event in _carried(tx, delivery):
            messages.delivered(tx, event.site_id, event.conversation_id, event.message_id or 0)
            channels.passed(tx, event.conversation_id, CHANNEL, event.id)

    def _failed(self, tx: Tx, delivery: Delivery, why: str) -> None:
        """The thread says so at each answer; later ones go out without them."""
        carried = _carried(tx, delivery)
        channels.lost(tx, carried, why)
        for event in carried:
            channels.passed(tx, event.conversation_id, CHANNEL, event.id)


def _carried(tx: Tx, delivery: Delivery) -> list[Event]:
    """What its first attempt carried; none when it never got so far."""
    about = deliveries.about_of(tx, delivery.id)
    return channels.between(tx, delivery.conversation_id or 0, about["after"], about["to"]) if "to" in about else []


def _load(tx: Tx, delivery: Delivery) -> Load:
    """What it carries. Raises Nothing when there is nothing, and NotYet while an earlier one has not gone out."""
    conversation_id = delivery.conversation_id or 0
    door = channels.door(tx, conversation_id, CHANNEL)
    if door is None:
        raise Nothing("The visitor goes on by another door")
    if earlier := deliveries.earlier(tx, delivery):
        wait = (clock.parse(earlier) - clock.parse(clock.now())).total_seconds()
        raise NotYet("An earlier answer goes first", max(0.0, wait) + 1.0)
    answers = _carried(tx, delivery)
    if not answers:
        answers = channels.unsent(tx, door)
        if not answers:
            raise Nothing("It was seen meanwhile")
        deliveries.note(tx, delivery.id, after=answers[0].id - 1, to=answers[-1].id)
    return Load(sites.key_of(tx, answers[0].site_id), door.address, answers)
