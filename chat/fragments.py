"""Fragments: one renderer for page, socket, poll and answer; the same bytes for everyone of one audience."""

from functools import lru_cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from chat import clock, conversations, events, languages, states, useragent
from chat.events import Event
from chat.porch import Light
from chat.states import State

TEMPLATES = {
    "message.posted": "conversation/_message.html",
    "message.undelivered": "conversation/_undelivered.html",
    "message.delivered": "conversation/_delivered.html",
    "conversation.closed": "conversation/_closed.html",
    "conversation.reopened": "conversation/_reopened.html",
    "conversation.erased": "conversation/_erased.html",
}
"""How each kind of event is drawn."""

_environment: list[Environment] = []


def init(environment: Environment) -> None:
    """Draw with these templates: those of the one application in this process."""
    _environment[:] = [environment]


def partial(template: str, **values: Any) -> Markup:
    """One element from its one template. The only place where HTML is called safe: autoescaping made it so."""
    return Markup(_environment[0].get_template(template).render(values).strip())


@lru_cache(maxsize=2048)
def _drawn(language: str, template: str, **values: Any) -> Markup:
    return partial(template, **values)


def _kept(template: str, **values: Any) -> Markup:
    """The same, drawn once for the same values: a template is a function of what it is given, and of the language."""
    return _drawn(languages.spoken(), template, **values)


def forget() -> None:
    """Keep nothing of what was drawn: some of it was erased."""
    _drawn.cache_clear()


def event(event: Event, audience: str, receipt: str) -> str:
    """Something that happened, as it is drawn for that audience, with the receipt of an own message."""
    short = len(event.body or "") <= 500  # what is kept is bounded: 2,048 fragments of 3 KB at most
    return (_kept if short else partial)(TEMPLATES[event.kind], event=event, audience=audience, receipt=receipt)


def echo(by: events.By, author: str, audience: events.Audience) -> str:
    """The sender's own message as it looks before it is stored: the same partial, to be filled in the browser."""
    blank = Event(0, 0, "message.posted", by, author, clock.now(), 0, "", "")
    return partial("conversation/_message.html", event=blank, audience=audience, receipt="Sending")


def typing(state: State, name: str) -> str:
    """Who types on the other side, if anybody does."""
    return _kept("conversation/_typing.html", conversation_id=state.conversation_id, name=name, ttl=states.TYPING)


def receipt(message_id: int, how_far: str) -> str:
    """How far an own message has come: Sent, Delivered, Seen."""
    return _kept("conversation/_receipt.html", message_id=message_id, receipt=how_far)


def presence(light: Light, face: str = "") -> str:
    """Whether somebody is home, and who, as the visitor reads it; with their picture if there is one."""
    return _kept("widget/_presence.html", light=light, face=face)


def visitor_presence(state: State) -> str:
    """Whether the visitor is there, as the agent reads it."""
    return partial("inbox/_presence.html", state=state)


def about(conversation: conversations.Conversation, device: dict[str, Any]) -> str:
    """What is known of the visitor: page, way, language, browser, local time."""
    browser = useragent.describe(device.get("user_agent", ""))
    return partial("inbox/_about.html", conversation=conversation, device=device, browser=browser)


def row(conversation: conversations.Conversation, state: State) -> str:
    """The conversation's line in the inbox's list."""
    return _kept("inbox/_row.html", conversation=conversation, here=state.visitor_here)
