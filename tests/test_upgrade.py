"""An upgrade without an error page: SIGHUP brings new workers, and whoever talks meanwhile notices nothing."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import ROOT, Server
from network import Nginx


class Crowd:
    """People who never try twice: whatever goes wrong for one of them is kept as a fault."""

    def __init__(self, server: Server, wire: str) -> None:
        self.wire, self.faults, self.said, self.pages = wire, [], [], 0
        self.vera, self.ann = Visitor(wire).arrive(), Owner(wire).arrive()
        self.vera.say("start")
        self.thread = self.ann.conversation("start")
        self.form = self.ann.reply_form(self.thread)
        self.done = threading.Event()

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Everybody does what they do, over and over, until the block ends."""
        visitors, owners = [self.vera.again(self.wire) for _ in range(4)], [self.ann.again(self.wire) for _ in range(2)]
        acts = [
            *(lambda who=who, i=i: self.post(who, f"v{i}") for i, who in enumerate(visitors[:3])),
            lambda: self.reply(owners[0]),
            *(lambda who=who: self.poll(who) for who in (visitors[3], owners[1])),
            self.load_a_page,
        ]
        self.readers = [self.vera.again(self.wire), self.ann.again(self.wire)]
        threads = [threading.Thread(target=self.repeat, args=(act,), daemon=True) for act in acts]
        with ExitStack() as stack:
            for reader in self.readers:
                stack.enter_context(reader.following("socket"))
            for thread in threads:
                thread.start()
            yield
            self.done.set()
            for thread in threads:
                thread.join(40)
            said = len(self.said) + 1
            eventually(lambda: all(len(reader.log.messages) >= said for reader in self.readers), what="everything")

    def repeat(self, act: Callable[[], httpx.Response]) -> None:
        while not self.done.is_set():
            try:
                answer = act()
                if answer.status_code not in (200, 204, 302, 303):
                    self.faults.append(f"{answer.request.method} {answer.url.path}: {answer.status_code}")
            except (httpx.HTTPError, OSError, AssertionError) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
            self.done.wait(0.01)

    def post(self, who: Visitor, name: str) -> httpx.Response:
        text = f"{name} {time.monotonic_ns()}"
        answer = who.post(text)
        if answer.status_code == 200:
            self.said.append(text)
        return answer

    def reply(self, who: Owner) -> httpx.Response:
        text = f"ann {time.monotonic_ns()}"
        names = dom.fields(self.form) | {self.form.first("textarea").attrs["name"]: text}
        action = self.form.attrs.get("action") or self.form.attrs["hx-post"]
        answer = who.http.post(action, data=names | {"client_id": str(uuid.uuid4())}, headers=who.auth())
        if answer.status_code in (200, 302, 303):
            self.said.append(text)
        return answer

    def poll(self, who: Visitor | Owner) -> httpx.Response:
        return who.poll(wait=1)

    def load_a_page(self) -> httpx.Response:
        with httpx.Client(base_url=self.wire, transport=httpx.HTTPTransport(), timeout=20) as somebody:
            self.pages += 1
            return somebody.get("/w/main")

    def assert_nobody_noticed(self) -> None:
        assert not self.faults, f"{len(self.faults)} faults among {len(self.said)}: {self.faults[:5]}"
        everything = self.vera.again().catch_up().texts()
        assert sorted(everything) == sorted(["start", *self.said]), "something was lost or doubled"
        for reader in self.readers:
            assert reader.log.texts() == everything and reader.log.resets == 0


@pytest.mark.parametrize(("way", "workers"), [("direct", "1"), ("nginx", "2")])
def test_three_upgrades_while_people_talk_and_nobody_notices(tmp_path: Path, way: str, workers: str) -> None:
    with ExitStack() as stack:
        server = Server(tmp_path, WEB_CONCURRENCY=workers, CHAT_PROXY="1" if way == "nginx" else "none")
        stack.enter_context(server)
        wire = server.url if way == "direct" else stack.enter_context(Nginx(tmp_path, server.port)).url
        crowd = Crowd(server, wire)
        with crowd.talking():
            for _ in range(3):
                time.sleep(0.5)
                upgrade(server)
        print(f"{len(crowd.said)} messages, {crowd.pages} pages, {len(crowd.faults)} faults")
        crowd.assert_nobody_noticed()


