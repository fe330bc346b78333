"""Facts: what the site's code tells of its visitor. Anybody could tell it: it is shown to agents and proves nothing."""

import json
from typing import NamedTuple

from chat import clock, text
from chat.db import Tx

MOST = {"user": 10, "attribute": 50, "tag": 20}
"""Of each kind, for one person; what comes after that is left out."""
MOST_ACTS = 50  # events of a person that are kept, the newest
NAME, VALUE = 60, 300  # characters


class Fact(NamedTuple):
    """One of them. `value` is empty for a tag."""

    kind: str
    name: str
    value: str


class Act(NamedTuple):
    """Something that the visitor did on the site."""

    name: str
    about: str
    created_at: str


def tell(tx: Tx, person_id: int, kind: str, told: dict[str, object]) -> None:
    """Keep what was told; a null takes it back."""
    for name, value in told.items():
        row = [person_id, kind, text.line(str(name), NAME)]
        if not row[2]:
            continue
        tx.execute("DELETE FROM facts WHERE person_id = ? AND kind = ? AND name = ?", row)
        count = tx.execute("SELECT count(*) FROM facts WHERE person_id = ? AND kind = ?", row[:2]).fetchone()[0]
        if value is not None and count < MOST[kind]:
            new = "INSERT INTO facts (person_id, kind, name, value, told_at) VALUES (?, ?, ?, ?, ?)"
            tx.execute(new, [*row, as_words(value), clock.now()])


def as_words(value: object) -> str:
    """A value of JSON as it is shown: a text as itself."""
    return text.line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), VALUE)


def note(tx: Tx, person_id: int, name: str, about: object) -> None:
    """The visitor did something on the site."""
    if not (name := text.line(name, NAME)):
        return
    row = [person_id, name, "" if about in (None, {}) else as_words(about), clock.now()]
    tx.execute("INSERT INTO acts (person_id, name, about, created_at) VALUES (?, ?, ?, ?)", row)
    old = "SELECT id FROM acts WHERE person_id = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
    tx.execute(f"DELETE FROM acts WHERE id IN ({old})", [person_id, MOST_ACTS])


def of(rx: Tx, person_id: int) -> list[Fact]:
    """All that was told of that person."""
    query = "SELECT kind, name, value FROM facts WHERE person_id = ? ORDER BY kind, name"
    return [Fact(*row) for row in rx.execute(query, [person_id]).fetchall()]


def acts(rx: Tx, person_id: int, limit: int = 10) -> list[Act]:
    """What they did last."""
    query = "SELECT name, about, created_at FROM acts WHERE person_id = ? ORDER BY id DESC LIMIT ?"
    return [Act(*row) for row in rx.execute(query, [person_id, limit]).fetchall()]
