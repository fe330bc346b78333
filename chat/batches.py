"""Batches: what a reader lacks, asked in one transaction and drawn by `fragments`; a page is made the same way."""

import re
from dataclasses import dataclass
from itertools import zip_longest
from zlib import crc32

import gevent

from chat import accounts, clock, conversations, events, fragments, languages, people, porch, sites, states
from chat.db import Tx
from chat.events import Event, Feed
from chat.states import State

PAGE = 50  # events on a page's first paint, and in each step back
RECEIPTS = 10  # messages whose state goes out with each change of it
TYPING, HOME = 2, 3  # places in a visitor's state token, after the two marks
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


def _draw_all(rx: Tx, feed: Feed, timeline: list[Event]) -> list[str]:
    known = states.of_all(rx, {event.conversation_id for event in timeline})
    own = _own_side(feed)
    html = []
    for number, event in enumerate(timeline, 1):
        if number % (events.BATCH + 1) == 0:
            gevent.sleep(0)  # 5,000 of them take most of a second: others go on meanwhile
        state = known.get(event.conversation_id) or State(event.conversation_id)
        html.append(fragments.event(event, feed.audience, state.receipt(event.id, own) if event.by == own else ""))
    return html


def _own_side(feed: Feed) -> states.Side:
    return "visitor" if feed.audience == "all" else "agent"


def page(rx: Tx, feed: Feed, before_message: int | None = None, limit: int = PAGE) -> Page:
    """The last events (before that message), oldest first. An unknown message has nothing before it."""
    with languages.speaking(feed.language):
        return _page(rx, feed, before_message, limit)


def _page(rx: Tx, feed: Feed, before_message: int | None, limit: int) -> Page:
    before = None
    if before_message is not None:
        before = events.of_message(rx, feed, before_message) or 0
    timeline = events.before(rx, feed, before, limit + 1)
    shown = timeline[-limit:]
    first = next((event.message_id for event in shown if event.message_id), None)
    earlier = first if len(timeline) > limit else None
    return Page(_draw_all(rx, feed, shown), earlier, events.latest(rx, feed), state_token(rx, feed))


def state_token(rx: Tx, feed: Feed) -> str:
    """What a reader compares to know whether any state that it shows has changed."""
    if feed.audience == "agents":
        return str(states.version(rx))
    state = states.of(
        rx, feed.conversation_id or 0
    )  # only what a visitor sees of it: their own coming is no news to them
    typing = state.agent_typing_until if state.agent_typing_until > clock.now() else ""
    return f"{state.agent_delivered},{state.agent_seen},{typing},{crc32(presence(rx, feed).encode()):x}"


def presence(rx: Tx, feed: Feed) -> str:
    """Whether somebody is home, as this visitor reads it."""
    light = porch.light(rx, feed.site_id or 0, feed.conversation_id)
    return fragments.presence(light, accounts.face(rx, light.name) if light.name else "")


def batch(
    rx: Tx, feed: Feed, cursor: int, state: str | None, limit: int = events.BATCH, *, named: bool = True
) -> Batch:
    """All that this reader lacks: events after the cursor, then the state if it is not the one it has.

    `state` None means that the reader keeps none: it gets the state along with events only. At most `limit`
    events and, unless the limit is raised, 64 KB. Only a cursor that the reader `named` can be of no use: one that
    a stream has reached by itself, page by page from 0, never gets a reset; nor does one that is the end of a page
    when a poll goes through everything from 0, in pages of exactly BATCH events.
    """
    with languages.speaking(feed.language):
        return _batch(rx, feed, cursor, state, limit, named)


def _batch(rx: Tx, feed: Feed, cursor: int, state: str | None, limit: int, named: bool) -> Batch:
    touched = _touched(rx, feed, state)
    useless = named and events.needs_reset(rx, feed, cursor)
    paging = limit == events.BATCH and (cursor == 0 or (useless and events.ends_a_page(rx, feed, cursor)))
    if (useless and not paging) or len(touched) > 2 * RESET:
        return _reset(rx, feed)
    timeline = events.since(rx, feed, cursor, limit)
    drawn = _draw_all(rx, feed, timeline)
    shown = _within(drawn, MOST_BYTES) if limit == events.BATCH and not paging else drawn
    cursor = timeline[len(shown) - 1].id if shown else cursor
    fresh = state_token(rx, feed)
    news = bool(shown) or state not in (None, fresh)
    touched |= {event.conversation_id for event in timeline}
    stateful = _states(rx, feed, touched, state, fresh) if news else []
    more = len(shown) < len(timeline) or len(timeline) == limit
    return Batch(_assemble(shown, stateful, cursor, fresh), cursor, fresh, news, more)