def test_an_idle_connection_of_the_old_worker_is_answered_and_then_closed(tmp_path: Path) -> None:
    patient = httpx.Limits(keepalive_expiry=60)
    with Server(tmp_path) as server, httpx.Client(base_url=server.url, limits=patient, trust_env=False) as somebody:
        assert "close" not in somebody.get("/up").headers.get("Connection", "")
        (old,) = server.children
        upgrade(server)
        assert old in server.children, "it went while a connection was open"
        # the first may be answered before it has heard; a new worker would never say it
        eventually(lambda: somebody.get("/up").headers["Connection"] == "close", what="the last answer")
        eventually(lambda: old not in server.children, what="the old worker's end")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program in a folder of its own, to be changed."""
    root = tmp_path / "program"
    for name in ("chat", "templates", "static", "app.py", "wsgi.py", "gunicorn.conf.py"):
        put = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        root.mkdir(exist_ok=True)
        put(ROOT / name, root / name)
    return root


FRESH = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Two edits within a second may leave a file of one size and time, by which Python knows what it compiled."""


def edit(file: Path, old: str, new: str) -> None:
    """Change the program as `git pull` would."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


SWEEP = """
@migrations()
def m999_sweep(db: Database) -> None:
    db.execute("{sql}")


class NewerDatabase"""


def test_new_code_and_its_migration_are_taken_in(tmp_path: Path, copy: Path) -> None:
    with Server(tmp_path, root=copy, **FRESH) as server:
        vera = Visitor(server.url).arrive()
        vera.say("before")
        sql = "CREATE TABLE brooms (id INTEGER PRIMARY KEY)"
        edit(copy / "chat" / "schema.py", "\nclass NewerDatabase", SWEEP.format(sql=sql))
        edit(copy / "chat" / "config.py", "ROOT = Path(", 'NEWS = "news"\nROOT = Path(')
        edit(copy / "chat" / "web" / "up.py", "import health", "import config, health")
        edit(copy / "chat" / "web" / "up.py", 'Response("ok"', "Response(config.NEWS")
        upgrade(server)
        assert httpx.get(f"{server.url}/up", trust_env=False).text == "news"
        with sqlite3.connect(server.data / "chat.sqlite") as db:
            assert db.execute("SELECT count(*) FROM brooms").fetchone() == (0,)
        db.close()
        vera.say("after")
        assert vera.again().catch_up().texts() == ["before", "after"]


BROKEN = {
    "a program that is no Python": ("app.py", "def create_app", "def def create_app", "SyntaxError"),
    "a program that its workers can't start": ("wsgi.py", "create_app(", "no_such_name(", "no_such_name"),
    "a migration that fails": (
        "chat/schema.py", "\nclass NewerDatabase", SWEEP.format(sql="DROP TABLE brooms"), "no such table",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_code_that_cannot_start_is_refused_and_the_old_goes_on(
    tmp_path: Path, copy: Path, broken: tuple[str, str, str, str]
) -> None:
    server = Server(tmp_path, root=copy, WEB_CONCURRENCY="2", **FRESH).start()
    try:
        vera, before = Visitor(server.url).arrive(), set(server.children)
        name, old, new, why = broken
        edit(copy / name, old, new)
        assert server.process
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the old one goes on" in server.output, what="the refusal")
        eventually(lambda: set(server.children) == before, what="the end of what could not start")
        assert why in server.output
        vera.say("still here")
        edit(copy / name, new, old)
        upgrade(server)
        vera.say("mended")
        assert vera.again().catch_up().texts() == ["still here", "mended"]
    finally:
        server.stop()


def test_a_stop_in_the_middle_of_an_upgrade_is_obeyed_at_once(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        for moment in (0.1, 0.4, 0.9):
            assert server.process
            server.process.send_signal(signal.SIGHUP)
            time.sleep(moment)
            assert server.stop() < 2
            server.start()


def upgrade(server: Server) -> None:
    """SIGHUP, and wait until the new workers have taken over."""
    times = server.output.count("taken in the code")
    assert server.process
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.output.count("taken in the code") > times, what="the upgrade")
