"""The run: people, faults, the end, the count, the table."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cast import Owner, Visitor
from feed import eventually
from harness import Server
from network import Nginx, TcpProxy

from chaos.faults import TO_THE_SERVER, TO_THE_WIRES, Fault, World
from chaos.ground import Clock, Disk
from chaos.ledger import Ledger, Troubles, Verdict
from chaos.people import Follower, Watch, Writer, owners_tabs, visitors_tabs

VISITORS = 3
ARRIVAL = 40.0  # seconds until everything must have reached everybody, once all is well again


@dataclass
class Report:
    """The end of a run."""

    seed: int
    seconds: float
    workers: int
    acknowledged: int
    faults: Counter[str]
    met: Counter[str]
    slowest: float
    verdicts: list[Verdict]
    again: dict[str, int]
    troubles: list[str]

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or out of order, and nothing forbidden happened."""
        return not self.troubles and all(verdict.clean for verdict in self.verdicts)

    def __str__(self) -> str:
        def counted(many: Counter[str]) -> str:
            return ", ".join(f"{name} {times}" for name, times in sorted(many.items())) or "none"

        head = (
            f"{'reader':34}{'delivered':>10}{'lost':>6}{'doubled':>9}{'disordered':>12}{'unknown':>9}{'began anew':>12}"
        )
        rows = [
            f"{each.reader:34}{each.delivered:10,}{each.lost:6}{each.doubled:9}{each.disordered:12}{each.unknown:9}"
            f"{self.again.get(each.reader, 0):12}"
            for each in self.verdicts
        ]
        return "\n".join(
            [
                f"seed {self.seed}, {self.seconds:.0f} s, {self.workers} workers, {sum(self.faults.values())} faults",
                f"faults:        {counted(self.faults)}",
                f"writers met:   {counted(self.met)}",
                f"slowest look while nobody could write: {self.slowest:.2f} s",
                f"acknowledged:  {self.acknowledged:,}",
                head,
                *rows,
                f"lost {sum(v.lost for v in self.verdicts)}, doubled {sum(v.doubled for v in self.verdicts)}, "
                f"out of order {sum(v.disordered for v in self.verdicts)}",
                *(f"TROUBLE: {what}" for what in self.troubles[:20]),
                "All is well." if self.clean else f"NOT WELL ({len(self.troubles)} troubles). Seed: {self.seed}",
            ]
        )


class Lane(threading.Thread):
    """Does one fault after the other, each as often as every other, until the time is over."""

    def __init__(self, world: World, faults: list[Fault], seed: float, until: float) -> None:
        super().__init__(name=faults[0].__name__, daemon=True)
        self.faults: Counter[str] = Counter()
        self._world, self._kinds, self._until = world, faults, until
        self._chance = random.Random(seed)

    def run(self) -> None:
        """Until then, or until something did not heal."""
        bag: list[Fault] = []
        while time.monotonic() < self._until:
            bag = bag or self._chance.sample(self._kinds, len(self._kinds))
            fault = bag.pop()
            name = fault.__name__.replace("_", " ")
            try:
                fault(self._world, self._chance)
                self._world.heal()
            except Exception as error:
                self._world.troubles.tell(f"{name}: {error!r}")
                return
            self.faults[name] += 1
            time.sleep(self._chance.uniform(0.2, 1.5))


