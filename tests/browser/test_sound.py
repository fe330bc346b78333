"""The visitor's bell: off unless the page wants it, and never for what is being looked at."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cast import Owner
from harness import Server
from pages import HostPages, Shop, state
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.xdist_group("sound")
RINGS = """
  window.rings = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) { window.rings += 1; return start.call(this, at); };
  const resume = AudioContext.prototype.resume;
  AudioContext.prototype.resume = function () { window.sound = this; return resume.call(this); };
"""


def shop(server: Server, host_pages: HostPages, page: Page, tag: str) -> Shop:
    """A customer's page with that tag, on which somebody has spoken and closed the chat."""
    page.add_init_script(RINGS)
    host_pages.put("/", f'<h1>A shop</h1><script async src="http://localhost:{server.port}/w/main.js"{tag}></script>')
    there = Shop(page, host_pages.url).visit("/").open()
    there.say("do you ring?")
    state(there.message("do you ring?"), "Sent")
    there.close_button.click()
    expect(there.frame).to_be_hidden()
    return there


def touch(page: Page) -> None:
    """A gesture, after which the browser lets the page sound: on a busy machine it takes its time for that."""
    page.locator("h1").click()
    page.wait_for_function("window.sound?.state === 'running'")


def answer(server: Server, body: str) -> None:
    ann = Owner(f"http://localhost:{server.port}").arrive()
    last = ann.page().all(cls="row")[0].first("a").attrs["href"]
    ann.reply(last, body)


def named(there: Shop, count: int) -> None:
    words = f"Open chat, {count} new message{'s' if count > 1 else ''}"
    expect(there.launcher).to_have_accessible_name(words)
    expect(there.page.locator("porchlight-chat b")).to_have_text(str(count))


def test_it_rings_for_an_answer_that_nobody_looks_at_and_only_then(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    page = contexts().new_page()
    there = shop(server, host_pages, page, ' data-sound="on"')
    touch(page)
    answer(server, "yes, softly")
    named(there, 1)
    page.wait_for_function("window.rings === 2")  # two strokes; of several tabs one rings, which takes a lock
    there.launcher.click()
    expect(there.launcher).to_have_accessible_name(re.compile("^Open chat$"))
    answer(server, "not while you look")
    expect(there.message("not while you look")).to_be_visible()
    assert page.evaluate("window.rings") == 2


def test_it_is_silent_by_default_and_obeys_the_page(server: Server, contexts: Any, host_pages: HostPages) -> None:
    page = contexts().new_page()
    there = shop(server, host_pages, page, "")
    page.locator("h1").click()
    heard = page.evaluate("(window.counts = [], Porchlight.on('unread', (count) => counts.push(count)), counts)")
    answer(server, "silently")
    named(there, 1)
    assert page.evaluate("window.rings") == 0
    page.evaluate("Porchlight.push(['sound', true])")
    touch(page)
    answer(server, "and now")
    named(there, 2)
    page.wait_for_function("window.rings === 2")
    assert page.evaluate("[window.rings, ...window.counts]") == [2, 1, 2] and heard == []
