"""Figures of this process: counted always, because counting is cheap (under 1 us), and read by /metrics and the page.

Nothing here knows who reads. The other workers' figures are asked for by `colleagues`.
"""

import os
import resource
import sys
import time
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECENT = 300.0  # seconds that the 95th percentile looks back
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 25.0)
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)
COMMIT_WRITES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
DELIVERY_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Histogram:
    """How many values fell up to each bound, the last place being for what is above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """One value more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {"bounds": self.bounds, "counts": self.counts, "total": self.total}


@dataclass
class Figures:
    """All that one process counts."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By endpoint and status; `parked` where the answer comes later, or a socket goes on."""
    request_seconds: dict[str, Histogram] = field(
        default_factory=lambda: defaultdict(lambda: Histogram(REQUEST_SECONDS))
    )
    messages: Counter[str] = field(default_factory=Counter)
    """Stored messages, by whom."""
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(COMMIT_SECONDS))
    commit_writes: Histogram = field(default_factory=lambda: Histogram(COMMIT_WRITES))
    commits_failed: int = 0
    delivery_seconds: Histogram = field(default_factory=lambda: Histogram(DELIVERY_SECONDS))
    """From a commit to the bytes written on a waiting connection."""
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=1000))
    """The last deliveries: when (monotonic), and how long each took."""
    unsure: Counter[str] = field(default_factory=Counter)
    """Messages of the transaction under way."""
    started_at: float = field(default_factory=time.time)
    started: float = field(default_factory=time.monotonic)


figures = Figures()


def requested(endpoint: str, status: str, seconds: float) -> None:
    """A request was answered, or handed on."""
    figures.requests[endpoint, status] += 1
    figures.request_seconds[endpoint].observe(seconds)


def stored(by: str) -> None:
    """A message was inserted; it counts when its transaction is committed."""
    figures.unsure[by] += 1


def committed(writes: int, seconds: float) -> None:
    """A commit of so many writes is on disk, that long after its BEGIN."""
    figures.commit_seconds.observe(seconds)
    figures.commit_writes.observe(writes)
    if figures.unsure:
        figures.messages += figures.unsure
        figures.unsure.clear()


def commit_failed() -> None:
    """Nothing of this transaction was stored."""
    figures.commits_failed += 1
    figures.unsure.clear()


def delivered(seconds: float) -> None:
    """A waiting connection got what was new, that long after the commit."""
    figures.delivery_seconds.observe(seconds)
    figures.recent.append((time.monotonic(), seconds))


def recent_deliveries() -> list[float]:
    """How long the deliveries of the last minutes took, in seconds; the last thousand at most."""
    since = time.monotonic() - RECENT
    return [seconds for at, seconds in figures.recent if at > since]


def percentile(values: list[float], share: float) -> float:
    """The value that so many (0.95) of them do not exceed. At least one value is needed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def clock_shift() -> float:
    """By how many seconds somebody has turned the clock since this process began; forward is positive."""
    return (time.time() - figures.started_at) - (time.monotonic() - figures.started)


def memory(pid: int | str = "self") -> int:
    """Bytes of memory of a process: its share where pages are shared (Linux); elsewhere the most it ever had."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) * 1024
    except (OSError, StopIteration):
        return peak() if pid == "self" else 0


def resident() -> int:
    """Bytes of memory of this process, shared pages counted in full."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return peak()


def peak() -> int:
    """The most bytes of memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def told() -> dict[str, Any]:
    """The figures of this process as plain values, for whoever sums up or prints them."""
    return {
        "worker": str(os.getpid()),
        "requests": [[*key, count] for key, count in figures.requests.items()],
        "request_seconds": {endpoint: each.told() for endpoint, each in figures.request_seconds.items()},
        "messages": dict(figures.messages),
        "commit_seconds": figures.commit_seconds.told(),
        "commit_writes": figures.commit_writes.told(),
        "commits_failed": figures.commits_failed,
        "delivery_seconds": figures.delivery_seconds.told(),
        "recent": recent_deliveries(),
        "started_at": figures.started_at,
        "resident": resident(),
        "memory": memory(),
    }
