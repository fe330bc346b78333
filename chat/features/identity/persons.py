"""Persons who are proven: one for each id that a site signs, whatever device they use. Nothing else merges anybody."""

from chat import clock, people, records, states
from chat.db import Tx
from chat.features.identity.proof import Claims
from chat.people import Context, Visitor


def known(rx: Tx, site_id: int, external_id: str) -> int | None:
    """The person with that id at that site."""
    query = "SELECT id FROM persons WHERE site_id = ? AND external_id = ?"
    row = rx.execute(query, [site_id, external_id]).fetchone()
    return int(row["id"]) if row else None


def external_id(rx: Tx, person_id: int) -> str | None:
    """Who the site proved this person to be; None for who was not proven, or was erased a moment ago."""
    row = rx.execute("SELECT external_id FROM persons WHERE id = ?", [person_id]).fetchone()
    return row["external_id"] if row else None


def prove(tx: Tx, visitor: Visitor, claims: Claims, context: Context) -> bool:
    """The device is in the hands of that person. Returns whether its conversation is another one now.

    Nobody was proven on it: what was said there joins the person's other talks. Somebody else was: their talks stay
    theirs, and the device goes on with its new holder's. A device that has never acted is stored for a known person
    alone, to whom its talk is to be shown.
    """
    before = people.recognise(tx, visitor)
    person_id = known(tx, visitor.site.id, claims.id)
    if before.person_id is None:
        if person_id is None:
            return False
        people.join(tx, visitor, person_id, context)
    elif before.person_id != person_id:
        person_id = _bring_together(tx, before, person_id, claims)
    assert person_id is not None
    _describe(tx, person_id, claims)
    return people.recognise(tx, visitor).conversation_id != before.conversation_id


def _bring_together(tx: Tx, before: Visitor, person_id: int | None, claims: Claims) -> int:
    assert before.person_id is not None
    anonymous = external_id(tx, before.person_id) is None
    if anonymous and person_id is None:
        tx.execute("UPDATE persons SET external_id = ? WHERE id = ?", [claims.id, before.person_id])
        return before.person_id
    if person_id is None:
        person_id = people.add(tx, before.site.id, claims.name)
        tx.execute("UPDATE persons SET external_id = ? WHERE id = ?", [claims.id, person_id])
    if anonymous:
        _merge(tx, before.person_id, person_id)
    else:
        tx.execute("UPDATE devices SET person_id = ? WHERE token_hash = ?", [person_id, before.token_hash])
    return person_id


def _merge(tx: Tx, gone: int, person_id: int) -> None:
    """All that was the one's is the other's: devices, talks, and what any feature keeps of a person."""
    for table, column in records.children(tx)["persons"]:
        tx.execute(f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} = ?", [person_id, gone])
    held = tx.execute("SELECT held_at, held_why FROM persons WHERE id = ?", [gone]).fetchone()
    if held["held_at"]:  # what may not be erased stays so, under whose name it ever is
        tx.execute("UPDATE persons SET held_at = ?, held_why = ? WHERE id = ?", [*held, person_id])
    tx.execute("DELETE FROM persons WHERE id = ?", [gone])


def _describe(tx: Tx, person_id: int, claims: Claims) -> None:
    if claims.name:
        people.rename(tx, person_id, claims.name)
    if claims.email:
        tx.execute("UPDATE persons SET email = coalesce(email, ?) WHERE id = ?", [claims.email, person_id])
    tx.execute("UPDATE persons SET proven_at = ? WHERE id = ?", [clock.now(), person_id])
    for row in tx.execute("SELECT id FROM conversations WHERE person_id = ? ORDER BY id DESC LIMIT 5", [person_id]):
        states.touch(tx, row["id"])
