"""Plans: what a mail is to say, decided in one transaction at its first attempt and kept for the others: a mail that
is sent twice, since nobody knows whether the first one went, is the same mail with the same Message-ID."""

from typing import NamedTuple

from chat import accounts, channels, conversations, deliveries, events, people, sites, states
from chat.conversations import Conversation
from chat.db import Tx
from chat.deliveries import Delivery
from chat.events import Event, Feed
from chat.features.mail import letterbook, threads
from chat.features.mail.account import Account
from chat.outbox import Nothing

SO_FAR = 30  # events of the talk that come along below what is new
LONGEST = 5000  # events of a transcript
LISTED = 50  # conversations in a digest


class Plan(NamedTuple):
    """Who gets what."""

    kind: str
    to: str
    message_id: str
    parents: list[str]
    token: str
    conversation: Conversation | None
    site_key: str
    fresh: list[Event]
    before: list[Event]
    writer: str
    """Whose words it carries; empty: the server's own."""
    lang: str
    waiting: list[Conversation]
    up_to: int = 0
    """The last event that it tells."""
    brief: bool = False
    """It says that somebody waits; neither who, nor for what."""
    for_agent: bool = False
    timezone: str = ""
    """Of the visitor who reads it, as their browser told it."""


def make(tx: Tx, account: Account, delivery: Delivery) -> Plan:
    """The plan of this delivery. Raises Nothing when there is nothing to say any more."""
    kind = str(delivery.about.get("kind", "answer"))
    if kind in ("test", "digest"):
        return _for_agent_alone(tx, account, delivery, kind)
    assert delivery.conversation_id is not None
    site_id = conversations.site_of(tx, delivery.conversation_id)
    conversation = conversations.find(tx, delivery.conversation_id)
    if conversation is None:
        raise Nothing("The conversation is gone.")
    for_agent = delivery.agent_id is not None
    if for_agent:
        conversation = conversation._replace(name=sites.beside(tx, site_id, conversation.name))
    feed = Feed(site_id, conversation.id, "agents" if for_agent else "all")
    to = _agent(tx, delivery.agent_id) if for_agent else _address(tx, conversation)
    first, last = _range(tx, delivery, conversation, feed, kind)
    talk = events.before(tx, feed, last + 1, LONGEST if kind == "transcript" else SO_FAR + 50)
    fresh = [event for event in talk if event.id > first and event.kind == "message.posted"]
    fresh = [event for event in fresh if (event.by == "visitor") == (kind == "alert")] if kind != "transcript" else talk
    before = [event for event in talk if event.id < fresh[0].id][-SO_FAR:] if fresh and kind != "transcript" else []
    token = threads.token_of(tx, conversation.id, delivery.agent_id)
    message_id = threads.message_id(account.mail_from, token, delivery.id)
    parents = [each for each in letterbook.parents(tx, conversation.id, to) if each != message_id]
    if brief := bool(delivery.about.get("brief")):
        fresh, before = [], []
    writers = {"alert": conversation.name, "answer": fresh[-1].author if fresh else ""}
    writer = "" if brief else writers.get(kind, "")
    device = people.devices_of(tx, [conversation.person_id]).get(conversation.person_id, {})
    lang = accounts.language_of(tx, delivery.agent_id) if delivery.agent_id else device.get("language") or ""
    key = sites.key_of(tx, site_id)
    zone = "" if for_agent else device.get("timezone") or ""
    return Plan(
        *(kind, to, message_id, parents, token, conversation, key),
        *(fresh, before, writer, lang, [], last, brief, for_agent, zone),
    )


def _range(tx: Tx, delivery: Delivery, talk: Conversation, feed: Feed, kind: str) -> tuple[int, int]:
    """(after which event, up to which one): fixed by the first attempt."""
    if "to_event" in delivery.about:
        door = channels.door(tx, talk.id, "mail")
        if kind == "answer" and door and door.sent >= delivery.about["to_event"]:
            raise Nothing("It went out with a later answer.")
        return delivery.about["from_event"], delivery.about["to_event"]
    state, newest = states.of(tx, talk.id), events.latest(tx, feed)
    if kind == "transcript":
        first = 0
    elif kind == "alert":
        first = state.agent_seen
        if talk.closed_at or not _posted(tx, feed, first, "visitor"):
            raise Nothing("It was seen meanwhile.")
    else:
        door = channels.door(tx, talk.id, "mail")
        first = max(door.sent if door else 0, state.visitor_seen if talk.channel == channels.WEB else 0)
        if not _posted(tx, feed, first, "agent"):
            raise Nothing("It was seen meanwhile.")
    deliveries.note(tx, delivery.id, from_event=first, to_event=newest)
    return first, newest


def _posted(tx: Tx, feed: Feed, after: int, by: events.By) -> bool:
    assert feed.conversation_id is not None
    last = events.last_messages(tx, [feed.conversation_id], by, limit=1)[feed.conversation_id]
    return bool(last and last[0][0] > after)


def _agent(tx: Tx, agent_id: int | None) -> str:
    found = accounts.email_of(tx, agent_id) if agent_id else None
    if not found:
        raise Nothing("That agent is gone.")
    return found


def _address(tx: Tx, conversation: Conversation) -> str:
    door = channels.door(tx, conversation.id, "mail")
    if door is None:
        raise Nothing("The visitor left no address, or took it back.")
    return door.address


def _for_agent_alone(tx: Tx, account: Account, delivery: Delivery, kind: str) -> Plan:
    to = _agent(tx, delivery.agent_id)
    site = sites.first(tx)
    waiting: list[Conversation] = []
    if kind == "digest":
        page = conversations.page(tx)
        waiting = [each for each in page if each.waiting_at][:LISTED]
        if not waiting:
            raise Nothing("Nothing waits.")
    message_id = f"{kind}.{delivery.id}.{delivery.created_at[:10]}@{account.address.rpartition('@')[2]}"
    lang, brief = accounts.language_of(tx, delivery.agent_id or 0), bool(delivery.about.get("brief"))
    return Plan(kind, to, message_id, [], "", None, site.key, [], [], "", lang, waiting, brief=brief)


def done(tx: Tx, plan: Plan, delivery: Delivery, subject: str) -> None:
    """It is out: the book has it, and the door knows up to where the answers went."""
    talk, last = plan.conversation, plan.fresh[-1] if plan.fresh else None
    letterbook.enter(
        tx,
        "out",
        plan.message_id,
        plan.kind,
        plan.to,
        subject,
        conversation_id=talk.id if talk else None,
        message=last.message_id if last else None,
    )
    if talk and plan.kind == "answer":
        channels.passed(tx, talk.id, "mail", plan.up_to)


def reachable(rx: Tx, conversation_id: int) -> bool:
    """Whether there is an address to which a mail about this conversation could go."""
    return channels.door(rx, conversation_id, "mail") is not None


def is_left_alone(rx: Tx, conversation_id: int) -> bool:
    """Whether an answer in this conversation may have to follow the visitor: they talk on the web, and left an address.
    (Who wrote by mail gets each answer by mail: `channels.answers`.)"""
    return conversations.channel_of(rx, conversation_id) == channels.WEB and reachable(rx, conversation_id)
