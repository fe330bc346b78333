"""The page about the server without scripts, on a phone, with something wrong to tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness import EMAIL, PASSWORD, Server
from network import Nginx
from pages import Inbox, Noise
from playwright.sync_api import expect


class Bare(Nginx):
    """nginx with nothing but the address in its `location`."""

    def _site(self) -> str:
        return re.sub(r"proxy_(?!pass)\w+ [^;]+;", "", super()._site())


def test_it_works_without_scripts_on_a_phone_and_shows_the_lines_to_add(
    tmp_path: Path, contexts: Any, noise: Noise
) -> None:
    server = Server(tmp_path)
    nginx = Bare(tmp_path, server.port)
    server.settings["CHAT_URL"] = nginx.url
    with server, nginx:
        page = contexts(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
        page.goto(f"{server.url}/inbox/server")
        page.get_by_label("Email", exact=True).fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("button", name="Look at everything", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"^\d problems, 1 warning"))
        rows = page.get_by_role("list", name="What was looked at").get_by_role("listitem")
        expect(rows.filter(has_text="WebSocket").filter(has_text="proxy_http_version 1.1;")).to_be_visible()
        expect(rows.filter(has_text="Held back").filter(has_text="proxy_buffering off;")).to_be_visible()
        for row in rows.all():
            box = row.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390, "it is wider than the phone"
    assert not noise.heard


def test_a_phone_with_an_empty_inbox_has_the_way_to_it_too(tmp_path: Path, contexts: Any) -> None:
    with Server(tmp_path) as server:
        page = contexts(viewport={"width": 390, "height": 844}).new_page()
        Inbox(page, server.url).sign_in()
        expect(page.get_by_role("heading", name="The light is on")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_in_viewport()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("link", name="This server").click()
        expect(page.get_by_role("heading", name="This server")).to_be_visible()
