"""Fragments: one renderer for page, socket, poll and answer; the same bytes for everyone of one audience."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from chat import accounts, clock, conversations, events, people, sites, states, useragent
from chat.db import Tx
from chat.events import Event, Feed
from chat.states import State

PAGE = 50  # events on a page's first paint, and in each step back
RECEIPTS = 10  # messages whose state goes out with each change of it
RESET = 200  # the last events, sent to a reader whose cursor is of no use
MOST_BYTES = 64 * 1024
ANSWER = events.FAR_BEHIND  # events in the answer to one's own message: it has to reach to that message


@dataclass(frozen=True)
class Batch:
    """What a reader gets: HTML that ends with the new cursor. `news` is False when nothing is in it."""

    html: str
    cursor: int
    state: str
    news: bool
    more: bool = False


@dataclass(frozen=True)
class Page:
    """A conversation's last events, drawn in the same transaction as the cursor that goes with them."""

    events: list[str]
    earlier: int | None
    """The first message's id, when there is something before it."""
    cursor: int
    state: str


TEMPLATES = {
    "message.posted": "conversation/_message.html",
    "conversation.closed": "conversation/_closed.html",
    "conversation.reopened": "conversation/_reopened.html",
}
"""How each kind of event is drawn."""


_environment: list[Environment] = []


def init(environment: Environment) -> None:
    """Draw with these templates: those of the one application in this process."""
    _environment[:] = [environment]


def _draw(event: Event, audience: str, receipt: str) -> str:
    short = len(event.body or "") <= 500  # what is kept is bounded: 2,048 fragments of 3 KB at most
    return (_draw_once if short else _draw_anew)(event, audience, receipt)


def _draw_anew(event: Event, audience: str, receipt: str) -> str:
    return partial(TEMPLATES[event.kind], event=event, audience=audience, receipt=receipt)


_draw_once = lru_cache(maxsize=2048)(_draw_anew)


def partial(template: str, **values: Any) -> Markup:
    """One element from its one template. The only place where HTML is called safe: autoescaping made it so."""
    return Markup(_environment[0].get_template(template).render(**values).strip())


def _draw_all(rx: Tx, feed: Feed, timeline: list[Event]) -> list[str]:
    known = states.of_all(rx, {event.conversation_id for event in timeline})
    own = _own_side(feed)
    html = []
    for event in timeline:
        state = known.get(event.conversation_id) or State(event.conversation_id)
        html.append(_draw(event, feed.audience, state.receipt(event.id, own) if event.by == own else ""))
    return html


def _own_side(feed: Feed) -> states.Side:
    return "visitor" if feed.audience == "all" else "agent"


def page(rx: Tx, feed: Feed, before_message: int | None = None, limit: int = PAGE) -> Page:
    """The last events (before that message), oldest first. An unknown message has nothing before it."""
    before = None
    if before_message is not None:
        before = events.of_message(rx, feed, before_message) or 0
    timeline = events.before(rx, feed, before, limit + 1)
    shown = timeline[-limit:]
    first = next((event.message_id for event in shown if event.message_id), None)
    earlier = first if len(timeline) > limit else None
    return Page(_draw_all(rx, feed, shown), earlier, events.latest(rx, feed), state_token(rx, feed))


def echo(by: events.By, author: str, audience: events.Audience) -> str:
    """The sender's own message as it looks before it is stored: the same partial, to be filled in the browser."""
    blank = Event(0, 0, "message.posted", by, author, clock.now(), 0, "", "")
    return partial("conversation/_message.html", event=blank, audience=audience, receipt="Sending")


def state_token(rx: Tx, feed: Feed) -> str:
    """What a reader compares to know whether any state that it shows has changed."""
    if feed.audience == "agents":
        return str(states.version(rx))
    state = states.of(
        rx, feed.conversation_id or 0
    )  # only what a visitor sees of it: their own coming is no news to them
    typing = state.agent_typing_until if state.agent_typing_until > clock.now() else ""
    return f"{state.agent_delivered}.{state.agent_seen}.{typing}.{'home' if accounts.home(rx) else 'away'}"


def batch(
    rx: Tx, feed: Feed, cursor: int, state: str | None, limit: int = events.BATCH, *, named: bool = True
) -> Batch:
    """All that this reader lacks: events after the cursor, then the state if it is not the one it has.

    `state` None means that the reader keeps none: it gets the state along with events only. At most `limit`
    events and, unless the limit is raised, 64 KB. Only a cursor that the reader `named` can be of no use: one that
    a stream has reached by itself, page by page from 0, never gets a reset.
    """
    touched = _touched(rx, feed, state)
    if (named and events.needs_reset(rx, feed, cursor)) or len(touched) > 2 * RESET:
        return _reset(rx, feed)
    timeline = events.since(rx, feed, cursor, limit)
    drawn = _draw_all(rx, feed, timeline)
    shown = _within(drawn, MOST_BYTES) if limit == events.BATCH else drawn
    cursor = timeline[len(shown) - 1].id if shown else cursor
    fresh = state_token(rx, feed)
    news = bool(shown) or state not in (None, fresh)
    stateful = _states(rx, feed, touched | {event.conversation_id for event in timeline}) if news else []
    more = len(shown) < len(timeline) or len(timeline) == limit
    return Batch(_assemble(shown, stateful, cursor, fresh), cursor, fresh, news, more)


