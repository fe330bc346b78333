"""Visits in a real browser: one beacon when idle, one when left, none before consent, and none by default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cast import Owner
from feed import eventually
from harness import Server
from pages import HostPages, Noise
from playwright.sync_api import Page, Request

pytestmark = pytest.mark.xdist_group("quiet")


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Owner]]:
    """A server whose site counts who is there."""
    with Server(tmp_path_factory.mktemp("visits"), HOST=None) as server:
        ann = Owner(server.url).arrive()
        csrf = ann.page("/inbox/sites/main/privacy").first("input", name="csrf").attrs["value"]
        ann.http.post("/inbox/sites/main/privacy", data={"csrf": csrf, "visits": "on"}, headers=ann.auth())
        yield server, ann


def arrive(page: Page, server: Server, host_pages: HostPages, more: str = "") -> list[Request]:
    """Open the shop from a search, with a secret in both addresses; what the page asks the chat for."""
    asked: list[Request] = []
    chat = f"http://localhost:{server.port}"
    page.on("request", lambda request: asked.append(request) if request.url.startswith(chat) else None)
    host_pages.put("/search", '<a href="/lamps?secret=2#more">lamps</a>', Referrer_Policy="unsafe-url")
    host_pages.put("/lamps", f'<h1>Lamps</h1><script async src="{chat}/w/main.js"{more}></script>')
    page.goto(host_pages.url + "/search?secret=1")
    page.get_by_role("link", name="lamps").click()
    page.wait_for_timeout(2500)
    return asked


def test_one_beacon_says_that_the_page_is_open_and_one_that_it_was_left(
    counting: tuple[Server, Owner], contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    server, ann = counting
    page = contexts().new_page()
    asked = arrive(page, server, host_pages)
    assert [(each.method, each.url.partition(str(server.port))[2]) for each in asked] == [
        ("GET", "/w/main.js"),
        ("POST", "/visits/main"),
    ]
    told = asked[1].post_data or ""
    assert told.endswith(f",,/lamps,{host_pages.url}/search") and "secret" not in told
    assert "cookie" not in asked[1].all_headers()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert "1 person is on your site now." in ann.http.get("/inbox/sites/main/visits").text
    page.goto("about:blank")
    eventually(lambda: "0 people are on your site now." in ann.http.get("/inbox/sites/main/visits").text)
    assert not noise.heard


def test_nothing_is_told_before_consent_and_once_after_it(
    counting: tuple[Server, Owner], contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    asked = arrive(page, counting[0], host_pages, ' data-consent="wait"')
    assert [each.method for each in asked] == ["GET"]
    page.evaluate("Porchlight.consent(true)")
    eventually(lambda: [each.method for each in asked] == ["GET", "POST"] or page.wait_for_timeout(50))


@pytest.mark.parametrize("name", ["doNotTrack", "globalPrivacyControl"])
def test_a_browser_that_asks_not_to_be_followed_tells_nothing(
    counting: tuple[Server, Owner], contexts: Any, host_pages: HostPages, name: str
) -> None:
    page = contexts().new_page()
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{name}', {{ get: () => '1' }})")
    assert [each.method for each in arrive(page, counting[0], host_pages)] == ["GET"]
    page.goto("about:blank")


def test_by_default_a_page_makes_one_request_and_none_when_it_is_left(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    asked = arrive(page, server, host_pages)
    page.goto("about:blank")
    assert [each.method for each in asked] == ["GET"]
