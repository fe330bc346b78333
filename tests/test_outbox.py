"""The foundation of every feature, through one that keeps books: handlers, deliveries, duty, killed at every turn."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cast import Visitor
from feed import eventually
from harness import Server
from verbs import command

from chat import clock, deliveries

pytestmark = pytest.mark.xdist_group("outbox")
COMMAND = (sys.executable, "-m", "gunicorn", "--pythonpath", "tests", "featured:app")


class Book:
    """A server with the feature, and what it has written down."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.server = Server(folder, command=COMMAND, **settings)
        self.data = self.server.data

    def __enter__(self) -> Book:
        self.server.start()
        return self

    def __exit__(self, *about: object) -> None:
        self.server.stop()  # without a look at its log: failing is what it does here

    def lines(self, name: str) -> list[dict[str, Any]]:
        path = self.data / name
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    def options(self, prefix: str) -> dict[str, str]:
        rows = self.ask("SELECT name, value FROM options WHERE name LIKE ?", f"{prefix}.%")
        return {name.partition(".")[2]: value for name, value in rows}

    def ask(self, query: str, *values: object) -> list[Any]:
        db = sqlite3.connect(self.data / "chat.sqlite", timeout=10)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def delivery(self, body: str) -> tuple[str, int, str]:
        """State, attempts and error."""
        query = "SELECT state, attempts, error FROM deliveries WHERE json_extract(about, '$.body') = ?"
        return (self.ask(query, body) or [("none", 0, "")])[0]

    def say(self, *bodies: str) -> None:
        vera = Visitor(self.server.url).arrive()
        for body in bodies:
            vera.say(body)

    @contextmanager
    def made(self, name: str) -> Iterator[None]:
        """While this lasts it is made to fail that way."""
        (self.data / name).touch()
        try:
            yield
        finally:
            (self.data / name).unlink()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with Book(tmp_path_factory.mktemp("book")) as running:
        yield running


