"""The inbox with several conversations alive at once: nothing of one gets into another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import Visitor
from harness import Server
from pages import Inbox
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("inbox")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own for each test: the list holds just these two."""
    with Server(tmp_path, HOST=None) as running:
        yield running


@pytest.fixture
def two(server: Server) -> tuple[Visitor, Visitor]:
    """Two visitors who have each said something."""
    first, second = Visitor(server.url).arrive(), Visitor(server.url).arrive()
    first.say("I am the first")
    second.say("I am the second")
    return first, second


def test_a_draft_stays_with_its_conversation(ann: Inbox, two: Any) -> None:
    ann.open("I am the first")
    ann.box.fill("for the first alone")
    ann.open("I am the second")
    expect(ann.box).to_have_value("")
    ann.page.wait_for_timeout(500)
    ann.open("I am the first")
    expect(ann.box).to_have_value("for the first alone")
    ann.open("I am the second")
    expect(ann.box).to_have_value("")


def test_typing_wears_off_though_others_are_busy(ann: Inbox, two: tuple[Visitor, Visitor]) -> None:
    first, second = two
    ann.open("I am the first")
    first.signal(typing=True)
    expect(ann.page.get_by_text(re.compile("is typing"))).to_be_visible()
    second.signal(typing=True)
    expect(ann.page.get_by_text(re.compile("is typing"))).to_have_count(0, timeout=12_000)


def test_what_is_said_while_a_thread_is_on_its_way_is_not_missed(ann: Inbox, two: tuple[Visitor, Visitor]) -> None:
    first, second = two
    ann.open("I am the second")

    def late(route: Any) -> None:
        answer = route.fetch()
        first.say("between the drawing and the swap")
        second.signal(typing=True)
        ann.page.wait_for_timeout(400)
        route.fulfill(response=answer)
        second.signal(typing=False)

    ann.page.route(re.compile(r"/inbox/conversations/\d+$"), late)
    ann.line("I am the first").click()
    expect(ann.message("between the drawing and the swap")).to_be_visible()
    assert ann.texts() == ["I am the first", "between the drawing and the swap"]


def test_closed_ones_leave_the_list_and_come_back_when_the_visitor_writes_again(
    ann: Inbox, two: tuple[Visitor, Visitor]
) -> None:
    first, _ = two
    ann.open("I am the first")
    ann.page.get_by_role("button", name="Close conversation").click()
    expect(ann.line("I am the first")).to_have_count(0)
    first.say("one more thing")
    expect(ann.line("one more thing")).to_be_visible()
    expect(ann.message("one more thing")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Close conversation")).to_be_visible()


def test_news_for_a_row_does_not_take_the_click_from_under_the_pointer(ann: Inbox, two: Any) -> None:
    first, _ = two
    link = ann.line("I am the first")
    expect(link).to_be_visible()
    box = next(filter(None, (link.bounding_box() for _ in range(100))))  # none while the row is drawn anew
    ann.page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    ann.page.mouse.down()
    first.say("and another word")
    ann.page.wait_for_timeout(500)
    expect(link).to_be_visible()  # the row stands still while the button is down
    ann.page.mouse.up()
    expect(ann.message("and another word")).to_be_visible()
    expect(ann.line("and another word")).to_be_visible()
