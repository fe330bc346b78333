"""The books: the rows that messages, conversations, people and states would have written, for many steps at once."""

from dataclasses import dataclass, field
from typing import Any

from chat import conversations
from chat.seeds.plan import Step

Row = tuple[Any, ...]


@dataclass(slots=True)
class Standing:
    """How a talk stands: what its rows in conversations and states say."""

    id: int
    agent_id: int
    stored: tuple[int, str | None] | None = None
    """Last message and closing as they stand on the disk; None before the first commit."""
    last_message_id: int = 0
    rank: int = 0
    waiting_at: str | None = None
    closed_at: str | None = None
    visitor_delivered: int = 0
    visitor_seen: int = 0
    agent_delivered: int = 0
    agent_seen: int = 0
    agent_typing_id: int | None = None
    asked_at: str = ""
    visitor_left_at: str = ""


@dataclass(slots=True)
class Line:
    """A step with all that takes long to compute, made before anybody has to wait for the lock."""

    step: Step
    at: str
    client_id: str
    salt: bytes
    digest: str
    person: dict[str, Any] | None
    """Who begins the talk with this step: name, email, token_hash and what the browser tells."""


@dataclass(slots=True)
class Books:
    """The rows of one transaction, with the numbers that they will have."""

    site_id: int
    agents: list[int]
    last: dict[str, int]
    """The last number given in each table."""
    rows: dict[str, list[Row]] = field(
        default_factory=lambda: {"persons": [], "devices": [], "messages": [], "events": []}
    )
    touched: dict[int, Standing] = field(default_factory=dict)
    """In the order of the last touch, in which the versions grow."""
    begun: dict[int, Row] = field(default_factory=dict)
    """The new conversations: person and beginning."""

    def _number(self, table: str) -> int:
        self.last[table] += 1
        return self.last[table]

    def begin(self, line: Line) -> Standing:
        """As people.welcome and conversations.of_visitor do."""
        person_id, device_id, at = self._number("persons"), self._number("devices"), line.at
        who = dict(line.person or {})
        self.rows["persons"].append((person_id, self.site_id, who.pop("name"), who.pop("email"), at))
        self.rows["devices"].append((device_id, self.site_id, person_id, *who.values(), at, at))
        it = Standing(self._number("conversations"), self.agents[person_id % len(self.agents)])
        self.begun[it.id] = (person_id, at)
        return it

    def enter(self, it: Standing, line: Line) -> None:
        """One step of a talk."""
        self.touched.pop(it.id, None)
        self.touched[it.id] = it
        if line.step.body:
            self._post(it, line)
        else:
            self._close(it, line.at)

    def _happen(self, it: Standing, kind: str, by: str, at: str, subject: int | None = None) -> int:
        event_id = self._number("events")
        agent_id = it.agent_id if by == "agent" else None
        self.rows["events"].append((event_id, self.site_id, it.id, kind, subject, "all", by, agent_id, at))
        return event_id

    def _close(self, it: Standing, at: str) -> None:
        it.closed_at, it.waiting_at = at, None
        it.agent_delivered = it.agent_seen = self._happen(it, "conversation.closed", "agent", at)
        it.rank = conversations.rank(it.agent_seen)

    def _post(self, it: Standing, line: Line) -> None:
        step, at, number = line.step, line.at, self._number("messages")
        agent_id = it.agent_id if step.by == "agent" else None
        sealed = (line.client_id, step.by, agent_id, step.body, line.salt, line.digest, at)
        self.rows["messages"].append((number, it.id, *sealed))
        if it.closed_at:
            it.closed_at, it.rank = None, conversations.rank(self._happen(it, "conversation.reopened", step.by, at))
        event_id = self._happen(it, "message.posted", step.by, at, number)
        it.last_message_id = number
        if step.by == "visitor":
            self._ask(it, event_id, at, step.looked)
        else:
            self._answer(it, event_id, at, step.looked)

    def _ask(self, it: Standing, event_id: int, at: str, looked: str) -> None:
        if it.waiting_at is None:
            it.waiting_at, it.rank = at, conversations.rank(event_id, waits=True)
        it.visitor_delivered = it.visitor_seen = it.agent_delivered = event_id
        it.asked_at = it.visitor_left_at = at
        if looked == "seen":
            it.agent_seen = event_id

    def _answer(self, it: Standing, event_id: int, at: str, looked: str) -> None:
        it.waiting_at, it.rank = None, conversations.rank(event_id)
        it.agent_delivered = it.agent_seen = event_id
        it.agent_typing_id = it.agent_id
        if looked:
            it.visitor_delivered, it.visitor_left_at = event_id, at
        if looked == "seen":
            it.visitor_seen = event_id
