"""Answers: what a visitor says on the form, checked, kept with the person, and what it is worth."""

import re
from typing import NamedTuple

from chat import clock, text
from chat.db import Tx
from chat.features.forms.form import PAGE, VALUE, Field, Form, Rule
from chat.languages import gettext

TOPIC = 0
"""In place of a field's number: the topic, and the mark that somebody was asked."""
_EMAIL = re.compile(r"[^@\s,;:<>\"()\[\]\\]{1,64}@(?=.{4,255}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Answer(NamedTuple):
    """What was said to one question, as it was asked then."""

    field: int
    kind: str
    label: str
    value: str
    """Empty when nothing was said."""
    answered_at: str = ""


class BadAnswer(ValueError):
    """This can't be taken; the text says why."""


def read(field: Field, said: str, country: str) -> str:
    """The answer as it is kept. Raises BadAnswer."""
    said = text.line(said, VALUE + 60)
    if not said:
        if field.required and field.kind == "consent":
            raise BadAnswer(gettext("Tick this to go on."))
        if field.required:
            raise BadAnswer(gettext("Fill this in to go on."))
        return ""
    if field.kind == "consent":
        return "Yes"
    if field.kind == "choice" and said not in field.choices:
        raise BadAnswer(gettext("Choose one of the list."))
    if field.kind == "email" and not _EMAIL.fullmatch(said):
        raise BadAnswer(gettext("This is no e-mail address. It looks like vera@example.org."))
    if len(said) > VALUE:
        raise BadAnswer(gettext("This is too long. Use %(most)s characters at most.") % {"most": VALUE})
    return _phone(said, country) if field.kind == "phone" else said


def _phone(said: str, country: str) -> str:
    """In its international form (E.164, with spaces). Raises BadAnswer."""
    import phonenumbers  # 1 MB: only who asks for numbers pays for it

    try:
        number = phonenumbers.parse(said, country or None)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        wrong = gettext("This phone number could not be read. Write it with the country, such as +43 660 1234567.")
        raise BadAnswer(wrong)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def keep(tx: Tx, person_id: int, given: list[Answer]) -> None:
    """Keep them with the person. Whoever answered already has: the first answers stay."""
    columns = "person_id, field, kind, label, value, answered_at"
    new = f"INSERT OR IGNORE INTO form_answers ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
    for each in given:
        tx.execute(new, [person_id, each.field, each.kind, each.label, each.value, clock.now()])


def of(rx: Tx, person_id: int) -> list[Answer]:
    """What that person answered; empty when they were never asked."""
    query = "SELECT field, kind, label, value, answered_at FROM form_answers WHERE person_id = ?"
    return [Answer(*row) for row in rx.execute(query, [person_id]).fetchall()]


def score(form: Form, given: list[Answer], page: str) -> tuple[int, list[tuple[str, int]]]:
    """What a lead is worth by the owner's rules, and by which of them."""
    said = {each.field: each.value for each in given} | {PAGE: page}
    labels = {field.number: field.label for field in form.fields} | {PAGE: "Page"}
    why = [(labels[rule.field], int(rule.points)) for rule in form.rules if _holds(rule, said.get(rule.field, ""))]
    return sum(points for _, points in why), why


def _holds(rule: Rule, said: str) -> bool:
    value, wanted = said.casefold(), rule.value.casefold()
    return {"filled": bool(value), "equals": value == wanted, "contains": bool(wanted) and wanted in value}[rule.way]
