"""The plan: who talks when, for how long and how it ends; step by step in the order of time."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from chat.seeds.words import Language, Words

DAY = 86400.0
SPAN = 730 * DAY  # seconds over which the talks are spread
LONG = (5000, 5200, 6400, 8000, 12000)  # messages of the talks that never end, while they are a third of all at most
HOURS = [1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 13, 12, 12, 12, 12, 12, 12, 12, 13, 14, 12, 7, 3]  # busy and quiet ones
By = Literal["visitor", "agent"]
Fate = Literal["closed", "open", "waiting"]


@dataclass(slots=True, eq=False)
class Talk:
    """One conversation, as it is planned."""

    language: Language
    length: int
    begins: float
    fate: Fate
    until: float
    """No later than this, in seconds since 1970."""


@dataclass(slots=True)
class Step:
    """One thing that happens in a talk: a message, or (no body) its closing."""

    at: float
    talk: Talk
    by: By
    body: str
    looked: Literal["", "delivered", "seen"] = ""
    """How far it had come with the other side when nothing more was said."""
    first: bool = False
    last: bool = False


def lengths(chance: Random, conversations: int, messages: int) -> list[int]:
    """How many messages each talk has, the long ones first; the sum is exactly `messages`, none is empty."""
    found: list[int] = []
    for length in LONG:
        if sum(found) + length > messages // 3 or len(found) + 1 >= conversations:
            break
        found.append(length)
    short, rest = conversations - len(found), messages - sum(found)
    if rest < short:
        raise ValueError("more conversations than messages")
    weights = [chance.lognormvariate(0, 0.75) for _ in range(short)]
    share = (rest - short) / sum(weights)
    usual = [1 + int(weight * share) for weight in weights]
    for i in range(rest - sum(usual)):
        usual[i % short] += 1
    return found + usual


def steps(seed: int, conversations: int, messages: int, until: float) -> Iterator[Step]:
    """What happens in so many talks, in the order of time; the same seed makes the same."""
    chance = Random(seed)
    words = Words(chance)
    return _merge(chance, words, talks(chance, words, conversations, messages, until))


def talks(chance: Random, words: Words, conversations: int, messages: int, until: float) -> list[Talk]:
    """All talks in the order in which they begin. The latest wait for an answer, those before them are open."""
    planned = lengths(chance, conversations, messages)
    begins = sorted(_moment(chance, until) for _ in planned)
    waiting = conversations - max(1, conversations // 250)
    opened = waiting - max(1, conversations // 30)
    long = [length for length in planned if length >= LONG[0]]
    found = []
    for i, (length, at) in enumerate(zip(planned, begins, strict=True)):
        fate: Fate = "waiting" if i >= waiting else "open" if i >= opened or i < len(long) else "closed"
        found.append(Talk(words.language(), length, at, fate, until))
    return found


def _moment(chance: Random, until: float) -> float:
    midnight = until // DAY * DAY - int(chance.random() * (SPAN / DAY - 1)) * DAY
    at = midnight + (chance.choices(range(24), HOURS)[0] + chance.random()) * 3600
    return at if at < until - 3600 else at - DAY


def _merge(chance: Random, words: Words, planned: list[Talk]) -> Iterator[Step]:
    under_way: list[tuple[float, int, Step, Iterator[Step]]] = []
    for number, talk in enumerate(planned):
        while under_way and under_way[0][0] <= talk.begins:
            yield _next(under_way)
        script = _script(chance, words, talk)
        first = next(script)
        heapq.heappush(under_way, (first.at, number, first, script))
    while under_way:
        yield _next(under_way)


def _next(under_way: list[tuple[float, int, Step, Iterator[Step]]]) -> Step:
    _, number, step, script = under_way[0]
    after = next(script, None)
    if after is None:
        heapq.heappop(under_way)
    else:
        heapq.heapreplace(under_way, (after.at, number, after, script))
    return step


def _script(chance: Random, words: Words, talk: Talk) -> Iterator[Step]:
    pause = chance.randrange(2, talk.length) if talk.length > 6 and chance.random() < 0.06 else 0  # closed for a while
    by: By = "visitor"
    at, closing = talk.begins, talk.fate == "closed"
    for number, gap in enumerate(_gaps(chance, talk)):
        at, ends = at + gap, number == talk.length - 1
        if number:
            by = _speaker(chance, talk, by, ends)
        if number and number == pause:
            yield Step(at - gap / 2, talk, "agent", "")
        body = words.say(talk.language, _sentences(talk, by, number, ends))
        yield Step(at, talk, by, body, _looked(chance.random()), first=not number, last=ends and not closing)
    if closing:
        yield Step(min(at + 60 + chance.random() * 3600, talk.until), talk, "agent", "", last=True)


def _looked(luck: float) -> Literal["", "delivered", "seen"]:
    return "seen" if luck < 0.7 else "delivered" if luck < 0.85 else ""


def _speaker(chance: Random, talk: Talk, before: By, ends: bool) -> By:
    if ends and talk.fate != "closed":
        return "visitor" if talk.fate == "waiting" else "agent"
    other = "agent" if before == "visitor" else "visitor"
    return other if chance.random() < 0.65 else before


def _sentences(talk: Talk, by: By, number: int, ends: bool) -> list[str]:
    if by == "agent":
        return talk.language.answer
    if ends and number > 1 and talk.fate == "closed":
        return talk.language.thanks
    return talk.language.ask if number % 40 == 0 else talk.language.more


def _gaps(chance: Random, talk: Talk) -> list[float]:
    """The seconds before each message: quick talk, pauses, a night in between; they fit into the time there is."""
    gaps = [0.0] + [chance.expovariate(1 / _mean(chance.random())) for _ in range(talk.length - 1)]
    room, needed = talk.until - talk.begins - 300, sum(gaps)
    if needed > room or talk.length >= LONG[0]:  # the long ones go on until today
        gaps = [gap * room / needed for gap in gaps]
    return gaps


def _mean(luck: float) -> float:
    return 45.0 if luck < 0.75 else 600.0 if luck < 0.96 else 9 * 3600.0
