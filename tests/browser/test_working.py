"""Proof of work in a real browser: the message waits a moment and goes by itself, once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Server
from pages import Chat, Shop, state
from playwright.sync_api import Page, expect
from strangers import stranger

pytestmark = pytest.mark.xdist_group("proof")
MOMENT = "One moment: we make sure that this is not a flood of messages."


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server at which strangers go on beginning conversations, without computing."""
    with Server(tmp_path_factory.mktemp("flooded"), CHAT_LIMITS="on", CHAT_PROXY="1", HOST=None) as server:
        over, held = threading.Event(), threading.Event()

        def flood() -> None:
            with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as line:
                number = 0
                while not over.wait(0.2 if held.is_set() else 0):
                    number += 1
                    if stranger(line, number) == 429:
                        held.set()

        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(flood)
            assert held.wait(60)
            yield server
            over.set()
            work.result(10)


def watch(page: Page) -> list[str]:
    """All that is said in the composer's status."""
    page.add_init_script("""
      window.said = [];
      addEventListener('DOMContentLoaded', () => {
        const status = document.getElementById('connection');
        const note = () => window.said.push(status.textContent);
        if (status) new MutationObserver(note).observe(status, { childList: true });
      });""")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(re.sub(r"^\w+://[^/]+", "", request.url)))
    return asked


def test_a_first_message_under_load_is_proven_and_sent_once_without_being_typed_again(
    flooded: Server, contexts: Any
) -> None:
    page = contexts().new_page()
    asked = watch(page)
    shop = Shop(page, f"http://127.0.0.1:{flooded.port}").visit().open()
    assert "/static/proof.now.js" not in asked
    shop.say("I am no flood")
    shop.box.fill("a second thought")
    shop.button.click()
    state(shop.message("I am no flood"), "Sent")
    state(shop.message("a second thought"), "Sent")
    frame = next(frame for frame in page.frames if "/w/main" in frame.url)
    assert MOMENT in frame.evaluate("window.said")
    expect(shop.place.locator("#connection")).to_have_text("")
    assert shop.texts() == ["I am no flood", "a second thought"]
    assert asked.count("/static/proof.now.js") == 1 and asked.count("/w/main/messages") == 3
    shop.say("and now I am known")
    state(shop.message("and now I am known"), "Sent")
    assert asked.count("/w/main/messages") == 4


def test_it_takes_a_moment_of_a_worker_and_not_of_the_page(flooded: Server, contexts: Any) -> None:
    page = contexts().new_page()
    watch(page)
    page.goto(f"http://localhost:{flooded.port}/c/main")
    chat = Chat(page)
    took = page.evaluate("""async () => {
      const salt = 'a'.repeat(24) + '?expires=1999999999&site=main&visitor=' + 'b'.repeat(32) + '&most=100000&';
      const found = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(salt + '50000'));
      const challenge = [...new Uint8Array(found)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      const worker = new Worker('/static/solver.now.js'), began = performance.now();
      const said = await new Promise((done) => {
        worker.onmessage = ({ data }) => done(JSON.parse(atob(data)));
        const asked = { algorithm: 'SHA-256', challenge, salt, signature: 's', maxNumber: 100000 };
        worker.postMessage(JSON.stringify(asked));
      });
      return [said.number, performance.now() - began];
    }""")
    print(f"50,000 tries took {took[1]:.0f} ms")
    assert took[0] == 50_000 and took[1] < 5000
    chat.say("on the page of its own")
    state(chat.message("on the page of its own"), "Sent")
