"""From the page "Install" to a site with the tag: it says so by itself; a page that may not show it says why."""

from __future__ import annotations

from typing import Any

import pytest
from cast import Owner
from harness import Server
from pages import HostPages, Inbox, Noise, Shop
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("installing")


def change(server: Server, which: str, **fields: str) -> None:
    """Something about a site, set on its page."""
    ann = Owner(server.url).arrive()
    csrf = ann.page("/inbox/sites").first("input", name="csrf").attrs["value"]
    ann.http.post(f"/inbox/sites/{which}".rstrip("/"), data={"csrf": csrf, **fields}, headers=ann.auth())


def tag(server: Server, key: str = "main") -> str:
    return f'<h1>Shop</h1><script async src="http://localhost:{server.port}/w/{key}.js"></script>'


def test_the_page_says_by_itself_that_the_tag_works(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    ann.page.goto(f"{ann.url}/inbox/sites/main/install")
    expect(ann.page.get_by_text("Not seen yet")).to_be_visible()
    shown = ann.page.locator("#tag").inner_text()
    host_pages.put("/", f"<h1>Shop</h1>{shown}")
    Shop(contexts().new_page(), host_pages.url).visit("/")
    expect(ann.page.get_by_text("The tag works")).to_be_visible()
    expect(ann.page.get_by_role("status")).to_contain_text(host_pages.url)
    assert not noise.heard


def test_the_tag_is_copied_by_a_button(contexts: Any, server: Server) -> None:
    context = contexts(permissions=["clipboard-read", "clipboard-write"])
    ann = Inbox(context.new_page(), f"http://localhost:{server.port}").sign_in()
    ann.page.goto(f"{ann.url}/inbox/sites/main/install")
    ann.page.get_by_role("button", name="Copy the tag").click()
    expect(ann.page.get_by_role("button", name="Copied")).to_be_visible()
    copied = ann.page.evaluate("navigator.clipboard.readText()")
    assert copied == f'<script async src="http://localhost:{server.port}/w/main.js"></script>'


def test_a_page_that_is_not_allowed_shows_nothing_and_says_why_on_the_console(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    change(server, "", name="Elsewhere", key="elsewhere")
    change(server, "elsewhere", name="Elsewhere", domains="shop.example")
    page = contexts().new_page()
    page.goto(host_pages.put("/", tag(server, "elsewhere")), wait_until="networkidle")
    expect(page.get_by_role("button")).to_have_count(0)
    assert len(noise.heard) == 1 and "is not among the domains of the site" in noise.heard[0]
    change(server, "elsewhere", name="Elsewhere", domains=host_pages.url)
    vera = Shop(contexts().new_page(), host_pages.url).visit("/").open()
    vera.say("Now it may")
    assert len(noise.heard) == 1


def test_a_removed_site_breaks_no_page_and_says_so_on_the_console(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    change(server, "", name="Gone", key="gone")
    change(server, "gone", remove="1")
    page = contexts().new_page()
    page.goto(host_pages.put("/", tag(server, "gone")), wait_until="networkidle")
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    assert len(noise.heard) == 1 and "was removed" in noise.heard[0]


def test_of_two_sites_tags_on_one_page_the_first_one_counts(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    change(server, "", name="Second", key="second")
    second = f'<script src="http://localhost:{server.port}/w/second.js"></script>'
    host_pages.put("/", second + tag(server))
    vera = Shop(contexts().new_page(), host_pages.url).visit("/").open()
    expect(vera.launcher).to_have_count(1)
    expect(vera.place.get_by_role("heading", name="Second")).to_be_visible()
    assert not noise.heard
