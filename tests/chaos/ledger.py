"""What was said and when, what went wrong meanwhile, and the count at the end."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Said:
    """A message: since when it is being sent, and when it was acknowledged first."""

    talk: str
    began: float
    acknowledged: float = math.inf


@dataclass(frozen=True)
class Verdict:
    """What one reader has."""

    reader: str
    delivered: int
    lost: int
    doubled: int
    disordered: int
    unknown: int

    @property
    def clean(self) -> bool:
        """Whether it is everything, once, in order, and nothing else."""
        return not (self.lost or self.doubled or self.disordered or self.unknown)


class Ledger:
    """All that was said, by text: no text is said twice."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self._lock = threading.Lock()

    @contextmanager
    def saying(self, talk: str, text: str) -> Iterator[None]:
        """Around the sending of a message; it counts as acknowledged when the block ends well."""
        said = Said(talk, time.monotonic())
        with self._lock:
            self._said[text] = said
        yield
        said.acknowledged = time.monotonic()

    def acknowledged(self, talk: str | None = None) -> int:
        """How many messages were, in one talk or in all."""
        with self._lock:
            return sum(each.acknowledged < math.inf and talk in (None, each.talk) for each in self._said.values())

    def judge(self, reader: str, seen: list[str], talk: str | None = None) -> Verdict:
        """Compare what somebody sees of a talk (None: of all). Out of order is a message that stands behind one that
        was begun only after it had been acknowledged, whoever sent the two."""
        counted, latest, disordered = Counter(seen), -math.inf, 0
        owed = {text for text, each in self._said.items() if each.acknowledged < math.inf and talk in (None, each.talk)}
        for text in counted:
            said = self._said.get(text)
            if said:
                disordered += said.acknowledged < latest
                latest = max(latest, said.began)
        unknown = sum(text not in self._said or talk not in (None, self._said[text].talk) for text in counted)
        lost, doubled = len(owed - counted.keys()), sum(times - 1 for times in counted.values())
        return Verdict(reader, len(counted), lost, doubled, disordered, unknown)


class Troubles:
    """What may never happen (`troubles`), and what may while something is broken (`met`: by path and kind)."""

    def __init__(self) -> None:
        self.troubles: list[str] = []
        self.met: list[tuple[float, str, str]] = []

    def tell(self, what: str) -> None:
        """Something that may never happen."""
        self.troubles.append(what)

    def meet(self, path: str, kind: str) -> None:
        """An answer other than yes, or none."""
        self.met.append((time.monotonic(), path, kind))

    def errors_since(self, when: float) -> list[str]:
        """The 5xx answers since then."""
        return [f"{kind} ({path})" for at, path, kind in self.met if at >= when and kind.isdigit()]
