"""What is done to the server and to its wires. Each fault ends by itself and leaves all as it was."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from feed import WORN_OUT, eventually
from harness import Server
from network import Nginx, TcpProxy

from chaos.ground import Clock, Disk
from chaos.ledger import Troubles
from chaos.people import Watch

HEALED = 40.0  # seconds after a fault until all must work again
FROZEN = 3.0  # seconds that a reader may wait while writers can't write: a frozen worker would be 5 to 10
LOCK = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


@dataclass
class World:
    """All that can be broken, and those who notice."""

    server: Server
    wire: TcpProxy
    nginx: Nginx
    disk: Disk
    clock: Clock
    watch: Watch
    troubles: Troubles
    longest: float
    """Seconds that a fault may last."""
    slowest: float = 0.0
    """The slowest look while writers could not write."""
    done: dict[str, int] = field(default_factory=dict)

    @property
    def master(self) -> int:
        """The process that starts the workers."""
        assert self.server.process
        return self.server.process.pid

    def workers(self) -> list[int]:
        """The processes that answer; at least one, for which it waits."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        eventually(lambda: children.read_text().split(), HEALED, "a worker")
        return [int(pid) for pid in children.read_text().split()]

    def heal(self) -> None:
        """Wait until the server says that it can read and write."""
        eventually(self._is_up, HEALED, "the server's recovery")

    def _is_up(self) -> bool:
        try:
            return httpx.get(f"{self.server.url}/up", timeout=5, trust_env=False).status_code == 200
        except WORN_OUT:
            return False


Fault = Callable[[World, random.Random], None]


def wait(world: World, chance: random.Random, least: float = 0.3) -> None:
    """Let it be broken for a while."""
    time.sleep(chance.uniform(least, world.longest))


def kill_a_worker(world: World, chance: random.Random) -> None:
    os.kill(chance.choice(world.workers()), signal.SIGKILL)


def kill_everything(world: World, chance: random.Random) -> None:
    world.server.restart(signal.SIGKILL, pause=chance.random())


def stop_and_start(world: World, chance: random.Random) -> None:
    world.server.restart(signal.SIGTERM, pause=chance.random())


def pause_a_worker(world: World, chance: random.Random) -> None:
    worker = chance.choice(world.workers())
    os.kill(worker, signal.SIGSTOP)
    wait(world, chance)
    os.kill(worker, signal.SIGCONT)


def replace_the_workers(world: World, chance: random.Random) -> None:
    """SIGHUP, as for an upgrade: nobody may get an error."""
    before, began = set(world.workers()), time.monotonic()
    os.kill(world.master, signal.SIGHUP)
    eventually(lambda: not before & set(world.workers()), HEALED, "the replacement of the workers")
    for error in world.troubles.errors_since(began):
        world.troubles.tell(f"while workers were replaced, somebody got {error}")


def add_a_worker_and_remove_one(world: World, chance: random.Random) -> None:
    many = len(world.workers())
    os.kill(world.master, signal.SIGTTIN)
    eventually(lambda: len(world.workers()) > many, HEALED, "one more worker")
    world.heal()
    os.kill(world.master, signal.SIGTTOU)
    eventually(lambda: len(world.workers()) == many, HEALED, "one worker less")


def fill_the_disk(world: World, chance: random.Random) -> None:
    world.disk.fill()
    began = time.monotonic()
    wait(world, chance)
    look(world, began)
    world.disk.free()


def lock_the_database(world: World, chance: random.Random) -> None:
    seconds = chance.uniform(1, 2.5 * world.longest)
    command = [sys.executable, "-c", LOCK, str(world.server.data / "chat.sqlite"), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"locked\n"
        began = time.monotonic()
        other.wait(timeout=60)
    look(world, began)


def look(world: World, began: float) -> None:
    """How those fared who only read since then."""
    slowest, refused = world.watch.since(began)
    world.slowest = max(world.slowest, slowest)
    if slowest > FROZEN:
        world.troubles.tell(f"while nobody could write, a reader waited {slowest:.1f} s")
    if refused:
        world.troubles.tell(f"while nobody could write, readers got {refused}")


def cut_the_wires(world: World, chance: random.Random) -> None:
    world.wire.cut()


def cut_at_random_bytes(world: World, chance: random.Random) -> None:
    world.wire.budget = lambda: (
        chance.choice([None, chance.randrange(1, 1500)]),
        chance.choice([None, chance.randrange(1, 9000)]),
    )
    wait(world, chance)
    world.wire.budget = lambda: (None, None)
    world.wire.cut()


def stall_the_readers(world: World, chance: random.Random) -> None:
    world.wire.stall = True
    wait(world, chance)
    world.wire.stall = False


def leave_the_wires_half_open(world: World, chance: random.Random) -> None:
    world.wire.silent = True
    wait(world, chance)
    world.wire.cut()
    world.wire.silent = False


def swallow_sockets(world: World, chance: random.Random) -> None:
    world.wire.websockets = chance.choice(["refuse", "silent"])
    world.wire.cut()
    wait(world, chance)
    world.wire.websockets = "carry"
    world.wire.cut()


def reload_nginx(world: World, chance: random.Random) -> None:
    world.nginx.reload()


def jump_the_clock(world: World, chance: random.Random) -> None:
    """Hours on, or hours back: it stays there until the next jump."""
    world.clock.shift(chance.choice([-1, 1]) * chance.randrange(5, 600))


TO_THE_SERVER: list[Fault] = [
    kill_a_worker,
    kill_everything,
    stop_and_start,
    pause_a_worker,
    replace_the_workers,
    add_a_worker_and_remove_one,
    fill_the_disk,
    lock_the_database,
]
TO_THE_WIRES: list[Fault] = [
    cut_the_wires,
    cut_at_random_bytes,
    stall_the_readers,
    leave_the_wires_half_open,
    swallow_sockets,
    reload_nginx,
    jump_the_clock,
]
