"""Loader and static files from a CDN: an nginx that keeps them, on an origin of its own, and carries nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import dom
import httpx
import pytest
from cast import Owner
from harness import Server
from network import Edge
from pages import HostPages, Inbox, Noise, Shop
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.xdist_group("cdn")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Server]]:
    server = Server(tmp_path_factory.mktemp("server"), HOST=None)
    server.settings["CHAT_URL"] = f"http://localhost:{server.port}"
    with Edge(tmp_path_factory.mktemp("edge"), server.port) as kept:
        server.settings["CHAT_STATIC_URL"] = kept.url
        with server:
            yield kept, server


def asked(page: Page) -> list[str]:
    """Every address that the page and its frames ask for."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url))
    return found


def test_a_talk_with_everything_that_can_be_kept_from_the_cdn(
    edge: tuple[Edge, Server], contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    cdn, server = edge
    ann = Owner(server.url).arrive()
    tag = ann.page("/inbox/sites/main/install").first(id="tag").text
    assert tag == f'<script async src="{cdn.url}/w/main.js"></script>'
    host_pages.put("/", f"<h1>Shop</h1>{tag}")
    page = contexts().new_page()
    found = asked(page)
    vera = Shop(page, host_pages.url).visit("/").open()
    vera.say("From far away")
    expect(vera.message("From far away")).to_contain_text("Sent")
    page.evaluate("() => { Porchlight.setAttributes({ plan: 'gold' }) }")  # fetches a module, for which CORS holds
    expect(vera.log).to_contain_text("From far away")
    thread = ann.conversation("From far away")
    ann.reply(thread, "Near enough")
    expect(vera.log).to_contain_text("Near enough")
    files = [url for url in found if "/static/" in url or url.endswith("/w/main.js")]
    assert len(files) >= 3 and all(url.startswith(cdn.url) for url in files), files
    assert not [url for url in found if url.startswith(cdn.url) and url not in files]
    assert not noise.heard


def test_the_inbox_works_from_there_too(edge: tuple[Edge, Server], contexts: Any, noise: Noise) -> None:
    cdn, server = edge
    page = contexts().new_page()
    found = asked(page)
    ann = Inbox(page, f"http://localhost:{server.port}").sign_in()
    for path in ("", "/alerts", "/sites/main/appearance", "/sites/main/install"):
        page.goto(f"{ann.url}/inbox{path}", wait_until="networkidle")
    files = [url for url in found if "/static/" in url]
    assert len(files) > 4 and all(url.startswith(cdn.url) for url in files)
    assert not noise.heard


def test_a_shim_from_there_finds_the_chat(edge: tuple[Edge, Server], contexts: Any, host_pages: HostPages) -> None:
    cdn, server = edge
    told = '<script>window.$crisp = []; window.CRISP_WEBSITE_ID = "main";</script>'
    host_pages.put("/shim", f'<h1>Shop</h1>{told}<script src="{cdn.url}/shim/crisp.js"></script>')
    vera = Shop(contexts().new_page(), host_pages.url).visit("/shim").open()
    assert f"localhost:{server.port}" in str(vera.frame.get_attribute("src"))


def test_what_is_kept_and_for_how_long(edge: tuple[Edge, Server]) -> None:
    cdn, server = edge
    with httpx.Client(trust_env=False) as http:
        loader = [http.get(f"{cdn.url}/w/main.js") for _ in range(2)]
        assert {answer.headers["Cache-Control"] for answer in loader} == {
            "public, max-age=300, s-maxage=60, stale-while-revalidate=86400"
        }
        assert loader[1].headers["X-Kept"] == "HIT" and "Set-Cookie" not in loader[1].headers
        assert f'"http://localhost:{server.port}"' in loader[1].text
        page = dom.parse(http.get(f"{server.url}/w/main").text)
        sheet = page.first("link", rel="stylesheet").attrs["href"]
        kept = [http.get(sheet) for _ in range(2)][1]
        assert (
            sheet.startswith(cdn.url)
            and kept.headers["X-Kept"] == "HIT"
            and "immutable" in kept.headers["Cache-Control"]
        )
        policy = http.get(f"{server.url}/w/main").headers["Content-Security-Policy"]
        assert re.search(f"script-src 'self' {cdn.url};", policy) and "connect-src 'self';" in policy
        assert http.get(f"{cdn.url}/w/main").status_code == 410, "the chat itself never comes from there"
