"""Who is here: true while a page is open anywhere, and true again soon after it has gone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server

HERE, HOME = "Here now", "is here"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_visitor_is_here_while_a_page_is_open_and_has_left_after_it(tmp_path: Path, workers: str) -> None:
    with Server(tmp_path, WEB_CONCURRENCY=workers) as server:
        ann, people = Owner(server.url).arrive(), {way: Visitor(server.url).arrive() for way in ("socket", "poll")}
        for way, visitor in people.items():
            visitor.say(f"here by {way}?")
        threads = [ann.conversation(f"here by {way}?") for way in people]
        with people["socket"].following("socket"), people["poll"].following("poll"):
            eventually(lambda: all(HERE in ann.page(thread).text for thread in threads), what="the coming")
            end = time.monotonic() + 10  # longer than the grace time: no poll between two polls is a departure
            while time.monotonic() < end:
                assert all(HERE in ann.page(thread).text for thread in threads)
                time.sleep(0.5)
        eventually(lambda: all("Left" in ann.page(thread).text for thread in threads), 20, "the going")


def test_visitors_read_whether_somebody_is_home(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("anybody home?")
        assert "Nobody is here" in vera.log.html
        with vera.following("poll"):
            with ann.following("socket"):
                eventually(lambda: HOME in vera.log.html, what="the light to go on")
            eventually(lambda: "Nobody is here" in vera.log.html, 20, "the light to go out")


def test_who_was_here_with_a_worker_that_was_killed_has_left(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("still here?")
        thread = ann.conversation("still here?")
        (worker,) = server.children
        with vera.following("socket"):
            eventually(lambda: HERE in ann.page(thread).text, what="the coming")
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.children not in ([], [worker]), 10, "another worker")
        eventually(lambda: "Left" in ann.page(thread).text, 20, "the going")
