"""Before the visitor acts the host page pays nothing: one request, nothing stored, nothing sent, nothing shifted."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Server
from network import TcpProxy
from pages import Chat, HostPages, Noise, Shop, state
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.xdist_group("quiet")
WATCH = """
  window.shifts = []; window.tasks = [];
  const watch = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note))
    .observe({ type, buffered: true });
  watch('layout-shift', (entry) => window.shifts.push(entry.value));
  watch('longtask', (entry) => window.tasks.push(entry.duration));
"""
STORED = "() => [localStorage.length, sessionStorage.length, document.cookie, (navigator.serviceWorker && 0)]"


def visit_plain_page(server: Server, host_pages: HostPages, page: Page) -> tuple[Shop, list[str]]:
    """A customer's page with nothing on it but text and the tag; and what it asked the chat for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(f"http://localhost:{server.port}")))
    text = "<h1>A shop</h1>" + "<p>Some words about lamps.</p>" * 40
    host_pages.put("/", f'{text}<script async src="http://localhost:{server.port}/w/main.js"></script>')
    shop = Shop(page, host_pages.url).visit("/")
    page.wait_for_timeout(2500)
    return shop, [path for path in asked if not path.startswith(host_pages.url)]


def test_until_opened_a_page_makes_one_request_and_nothing_is_stored_or_shifted(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    page = contexts().new_page()
    page.add_init_script(WATCH)
    shop, asked = visit_plain_page(server, host_pages, page)
    assert asked == ["/w/main.js"]
    assert page.evaluate(STORED) == [0, 0, "", 0] and not page.context.cookies()
    assert page.evaluate("window.shifts") == []
    print(f"long tasks before opening: {page.evaluate('window.tasks')}")
    assert len(page.frames) == 1 and not noise.heard
    assert shop.page.evaluate("Object.keys(window).filter((name) => /porch|chat|htmx/i.test(name))") == ["Porchlight"]


def test_opening_and_closing_alone_keep_nothing_beyond_the_tab(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    shop, _ = visit_plain_page(server, host_pages, page)
    shop.open()
    shop.box.fill("a draft is no act")
    page.wait_for_timeout(1000)
    shop.close_button.click()
    page.wait_for_timeout(500)
    assert page.evaluate("localStorage.length") == 0 and not page.context.cookies()
    inner = next(frame for frame in page.frames if "/w/main" in frame.url)
    assert inner.evaluate("localStorage.length") == 0
    assert {cookie for frame in page.frames for cookie in [frame.evaluate("document.cookie")]} == {""}


def test_after_the_act_the_identity_is_kept_by_the_host_page_and_never_in_an_address(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shop, _ = visit_plain_page(server, host_pages, page)
    shop.open().say("Now I act")
    state(shop.message("Now I act"), "Sent")
    kept = page.evaluate("JSON.stringify(Object.entries(localStorage))")
    assert len(kept) > 40
    secrets = [part for part in kept.replace("\\", "").split('"') if len(part) >= 40]
    assert secrets and not [url for url in asked for secret in secrets if secret in url]
    assert all(url.startswith((host_pages.url, f"http://localhost:{server.port}/")) for url in asked), (
        "asked a third party"
    )


def test_what_opening_costs_on_the_wire(server: Server, contexts: Any, host_pages: HostPages) -> None:
    with TcpProxy(server.port) as wire:
        host_pages.put("/", f'<h1>A shop</h1><script async src="http://localhost:{wire.port}/w/main.js"></script>')
        shop = Shop(contexts().new_page(), host_pages.url).visit("/")
        shop.page.wait_for_timeout(1500)
        before = wire.received
        shop.open()
        shop.page.wait_for_timeout(1500)
        opening = wire.received - before
        print(f"bytes on the wire: {before} before opening, {opening} for opening")
        assert 0 < before <= 5000 and 0 < opening <= 24_000


@pytest.mark.parametrize("path", ["/demo", "/c/main", "/w/main", "/inbox/login", "/inbox", "/nothing/here"])
def test_every_page_has_an_icon_a_title_and_a_language_and_logs_nothing(
    server: Server, contexts: Any, noise: Noise, path: str
) -> None:
    page = contexts().new_page()
    page.goto(f"http://localhost:{server.port}{path}")
    page.wait_for_timeout(500)
    assert page.locator("link[rel~=icon]").count() >= 1
    assert page.title() and page.locator("html").get_attribute("lang")
    heard = [line for line in noise.heard if not (path == "/nothing/here" and "404" in line)]
    assert not heard


def test_every_link_of_the_demo_shop_works_and_has_the_widget(server: Server, contexts: Any, noise: Noise) -> None:
    page = contexts().new_page()
    shop = Shop(page, f"http://127.0.0.1:{server.port}").visit()
    links = set(page.evaluate("[...document.links].map(a => a.href.split('#')[0]).filter(h => h.includes('/demo'))"))
    assert links
    for link in sorted(links):
        answer = page.goto(link)
        assert answer and answer.status == 200
        expect(shop.launcher).to_be_visible()
    assert not noise.heard


def test_on_a_phone_the_widget_fills_the_screen_and_gives_it_back(server: Server, contexts: Any) -> None:
    context = contexts(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2)
    shop = Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit()
    shop.launcher.tap()
    expect(shop.box).to_be_visible()
    box = shop.frame.bounding_box()
    assert box and (box["width"], box["height"]) == (390, 844)
    assert shop.box.evaluate("node => parseFloat(getComputedStyle(node).fontSize)") >= 16, "iOS would zoom"
    assert shop.place.locator("html").evaluate("node => node.scrollWidth <= node.clientWidth"), "scrolls sideways"
    shop.close_button.tap()
    expect(shop.launcher).to_be_visible()
    small = contexts(viewport={"width": 320, "height": 560}).new_page()
    small.goto(f"http://127.0.0.1:{server.port}/c/main")
    expect(Chat(small).box).to_be_visible()
    assert small.evaluate("document.documentElement.scrollWidth <= innerWidth")
