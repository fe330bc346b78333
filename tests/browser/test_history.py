"""A long talk: older messages come in above without moving what is read; a burst ends with the right state."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cast import Owner, Visitor
from harness import Server
from pages import Chat, Inbox, Shop, state
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("history")
PLACE = """(box) => [...box.querySelectorAll('.body')]
  .find((each) => each.textContent === 'line 45').getBoundingClientRect().top"""


def test_scrolling_up_brings_older_messages_and_keeps_the_place(server: Server, contexts: Any) -> None:
    page = contexts().new_page()
    page.goto(f"http://localhost:{server.port}/c/main")
    chat = Chat(page)
    chat.say("line 0")
    state(chat.message("line 0"), "Sent")
    token = page.locator("#composer input[name=token]").get_attribute("value")
    tab = Visitor(server.url, token=str(token))
    for i in range(1, 90):
        tab.say(f"line {i}")
    page.reload()
    expect(chat.message("line 89")).to_be_visible()
    expect(chat.message("line 0")).to_have_count(0)
    page.route("**/messages?before=*", lambda route: (page.wait_for_timeout(800), route.continue_()))
    box = page.locator("#scroller")
    box.evaluate("(box) => { box.scrollTop = 0; }")
    read = box.evaluate(PLACE)
    expect(chat.message("line 0")).to_be_attached()
    expect(page.locator("a#older")).to_have_count(0)
    assert abs(box.evaluate(PLACE) - read) < 2, "what was being read has moved away"
    expect(chat.log).not_to_have_attribute("aria-busy", "true")
    assert chat.texts() == [f"line {i}" for i in range(90)]
    assert chat.log.locator(".day").count() == 1
    assert not [text for text in chat.log.locator("time").all_inner_texts() if "UTC" in text]


def test_after_a_burst_of_answers_all_of_them_are_seen(server: Server, vera: Shop, ann: Inbox) -> None:
    vera.open().say("go on")
    ann.open("go on")
    answering = Owner(server.url).arrive()
    thread = answering.conversation("go on")
    form = answering.reply_form(thread)
    for i in range(60):
        answering.reply(thread, f"answer {i}", form)
    state(ann.message("answer 59"), "Seen")
    vera.page.reload()
    expect(vera.message("answer 59")).to_be_visible()
    vera.close_button.click()
    expect(vera.page.get_by_role("button", name=re.compile("^Open chat$"))).to_be_visible()
