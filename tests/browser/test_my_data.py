"""Privacy in a real browser: nothing before consent, and what the visitor can have done with what is kept."""

from __future__ import annotations

import json
import re
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from feed import eventually
from harness import ROOT, Server
from pages import Chat, HostPages, Inbox, Noise, Shop, state
from playwright.sync_api import Locator, Page, expect

from chat.db import connect

pytestmark = pytest.mark.xdist_group("privacy")
KEPT = "() => [{...localStorage}, {...sessionStorage}, document.cookie]"
NOTHING: list[Any] = [{}, {}, ""]


def shop_that_waits(server: Server, host_pages: HostPages, page: Page) -> Shop:
    tag = f'<script async src="http://localhost:{server.port}/w/main.js" data-consent="wait"></script>'
    host_pages.put("/", f"<h1>A shop</h1>{tag}")
    return Shop(page, host_pages.url).visit("/")


def test_a_page_that_waits_for_consent_keeps_nothing_and_makes_no_session_before_it(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    page = contexts().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(f"http://localhost:{server.port}")))
    shop = shop_that_waits(server, host_pages, page)
    shop.launcher.click()
    agree = shop.place.get_by_role("button", name="Agree")
    expect(agree).to_be_visible()
    shop.close_button.click()
    expect(agree).to_be_hidden()
    shop.launcher.click()
    expect(agree).to_be_visible()
    assert page.evaluate(KEPT) == NOTHING and not page.context.cookies()
    ours = {path for path in asked if path.startswith("/") and not path.startswith("/static/")}
    assert ours == {"/w/main.js", "/w/main/consent?lang=en"}
    assert not shop.place.locator("[name=token]").count()
    agree.click()
    expect(shop.box).to_be_visible()
    expect(shop.box).to_be_focused()
    shop.say("I agree, and ask")
    state(shop.message("I agree, and ask"), "Sent")
    page.reload()
    expect(shop.launcher).to_be_visible()
    expect(shop.message("I agree, and ask")).to_be_visible()  # asked once, and never again
    assert not noise.heard


