"""The key test: for every kind of event, an old page plus its batch is the same as a fresh page, on both sides."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from harness import Server
from pages import Inbox, Shop
from playwright.sync_api import Frame, Page, expect
from sqlite_utils import Database

from chat import messages, people, records
from chat.db import connect
from chat.events import KINDS

pytestmark = pytest.mark.xdist_group("live-equals-reload")


def post(vera: Shop, ann: Inbox) -> None:
    vera.say("a second line,\nwith https://example.com in it")
    expect(ann.log).to_contain_text("a second line")
    ann.reply("and its answer")


def close(vera: Shop, ann: Inbox) -> None:
    ann.page.get_by_role("button", name="Close conversation").click()


def reopen(vera: Shop, ann: Inbox) -> None:
    close(vera, ann)
    ann.page.get_by_role("button", name="Reopen").click()


def note(ann: Inbox, what: Callable[[Database, int, int], None]) -> None:
    """Something became of the last answer's mail: noted by another process, as a command would."""
    talk = int(ann.page.url.rpartition("/")[2])
    with closing(connect(RUNNING[ann.url].data / "chat.sqlite")) as db:
        db.execute("BEGIN IMMEDIATE")
        (answer,) = db.execute("SELECT max(id) FROM messages WHERE conversation_id = ?", [talk]).fetchone()
        what(db, talk, answer)
        db.execute("COMMIT")


def bounce(vera: Shop, ann: Inbox) -> None:
    note(ann, lambda db, talk, answer: messages.undelivered(db, 1, talk, answer, "mailbox full"))


def go_through_after_all(vera: Shop, ann: Inbox) -> None:
    bounce(vera, ann)
    note(ann, lambda db, talk, answer: messages.delivered(db, 1, talk, answer))


def erase(vera: Shop, ann: Inbox) -> None:
    note(ann, lambda db, talk, answer: records.erase(db, people.of_conversation(db, talk), "visitor"))


CASES: dict[str, tuple[Callable[[Shop, Inbox], None], str]] = {
    "message.posted": (post, "and its answer"),
    "message.undelivered": (bounce, "Not delivered: mailbox full"),
    "message.delivered": (go_through_after_all, "Delivered after all"),
    "conversation.closed": (close, "closed this conversation"),
    "conversation.reopened": (reopen, "opened this conversation again"),
    "conversation.erased": (erase, "The visitor has erased this conversation"),
}
FOR_AGENTS = {"message.undelivered", "message.delivered", "conversation.erased"}
RUNNING: dict[str, Server] = {}
ALONE = "() => document.querySelectorAll('.row .here').length <= 1"  # who was here before has been seen off
SETTLED = """() => {
  const { side } = document.querySelector('[data-side]').dataset;
  const states = [...document.querySelectorAll(`.message[data-by="${side}"] .state`)];
  const some = states.length > 0 || document.querySelector('[data-erases]');
  return some && states.every((each) => each.textContent === 'Seen');
}"""
DRAWN = """() => ['#log', '#conversations', '.thread-head'].map((each) => document.querySelector(each))
  .filter(Boolean).map((each) => each.outerHTML)"""


def drawn(page: Page | Frame) -> list[str]:
    """What the page shows, without what only says how it came there."""
    ours = " ".join(("data-htmx-powered", "aria-busy", "data-day", "title"))
    html = page.evaluate(DRAWN)
    for attribute in ours.split():
        html = [re.sub(rf' {attribute}="[^"]*"', "", each) for each in html]
    return [re.sub(r'\s*class=""|\bhtmx-\w+ ?|(?<=>)\s+(?=<)', "", re.sub(r'value="[^"]*"', "", each)) for each in html]


def assert_live_equals_reload(page: Page, frame: Callable[[], Page | Frame]) -> None:
    frame().wait_for_function(SETTLED)
    live = drawn(frame())
    page.reload()
    expect(page.get_by_role("button").first).to_be_attached()
    frame().wait_for_function(SETTLED)
    page.wait_for_timeout(300)
    assert drawn(frame()) == live


@pytest.mark.parametrize("kind", KINDS)
def test_an_old_page_and_its_batch_are_a_fresh_page(
    kind: str, server: Server, vera: Shop, ann: Inbox, noise: Any
) -> None:
    assert kind in CASES, f"write a case for {kind}"
    RUNNING[ann.url] = server
    happen, sign = CASES[kind]
    vera.open().say(f"hello, {kind}")
    ann.open(f"hello, {kind}")
    ann.reply("the first answer")
    expect(vera.log).to_contain_text("the first answer")
    happen(vera, ann)
    expect(ann.log).to_contain_text(sign)
    if kind in FOR_AGENTS:
        expect(vera.log).not_to_contain_text(sign)
    else:
        expect(vera.log).to_contain_text(sign)
    ann.page.wait_for_function(ALONE)

    def widget() -> Frame:
        handle = vera.frame.element_handle()
        frame = handle and handle.content_frame()
        assert frame
        frame.wait_for_selector("#log .message")
        return frame

    if kind == "conversation.erased":
        expect(vera.log.locator(".message")).to_have_count(0)  # her token is void, and this is a new talk
    else:
        assert_live_equals_reload(vera.page, widget)
    assert_live_equals_reload(ann.page, lambda: ann.page)
    assert not noise.heard
