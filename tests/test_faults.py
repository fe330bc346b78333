"""When nobody can write (another program holds the database's lock, or the disk is full), reading goes on for
everybody, who writes gets a clear no in time, and afterwards all is as before."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dom
import httpx
import pytest
from cast import Owner, Visitor
from chaos.ground import Clock, Disk
from feed import eventually
from harness import Server

from chat.db import LOCK_WAIT

FROZEN = 0.6 * LOCK_WAIT  # seconds: whoever waits that long for a look stood behind a writer; a busy machine is faster
MARGIN = 2.0  # seconds for a no beyond the time for which a lock is waited for


class Onlookers:
    """People who only read, all the time: how long it took them, by what they read."""

    def __init__(self, talk: Talk) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self._done = threading.Event()
        auth = talk.vera.auth()
        reads: dict[str, tuple[str, str, dict[str, str]]] = {
            "the widget": ("GET", "/w/main", {}),
            "the page": ("GET", "/c/main", {}),
            "a new session": ("POST", "/w/main/session", {}),
            "a poll": ("GET", "/w/main/live?since=0&wait=0", auth),
            "history": ("GET", "/w/main/messages", auth),
            "the inbox": ("GET", "/inbox", {}),
            "a thread": ("GET", talk.thread, {}),
            "the inbox's poll": ("GET", "/inbox/live?since=0&wait=0", {}),
        }
        self._threads = [threading.Thread(target=self._read, args=(talk.ann, *read)) for read in reads.items()]
        self._threads += [threading.Thread(target=self._ping, args=(end.again(),)) for end in (talk.vera, talk.ann)]
        self._threads += [threading.Thread(target=self._type, args=(end.again(),)) for end in (talk.vera, talk.ann)]

    def _read(self, ann: Owner, name: str, what: tuple[str, str, dict[str, str]]) -> None:
        method, path, headers = what
        with httpx.Client(base_url=ann.url, cookies=ann.http.cookies, trust_env=False, timeout=30) as http:
            while not self._done.wait(0.1):
                with self._look(name):
                    status = http.request(method, path, headers=headers).status_code
                    assert status in (200, 204), f"{name}: {status}"

    def _ping(self, end: Visitor | Owner) -> None:
        with end.socket() as ws:
            end.hear(ws, "")
            while not self._done.wait(0.1):
                with self._look("a socket"):
                    assert ws.ping().wait(30), "a socket is dead"

    def _type(self, end: Visitor | Owner) -> None:
        """Say all the time that somebody types, which can't be stored now; the socket has to live through it."""
        with end.socket() as ws:
            while not self._done.wait(0.1):
                ws.send(json.dumps({"typing": True, "conversation": 1}))
            if not ws.ping().wait(2 * LOCK_WAIT):
                self.errors.append("the socket of somebody who typed is dead")

    @contextmanager
    def _look(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except (AssertionError, httpx.TransportError) as error:
            self.errors.append(f"{name}: {error!r}")
        self.took[name].append(time.monotonic() - began)

    def __enter__(self) -> Onlookers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)
        assert not self.errors, self.errors[:5]
        slowest = {name: max(times) for name, times in self.took.items()}
        print({name: f"{seconds:.2f} s of {len(self.took[name])}" for name, seconds in slowest.items()})
        assert len(slowest) == 9 and max(slowest.values()) < FROZEN, slowest


