"""The doctor: looks at the data and at the way in from outside, and says what is wrong, why, and what to do."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from chat.config import Settings
from chat.db import Tx

State = Literal["ok", "warning", "problem"]
log = logging.getLogger("porchlight.doctor")


@dataclass(frozen=True)
class Lines:
    """Lines for the configuration of a program, and where they go."""

    place: str
    text: str


@dataclass(frozen=True)
class Finding:
    """What one check found. Only a problem makes visitors suffer; a warning may become one."""

    state: State
    what: str
    why: str = ""
    do: str = ""
    lines: tuple[Lines, ...] = ()


def ok(what: str) -> Finding:
    """All is well, and this is how."""
    return Finding("ok", what)


def warning(what: str, why: str = "", do: str = "", *lines: Lines) -> Finding:
    """It works, but not as well as it could, or not for long."""
    return Finding("warning", what, why, do, lines)


def problem(what: str, why: str = "", do: str = "", *lines: Lines) -> Finding:
    """Something does not work."""
    return Finding("problem", what, why, do, lines)


@dataclass
class Check:
    """One thing to look at. `finding` runs it when first asked for."""

    name: str
    look: Callable[[], Finding]
    found: Finding | None = None

    @property
    def finding(self) -> Finding:
        """What was found; a check that fails by itself is a problem too, with its kind."""
        if self.found is None:
            try:
                self.found = self.look()
            except Exception as error:
                log.exception("A check failed")
                self.found = problem(f"This could not be looked at: {type(error).__name__}.", "", "The log says more.")
        return self.found


Looks = Callable[[Settings, Tx], list[Check]]
"""What a feature has looked at on its behalf, told by what is set and stored; the looking itself comes later."""


def aside(checks: list[Check], run: Callable[[Callable[[], Finding]], Finding]) -> list[Check]:
    """The same checks, each looked at by `run`: in a thread, where a loop must not wait for it."""
    return [replace(check, look=lambda look=check.look: run(look)) for check in checks]  # type: ignore[misc]


def until_shut(first: Check, others: list[Check]) -> Iterator[Check]:
    """All checks, but only the first when that finds a problem: behind a closed door there is nothing to see."""
    yield first
    if first.finding.state != "problem":
        yield from others


def summary(findings: list[Finding]) -> str:
    """How it stands, in a sentence."""
    problems = sum(finding.state == "problem" for finding in findings)
    warnings = sum(finding.state == "warning" for finding in findings)
    told = [_count(problems, "problem")] * bool(problems) + [_count(warnings, "warning")] * bool(warnings)
    return f"{', '.join(told)}. The rest is well." if told else "All is well."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
