"""Back and forward by the browser's own cache of whole pages, which Playwright switches off and people have on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server
from pages import HostPages, Inbox, Noise, Shop, state
from playwright.sync_api import BrowserContext, BrowserType, expect

pytestmark = pytest.mark.xdist_group("bfcache")


@pytest.fixture
def keeping(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], noise: Noise
) -> Iterator[BrowserContext]:
    """A browser that keeps the page that one leaves, as every browser does."""
    browser = browser_type.launch(**browser_type_launch_args, ignore_default_args=["--disable-back-forward-cache"])
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    noise.listen(context)
    yield context
    browser.close()


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
def test_a_page_that_comes_back_whole_has_what_was_said_meanwhile_and_goes_on(
    server: Server, keeping: BrowserContext, host_pages: HostPages, ann: Inbox, noise: Noise, is_open: bool
) -> None:
    tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
    for path, title in (("/", "Home"), ("/lamps", "Lamps")):
        host_pages.put(path, f"<h1>{title}</h1><a href='/lamps'>Lamps</a>{tag}")
    page = keeping.new_page()
    vera = Shop(page, host_pages.url).visit("/").open()
    asked, meanwhile, after, thanks = (f"{word} {is_open}" for word in ("Asked", "Meanwhile", "After", "Thanks"))
    vera.say(asked)
    expect(vera.message(asked)).to_have_count(1)
    ann.open(asked)
    if not is_open:
        vera.close_button.click()
    page.evaluate("() => { window.kept = true; }")
    page.get_by_role("link", name="Lamps").click()
    expect(page.get_by_role("heading", name="Lamps")).to_be_visible()
    ann.reply(meanwhile)
    page.evaluate("() => { history.back(); }")  # Playwright's own waits for a load, and there is none
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    assert page.evaluate("window.kept") is True, "it came out of the cache"
    # From here on Playwright sees no frame in the page: what is in it, Ann's inbox and the launcher tell.
    if not is_open:
        expect(vera.launcher).to_have_attribute("aria-label", "Open chat, 1 new message")
        ann.reply(after)
        expect(vera.launcher).to_have_attribute("aria-label", "Open chat, 2 new messages")
        vera.launcher.click()
        state(ann.message(after), "Seen")
    else:
        state(ann.message(meanwhile), "Seen")
        ann.reply(after)
        state(ann.message(after), "Seen")
    box = vera.frame.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] - 30)
    page.keyboard.type(thanks)
    page.keyboard.press("Enter")
    expect(ann.message(thanks)).to_have_count(1)
    assert ann.texts() == [asked, meanwhile, after, thanks]
    assert not noise.heard
