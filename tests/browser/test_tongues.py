"""Languages in a real browser: the tag, the page and the browser choose, in that order; right to left mirrors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import Server
from pages import HostPages, Inbox, Noise
from playwright.sync_api import FrameLocator, Page, expect

from chat import languages

pytestmark = pytest.mark.xdist_group("tongues")


def said(lang: str, sentence: str) -> str:
    with languages.speaking(lang):
        return languages.gettext(sentence)


def visit(host: HostPages, server: Server, page: Page, lang: str, tag: str = "") -> FrameLocator:
    """A customer's page in that language."""
    host.put("/", f'<h1>A shop</h1><script async src="http://localhost:{server.port}/w/main.js"{tag}></script>')
    headers, html = host.pages["/"]
    host.pages["/"] = headers, html.replace("lang=en", f'lang="{lang}"')
    page.goto(host.url)
    return page.frame_locator("porchlight-chat iframe")


def open_chat(page: Page) -> None:
    page.locator("porchlight-chat button").click()


@pytest.mark.parametrize(
    ("lang", "tag", "locale", "spoken"),
    [
        ("de", "", "en-GB", "de"),
        ("en", ' data-lang="he"', "en-GB", "he"),
        ("", "", "ja-JP", "ja"),
        ("tlh", "", "fr-CA", "fr"),
    ],
)
def test_the_tag_comes_before_the_page_and_the_page_before_the_browser(
    server: Server, contexts: Any, host_pages: HostPages, lang: str, tag: str, locale: str, spoken: str
) -> None:
    page = contexts(locale=locale).new_page()
    frame = visit(host_pages, server, page, lang, tag)
    open_chat(page)
    root = frame.locator("html")
    expect(root).to_have_attribute("lang", spoken)
    expect(frame.get_by_role("button", name=said(spoken, "Send"), exact=True)).to_be_visible()
    assert root.evaluate("getComputedStyle(document.body).direction") == ("rtl" if spoken == "he" else "ltr")
    name = page.locator("porchlight-chat button")  # from the frame, once it has spoken
    expect(name).to_have_attribute("aria-label", said(spoken, "Open chat"))


@pytest.mark.parametrize("lang", ["pl", "ar"])
def test_a_talk_in_another_language_live_and_after_a_reload(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise, lang: str
) -> None:
    page = contexts().new_page()
    frame = visit(host_pages, server, page, lang)
    open_chat(page)
    box = frame.get_by_role("textbox", name=said(lang, "Message"), exact=True)
    box.fill(f"Is it open on Friday? ({lang})")
    box.press("Enter")
    mine = frame.locator(".message[data-by=visitor]")
    expect(mine.locator(".author")).to_have_text(said(lang, "You"))
    ann.open(f"Is it open on Friday? ({lang})")
    expect(mine.locator(".state")).to_have_text(said(lang, "Seen"))
    frame.get_by_role("button", name=said(lang, "Close chat"), exact=True).click()
    for number, answer in enumerate(("Yes.", "Until six."), 1):
        ann.reply(answer)
        expect(page.locator("porchlight-chat button")).to_have_attribute("aria-label", _shown(lang, number, page))
    open_chat(page)
    ann.page.get_by_role("button", name="Close conversation").click()
    closed = said(lang, "Write to open it again.")
    expect(frame.locator(".line").filter(has_text=closed)).to_be_visible()
    live = frame.locator("#log").inner_text()
    page.reload()
    expect(frame.locator(".line").filter(has_text=closed)).to_be_visible()
    assert frame.locator("#log").inner_text() == live
    assert not noise.heard


def _shown(lang: str, number: int, page: Page) -> str:
    """The launcher's name with that many new messages, in the digits that the browser writes in that language."""
    digits = page.evaluate("([n, lang]) => n.toLocaleString(lang)", [number, lang])
    with languages.speaking(lang):
        form = languages.ngettext("Open chat, {n} new message", "Open chat, {n} new messages", number)
    return form.replace("{n}", digits)


def test_the_pages_code_changes_the_language_of_an_open_chat(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    frame = visit(host_pages, server, page, "en")
    open_chat(page)
    frame.get_by_role("textbox", name="Message", exact=True).fill("Bonjour")
    frame.get_by_role("button", name="Send", exact=True).click()
    expect(frame.locator(".state")).to_have_text("Sent")
    page.evaluate("Porchlight.setLocale('fr')")
    expect(frame.locator("html")).to_have_attribute("lang", "fr")
    expect(frame.locator(".message .body")).to_have_text("Bonjour")
    expect(frame.locator(".message .author")).to_have_text(said("fr", "You"))


def test_each_language_fits_a_small_phone(server: Server, contexts: Any) -> None:
    page = contexts(viewport={"width": 320, "height": 568}).new_page()
    wide = []
    for lang in languages.NAMES:
        page.goto(f"http://localhost:{server.port}/c/main?lang={lang}")
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            wide.append(lang)
        words = json.loads(page.locator("#words").get_attribute("content") or "")
        assert set(words["unread"]) >= {"other"} or lang in ("pl", "ru", "uk")
    assert not wide
