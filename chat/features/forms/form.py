"""The form before the first message: what a site's owner asks, topics to choose from, and what an answer is worth."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from chat import text
from chat.languages import gettext, noop

KINDS = {
    "name": noop("Name"),
    "text": noop("Text"),
    "email": noop("E-mail address"),
    "phone": noop("Phone number"),
    "choice": noop("Choice"),
    "consent": noop("Tick to agree"),
}
WAYS = {"filled": noop("is filled in"), "equals": noop("equals"), "contains": noop("contains")}
BEFORE, TOPIC, QUESTION = noop("Before the questions"), noop("Topic"), noop("Question")
"""How the places are called at which a site's own words stand."""
PAGE = 0
"""In place of a field's number, in a rule: the page that the visitor is on."""
MOST_FIELDS, MOST_RULES, MOST_CHOICES, MOST_TOPICS = 12, 20, 30, 20
LABEL, VALUE, INTRO = 200, 200, 500  # characters
POINTS = 100


class BadForm(ValueError):
    """What was typed can't be kept; the text says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class Field(NamedTuple):
    """One question. Its number stays, whatever is moved or renamed."""

    number: int
    kind: str = "text"
    label: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


class Rule(NamedTuple):
    """Points for an answer, or for the page."""

    field: int
    way: str
    value: str
    points: str
    """As typed; a whole number once it is kept."""


class Form(NamedTuple):
    """A site's form."""

    on: bool = False
    intro: str = ""
    country: str = ""
    """Of phone numbers that name none: two letters (ISO 3166-1)."""
    topics: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    rules: tuple[Rule, ...] = ()
    last: int = 0
    """The highest number that a field ever had: none is given twice, or old answers would be taken for new ones."""

    @property
    def asks(self) -> bool:
        """Whether there is anything to ask."""
        return self.on and bool(self.topics or self.fields)


def dumps(form: Form) -> str:
    """As JSON, for the site's options."""
    return json.dumps(form)


@lru_cache(maxsize=64)
def loads(kept: str) -> Form:
    """What `dumps` wrote; nothing kept asks nothing."""
    if not kept:
        return Form()
    on, intro, country, topics, fields, rules, last = json.loads(kept)
    read = tuple(Field(*each[:4], tuple(each[4])) for each in fields)
    return Form(on, intro, country, tuple(topics), read, tuple(Rule(*each) for each in rules), last)


def typed(said: Mapping[str, str]) -> Form:
    """What the editor's fields say, cut to sane lengths; `check` tells whether it can be kept."""
    fields = [_field(said, number) for number in _numbers(said.get("order", ""), MOST_FIELDS)]
    rules = [_rule(said, number) for number in _numbers(said.get("rules", ""), MOST_RULES)]
    last = max([*_numbers(said.get("last", ""), 1), *(field.number for field in fields)], default=0)
    return Form(
        "on" in said,
        text.scrub(said.get("intro", "")).strip()[:INTRO],
        text.line(said.get("country", ""), 2).upper(),
        _lines(said.get("topics", ""), MOST_TOPICS),
        tuple(fields),
        tuple(rules),
        last,
    )


def _numbers(said: str, most: int) -> list[int]:
    found = [int(each) for each in said.split(",") if each.isascii() and each.isdigit() and 0 < int(each[:6]) < 10**5]
    return list(dict.fromkeys(found))[:most]


def _lines(said: str, most: int) -> tuple[str, ...]:
    lines = [text.line(line, 80) for line in said.splitlines()]
    return tuple(dict.fromkeys(line for line in lines if line))[:most]


def _field(said: Mapping[str, str], number: int) -> Field:
    kind = said.get(f"kind-{number}", "text")
    label = text.line(said.get(f"label-{number}", ""), LABEL)
    choices = _lines(said.get(f"choices-{number}", ""), MOST_CHOICES)
    return Field(number, kind if kind in KINDS else "text", label, f"required-{number}" in said, choices)


def _rule(said: Mapping[str, str], number: int) -> Rule:
    about, way = said.get(f"about-{number}", ""), said.get(f"way-{number}", "")
    value, points = (text.line(said.get(f"{name}-{number}", ""), VALUE) for name in ("value", "points"))
    known = about.isascii() and about.isdigit()
    return Rule(int(about[:6]) if known else PAGE, way if way in WAYS else "filled", value, points[:5])


def check(form: Form) -> Form:
    """The form, if it can be kept. Raises BadForm."""
    for field in form.fields:
        if not field.label:
            raise BadForm(f"label-{field.number}", gettext("Write the question, or remove it."))
        if field.kind == "choice" and len(field.choices) < 2:
            raise BadForm(f"choices-{field.number}", gettext("Write two choices at least, one a line."))
    if form.country and not _is_country(form.country):
        raise BadForm("country", gettext("This is no country's two letters. They look like AT, DE or US."))
    if form.on and not form.asks:
        raise BadForm("on", gettext("There is nothing to ask yet. Add a question or topics first."))
    known = {field.number for field in form.fields} | {PAGE}
    for number, rule in enumerate(form.rules, 1):
        if rule.field not in known:
            raise BadForm(f"about-{number}", gettext("Choose what this rule is about: its question was removed."))
        if not rule.value and rule.way != "filled":
            raise BadForm(f"value-{number}", gettext("Write what it has to be, or choose “is filled in”."))
        if not (
            rule.points.lstrip("-").isascii() and rule.points.lstrip("-").isdigit() and abs(int(rule.points)) <= POINTS
        ):
            raise BadForm(
                f"points-{number}", gettext("Write a whole number from -%(points)s to %(points)s.") % {"points": POINTS}
            )
    return form


def _is_country(code: str) -> bool:
    import phonenumbers

    return code in phonenumbers.SUPPORTED_REGIONS


def act(form: Form, what: str) -> tuple[Form, int, str]:
    """The form after one of the editor's buttons, the number of what was touched, and what was done, in words."""
    name, _, said = what.partition(":")
    number = int(said) if said.isascii() and said.isdigit() else 0
    fields, rules = list(form.fields), list(form.rules)
    at = next((at for at, field in enumerate(fields) if field.number == number), -1)
    if name == "add" and len(fields) < MOST_FIELDS:
        number = form.last + 1
        return (
            form._replace(fields=(*fields, Field(number)), last=number),
            number,
            gettext("A question was added below."),
        )
    if name == "add-rule" and len(rules) < MOST_RULES:
        return form._replace(rules=(*rules, Rule(PAGE, "contains", "", "10"))), 0, gettext("A rule was added below.")
    if name == "remove-rule" and 0 < number <= len(rules):
        del rules[number - 1]
        return form._replace(rules=tuple(rules)), 0, gettext("The rule was removed.")
    if at < 0:
        return form, 0, ""
    if name == "remove":
        del fields[at]
        rules = [rule for rule in rules if rule.field != number]
        return (
            form._replace(fields=tuple(fields), rules=tuple(rules)),
            0,
            gettext("The question was removed, with its rules."),
        )
    to = min(max(at + (1 if name == "down" else -1), 0), len(fields) - 1)
    fields.insert(to, fields.pop(at))
    return form._replace(fields=tuple(fields)), number, gettext("Moved: it is question %(to)s now.") % {"to": to + 1}