def run(folder: Path, seconds: float, seed: int, workers: int) -> Report:
    """A whole run over a server of its own in that folder; everything is as before when it ends."""
    chance, ledger, troubles = random.Random(seed), Ledger(), Troubles()
    server, clock = Server(folder, WEB_CONCURRENCY=str(workers), CHAT_PROXY="1"), Clock(folder)
    server.settings |= clock.settings
    with ExitStack() as stack:
        disk = stack.enter_context(Disk(server))
        server.start()
        stack.callback(server.stop)
        wire, nginx = stack.enter_context(TcpProxy(server.port)), stack.enter_context(Nginx(folder, server.port))
        people = People(server, {"direct": server.url, "proxy": wire.url, "nginx": nginx.url}, ledger, troubles, chance)
        world = World(server, wire, nginx, disk, clock, people.watch, troubles, longest=2 if seconds < 120 else 4)
        people.start()
        until = time.monotonic() + seconds
        lanes = [Lane(world, kinds, chance.random(), until) for kinds in (TO_THE_SERVER, TO_THE_WIRES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        clock.shift(0)
        verdicts = people.finish()
    faults = sum((lane.faults for lane in lanes), Counter[str]())
    if "Traceback" in server.output:
        troubles.tell("the server logged a traceback")
    met = Counter(kind for _, _, kind in troubles.met)
    again = {follower.name: follower.again for follower in people.followers}
    return Report(
        seed, seconds, workers, ledger.acknowledged(), faults, met, world.slowest, verdicts, again, troubles.troubles
    )


class People:
    """Some visitors and the owner, over every path to the server."""

    def __init__(
        self, server: Server, paths: dict[str, str], ledger: Ledger, troubles: Troubles, chance: random.Random
    ) -> None:
        self.ann = Owner(server.url).arrive()
        self.visitors: list[Visitor] = []
        self.writers: list[Writer] = []
        self.followers: list[Follower] = []
        self._ledger, self._troubles = ledger, troubles
        names = list(paths)
        for i in range(VISITORS):
            talk, vera = f"v{i}", Visitor(server.url).arrive()
            self.visitors.append(vera)
            with ledger.saying(talk, f"{talk} begins"):
                vera.say(f"{talk} begins")
            thread = self.ann.conversation(f"{talk} begins")
            form = self.ann.reply_form(thread)
            for path in (names[i % 3], names[(i + 1) % 3]):
                self._write(f"{talk} {path} {seed_of(chance)}", path, visitors_tabs(vera, paths[path]), talk)
            path = names[(i + 2) % 3]
            self._write(f"ann {talk} {seed_of(chance)}", path, owners_tabs(self.ann, paths[path], thread, form), talk)
            for by, path in (("socket", names[i % 3]), ("poll", names[(i + 1) % 3])):
                self._follow(f"{talk}, {by}, {path}", vera.again(paths[path]), by, talk)
        for by, path in (("socket", "direct"), ("socket", "nginx"), ("poll", "proxy")):
            self._follow(f"inbox, {by}, {path}", self.ann.again(paths[path]), by, None)
        self.watch = Watch(self.visitors[0].again(), self.ann)

    def _write(self, name: str, path: str, tabs: list, talk: str) -> None:
        self.writers.append(Writer(name, path, tabs, self._ledger, self._troubles, talk))

    def _follow(self, name: str, reader: Visitor | Owner, by: str, talk: str | None) -> None:
        self.followers.append(Follower(name, reader, by, self._troubles, talk))

    def start(self) -> None:
        """Everybody begins."""
        for each in (*self.followers, *self.writers, self.watch):
            each.start()

    def finish(self) -> list[Verdict]:
        """Let everybody finish what they began, wait until all has arrived, and compare."""
        for each in (*self.writers, self.watch):
            each.done.set()
        for each in (*self.writers, self.watch):
            each.join(120)
        for follower in self.followers:
            owed = self._ledger.acknowledged(follower.talk)
            try:
                eventually(lambda f=follower, owed=owed: len(f.reader.log.messages) >= owed, ARRIVAL)
            except AssertionError:
                self._troubles.tell(f"{follower.name} never got everything")
        for follower in self.followers:
            follower.done.set()
        verdicts = [self._judge(each.name, each.reader, each.talk) for each in self.followers]
        for i, vera in enumerate(self.visitors):
            verdicts.append(self._judge(f"v{i}, a fresh page", fresh(vera), f"v{i}"))
        return [*verdicts, self._judge("inbox, a fresh page", fresh(self.ann), None)]

    def _judge(self, name: str, reader: Visitor | Owner, talk: str | None) -> Verdict:
        if reader.log.resets:
            self._troubles.tell(f"{name} was reset {reader.log.resets} times")
        return self._ledger.judge(name, reader.log.texts(), talk)


def seed_of(chance: random.Random) -> int:
    """A number for the name of a writer, which is the seed of what it does."""
    return chance.randrange(10_000)


def fresh(reader: Visitor | Owner) -> Visitor | Owner:
    """The same person's new page, with everything on it."""
    other = reader.again()
    other.catch_up()
    return other