def test_what_a_handler_does_happens_exactly_once_over_kills(book: Book) -> None:
    said = [f"kill {number}" for number in range(24)]
    vera = Visitor(book.server.url).arrive()
    for number, body in enumerate(said):
        vera.say(body)
        if number % 6 == 5:
            time.sleep(0.05 * (number // 6))  # at another point of the handlers' pace each time
            book.server.stop(signal.SIGKILL)
            book.server.start()
    for name in ("first", "second"):
        eventually(lambda: len(book.options(name)) >= len(said), what="all of them")  # noqa: B023
        assert book.options(name) == dict.fromkeys(said, "1")
    eventually(lambda: len(book.options("noted")) == len(said), what="all deliveries")
    assert book.options("noted") == dict.fromkeys(said, "1"), "each success is noted once"
    assert {line["body"] for line in book.lines("sent")} == set(said), "and each went out, at least once"


def test_a_failing_handler_stops_only_its_own_cursor_and_catches_up(book: Book) -> None:
    with book.made("first-fails"):
        book.say("sick 1", "sick 2")
        eventually(lambda: book.options("second").keys() >= {"sick 1", "sick 2"}, what="the other handler")
        eventually(lambda: "could not take in" in book.server.output, what="the word in the log")
        assert not book.options("first").keys() & {"sick 1", "sick 2"}, "a failed step leaves nothing behind"
        at = "SELECT event_id FROM cursors WHERE name = ?"
        eventually(lambda: book.ask(at, "second") == book.ask(at, "channels"), what="the others, as far as they can")
        assert book.ask(at, "first") < book.ask(at, "second")
    eventually(lambda: book.options("first").keys() >= {"sick 1", "sick 2"}, what="catching up")
    assert book.options("first")["sick 1"] == book.options("first")["sick 2"] == "1"
    assert book.options("second")["sick 2"] == "1"


def test_what_does_not_go_out_is_tried_again_with_longer_and_longer_pauses(book: Book) -> None:
    with book.made("broken"):
        book.say("stubborn")
        eventually(lambda: book.delivery("stubborn")[1] >= 4, what="four attempts")
        assert book.delivery("stubborn")[0] in ("waiting", "sending")
        assert book.ask("SELECT error FROM deliveries WHERE error <> ''")[-1][0] == "It is broken"
    eventually(lambda: book.delivery("stubborn")[0] == "sent", what="going out in the end")
    at = [line["at"] for line in book.lines("began") if line["body"] == "stubborn"]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    for number, pause in enumerate(pauses[:3]):
        assert 0.8 * 0.2 * 2**number <= pause < 1.2 * 0.2 * 2**number + 0.5, pauses
    assert book.options("noted")["stubborn"] == "1"


def test_what_can_not_go_out_or_was_seen_meanwhile_ends_at_once(book: Book) -> None:
    with book.made("refused"):
        book.say("hopeless")
        eventually(lambda: book.delivery("hopeless")[0] == "failed", what="the failure")
    with book.made("seen"):
        book.say("seen")
        eventually(lambda: book.delivery("seen")[0] == "dropped", what="the dropping")
    assert book.delivery("hopeless") == ("failed", 1, "It is refused")
    assert book.options("failed")["hopeless"] == "It is refused" and "seen" not in book.options("failed")
    assert not {"hopeless", "seen"} & {line["body"] for line in book.lines("sent")}


def test_a_delivery_under_way_when_the_process_dies_is_tried_again(book: Book) -> None:
    with book.made("hang"):
        book.say("under way")
        eventually(lambda: any(line["body"] == "under way" for line in book.lines("began")), what="the first try")
        book.server.stop(signal.SIGKILL)
        assert book.delivery("under way")[0] == "sending"
    book.server.start()
    eventually(lambda: book.delivery("under way")[0] == "sent", what="the second try")
    assert book.delivery("under way")[1] == 2


def test_a_success_that_can_not_be_stored_yet_is_stored_when_it_can(book: Book) -> None:
    with book.made("slow"):
        book.say("while locked")
        eventually(lambda: any(line["body"] == "while locked" for line in book.lines("began")), what="the try")
        db = sqlite3.connect(book.data / "chat.sqlite", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        eventually(lambda: "could not be stored yet" in book.server.output, what="the word in the log")
        db.execute("ROLLBACK")
        db.close()
    eventually(lambda: book.delivery("while locked")[0] == "sent", what="the note")
    assert [line["body"] for line in book.lines("sent")].count("while locked") == 1, "it is not sent twice for that"


def test_what_went_out_is_sent_once_though_the_feature_can_not_note_it(book: Book) -> None:
    with book.made("unnotable"):
        book.say("out all the same", "and the next one")
        eventually(lambda: book.delivery("and the next one")[0] == "sent", what="the next one")
    assert book.delivery("out all the same") == ("sent", 1, "IntegrityError")
    assert [line["body"] for line in book.lines("sent")].count("out all the same") == 1


def test_what_has_to_wait_for_its_turn_uses_up_no_attempt(book: Book) -> None:
    with book.made("early"):
        book.say("not yet")
        tried = lambda: [line["attempts"] for line in book.lines("began") if line["body"] == "not yet"]  # noqa: E731
        eventually(lambda: len(tried()) >= 4, what="four tries")
    assert set(tried()) <= {1, 2}
    eventually(lambda: book.delivery("not yet")[0] == "sent", what="its turn")


def test_a_loop_that_an_error_has_ended_is_told_of_and_begins_again(book: Book) -> None:
    with book.made("beat-fails"):
        eventually(lambda: "ValueError" in book.options("work").get("trouble", ""), what="the word about it")
    assert "featured.declare.<locals>.beat" in book.options("work")["trouble"]
    assert "A part of it failed" in command(book.data, "check"), "the doctor knows"
    stopped = len(book.lines("beats"))
    eventually(lambda: len(book.lines("beats")) > stopped + 5, what="beating again")


def test_what_is_long_done_is_forgotten_piece_by_piece(book: Book) -> None:
    with sqlite3.connect(book.data / "chat.sqlite", timeout=10) as db:
        row = "'book', 'old ' || value, '{}', 'sent', '2026-01-01', '2026-01-01', ?"
        add = f"INSERT INTO deliveries (sender, key, about, state, next_at, created_at, done_at) SELECT {row}"
        long_ago = clock.now(-(deliveries.KEPT_DAYS + 1) * 86400)
        db.execute(f"{add} FROM json_each(?)", [long_ago, json.dumps(list(range(1200)))])
        db.execute(f"{add} FROM json_each(?)", [clock.now(-86400), json.dumps(["yesterday"])])
    book.server.stop()
    book.server.start()
    old = "SELECT key FROM deliveries WHERE key LIKE 'old %'"
    eventually(lambda: book.ask(old) == [("old yesterday",)], what="forgetting")


@pytest.mark.parametrize("killed", [False, True], ids=["at once", "after a kill"])
def test_what_is_said_before_anybody_has_the_duty_is_handled_too(tmp_path: Path, killed: bool) -> None:
    book = Book(tmp_path)
    book.data.mkdir()
    with (book.data / "duty.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with book:
            book.say("early bird")
            assert not book.lines("beats")
            if killed:
                book.server.stop(signal.SIGKILL)
                book.server.start()
            fcntl.flock(held, fcntl.LOCK_UN)
            eventually(lambda: book.delivery("early bird")[0] == "sent", what="the first delivery")


def test_one_of_two_workers_has_the_duty_and_the_other_takes_over(tmp_path: Path) -> None:
    with Book(tmp_path, WEB_CONCURRENCY="2") as book:
        book.say("before")
        eventually(lambda: book.delivery("before")[0] == "sent", what="the first delivery")
        eventually(lambda: len(book.server.children) == 2, what="two workers")
        gaps = []
        for number in range(3):
            holder = book.lines("beats")[-1]["pid"]
            assert holder in book.server.children
            os.kill(holder, signal.SIGKILL)
            killed = time.time()
            eventually(lambda: book.lines("beats")[-1]["pid"] != holder, what="somebody else")  # noqa: B023
            gaps.append(next(line["at"] for line in book.lines("beats") if line["at"] > killed) - killed)
            book.say(f"after {number}")
            eventually(lambda: book.delivery(f"after {number}")[0] == "sent", what="a delivery")  # noqa: B023
            eventually(lambda: len(book.server.children) == 2, what="two workers again")
        assert min(gaps) < 1.0, f"on a machine that has other things to do as well: {gaps}"
        terms = [line["pid"] for line in book.lines("beats")]
        changes = [later for earlier, later in pairwise(terms) if earlier != later]
        assert len(changes) == 3 and len(set(terms)) == 4, "never two at a time"
        assert book.options("first") == dict.fromkeys(("before", "after 0", "after 1", "after 2"), "1")