def _reset(rx: Tx, feed: Feed) -> Batch:
    """The last events, for a reader who is to forget what it has; and the way to what was before them."""
    last = page(rx, feed, limit=RESET)
    if feed.audience == "all":
        way = f"/w/{sites.key_of(rx, feed.site_id)}/messages"
        stateful = [partial("conversation/_older.html", page=last, older=way), *_states(rx, feed, set())]
    else:
        stateful = _states(rx, feed, {event.conversation_id for event in events.before(rx, feed, None, PAGE)})
    return Batch(_assemble(last.events, stateful, last.cursor, last.state, reset=True), last.cursor, last.state, True)


def _within(drawn: list[str], most: int) -> list[str]:
    """As many as fit, at least one."""
    size = 0
    for count, html in enumerate(drawn):
        size += len(html)
        if count and size > most:
            return drawn[:count]
    return drawn


def _assemble(shown: list[str], stateful: list[str], cursor: int, state: str, reset: bool = False) -> str:
    end = f'<meta id="state" content="{state}"><meta id="cursor" content="{cursor}"{" data-reset" if reset else ""}>'
    return "\n".join([*shown, *stateful, end])


def _touched(rx: Tx, feed: Feed, state: str | None) -> set[int]:
    """The conversations whose state an inbox has to redraw."""
    if feed.audience == "all" or state is None or not re.fullmatch(r"[0-9]{1,18}", state):
        return set()
    return states.changed_since(rx, int(state))


def _states(rx: Tx, feed: Feed, touched: set[int]) -> list[str]:
    if feed.audience == "all":
        mine = states.of(rx, feed.conversation_id) if feed.conversation_id else None
        return [presence(rx), *(conversation_state(rx, feed, mine) if mine else [])]
    known = states.of_all(rx, touched)
    html = []
    for conversation in conversations.of_all(rx, feed.site_id, sorted(touched)):
        its = known.get(conversation.id) or State(conversation.id)
        html += [row(conversation, its), about(rx, conversation)]
        html += conversation_state(rx, Feed(feed.site_id, conversation.id, "agents"), its)
    return html


def conversation_state(rx: Tx, feed: Feed, state: State) -> list[str]:
    """Typing, presence and receipts of one conversation, as its reader sees them."""
    receipts = [
        partial("conversation/_receipt.html", message_id=message_id, receipt=state.receipt(event_id, _own_side(feed)))
        for event_id, message_id in _milestones(rx, feed, state)
    ]
    if feed.audience == "agents":
        return [visitor_presence(state), typing(rx, feed, state), *receipts]
    return [typing(rx, feed, state), *receipts]


def _milestones(rx: Tx, feed: Feed, state: State) -> list[tuple[int, int]]:
    """The reader's last messages, and the last that was delivered and seen: each says it for all before it."""
    own = _own_side(feed)
    recent = events.last_messages(rx, state.conversation_id, own, limit=RECEIPTS)
    marks = [events.last_messages(rx, state.conversation_id, own, up_to=mark, limit=1) for mark in state.marks(own)]
    return sorted({*recent, *(each for found in marks for each in found)})


def typing(rx: Tx, feed: Feed, state: State) -> str:
    """Who types on the other side, if anybody does."""
    name = ""
    if feed.audience == "all" and state.agent_typing_id and state.agent_typing_until > clock.now():
        name = accounts.name_of(rx, state.agent_typing_id)
    elif feed.audience == "agents" and state.visitor_typing_until > clock.now():
        name = people.name_in(rx, state.conversation_id)
    return partial("conversation/_typing.html", conversation_id=state.conversation_id, name=name, ttl=states.TYPING)


def presence(rx: Tx) -> str:
    """Whether somebody is home, as the visitor reads it."""
    return partial("widget/_presence.html", name=accounts.home(rx))


def visitor_presence(state: State) -> str:
    """Whether the visitor is there, as the agent reads it."""
    return partial("inbox/_presence.html", state=state)


def about(rx: Tx, conversation: conversations.Conversation) -> str:
    """What is known of the visitor: page, way, language, browser, local time."""
    device = people.device_of(rx, conversation.person_id)
    browser = useragent.describe(device.get("user_agent", ""))
    return partial("inbox/_about.html", conversation=conversation, device=device, browser=browser)


def row(conversation: conversations.Conversation, state: State) -> str:
    """The conversation's line in the inbox's list."""
    return partial("inbox/_row.html", conversation=conversation, here=state.visitor_here)
