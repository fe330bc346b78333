"""Conversations: who talks, whether it is open, and who waits longest."""

from typing import Literal, NamedTuple, get_args

from chat import clock, events, people, states
from chat.db import Tx
from chat.people import Context, Visitor

PAGE = 50  # rows of the inbox's list at once
_WAITING = 10**15  # a waiting conversation's rank lies this far before all others, a suspicious one's behind them


class Conversation(NamedTuple):
    """One row of the inbox: the conversation with its person's name and its last words."""

    id: int
    site_id: int
    person_id: int
    started_at: str
    closed_at: str | None
    waiting_at: str | None
    rank: int
    name: str
    last_body: str | None
    last_by: str | None
    last_at: str | None
    unread: int
    channel: str
    """The door by which the visitor spoke last."""
    subject: str
    email: str | None
    site: str = ""
    """The site's name, where there is more than one."""
    topic: str = ""
    """What the visitor chose to talk about, if there was something to choose."""
    suspected_at: str | None = None
    suspicion: str = ""
    """Why it stands among the suspicious ones."""


_SELECT = """
SELECT c.id, c.site_id, c.person_id, c.started_at, c.closed_at, c.waiting_at, c.rank, p.name,
       m.body AS last_body, m.by AS last_by, m.created_at AS last_at,
       (SELECT count(*) FROM (SELECT 1 FROM events e WHERE e.conversation_id = c.id AND e.id > coalesce(s.agent_seen, 0)
        AND e.by = 'visitor' AND e.kind = 'message.posted' LIMIT 100)) AS unread, c.channel, c.subject, p.email,
       CASE WHEN (SELECT count(*) FROM sites) > 1 THEN (SELECT name FROM sites WHERE id = c.site_id) ELSE '' END
       AS site, c.topic, c.suspected_at, c.suspicion
FROM conversations c
JOIN persons p ON p.id = c.person_id
LEFT JOIN messages m ON m.id = c.last_message_id
LEFT JOIN states s ON s.conversation_id = c.id
"""


View = Literal["open", "closed", "suspicious"]
VIEWS: tuple[View, ...] = get_args(View)


def page(rx: Tx, view: View = "open", after: int | None = None, topic: str = "") -> list[Conversation]:
    """A page of that list (of one topic), in its order, after that rank. Reads one row too many: more than PAGE means
    more."""
    which = "IS NOT NULL" if view == "closed" else "IS NULL"
    first, last = (0, 10**18) if view == "suspicious" else (-(10**18), 0)
    about, values = ("AND c.topic = ? ", [topic]) if topic else ("", [])
    where = f"WHERE c.closed_at {which} {about}AND c.rank > ? AND c.rank <= ? ORDER BY c.rank LIMIT ?"
    start = first if after is None else max(first, after)
    return [Conversation(*row) for row in rx.execute(_SELECT + where, [*values, start, last, PAGE + 1]).fetchall()]


def suspicious(rx: Tx, most: int = 1000) -> int:
    """How many open conversations are suspicious; `most` at most are counted."""
    query = "SELECT 1 FROM conversations WHERE closed_at IS NULL AND rank > 0 LIMIT ?"
    return len(rx.execute(query, [most]).fetchall())


def find(rx: Tx, conversation_id: int) -> Conversation | None:
    """That conversation, for an agent: they see every site's. None when there is none."""
    found = of_all(rx, [conversation_id])
    return found[0] if found else None


def of_all(rx: Tx, ids: list[int]) -> list[Conversation]:
    """Those conversations, in the list's order."""
    if not ids:
        return []
    marks = ", ".join("?" * len(ids))
    query = f"{_SELECT} WHERE c.id IN ({marks}) ORDER BY c.rank"
    return [Conversation(*row) for row in rx.execute(query, ids).fetchall()]


