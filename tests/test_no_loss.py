"""Nothing is lost, nothing is doubled: every acknowledged message exactly once, in order, everywhere,
whatever is cut, stalled, repeated or killed. The seed is printed; CHAT_TEST_SEED repeats a run."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from network import Nginx, TcpProxy
from talk import Talk


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("CHAT_TEST_SEED") or time.time_ns() % 10**9)
    print(f"CHAT_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def own(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for this test alone: it may be killed."""
    with Server(tmp_path, WEB_CONCURRENCY=getattr(request, "param", "1")) as running:
        yield running


def test_connections_cut_at_random_bytes_lose_and_double_nothing(own: Server, chance: random.Random) -> None:
    with TcpProxy(own.port) as wire:
        talk = Talk(own, wire.url)
        wire.budget = lambda: (
            chance.choice([None, chance.randrange(1, 1500)]),
            chance.choice([None, chance.randrange(1, 9000)]),
        )
        wire.cut()
        with talk.busy(30, chance):
            for _ in range(12):
                time.sleep(chance.random() * 0.5)
                wire.cut()
            wire.budget = lambda: (None, None)
        print(f"{wire.cuts} connections cut")
        assert wire.cuts > 10


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("own", ["1", "2"], indirect=True, ids=["one worker", "two workers"])
def test_restarts_behind_nginx_lose_and_double_nothing(
    own: Server, how: signal.Signals, chance: random.Random, tmp_path: Path
) -> None:
    own.stop()
    own.settings["CHAT_PROXY"] = "1"
    own.start()
    with Nginx(tmp_path, own.port) as nginx:
        talk = Talk(own, nginx.url)
        with talk.busy(40, chance):
            for _ in range(3):
                time.sleep(0.2 + chance.random() * 0.6)
                own.restart(how, pause=chance.random() * 0.5)


def test_restarts_without_a_proxy_lose_and_double_nothing(own: Server, chance: random.Random) -> None:
    talk = Talk(own, own.url)
    with talk.busy(40, chance):
        for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            time.sleep(0.2 + chance.random() * 0.6)
            own.restart(how)


def test_the_same_message_posted_many_times_at_once_is_stored_once(own: Server) -> None:
    vera = Visitor(own.url).arrive()
    for i in range(10):
        client_id = str(uuid.uuid4())
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _, i=i, c=client_id: vera.again().post(f"once {i}", c), range(8)))
        assert {answer.status_code for answer in answers} == {200}
    assert vera.catch_up().texts() == [f"once {i}" for i in range(10)]


@pytest.mark.parametrize("own", ["1", "2"], indirect=True, ids=["one worker", "two workers"])
def test_every_reader_on_every_worker_hears_everything(own: Server) -> None:
    vera = Visitor(own.url).arrive()
    ann = Owner(own.url).arrive()
    vera.say("hello")
    readers = [who.again() for who in (vera, ann) for _ in range(6)]
    with ExitStack() as stack:
        for i, reader in enumerate(readers):
            stack.enter_context(reader.following("socket" if i % 2 else "poll"))
        said = ["hello", *(f"number {i}" for i in range(40))]
        for text in said[1:]:
            vera.say(text)
        eventually(lambda: all(reader.log.texts() == said for reader in readers), what="everything everywhere")


def test_a_stalled_reader_holds_nobody_up_and_then_gets_it_all_on_the_same_socket(own: Server) -> None:
    with TcpProxy(own.port) as wire:
        vera = Visitor(own.url).arrive()
        vera.say("start")
        slow, other = vera.again(wire.url), vera.again()
        said = ["start", *(f"{i} " + "\N{OWL}" * 3900 for i in range(500))]  # 8 MB: more than any buffer on the way
        with slow.socket() as ws, other.following("socket"):
            slow.hear(ws, "start")
            wire.stall = True
            for text in said[1:]:
                vera.say(text)
            eventually(lambda: other.log.texts() == said, what="all of it at the other reader's")
            assert slow.log.texts() == ["start"], "the reader was not stalled"
            wire.stall = False
            slow.hear(ws, said[-1], timeout=30)
        assert slow.log.texts() == said and slow.log.resets == 0


@pytest.mark.parametrize("by", ["socket", "poll"])
def test_messages_of_the_same_instant_all_arrive_without_another_one_to_wake_the_reader(own: Server, by: str) -> None:
    vera = Visitor(own.url).arrive()
    vera.say("start")
    reader, tabs = vera.again(), [vera.again() for _ in range(4)]
    with reader.following(by), ThreadPoolExecutor(4) as pool:
        for i in range(60):
            list(pool.map(lambda tab, i=i: tab.say(f"{i} {id(tab)}"), tabs))
            wanted = 1 + 4 * (i + 1)
            eventually(lambda wanted=wanted: len(reader.log.messages) == wanted, 10, f"round {i}")


def test_a_reader_five_thousand_events_behind_gets_a_reset_and_can_still_read_it_all(own: Server) -> None:
    vera = Visitor(own.url).arrive()
    vera.say("the first")
    late = vera.again()
    late.catch_up()

    def write(worker: int) -> None:
        wire, cursor = HTTPConnection("127.0.0.1", own.port), str(late.log.cursor)
        headers = vera.auth() | {"Content-Type": "application/x-www-form-urlencoded"}
        for i in range(1320):
            form = {"body": f"{worker} {i}", "client_id": str(uuid.uuid4()), "since": cursor}
            wire.request("POST", "/w/main/messages", urlencode(form), headers)
            answer = wire.getresponse()
            assert answer.status == 200
            cursor = answer.read().decode().rpartition('content="')[2].partition('"')[0]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    late.catch_up()
    assert late.log.resets == 1
    everything = vera.again().catch_up()
    assert everything.resets == 0 and len(everything.texts()) == len(set(everything.texts())) == 1 + 4 * 1320
    shown = late.log.texts()
    assert 0 < len(shown) < 5000 and everything.texts()[-len(shown) :] == shown
    vera.log.cursor = everything.cursor
    vera.say("the last")
    assert late.catch_up().texts()[-1] == "the last" and late.log.resets == 1


def test_a_restored_older_database_resets_its_readers(own: Server, tmp_path: Path) -> None:
    vera = Visitor(own.url).arrive()
    vera.say("kept")
    own.stop()
    copy = {path.name: path.read_bytes() for path in own.data.iterdir() if path.is_file()}
    own.start()
    vera.say("lost with the disk")
    own.stop(signal.SIGKILL)
    for path in own.data.iterdir():
        if path.is_file():
            path.unlink()
    for name, content in copy.items():
        (own.data / name).write_bytes(content)
    own.start()
    vera.catch_up()
    assert vera.log.texts() == ["kept"] and vera.log.resets == 1
    vera.say("and on it goes")
    assert vera.again().catch_up().texts() == ["kept", "and on it goes"] == vera.catch_up().texts()


def test_writers_race_and_each_reader_sees_one_order(own: Server) -> None:
    vera = Visitor(own.url).arrive()
    vera.say("start")
    barrier = threading.Barrier(8)

    def write(who: int) -> None:
        tab = vera.again()
        barrier.wait(10)
        for i in range(40):
            tab.say(f"{who} {i}")

    reader = vera.again()
    with reader.following("socket"), ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
        eventually(lambda: len(reader.log.messages) == 321, what="everything")
    assert reader.log.texts() == vera.again().catch_up().texts()
