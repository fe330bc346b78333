"""Sending: what is said where the mail goes, and the sender that the outbox works with."""

from email.message import EmailMessage
from typing import Any

from chat import channels, clock, deliveries, events, languages, messages
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.events import Event
from chat.features.mail import account, composing, links, notices, plans, smtp, to_agents
from chat.features.mail.account import Account
from chat.features.mail.plans import Plan
from chat.languages import gettext
from chat.outbox import Handler, Later, Sender


class Post:
    """Mail going out: one at a time, over one connection."""

    def __init__(self, settings: Settings, store: Store, secret: bytes) -> None:
        self._settings, self._store, self._secret = settings, store, secret
        self._line = smtp.Line()
        self._under_way: tuple[Plan, str] | None = None
        self.sender = Sender("mail", self.send, self._sent, self._failed)
        self.handler = Handler("mail", frozenset(("message.posted", "conversation.closed")), self._follow)

    def _follow(self, tx: Tx, event: Event) -> None:
        """An answer that the visitor may not see, and a talk that ended."""
        mine = account.of(self._settings, tx)
        if not mine.sends:
            return
        if event.kind == "conversation.closed":
            answered = events.answers(
                tx, event.conversation_id, 0, limit=1
            )  # else anybody could have us write to anybody
            if mine.transcripts and answered and plans.reachable(tx, event.conversation_id):
                notices.transcript(tx, event.conversation_id, asked=f"closed {event.id}")
        elif event.by == "agent" and plans.is_left_alone(tx, event.conversation_id):
            key = f"conversation {event.conversation_id}"
            deliveries.add(tx, "mail", key, after=mine.wait, conversation_id=event.conversation_id)

    def send(self, delivery: Delivery) -> None:
        """Compose it and hand it over. Raises what the outbox understands."""
        with self._store.read() as rx:
            mine = account.of(self._settings, rx)
        if not mine.sends:
            raise Later("E-mail is not set up: see Settings, E-mail.", 300)
        plan = self._store.write(lambda tx: plans.make(tx, mine, delivery))
        mail = self.compose(mine, plan)
        self._under_way = plan, str(mail["Subject"])
        self._line.send(mine.smtp_url, mail, plan.to)

    def compose(self, mine: Account, plan: Plan) -> EmailMessage:
        """The mail of that plan."""
        with languages.speaking(languages.find(plan.lang) or languages.ENGLISH):
            return self._composed(mine, plan)

    def _composed(self, mine: Account, plan: Plan) -> EmailMessage:
        words = WORDS[plan.kind](plan, self._settings.local_url, self._secret)
        return composing.mail(
            mine,
            plan.to,
            words.pop("subject"),
            name=plan.writer,
            token=plan.token,
            message_id=plan.message_id,
            parents=plan.parents,
            generated=plan.kind != "answer",
            url=self._settings.local_url,
            zone=clock.zone(plan.timezone),
            fresh=plan.fresh,
            before=plan.before,
            **words,
        )

    def _sent(self, tx: Tx, delivery: Delivery) -> None:
        assert self._under_way is not None
        plan, subject = self._under_way
        plans.done(tx, plan, delivery, subject)
        if talk := plan.conversation:
            for event in plan.fresh:
                if event.failure:
                    messages.delivered(tx, talk.site_id, talk.id, event.message_id or 0)

    def _failed(self, tx: Tx, delivery: Delivery, why: str) -> None:
        """Every answer that the mail was to carry says so in the thread, one that was never composed too."""
        door = channels.door(tx, delivery.conversation_id or 0, "mail")
        if delivery.about.get("kind", "answer") != "answer" or door is None:
            return
        about = deliveries.about_of(tx, delivery.id)
        known = (about["from_event"], about["to_event"]) if "to_event" in about else None
        answers = channels.between(tx, door.conversation_id, *known) if known else channels.unsent(tx, door)
        channels.lost(tx, answers, why.partition(" (")[0])


def _subject(plan: Plan) -> str:
    talk = plan.conversation
    assert talk is not None
    return f"Re: {talk.subject}" if talk.subject else ""


def _answer(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    assert plan.conversation is not None
    token = links.sign(secret, "continue", plan.conversation.id)
    stop = links.sign(secret, "stop", plan.conversation.id)
    own = plan.conversation.channel == "mail"
    return {
        "subject": _subject(plan) or gettext("%(name)s answered you") % {"name": plan.writer},
        "title": gettext("%(name)s wrote:") % {"name": plan.writer},
        "button": (gettext("Continue the conversation"), f"{url}/c/{plan.site_key}/continue/{token}"),
        "foot": gettext("You can also simply answer this e-mail."),
        "stop_url": "" if own else f"{url}/mail/stop/{stop}",
    }


def _transcript(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    assert plan.conversation is not None
    if plan.for_agent:
        return to_agents.transcript(plan, url, secret)
    token = links.sign(secret, "continue", plan.conversation.id)
    return {
        "subject": _subject(plan) or gettext("Your conversation with us"),
        "title": gettext("Your conversation"),
        "button": (gettext("Continue the conversation"), f"{url}/c/{plan.site_key}/continue/{token}"),
        "foot": gettext("You can also simply answer this e-mail."),
    }


WORDS = {
    "answer": _answer,
    "transcript": _transcript,
    "alert": to_agents.alert,
    "digest": to_agents.digest,
    "test": to_agents.test,
}
"""What each kind of mail says around the conversation itself."""