def test_the_pages_own_consent_tool_gives_consent_and_takes_it_back(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    page = contexts().new_page()
    shop = shop_that_waits(server, host_pages, page)
    page.evaluate("window.heard = []; Porchlight.on('consent', (yes) => heard.push(yes)); Porchlight.consent(true)")
    shop.open().say("with consent")
    state(shop.message("with consent"), "Sent")
    page.evaluate("Porchlight.consent(true)")
    expect(shop.message("with consent")).to_be_visible()  # said again, it changes nothing
    page.evaluate("Porchlight.consent(false)")
    expect(shop.place.get_by_role("button", name="Agree")).to_be_visible()
    assert page.evaluate(KEPT) == NOTHING and page.evaluate("heard") == [True, False]
    page.reload()
    expect(shop.launcher).to_be_visible()
    page.wait_for_function("document.readyState === 'complete'")
    assert page.evaluate(KEPT) == NOTHING
    assert not noise.heard


def at_the_shop(server: Server, host_pages: HostPages, page: Page) -> Shop:
    host_pages.put("/", f'<h1>A shop</h1><script async src="http://localhost:{server.port}/w/main.js"></script>')
    return Shop(page, host_pages.url).visit("/")


def choose(place: Locator) -> None:
    """By the keyboard: a click into another site's frame that has just been navigated may be lost by the browser."""
    place.press("Enter", no_wait_after=True)


def your_data(shop: Shop) -> None:
    choose(shop.place.get_by_role("button", name="Your data"))
    expect(shop.place.get_by_role("heading", name="Your data")).to_be_visible()


def test_everything_is_downloaded_and_erased_from_the_frame_and_nothing_stays_in_the_browser(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    context = contexts(accept_downloads=True)
    shop = at_the_shop(server, host_pages, context.new_page())
    shop.open()
    expect(shop.place.get_by_role("button", name="Your data")).to_be_hidden()  # nothing is kept yet
    shop.say("Forget me later")
    state(shop.message("Forget me later"), "Sent")
    other = context.new_page()
    other.goto(host_pages.url)
    elsewhere = Shop(other, host_pages.url)
    expect(elsewhere.launcher).to_be_visible()
    elsewhere.open()
    expect(elsewhere.message("Forget me later")).to_be_visible()
    your_data(shop)
    with shop.page.expect_download() as download:
        choose(shop.place.get_by_role("button", name="Download everything"))
    archive = zipfile.ZipFile(download.value.path())
    assert "Forget me later" in archive.read("conversation.html").decode()
    erase, now = (shop.place.get_by_role("button", name=f"Erase everything{word}", exact=True) for word in ("", " now"))
    choose(erase)
    choose(shop.place.get_by_role("button", name="Keep it"))
    choose(erase)
    choose(now)
    expect(shop.place.get_by_role("heading", name="Everything is erased")).to_be_visible()
    with shop.page.expect_download() as download:
        choose(shop.place.get_by_role("link", name="Save the receipt"))
    assert "Messages: 1." in Path(download.value.path()).read_text()
    expect(elsewhere.log.locator(".message")).to_have_count(0)  # the other tab has heard of it
    shop.page.wait_for_function("() => !localStorage.length && !sessionStorage.length")
    choose(shop.place.get_by_role("link", name="Back to the chat"))
    shop.box.fill("A new beginning")
    choose(shop.box)
    state(shop.message("A new beginning"), "Sent")
    assert shop.texts() == ["A new beginning"]
    shop.page.reload()
    expect(shop.message("A new beginning")).to_be_visible()
    assert not noise.heard


def test_the_raw_frame_forgets_its_device_in_its_own_storage(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    address = f"http://localhost:{server.port}/w/main"
    host_pages.put("/", f'<iframe src="{address}" title="Chat" width="380" height="560"></iframe>')
    page = contexts().new_page()
    page.goto(host_pages.url)
    chat = Chat(page.frame_locator("iframe"))
    chat.say("On this device")
    state(chat.message("On this device"), "Sent")
    page.reload()
    expect(chat.message("On this device")).to_be_visible()
    chat.place.get_by_role("button", name="Your data").click()
    chat.place.get_by_role("button", name="Forget this device").click()
    expect(chat.place.get_by_role("heading", name="This device has forgotten the conversation")).to_be_visible()
    frame = next(frame for frame in page.frames if "/w/main" in frame.url)
    assert frame.evaluate("localStorage.length") == 0
    page.reload()
    expect(chat.box).to_be_visible()
    page.wait_for_timeout(500)
    assert not chat.texts() and not noise.heard


def test_without_a_script_the_hosted_page_erases_everything(server: Server, contexts: Any) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"http://localhost:{server.port}/c/main")
    chat = Chat(page)
    chat.box.fill("No script")
    chat.button.click()
    expect(chat.message("No script")).to_be_visible()
    page.get_by_role("button", name="Your data").click()
    page.get_by_role("button", name="Erase everything", exact=True).click()
    page.get_by_role("button", name="Erase everything now").click()
    expect(page.get_by_role("heading", name="Everything is erased")).to_be_visible()
    assert not page.context.cookies()
    page.get_by_role("link", name="Back to the chat").click()
    expect(chat.box).to_be_visible()
    assert not chat.texts()


def listed(heading: str) -> set[str]:
    """The first column of the table below that heading in docs/privacy.md."""
    text = (ROOT / "docs" / "privacy.md").read_text().partition(f"### {heading}")[2].partition("\n### ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.M))


def test_the_docs_name_everything_that_a_browser_keeps(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox
) -> None:
    """After a talk with everything in it: the page's storage, the frame's, and the cookies."""
    context = contexts()
    page = context.new_page()
    shop = shop_that_waits(server, host_pages, page)
    shop.launcher.click()
    shop.place.get_by_role("button", name="Agree").click()
    shop.say("What do you keep?")
    state(shop.message("What do you keep?"), "Sent")
    ann.open("What do you keep?")
    ann.reply("Little, and all of it is written down")
    expect(shop.log).to_contain_text("written down")
    context.route("**/messages", lambda route: route.abort())
    shop.say("on its way")
    shop.box.fill("a draft")
    found: set[str] = set()

    def all_of_it() -> bool:
        kept = page.evaluate("() => ({...localStorage})")
        assert set(kept) == {"porchlight:main"}
        found.update(re.sub("^unsent-.*", "unsent-…", key) for key in json.loads(kept["porchlight:main"]))
        return found == listed("In the visitor's browser")

    eventually(all_of_it, 10, "what the docs name")
    assert set(page.evaluate("() => Object.keys(sessionStorage)")) == {"porchlight:main"}
    frame = next(frame for frame in page.frames if "/w/main" in frame.url)
    assert frame.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0] and not context.cookies()
    hosted = Chat(context.new_page())
    hosted.place.goto(f"http://localhost:{server.port}/c/main")
    context.unroute("**/messages")
    hosted.say("on the page")
    state(hosted.message("on the page"), "Sent")
    assert {cookie["name"] for cookie in context.cookies()} == {"porchlight-c-main"}
    assert hosted.place.evaluate("() => Object.keys(localStorage)") == ["porchlight:main"]
    inside = set(json.loads(hosted.place.evaluate("() => localStorage['porchlight:main']")))
    assert inside <= listed("In the visitor's browser")


def test_the_docs_name_every_table_that_refers_to_a_visitor(server: Server) -> None:
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        ours = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
        refers = {name: {key.other_table for key in db[name].foreign_keys} for name in ours}
    about = {"persons"}
    while more := {name for name, others in refers.items() if others & about} - about:
        about |= more
    assert about | {"presences"} == listed("In the database")