class Talk:
    """A visitor's conversation, and every way to write into it or beside it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.vera, self.ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        self.vera.say("before")
        self.thread = self.ann.conversation("before")
        self.form = self.ann.reply_form(self.thread)

    def onlookers(self) -> Onlookers:
        return Onlookers(self)

    def visitor_posts(self) -> httpx.Response:
        return self.vera.again().post("x" * 3000, str(uuid.uuid4()))

    def visitor_posts_a_form(self) -> httpx.Response:
        form = {"body": "y" * 3000, "client_id": str(uuid.uuid4()), "token": self.vera.token}
        return self.vera.http.post("/c/main", data=form)

    def owner_replies(self) -> httpx.Response:
        sent = dom.fields(self.form) | {self.form.first("textarea").attrs["name"]: "z" * 3000}
        return self.ann.http.post(f"{self.thread}/messages", data=sent | {"client_id": str(uuid.uuid4())})

    def owner_replies_from_the_open_page(self) -> httpx.Response:
        sent = dom.fields(self.form) | {self.form.first("textarea").attrs["name"]: "z" * 3000, "since": "0"}
        sent["client_id"] = str(uuid.uuid4())
        return self.ann.http.post(f"{self.thread}/messages", data=sent, headers={"HX-Request": "true"})

    def owner_signs_in(self) -> httpx.Response:
        return Owner(self.server.url).sign_in()

    def visitor_signals(self) -> httpx.Response:
        return self.vera.signal(seen=self.vera.log.cursor)

    def all_write(self, pause: float = 0.0) -> Iterator[tuple[str, float, httpx.Response]]:
        """All ways at once, or that many seconds one after the other: the way, the seconds it took, the answer."""
        ways = [self.visitor_posts, self.visitor_posts_a_form, self.owner_replies]
        ways += [self.owner_replies_from_the_open_page, self.owner_signs_in, self.visitor_posts]

        def write(place: int) -> tuple[str, float, httpx.Response]:
            time.sleep(place * pause)
            began = time.monotonic()
            answer = ways[place]()
            return ways[place].__name__, time.monotonic() - began, answer

        with ThreadPoolExecutor(len(ways)) as pool:
            yield from pool.map(write, range(len(ways)))


@contextmanager
def locked(server: Server, how: str) -> Iterator[None]:
    """Another program holds the write lock while the block runs."""
    db = sqlite3.connect(server.data / "chat.sqlite", isolation_level=None, timeout=10)
    db.execute(f"BEGIN {how}")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def says_why(way: str, answer: httpx.Response) -> None:
    """503, when to come back, and a sentence for a person."""
    assert answer.status_code == 503, f"{way}: {answer.status_code}"
    assert int(answer.headers["Retry-After"]) > 0, way
    words = dom.parse(answer.text).text
    assert "stored" in words and "Traceback" not in words, f"{way}: {words.strip()[:300]}"


@pytest.fixture
def own(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for this test alone; what it logs must hold no traceback."""
    with Server(tmp_path, WEB_CONCURRENCY=request.param) as running:
        yield running


@pytest.mark.parametrize(
    ("own", "how", "seconds"), [("1", "IMMEDIATE", 10), ("2", "EXCLUSIVE", 0)], indirect=["own"], ids=["one", "two"]
)
def test_a_lock_from_outside_freezes_nobody_who_reads_and_tells_writers_in_time(
    own: Server, how: str, seconds: float
) -> None:
    talk = Talk(own)
    with talk.onlookers(), locked(own, how):
        began = time.monotonic()
        for way, took, answer in talk.all_write(pause=0.5):
            says_why(way, answer)
            assert took < LOCK_WAIT + MARGIN, f"{way} took {took:.1f} s"
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    for way, _, answer in talk.all_write():
        assert answer.status_code in (200, 302, 303), f"{way}: {answer.status_code}"
    talk.vera.say("after")
    assert talk.vera.again().catch_up().texts().count("after") == 1


@pytest.mark.parametrize("own", ["1", "2"], indirect=True, ids=["one worker", "two workers"])
def test_a_short_lock_is_waited_for_and_nobody_gets_an_error_or_misses_anything(own: Server) -> None:
    talk = Talk(own)
    readers = [(end.again(), by) for end in (talk.vera, talk.ann) for by in ("socket", "poll")]
    with ExitStack() as stack:
        for reader, by in readers:
            stack.enter_context(reader.following(by))
        stack.enter_context(talk.onlookers())
        pool = stack.enter_context(ThreadPoolExecutor(1))
        with locked(own, "IMMEDIATE"):
            writing = pool.submit(lambda: list(talk.all_write()))
            time.sleep(2)
            assert not writing.done()
        assert {answer.status_code for _, _, answer in writing.result(10)} <= {200, 302, 303}
        talk.vera.say("heard")
        eventually(lambda: all("heard" in reader.log.texts() for reader, _ in readers), what="the hearing")


def test_a_full_disk_freezes_nobody_who_reads_and_tells_writers_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path)
    with Disk(server) as disk, server:
        talk = Talk(server)
        disk.fill()
        with talk.onlookers():
            for _ in range(3):
                for way, seconds, answer in talk.all_write():
                    says_why(way, answer)
                    assert seconds < LOCK_WAIT, f"{way} took {seconds:.1f} s, as if there were a lock to wait for"
        disk.free()
        for way, _, answer in talk.all_write():
            assert answer.status_code in (200, 302, 303), f"{way}: {answer.status_code}"
        server.stop()


def test_a_clock_that_jumps_shuts_nobody_out(tmp_path: Path) -> None:
    clock, server = Clock(tmp_path), Server(tmp_path)
    server.settings |= clock.settings
    with server:
        clock.shift(600)
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        for i, minutes in enumerate((600, 0, -600, 0, 1200)):
            clock.shift(minutes)
            vera.say(f"number {i}")
            ann.reply(ann.conversation(f"number {i}"), f"answer {i}")
            with vera.socket() as ws:
                vera.hear(ws, f"answer {i}")
    assert vera.log.texts() == [f"{what} {i}" for i in range(5) for what in ("number", "answer")]