def nothing(cursor: int, state: str | None) -> Batch:
    """What a reader gets to whom nothing new can have happened."""
    return Batch(_assemble([], [], cursor, state or ""), cursor, state or "", False)


def _reset(rx: Tx, feed: Feed) -> Batch:
    """The last events, for a reader who is to forget what it has; and the way to what was before them."""
    last = page(rx, feed, limit=RESET)
    if feed.audience == "all":
        way = f"/w/{sites.key_of(rx, feed.site_id or 0)}/messages"
        stateful = [
            fragments.partial("conversation/_older.html", page=last, older=way),
            *_states(rx, feed, set(), None, last.state),
        ]
    else:
        touched = {event.conversation_id for event in events.before(rx, feed, None, PAGE)}
        stateful = _states(rx, feed, touched, None, last.state)
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
    return states.changed_since(rx, int(state), limit=2 * RESET + 1)


def _states(rx: Tx, feed: Feed, touched: set[int], known: str | None, fresh: str) -> list[str]:
    """The state that a reader lacks. What a visitor's `known` token says already is not said again."""
    if feed.audience == "agents":
        return _states_for_agents(rx, sorted(touched))
    had, has = (known or "").split(",", HOME), fresh.split(",", HOME)
    new = [len(had) != len(has) or old != now for old, now in zip_longest(had, has)]
    html = [presence(rx, feed)] if new[HOME] else []
    if feed.conversation_id and any(new[:HOME]):
        state = states.of(rx, feed.conversation_id)
        html += [fragments.typing(state, _typist(rx, state))] if new[TYPING] else []
        html += _receipts(rx, {state.conversation_id: state}, "visitor") if any(new[:TYPING]) else []
    return html


def _states_for_agents(rx: Tx, touched: list[int]) -> list[str]:
    """Rows and all that an open thread shows, each thing asked once for all conversations."""
    if not touched:
        return []
    found = conversations.of_all(rx, touched)
    devices = people.devices_of(rx, [conversation.person_id for conversation in found])
    known = states.of_all(rx, touched)
    html = []
    for conversation in found:
        state = known.setdefault(conversation.id, State(conversation.id))
        html += [
            fragments.row(conversation, state),
            fragments.about(conversation, devices.get(conversation.person_id, {})),
        ]
        html += [fragments.visitor_presence(state), fragments.typing(state, _visitor_typist(conversation, state))]
    return html + _receipts(rx, known, "agent")


def conversation_state(rx: Tx, feed: Feed, state: State) -> list[str]:
    """Typing and receipts of a visitor's conversation, as the page first shows them."""
    return [
        fragments.typing(state, _typist(rx, state)),
        *_receipts(rx, {state.conversation_id: state}, _own_side(feed)),
    ]


def _receipts(rx: Tx, known: dict[int, State], own: states.Side) -> list[str]:
    """The state of each side's last messages, and of the last that was delivered and seen: each says it for all
    before it."""
    recent = events.last_messages(rx, known, own, limit=RECEIPTS)
    html = []
    for conversation_id, state in known.items():
        latest = set(recent.get(conversation_id, ()))
        oldest = min(latest, default=(0, 0))[0]
        for mark in state.marks(own):
            if 0 < mark < oldest and len(latest) >= RECEIPTS:
                latest |= set(events.last_messages(rx, [conversation_id], own, up_to=mark, limit=1)[conversation_id])
        html += [fragments.receipt(message_id, state.receipt(event_id, own)) for event_id, message_id in sorted(latest)]
    return html


def _typist(rx: Tx, state: State) -> str:
    """The agent who types just now, if one does."""
    types = state.agent_typing_id and state.agent_typing_until > clock.now()
    return accounts.name_of(rx, state.agent_typing_id) if types else ""  # type: ignore[arg-type]


def _visitor_typist(conversation: conversations.Conversation, state: State) -> str:
    return conversation.name if state.visitor_typing_until > clock.now() else ""


def thread_state(rx: Tx, conversation: conversations.Conversation) -> dict[str, str]:
    """Typing, presence and what is known of the visitor, as an agent's thread first shows them."""
    state = states.of(rx, conversation.id)
    devices = people.devices_of(rx, [conversation.person_id])
    return {
        "typing": fragments.typing(state, _visitor_typist(conversation, state)),
        "presence": fragments.visitor_presence(state),
        "about": fragments.about(conversation, devices.get(conversation.person_id, {})),
    }
