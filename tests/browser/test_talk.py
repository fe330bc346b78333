"""Two people, two browsers, two sites: they talk, come back, use several tabs, and only the keyboard."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from cast import Owner
from harness import Server
from pages import Inbox, Noise, Shop, state
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("talk")


def test_a_visitor_and_the_owner_talk_both_ways_across_sites(vera: Shop, ann: Inbox, noise: Noise) -> None:
    vera.open()
    hosts = {urlsplit(frame.url).hostname for frame in vera.page.frames if frame.url.startswith("http")}
    assert hosts == {"127.0.0.1", "localhost"}, "the frame is not cross-site"
    vera.say("Do you ship to Malta?")
    state(vera.message("Do you ship to Malta?"), "Delivered")
    expect(ann.line("Do you ship to Malta?")).to_be_visible()
    ann.open("Do you ship to Malta?")
    state(vera.message("Do you ship to Malta?"), "Seen")
    ann.box.press_sequentially("We d", delay=30)
    expect(vera.place.get_by_text(re.compile("is typing"))).to_be_visible()
    ann.reply("We do, every week")
    expect(vera.message("We do, every week")).to_be_visible()
    expect(vera.place.get_by_text(re.compile("is typing"))).to_have_count(0)
    state(ann.message("We do, every week"), "Seen")
    vera.box.press_sequentially("Gre", delay=30)
    expect(ann.page.get_by_text(re.compile("is typing")).first).to_be_visible()
    vera.say("Great")
    expect(ann.message("Great")).to_be_visible()
    assert vera.texts() == ann.texts() == ["Do you ship to Malta?", "We do, every week", "Great"]
    assert not noise.heard


def test_after_a_reload_and_on_another_page_of_the_shop_the_talk_is_there_and_open_as_it_was(
    vera: Shop, noise: Noise
) -> None:
    vera.open().say("I will be back")
    state(vera.message("I will be back"), "Sent")
    vera.page.reload()
    expect(vera.message("I will be back")).to_be_visible()
    other = vera.page.evaluate("[...document.links].map(a => a.href).find(h => h.includes('/demo/'))")
    vera.page.goto(other)
    expect(vera.message("I will be back")).to_be_visible()
    vera.close_button.click()
    expect(vera.frame).to_be_hidden()
    vera.page.reload()
    expect(vera.launcher).to_be_visible()
    vera.page.wait_for_timeout(1000)
    expect(vera.frame.filter(visible=True)).to_have_count(0)
    vera.open()
    expect(vera.message("I will be back")).to_be_visible()
    assert not noise.heard


def test_after_the_browser_was_closed_the_talk_is_there(vera: Shop, contexts: Any) -> None:
    vera.open().say("See you tomorrow")
    state(vera.message("See you tomorrow"), "Sent")
    kept = vera.page.context.storage_state()
    vera.page.context.close()
    later = Shop(contexts(storage_state=kept).new_page(), vera.url).visit()
    expect(later.message("See you tomorrow")).to_be_visible()


def test_answers_to_a_closed_widget_are_counted_on_the_launcher_also_after_a_reload(vera: Shop, ann: Inbox) -> None:
    vera.open().say("Call me when you know")
    ann.open("Call me when you know")
    vera.page.keyboard.press("Escape")
    expect(vera.frame).to_be_hidden()
    ann.reply("I know")
    ann.reply("It is here")
    expect(vera.page.get_by_role("button", name="Open chat, 2 new messages", exact=True)).to_be_visible()
    vera.page.reload()
    expect(vera.page.get_by_role("button", name="Open chat, 2 new messages", exact=True)).to_be_visible()
    vera.open()
    expect(vera.message("It is here")).to_be_visible()
    expect(vera.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()
    state(ann.message("It is here"), "Seen")


def test_all_tabs_of_a_visitor_show_the_same_talk(vera: Shop, ann: Inbox) -> None:
    vera.open().say("From the first tab")
    second = Shop(vera.page.context.new_page(), vera.url).visit()
    if second.frame.filter(visible=True).count() == 0:
        second.open()
    expect(second.message("From the first tab")).to_be_visible()
    second.say("From the second tab")
    ann.open("From the second tab")
    ann.reply("To both of you")
    for tab in (vera, second):
        expect(tab.message("To both of you")).to_be_visible()
        assert tab.texts() == ["From the first tab", "From the second tab", "To both of you"]


def test_with_the_keyboard_only_from_the_launcher_to_the_answer_and_back(vera: Shop, ann: Inbox) -> None:
    press = vera.page.keyboard.press
    for _ in range(60):
        press("Tab")
        if vera.launcher.evaluate("node => node.getRootNode().activeElement === node"):
            break
    expect(vera.launcher).to_be_focused()
    press("Enter")
    expect(vera.box).to_be_focused()
    vera.page.keyboard.type("No mouse here")
    press("Shift+Enter")
    vera.page.keyboard.type("two lines")
    press("Enter")
    expect(vera.box).to_have_value("")
    expect(vera.box).to_be_focused()
    expect(vera.message("No mouse here\ntwo lines")).to_be_visible()
    ann.line("No mouse here").focus()
    ann.page.keyboard.press("Enter")
    ann.box.focus()
    ann.page.keyboard.type("Nor here")
    ann.page.keyboard.press("Tab")
    expect(ann.button).to_be_focused()
    ann.page.keyboard.press("Enter")
    expect(vera.message("Nor here")).to_be_visible()
    press("Escape")
    expect(vera.frame).to_be_hidden()
    expect(vera.launcher).to_be_focused()
    assert vera.launcher.get_attribute("aria-expanded") == "false"


def test_markup_is_shown_as_typed_and_addresses_become_links(vera: Shop, ann: Inbox, noise: Noise) -> None:
    alerts: list[str] = []
    for page in (vera.page, ann.page):
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    text = "<img src=x onerror=alert(1)> <b>bold</b> see https://example.org/a?b=1&c=2 ok"
    vera.open().say(text)
    ann.line("bold").click()
    for log in (vera.log, ann.log):
        expect(log.locator(".body")).to_have_text(text)
        link = log.get_by_role("link", name="https://example.org/a?b=1&c=2")
        expect(link).to_have_attribute("href", "https://example.org/a?b=1&c=2")
        expect(link).to_have_attribute("rel", re.compile("noopener"))
    assert not alerts and not noise.heard


def test_a_closed_conversation_says_so_on_both_sides_and_opens_again_with_the_next_message(
    vera: Shop, ann: Inbox
) -> None:
    vera.open().say("That was all, thanks")
    ann.open("That was all, thanks")
    ann.page.get_by_role("button", name=re.compile("^Close conversation")).click()
    expect(ann.page.get_by_role("button", name=re.compile("^Reopen"))).to_be_visible()
    expect(vera.log).to_contain_text(re.compile("closed", re.I))
    expect(ann.line("That was all, thanks")).to_have_count(0)
    vera.say("One more thing")
    expect(ann.line("One more thing")).to_be_visible()
    expect(ann.message("One more thing")).to_be_visible()


def test_older_history_loads_when_scrolled_up(server: Server, contexts: Any, noise: Noise) -> None:
    vera = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    vera.say("the very first")
    state(vera.message("the very first"), "Sent")
    for i in range(70):
        vera.say(f"line {i}")
    expect(vera.message("line 69")).to_contain_text("Sent")
    vera.page.reload()
    expect(vera.message("line 69")).to_be_visible()
    expect(vera.message("the very first")).to_have_count(0)
    for _ in range(40):
        vera.log.hover()
        vera.page.mouse.wheel(0, -4000)
        if vera.message("the very first").count():
            break
        vera.page.wait_for_timeout(100)
    expect(vera.message("the very first")).to_be_attached()
    assert vera.texts() == ["the very first", *(f"line {i}" for i in range(70))]
    assert not noise.heard


def test_what_is_read_in_one_tab_is_read_in_the_others(contexts: Any, server: Server) -> None:
    both = contexts()
    first = Shop(both.new_page(), server.url).visit().open()
    first.say("Two tabs are open")
    ann = Owner(server.url).arrive()
    thread = ann.conversation("Two tabs are open")
    first.close_button.click()
    second = Shop(both.new_page(), server.url).visit()
    ann.reply(thread, "And both know")
    told = [shop.page.get_by_role("button", name="Open chat, 1 new message", exact=True) for shop in (first, second)]
    for each in told:
        expect(each).to_be_visible(timeout=15_000)
    first.page.bring_to_front()
    told[0].click()
    expect(second.page.get_by_role("button", name="Open chat", exact=True)).to_be_visible()
