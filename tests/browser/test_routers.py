"""Pages that change without being loaded again: Turbo 8 and htmx boost as published, view transitions, a router of
the page's own, back and forward, three tabs. One launcher, one talk, nothing lost and nothing doubled."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Server
from pages import HostPages, Inbox, Noise, Shop
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.xdist_group("routers")
TURBO = Path(__file__).parent / "turbo-8.0.23.js"  # @hotwired/turbo 8.0.23, dist/turbo.es2017-umd.js
DIGEST = "2ePXINFSJiSCWUJkjFJGYdr2kyM132s7uBi9k+JISp4P+AjN9DXn4H/1enWEHu36"
HTMX = ROOT / "static/vendor/htmx-4.0.1.min.js"
LINKS = '<nav><a href="/">Home</a> <a href="/lamps">Lamps</a></nav>'
VIEWS = "<style>@view-transition { navigation: auto; }</style>"


def publish(host: HostPages, server: Server, head: str = "", body: str = "", *, in_body: bool = False) -> None:
    """A site of two pages, each with the tag."""
    host.pages["/turbo.js"], host.pages["/htmx.js"] = ({}, TURBO.read_text()), ({}, HTMX.read_text())
    tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
    for path, title in (("/", "Home"), ("/lamps", "Lamps")):
        above, below = ("", tag) if in_body else (tag, "")
        html = f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>{head}{above}</head>"
        host.pages[path] = {}, f"{html}<body {body}>{LINKS}<h1>{title}</h1>{below}</body></html>"


def go(page: Page, to: str) -> None:
    page.get_by_role("link", name=to, exact=True).click()
    expect(page.get_by_role("heading", name=to, exact=True)).to_be_visible()
    expect(page.locator("html[aria-busy]")).to_have_count(0)  # Turbo is logged for aborting, when one goes on sooner


def write(shop: Shop, words: str) -> None:
    """By the keyboard: Chromium loses a click into a frame that was moved to another page a moment ago."""
    shop.box.fill(words)
    shop.box.press("Enter")
    expect(shop.message(words)).to_have_count(1)


def alone(page: Page) -> None:
    """There is one launcher, whatever came by."""
    assert page.locator("porchlight-chat").count() == 1


def test_turbo_is_the_published_one() -> None:
    assert base64.b64encode(hashlib.sha384(TURBO.read_bytes()).digest()).decode() == DIGEST


@pytest.mark.parametrize("in_body", [False, True], ids=["tag in the head", "tag in the body"])
@pytest.mark.parametrize("router", ["turbo", "htmx"])
def test_an_open_talk_goes_on_while_pages_are_swapped(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise, router: str, in_body: bool
) -> None:
    boost = 'hx-boost:inherited="true"' if router == "htmx" else ""
    publish(host_pages, server, f'<script src="/{router}.js" defer></script>', boost, in_body=in_body)
    page = contexts().new_page()
    shop = Shop(page, host_pages.url).visit("/")
    page.evaluate("() => { window.sameDocument = true; window.heard = []; }")
    page.evaluate("() => { Porchlight.on('message', () => heard.push('message')); }")
    words = f"By {router} {in_body}"
    write(shop.open(), words)
    shop.box.fill("half a sent")
    for to in ("Lamps", "Home", "Lamps"):
        go(page, to)
    page.go_back()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    assert page.evaluate("window.sameDocument") is True
    alone(page)
    expect(shop.box).to_have_value("half a sent")
    expect(shop.message(words)).to_have_count(1)
    ann.open(words)
    go(page, "Lamps")
    expect(ann.page.get_by_role("complementary").get_by_role("link", name="Lamps", exact=True)).to_be_visible()
    ann.reply(f"Seen on your way ({words})")
    expect(shop.message(f"Seen on your way ({words})")).to_have_count(1)
    assert len(shop.texts()) == len(set(shop.texts()))
    shop.close_button.click()
    ann.reply(f"And one more ({words})")
    expect(shop.launcher).to_have_attribute("aria-label", "Open chat, 1 new message")
    assert page.evaluate("heard") == ["message"]
    go(page, "Home")
    expect(shop.launcher).to_have_attribute("aria-label", "Open chat, 1 new message")
    alone(page)
    assert not noise.heard


def test_a_view_transition_between_documents_brings_the_open_chat_back(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    publish(host_pages, server, VIEWS)
    page = contexts().new_page()
    shop = Shop(page, host_pages.url).visit("/")
    write(shop.open(), "Before the transition")
    go(page, "Lamps")
    expect(shop.message("Before the transition")).to_have_count(1)
    alone(page)
    write(shop, "After it")
    expect(shop.message("After it")).to_have_count(1)
    assert not noise.heard


def test_a_view_transition_within_a_document_and_a_router_of_ones_own(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    publish(host_pages, server)
    page = contexts().new_page()
    shop = Shop(page, host_pages.url).visit("/")
    write(shop.open(), "A page of one's own making")
    ann.open("A page of one's own making")
    page.evaluate(
        """() => document.startViewTransition(() => {
          history.pushState({}, '', '/pay');
          document.body.innerHTML = '<h1>Checkout</h1>';
          setTimeout(() => { document.title = 'Checkout'; }, 100); // as routers do: the address first
        }).finished"""
    )
    expect(ann.page.get_by_role("complementary").get_by_role("link", name="Checkout", exact=True)).to_be_visible()
    alone(page)
    expect(shop.message("A page of one's own making")).to_have_count(1)
    assert not noise.heard


def test_back_and_forward_keep_one_live_talk(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    publish(host_pages, server)
    page = contexts().new_page()
    shop = Shop(page, host_pages.url).visit("/")
    write(shop.open(), "Before I go")
    ann.open("Before I go")
    go(page, "Lamps")
    ann.reply("While you were on another page")
    page.go_back()
    expect(page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    expect(shop.message("While you were on another page")).to_have_count(1)
    alone(page)
    ann.reply("And live again")
    expect(shop.message("And live again")).to_have_count(1)
    page.go_forward()
    expect(shop.message("And live again")).to_have_count(1)
    assert len(shop.texts()) == len(set(shop.texts()))
    assert not noise.heard


def test_three_tabs_of_one_visitor_are_one_talk(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    publish(host_pages, server)
    context = contexts()
    tabs = [Shop(context.new_page(), host_pages.url).visit("/") for _ in range(3)]
    for tab, words in zip(tabs, ("From the first tab", "From the second tab"), strict=False):
        tab.page.bring_to_front()
        write(tab.open(), words)
    for tab in tabs[:2]:
        expect(tab.message("From the first tab")).to_have_count(1)
        expect(tab.message("From the second tab")).to_have_count(1)
    tabs[0].close_button.click()
    tabs[1].close_button.click()
    tabs[2].page.bring_to_front()
    ann.open("From the second tab")
    ann.reply("To all of you")
    for tab in tabs[:2]:
        expect(tab.launcher).to_have_attribute("aria-label", "Open chat, 1 new message")
    tabs[0].open()
    expect(tabs[0].message("To all of you")).to_have_count(1)
    expect(tabs[1].launcher).to_have_attribute("aria-label", "Open chat")
    tabs[2].open()
    expect(tabs[2].message("To all of you")).to_have_count(1)
    assert len(tabs[2].texts()) == len(set(tabs[2].texts())) == 3
    assert not noise.heard