def waiting(rx: Tx, limit: int) -> list[tuple[int, str]]:
    """(conversation, since when) of those in which a visitor waits in the chat, who came last first."""
    query = (
        "SELECT id, waiting_at, channel FROM conversations WHERE closed_at IS NULL AND rank < ?"
        " ORDER BY rank DESC LIMIT ?"
    )
    found = rx.execute(query, [rank(_WAITING // 10, waits=True), limit]).fetchall()
    return [(row["id"], row["waiting_at"] or "") for row in found if row["channel"] == "web"]


def newest(rx: Tx) -> int:
    """The id of the conversation that began last."""
    return rx.execute("SELECT max(id) FROM conversations").fetchone()[0] or 0


def rank(event_id: int, *, waits: bool = False) -> int:
    """The place in the list of a conversation to which that event gave it: who waits is first, longest on top."""
    return event_id - _WAITING if waits else -event_id


_APART = f"CASE WHEN suspected_at IS NULL OR closed_at IS NOT NULL THEN 0 ELSE {_WAITING} END"


def suspect(tx: Tx, conversation_id: int, why: str, *, sure: bool = False) -> None:
    """Put it among the suspicious ones, where it calls nobody and nobody waits; one that an agent has trusted only if
    they are `sure`."""
    change = "suspected_at = ?, suspicion = ?, waiting_at = NULL"
    query = f"UPDATE conversations SET {change} WHERE id = ? AND (trusted_at IS NULL OR ?)"
    if tx.execute(query, [clock.now(), why, conversation_id, sure]).rowcount:
        tx.execute(
            f"UPDATE conversations SET rank = coalesce((SELECT -max(id) FROM events WHERE conversation_id = ?), 0)"
            f" + {_APART} WHERE id = ?",
            [conversation_id, conversation_id],
        )
        states.touch(tx, conversation_id)


def trust(tx: Tx, conversation_id: int) -> None:
    """An agent says that it is no spam: it is where it belongs, and no rule puts it away again."""
    change = "suspected_at = NULL, suspicion = '', trusted_at = ?"
    query = f"UPDATE conversations SET {change} WHERE id = ? AND suspected_at IS NOT NULL RETURNING last_message_id"
    if (row := tx.execute(query, [clock.now(), conversation_id]).fetchone()) is None:
        return
    said = "SELECT e.id, e.by, e.created_at FROM events e WHERE e.subject = ? AND e.kind = 'message.posted'"
    last = tx.execute(said, [row["last_message_id"]]).fetchone()
    waits = bool(last) and last["by"] == "visitor"
    tx.execute(
        "UPDATE conversations SET rank = ?, waiting_at = CASE WHEN closed_at IS NULL THEN ? END WHERE id = ?",
        [rank(last["id"] if last else 0, waits=waits), last["created_at"] if waits else None, conversation_id],
    )
    states.touch(tx, conversation_id)


def began_lately(rx: Tx, site_id: int, count: int) -> str | None:
    """When the conversation began before which so many others began at that site; None when there are fewer."""
    query = "SELECT started_at FROM conversations WHERE site_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
    row = rx.execute(query, [site_id, count]).fetchone()
    return row["started_at"] if row else None


def of_strangers(rx: Tx, site_id: int, count: int, since: str) -> list[int]:
    """Those of that site's last conversations that began after that time, wait for an answer, and whose browser has
    named no page."""
    query = (
        "SELECT c.id FROM (SELECT * FROM conversations WHERE site_id = ? ORDER BY id DESC LIMIT ?) c"
        " WHERE c.channel = 'web' AND c.started_at > ? AND c.waiting_at IS NOT NULL AND c.trusted_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.person_id = c.person_id AND d.page_url <> '')"
    )
    return [row[0] for row in rx.execute(query, [site_id, count, since]).fetchall()]


def of_visitor(tx: Tx, visitor: Visitor, context: Context) -> int:
    """The visitor's conversation, begun at the first act."""
    person_id = people.welcome(tx, visitor, context)
    talk = "SELECT id FROM conversations WHERE person_id = ? ORDER BY id DESC LIMIT 1"
    row = tx.execute(talk, [person_id]).fetchone()
    if row:
        return int(row["id"])
    return begin(tx, visitor.site.id, person_id, "web")


def begin(tx: Tx, site_id: int, person_id: int, channel: str, subject: str = "") -> int:
    """A new conversation with that person; one by mail has a subject."""
    new = "INSERT INTO conversations (site_id, person_id, channel, subject, started_at) VALUES (?, ?, ?, ?, ?)"
    return int(tx.execute(new, [site_id, person_id, channel, subject, clock.now()]).lastrowid)


def file_under(tx: Tx, conversation_id: int, topic: str) -> None:
    """The visitor chose what they talk about."""
    tx.execute("UPDATE conversations SET topic = ? WHERE id = ?", [topic, conversation_id])


def of_person(rx: Tx, person_id: int) -> list[int]:
    """All conversations with that person."""
    found = rx.execute("SELECT id FROM conversations WHERE person_id = ? ORDER BY id", [person_id]).fetchall()
    return [row[0] for row in found]


class Silent(NamedTuple):
    """A conversation, when something happened in it last, and whether its visitor's records are held."""

    id: int
    last_at: str
    held: bool


def by_age(rx: Tx, site_id: int, after: int, limit: int) -> list[Silent]:
    """The next conversations of that site, in the order in which they began: for whoever goes through all of them."""
    query = (
        "SELECT c.id, coalesce((SELECT e.created_at FROM events e WHERE e.conversation_id = c.id ORDER BY e.id DESC"
        " LIMIT 1), c.started_at), p.held_at IS NOT NULL FROM conversations c JOIN persons p ON p.id = c.person_id"
        " WHERE c.site_id = ? AND c.id > ? ORDER BY c.id LIMIT ?"
    )
    return [Silent(*row) for row in rx.execute(query, [site_id, after, limit]).fetchall()]


def blank(tx: Tx, conversation_id: int, by: events.By, agent_id: int | None = None) -> None:
    """Everything in it was erased: what is left is closed, has no words, and says so."""
    change = "subject = '', channel = 'web', last_message_id = NULL, waiting_at = NULL, closed_at = ?"
    query = f"UPDATE conversations SET {change} WHERE id = ? RETURNING site_id"
    site_id = tx.execute(query, [clock.now(), conversation_id]).fetchone()["site_id"]
    event_id = events.append(
        tx, site_id, conversation_id, "conversation.erased", by, agent_id=agent_id, audience="agents"
    )
    tx.execute("UPDATE conversations SET rank = ? WHERE id = ?", [rank(event_id), conversation_id])
    states.touch(tx, conversation_id)


def site_of(rx: Tx, conversation_id: int) -> int:
    """The site at which that conversation is."""
    return int(rx.execute("SELECT site_id FROM conversations WHERE id = ?", [conversation_id]).fetchone()["site_id"])


def channel_of(rx: Tx, conversation_id: int) -> str:
    """The door by which the visitor said their last words, and by which answers go out."""
    row = rx.execute("SELECT channel FROM conversations WHERE id = ?", [conversation_id]).fetchone()
    return str(row["channel"])


def come_by(tx: Tx, conversation_id: int, channel: str) -> None:
    """The visitor goes on by another door, though they have not said anything there yet."""
    tx.execute("UPDATE conversations SET channel = ? WHERE id = ?", [channel, conversation_id])


def advance(tx: Tx, conversation_id: int, event_id: int, by: events.By, message_id: int, channel: str = "web") -> None:
    """A message was posted: the visitor now waits for an answer, or has it."""
    if by == "visitor":
        waits = "channel = ?, waiting_at = CASE WHEN suspected_at IS NULL THEN coalesce(waiting_at, ?) END,"
        waits += " rank = CASE WHEN suspected_at IS NOT NULL THEN ? WHEN waiting_at IS NULL THEN ? ELSE rank END"
        values: list[object] = [channel, clock.now(), rank(event_id) + _WAITING, rank(event_id, waits=True)]
    else:
        waits, values = f"waiting_at = NULL, rank = ? + {_APART}", [rank(event_id)]
    tx.execute(
        f"UPDATE conversations SET {waits}, last_message_id = ? WHERE id = ?", [*values, message_id, conversation_id]
    )


def annotate(tx: Tx, conversation_id: int, event_id: int, message_id: int) -> None:
    """Something was noted in it for agents: its last words, but nobody waits for that, or waits less."""
    change = f"rank = CASE WHEN waiting_at IS NULL THEN ? + {_APART} ELSE rank END, last_message_id = ?"
    tx.execute(f"UPDATE conversations SET {change} WHERE id = ?", [rank(event_id), message_id, conversation_id])


def close(tx: Tx, conversation_id: int, agent_id: int) -> bool:
    """Close it. False when there is no such conversation, or it is closed already."""
    return _turn(tx, conversation_id, "conversation.closed", "agent", agent_id)


def reopen(tx: Tx, conversation_id: int, by: events.By, agent_id: int | None = None) -> bool:
    """Open it again. False when there is no such conversation, or it is open."""
    return _turn(tx, conversation_id, "conversation.reopened", by, agent_id)


def _turn(tx: Tx, conversation_id: int, kind: str, by: events.By, agent_id: int | None) -> bool:
    closing = kind == "conversation.closed"
    change = "closed_at = ?, waiting_at = NULL" if closing else "closed_at = ?"
    condition = "closed_at IS NULL" if closing else "closed_at IS NOT NULL"
    values = [clock.now() if closing else None, conversation_id]
    turned = tx.execute(f"UPDATE conversations SET {change} WHERE id = ? AND {condition} RETURNING site_id", values)
    if (row := turned.fetchone()) is None:
        return False
    event_id = events.append(tx, row["site_id"], conversation_id, kind, by, agent_id=agent_id)
    tx.execute(f"UPDATE conversations SET rank = ? + {_APART} WHERE id = ?", [rank(event_id), conversation_id])
    states.touch(tx, conversation_id)
    return True
