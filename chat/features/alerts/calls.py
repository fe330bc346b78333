"""Calls: who is told of a visitor's words, how, and when. Push at once, mail when nobody has looked for a while, then
the colleague.

Everything is a delivery with a key that takes in what comes after; when it is due it looks at what is still unseen. So
a burst is one call, a crash loses and doubles none, and what was read meanwhile calls nobody.
"""

from datetime import UTC, datetime

from chat import clock, deliveries
from chat.config import Settings
from chat.db import Store, Tx
from chat.events import Event
from chat.features.alerts import plans, unseen
from chat.features.alerts.devices import of_agent
from chat.features.alerts.plans import Plan
from chat.features.alerts.unseen import Unseen
from chat.features.mail import account, notices
from chat.outbox import Nothing

PUSH, STEP = "push", "alerts"  # the senders: what goes to a browser, and what comes after it
BURST = 1.5  # seconds in which several messages become one alert
PAUSE = 10.0  # seconds between two pushes about one conversation
MANY = 5  # conversations: with more of them unseen, one summary takes the place of a push each
SUMMARY_PAUSE, MAIL_PAUSE = 60.0, 3600.0  # seconds between two summaries; between two mails about the same


class Calls:
    """Following what visitors say, and the steps that come when nobody looks."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings

    def heard(self, tx: Tx, event: Event) -> None:
        """A message was posted: call those who are called first."""
        if event.by != "visitor" or event.suspected:
            return
        everyone = plans.every(tx)
        many = len(unseen.everywhere(tx)) > MANY
        for plan in [plan for plan in everyone if plan.first] or everyone:
            self.call(tx, plan, event.conversation_id, [plan.agent_id], many)

    def call(self, tx: Tx, plan: Plan, conversation_id: int, asked: list[int], many: bool) -> None:
        """Call one agent about a conversation: now, and step by step while nobody looks. `asked`: who was before.
        `many`: other conversations wait as well."""
        ring(tx, plan, conversation_id, many)
        about = {"conversation_id": conversation_id, "agent_id": plan.agent_id}
        if plan.mail_after is not None and account.of(self._settings, tx).sends:
            after = plan.held(plan.held(0) + plan.mail_after * 60)
            alone = None if after > plan.mail_after * 60 else conversation_id  # what is held goes out as one
            told = {"conversation_id": alone, "agent_id": plan.agent_id}
            deliveries.add(tx, STEP, _mail_key(plan, alone), after=after, what="mail", **told)
        if plan.next_agent_id and plan.next_agent_id not in asked:
            key = f"colleague of agent {plan.agent_id} conversation {conversation_id}"
            deliveries.add(tx, STEP, key, after=plan.next_after * 60, what="colleague", asked=asked, **about)

    def step(self, delivery: deliveries.Delivery) -> None:
        """Look whether the step is still needed, and may be taken now. Raises Nothing when not."""
        with self._store.read() as rx:
            plan = plans.of(rx, delivery.agent_id or 0)
            waits = unseen.everywhere(rx)
            told = unseen.of(rx, delivery.conversation_id) if delivery.conversation_id else None
            if plan is None or not (told or (delivery.conversation_id is None and waits)):
                raise Nothing("It was seen meanwhile.")
            if delivery.about["what"] == "colleague":
                return
            key, after = self._mail_due(rx, plan, told, len(waits))
        if key != delivery.key or after > 0:
            again = {"what": "mail", "agent_id": plan.agent_id}
            where = delivery.conversation_id if key == delivery.key else None
            self._store.write(lambda tx: deliveries.add(tx, STEP, key, after=after, conversation_id=where, **again))
            raise Nothing("It waits for its time, or goes out with others.")

    def _mail_due(self, rx: Tx, plan: Plan, told: Unseen | None, waits: int) -> tuple[str, float]:
        """Under which key the mail goes, and in how many seconds it is to."""
        several = told is None or waits > MANY
        key = _mail_key(plan, None if several else told.conversation_id)  # type: ignore[union-attr]
        before = deliveries.of_key(rx, plan.agent_id, STEP, key)
        last = max((each.done_at or "" for each in before if each.state == "sent"), default="")
        after = 0.0
        if told and plan.mail_after is not None:
            after = _rest_of(plan.mail_after * 60, told.since)
        if last and (several or told.since < last):  # type: ignore[union-attr]
            after = max(after, _rest_of(MAIL_PAUSE, last))
        return key, plan.held(max(0.0, after))

    def stepped(self, tx: Tx, delivery: deliveries.Delivery) -> None:
        """Take the step, in the transaction that notes it."""
        agent_id, conversation_id = delivery.agent_id or 0, delivery.conversation_id
        plan = plans.of(tx, agent_id)
        brief = plan is not None and not plan.show_text
        if delivery.about["what"] == "mail":
            if conversation_id:
                notices.alert(tx, agent_id, conversation_id, brief=brief)
            else:
                notices.digest(tx, agent_id, brief=brief)
            return
        colleague = plans.of(tx, plan.next_agent_id) if plan and plan.next_agent_id else None
        if colleague and conversation_id:
            asked, many = [*delivery.about["asked"], colleague.agent_id], len(unseen.everywhere(tx)) > MANY
            self.call(tx, colleague, conversation_id, asked, many)


def ring(tx: Tx, plan: Plan, conversation_id: int, many: bool) -> None:
    """Have the agent's browsers told of that conversation, or, where many wait or all is quiet, of all at once."""
    quiet = plan.held(0)
    for device in of_agent(tx, plan.agent_id):
        push(tx, plan, device.id, None if many or quiet > 0 else conversation_id, quiet)


def push(tx: Tx, plan: Plan, device_id: int, conversation_id: int | None, after: float = 0.0) -> None:
    """Have one browser told; one that is being retried already will tell this too. No conversation: a summary."""
    key = f"device {device_id}" + (f" conversation {conversation_id}" if conversation_id else "")
    before = [each for each in deliveries.of_key(tx, plan.agent_id, PUSH, key) if each.state != "dropped"]
    if any(each.state == "waiting" for each in before):
        return
    pause = PAUSE if conversation_id else SUMMARY_PAUSE
    last = max((each.done_at or each.next_at for each in before if each.state in ("sending", "sent")), default="")
    wait = max(BURST, after, _rest_of(pause, last) if last else 0.0)
    about = {"conversation_id": conversation_id, "agent_id": plan.agent_id}
    deliveries.add(tx, PUSH, key, after=wait, device=device_id, **about)


def _mail_key(plan: Plan, conversation_id: int | None) -> str:
    return f"mail to agent {plan.agent_id}" + (f" conversation {conversation_id}" if conversation_id else "")


def _rest_of(pause: float, last: str) -> float:
    """What is left of a pause that began then; never more than all of it, though the clock has been set back since."""
    return min(pause, _since(last) + pause)


def _since(moment: str) -> float:
    """How many seconds lie between now and then; negative for what is past."""
    return (clock.parse(moment) - datetime.now(UTC)).total_seconds()
