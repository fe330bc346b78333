"""The view "Suspicious" in an open inbox: what comes there comes live, calls nobody, and goes back by a click."""

from __future__ import annotations

from typing import Any

import pytest
from cast import Visitor
from harness import Server
from pages import Inbox, Noise, Shop
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("suspicious")
LINKS = " ".join(f"https://example.com/{number}" for number in range(3))


def test_a_suspicious_conversation_comes_live_to_its_view_alone_and_goes_back_by_a_click(
    server: Server, ann: Inbox, noise: Noise
) -> None:
    Visitor(server.url).arrive().post(f"the first of {LINKS}")
    ann.page.goto(f"{ann.url}/inbox?show=suspicious")
    expect(ann.line("the first of")).to_be_visible()
    Visitor(server.url).arrive().post(f"the second of {LINKS}")
    expect(ann.line("the second of")).to_be_visible()  # while the page is open
    Visitor(server.url).arrive().say("a plain question")
    ann.page.goto(f"{ann.url}/inbox")
    expect(ann.line("a plain question")).to_be_visible()
    expect(ann.line("the first of")).to_have_count(0)
    Visitor(server.url).arrive().post(f"the third of {LINKS}")
    Visitor(server.url).arrive().say("another question")
    expect(ann.line("another question")).to_be_visible()
    expect(ann.line("the third of")).to_have_count(0)
    ann.page.get_by_role("link", name="Suspicious").click()
    ann.open(f"the second of {LINKS}")
    ann.page.get_by_role("button", name="It is fine: move to Open").click()
    expect(ann.page.get_by_text("Suspicious.", exact=True)).to_be_hidden()
    ann.page.goto(f"{ann.url}/inbox")
    expect(ann.line("the second of")).to_be_visible()
    ann.open(f"the second of {LINKS}")
    ann.page.get_by_role("button", name="Block this visitor").click()
    thread = ann.page.get_by_role(
        "region", name="Conversation with"
    )  # the way back stands beside the words that say why
    expect(thread.get_by_role("button", name="Unblock")).to_be_visible()
    expect(ann.page.get_by_role("button", name="It is fine")).to_have_count(0)
    expect(ann.line("the second of")).to_have_count(0)
    thread.get_by_role("button", name="Unblock").click()
    expect(ann.line("the second of")).to_be_visible()
    assert not noise.heard


def test_who_may_not_write_is_told_why_and_keeps_their_words(server: Server, contexts: Any, ann: Inbox) -> None:
    vera = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    vera.say("before the block")
    expect(vera.message("before the block")).to_contain_text("Sent")
    ann.open("before the block")
    ann.page.get_by_role("button", name="Block this visitor").click()
    expect(ann.page.get_by_role("button", name="Unblock").first).to_be_visible()
    vera.box.fill("after the block")
    vera.button.click()
    expect(vera.place.get_by_role("alert").filter(has_text="This chat is closed for you")).to_be_visible()
    expect(vera.box).to_have_value("after the block")
