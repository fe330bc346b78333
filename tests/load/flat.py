"""Flat or not: the same doors, on three databases side by side, each asked in turn so that noise hits all alike.

  few      a handful of talks
  full     as little, but its pages show as many rows and messages as the big one's
  million  what `app.py seed --conversations 100000 --messages 1000000` makes

python tests/load/flat.py                       seeds the big one first (a minute)
python tests/load/flat.py --data /tmp/million   keeps it there, and uses it again
"""

from __future__ import annotations

import argparse
import http.client
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cast import Owner, Visitor
from flood import memory
from harness import APP, ROOT, Server, environment

from chat import seeds
from chat.db import connect
from chat.keys import fingerprint

MEDIUM = 300  # messages of the longest talk where there is little data; where there is much it has 12,000
TIMES = 1.2  # what the big one may take, as a multiple of what the same page takes on little data
LONGEST = 30.0  # ms for any page


class Place:
    """One server and what is asked of it."""

    def __init__(self, name: str, server: Server) -> None:
        self.name, self.server = name, server
        self.wire = http.client.HTTPConnection("127.0.0.1", server.port)
        self.found: dict[str, list[float]] = {}

    def prepare(self) -> None:
        """Sign in, and find the longest talk and a visitor in it."""
        owner = Owner(self.server.url).arrive()
        self.cookie = "; ".join(f"{each.name}={each.value}" for each in owner.http.cookies.jar)
        db = connect(self.server.data / "chat.sqlite")
        query = "SELECT conversation_id, count(*) FROM messages GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
        self.talk, self.length = db.execute(query).fetchone()
        self.middle = db.execute(
            "SELECT id FROM messages WHERE conversation_id = ? LIMIT 1 OFFSET ?", [self.talk, self.length // 2]
        ).fetchone()[0]
        self.old, self.new = (Visitor(self.server.url).arrive() for _ in range(2))
        db.execute(
            "UPDATE devices SET token_hash = ? WHERE person_id = (SELECT person_id FROM conversations WHERE id = ?)",
            [fingerprint(self.old.token), self.talk],
        )
        db.close()
        self.new.say("hello")
        self.second_page = (
            "/inbox?show=closed&after="
            + (re.findall(r"after=(-?\d+)", self.page("/inbox?show=closed").decode()) or ["-1"])[-1]
        )

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> bytes:
        self.wire.request(method, path, body or None, {"Accept-Encoding": "identity"} | headers)
        answer = self.wire.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{self.name} {path}: {answer.status} {text[:300]!r}"
        return text

    def page(self, path: str, **headers: str) -> bytes:
        return self.ask("GET", path, Cookie=self.cookie, **headers)

    def post(self, visitor: Visitor) -> bytes:
        form = {"body": "Is the blue one still there?", "client_id": str(uuid.uuid4()), "since": visitor.log.cursor}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        text = self.ask("POST", "/w/main/messages", urlencode(form), Authorization=f"Bearer {visitor.token}", **kind)
        visitor.log.cursor = int(text.rpartition(b'content="')[2].partition(b'"')[0])
        return text

    def since(self, visitor: Visitor) -> bytes:
        path = f"/w/main/live?since={visitor.log.cursor - 1}&wait=5"
        return self.ask("GET", path, Authorization=f"Bearer {visitor.token}")


DOORS: dict[str, Callable[[Place], bytes]] = {
    "inbox page, open": lambda it: it.page("/inbox"),
    "inbox page, closed": lambda it: it.page("/inbox?show=closed"),
    "next page": lambda it: it.page(it.second_page, **{"HX-Request": "true"}),
    "opening the longest talk": lambda it: it.page(f"/inbox/conversations/{it.talk}", **{"HX-Request": "true"}),
    "the same as a whole page": lambda it: it.page(f"/inbox/conversations/{it.talk}"),
    "the same, by the visitor": lambda it: it.ask("GET", "/c/main", Cookie=f"porchlight-c-main={it.old.token}"),
    "its history, half way back": lambda it: it.page(f"/inbox/conversations/{it.talk}/messages?before={it.middle}"),
    "posting": lambda it: it.post(it.new),
    "posting in the longest talk": lambda it: it.post(it.old),
    "since, one new event": lambda it: it.since(it.new),
    "since, by the inbox": lambda it: it.page(f"/inbox/live?since={it.new.log.cursor - 1}&wait=5"),
}


def starting(server: Server) -> float:
    """Seconds from the command to the first `ok` of /up."""
    began, process = time.perf_counter(), server.launch()
    while process.poll() is None:
        wire = http.client.HTTPConnection("127.0.0.1", server.port)
        try:
            wire.request("GET", "/up")
            if wire.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.002)
        finally:
            wire.close()
    raise SystemExit(f"the server did not start:\n{server.output[-2000:]}")


