"""The first minutes of an owner: the set-up link, a password, an empty inbox that says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
from harness import PASSWORD, Server
from pages import Inbox, Noise, Shop
from playwright.sync_api import expect


def test_from_the_printed_link_to_the_first_message(tmp_path: Path, contexts: Any, noise: Noise) -> None:
    with Server(tmp_path, HOST=None, CHAT_OWNER_EMAIL=None, CHAT_OWNER_PASSWORD=None) as server:
        (link,) = re.findall(r"http://\S+/inbox/setup/\S+", server.output)
        assert f"http://localhost:{server.port}/demo" in server.output
        tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
        assert tag in server.output
        page = contexts().new_page()
        page.goto(link)
        page.get_by_role("textbox", name=re.compile("name", re.I)).fill("Ann")
        page.get_by_role("textbox", name="Email", exact=True).fill("ann@example.com")
        page.get_by_label("Password", exact=True).fill("short")
        page.locator("button[type=submit]").click()
        expect(page).to_have_url(link)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.locator("button[type=submit]").click()
        expect(page).to_have_url(re.compile(r"/inbox$"))
        expect(page.get_by_text(tag)).to_be_visible()
        expect(page.get_by_role("link", name=re.compile("demo", re.I))).to_be_visible()
        ann = Inbox(page, f"http://localhost:{server.port}")
        vera = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
        vera.say("The very first message")
        ann.open("The very first message")
        ann.reply("Welcome")
        expect(vera.message("Welcome")).to_be_visible()
        assert not noise.heard
        used = httpx.get(link, trust_env=False)
        assert used.status_code in (302, 303, 404, 410)
        ann.page.context.clear_cookies()
        Inbox(page, ann.url).sign_in()


def test_signing_out_leads_to_the_login_and_an_old_page_says_so(tmp_path: Path, contexts: Any) -> None:
    with Server(tmp_path, HOST=None) as server:
        context = contexts()
        first = Inbox(context.new_page(), f"http://localhost:{server.port}").sign_in()
        second = context.new_page()
        second.goto(f"{first.url}/inbox")
        first.page.get_by_role("button", name="Sign out", exact=True).click()
        expect(first.page).to_have_url(re.compile("/inbox/login"))
        expect(second).to_have_url(re.compile("/inbox/login"))