def seed(folder: Path, conversations: int, messages: int) -> None:
    """The verb, with its bar."""
    numbers = ["--conversations", str(conversations), "--messages", str(messages)]
    env = environment(CHAT_DATA=str(folder))
    subprocess.run([*APP, "seed", *numbers], cwd=ROOT, env=env, check=True)


def sow(place: Place, conversations: int, messages: int) -> None:
    for _ in seeds.Sowing(place.server.data / "chat.sqlite", conversations, messages, 1).run():
        pass


def fill(place: Place) -> None:
    """Sixty open talks, more than a hundred closed ones, and one of middle length."""
    sow(place, 1, MEDIUM)
    sow(place, 200, 2000)
    db = connect(place.server.data / "chat.sqlite")
    db.execute(
        "UPDATE conversations SET closed_at = NULL WHERE id IN"
        " (SELECT id FROM conversations WHERE closed_at IS NOT NULL ORDER BY id DESC LIMIT 60)"
    )
    db.close()


@contextmanager
def places(stack: ExitStack, options: argparse.Namespace) -> Iterator[list[Place]]:
    """The three servers, running."""
    here = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    million = Path(options.data).resolve() if options.data else here / "million" / "data"
    if not (million / "chat.sqlite").exists():
        seed(million, options.conversations, options.messages)
    found = []
    for name in ("few", "full", "million"):
        (here / name).mkdir(exist_ok=True)
        data = {"CHAT_DATA": str(million)} if name == "million" else {}
        server = Server(here / name, **data)
        if name == "million":
            server.data = million
        found.append(Place(name, server))
    starts: dict[str, list[float]] = {place.name: [] for place in found}
    for each in found:  # makes the owner, and the indexes of an older database
        each.server.start()
    sow(found[0], 3, 12)
    fill(found[1])
    for _ in range(options.starts):
        for each in found:
            each.server.stop()
            starts[each.name].append(starting(each.server) * 1000)
    for each in found:
        each.found["start, to the first ok"] = starts[each.name]
    try:
        yield found
    finally:
        for each in found:
            each.server.stop()


def measure(found: list[Place], runs: int) -> None:
    """Each door of each place in turn, so many times."""
    for place in found:
        place.prepare()
    for name, door in DOORS.items():
        for run in range(-3, runs):
            for place in found:
                began = time.perf_counter()
                door(place)
                if run >= 0:
                    place.found.setdefault(name, []).append((time.perf_counter() - began) * 1000)
    for place in found:
        place.found["memory, MB (PSS)"] = [memory(place.server)]


def table(found: list[Place]) -> None:
    """Medians, and how much the big one takes of what the same page takes on little data."""
    few, full, million = found
    print(f"\n{'median ms':32}{'few':>10}{'full':>10}{'million':>10}{'ratio':>8}")
    worst = []
    for name in million.found:
        a, b, c = (statistics.median(place.found[name]) for place in (few, full, million))
        ratio = c / b
        print(f"{name:32}{a:10.2f}{b:10.2f}{c:10.2f}{ratio:8.2f}{'  <-- above' if ratio > TIMES else ''}")
        if name in DOORS and c > LONGEST:
            worst.append(name)
    print(f"The longest talk has {few.length}, {full.length} and {million.length} messages.", end=" ")
    print(f"Pages over {LONGEST:.0f} ms: {', '.join(worst) or 'none'}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder for the big database; what is there already is used")
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack, places(stack, options) as found:
        measure(found, options.runs)
        table(found)


if __name__ == "__main__":
    main()
