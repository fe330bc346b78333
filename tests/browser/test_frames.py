"""The widget in other people's pages: a strict policy, a raw frame, refused storage, no JavaScript."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from cast import Visitor
from harness import Server
from network import TcpProxy
from pages import Chat, HostPages, Inbox, Noise, Shop, state
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = pytest.mark.xdist_group("frames")
REFUSED = """
for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches']) {
  const get = () => { throw new DOMException('The operation is insecure.', 'SecurityError'); };
  Object.defineProperty(window, name, { get });
}
"""


def raw(server: Server) -> str:
    """The raw frame, as the documentation shows it, from the other loopback name."""
    frame = f'<iframe src="http://localhost:{server.port}/w/main" title="Chat" width="400" height="600"></iframe>'
    return f"<h1>Shop</h1>{frame}"


def frame_of(page: Page) -> Chat:
    chat = Chat(page.frame_locator("iframe[title='Chat']"))
    expect(chat.box).to_be_visible()
    return chat


def test_the_tag_works_under_a_strict_policy_without_a_word_on_the_console(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    chat = f"http://localhost:{server.port}"
    policy = f"default-src 'none'; script-src {chat}; frame-src {chat}; require-trusted-types-for 'script'"
    host_pages.put(
        "/", f'<h1>Strict</h1><script async src="{chat}/w/main.js"></script>', Content_Security_Policy=policy
    )
    vera = Shop(contexts().new_page(), host_pages.url).visit("/").open()
    vera.say("Under a strict policy")
    ann.open("Under a strict policy")
    ann.reply("And back")
    expect(vera.message("And back")).to_be_visible()
    vera.page.reload()
    expect(vera.message("And back")).to_be_visible()
    assert not noise.heard


def test_the_tag_may_stand_in_the_head_twice_and_a_page_may_swap_its_body(
    server: Server, contexts: Any, host_pages: HostPages, noise: Noise
) -> None:
    tag = f'<script async src="http://localhost:{server.port}/w/main.js"></script>'
    host_pages.put("/", tag + "<h1>Twice</h1>" + tag)
    vera = Shop(contexts().new_page(), host_pages.url).visit("/")
    expect(vera.launcher).to_have_count(1)
    vera.open().say("Still here")
    vera.page.evaluate("document.body.replaceWith(document.createElement('body'))")
    expect(vera.message("Still here")).to_be_visible()
    assert not noise.heard


def test_a_raw_frame_on_another_site_talks_and_keeps_the_talk_over_a_reload(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    page = contexts().new_page()
    page.goto(host_pages.put("/", raw(server)))
    chat = frame_of(page)
    expect(page.get_by_role("button", name="Open chat")).to_have_count(0)
    chat.say("From a raw frame")
    ann.open("From a raw frame")
    ann.reply("To a raw frame")
    expect(chat.message("To a raw frame")).to_be_visible()
    page.reload()
    expect(frame_of(page).message("To a raw frame")).to_be_visible()
    assert not noise.heard


def test_a_raw_frame_whose_storage_is_refused_talks_and_says_what_it_cannot_keep(
    server: Server, refusing: BrowserContext, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    page = refusing.new_page()
    page.goto(host_pages.put("/", raw(server)))
    chat = frame_of(page)
    refused = page.frames[1].evaluate(
        "(() => { try { return localStorage.length } catch (error) { return error.name } })()"
    )
    assert refused == "SecurityError", "this browser refuses nothing"
    chat.say("I keep nothing")
    ann.open("I keep nothing")
    ann.reply("I still hear you")
    expect(chat.message("I still hear you")).to_be_visible()
    expect(chat.place.locator("a[href='/c/main'], a[href$='/c/main']").filter(visible=True)).to_have_count(1)
    assert not noise.heard


def test_the_tag_talks_by_polling_alone_in_a_browser_that_refuses_frames_all_storage(
    server: Server, refusing: BrowserContext, host_pages: HostPages, ann: Inbox
) -> None:
    with TcpProxy(server.port) as wire:
        wire.websockets = "refuse"
        host_pages.put("/", f'<h1>Shop</h1><script async src="http://localhost:{wire.port}/w/main.js"></script>')
        vera = Shop(refusing.new_page(), host_pages.url).visit("/").open()
        vera.say("No storage, no socket")
        ann.open("No storage, no socket")
        state(vera.message("No storage, no socket"), "Seen")
        ann.reply("Still a talk")
        expect(vera.message("Still a talk")).to_be_visible()
        with server.down():
            expect(vera.lost()).to_be_visible()
        vera.page.reload()
        expect(vera.message("Still a talk")).to_be_visible()


def test_the_tag_on_a_page_whose_storage_is_refused_still_talks(
    server: Server, contexts: Any, ann: Inbox, noise: Noise
) -> None:
    context = contexts()
    context.add_init_script(REFUSED)
    vera = Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    vera.say("The shop keeps nothing")
    ann.open("The shop keeps nothing")
    ann.reply("Never mind")
    expect(vera.message("Never mind")).to_be_visible()
    assert not noise.heard


def test_the_hosted_page_talks_and_keeps_the_talk(server: Server, contexts: Any, ann: Inbox, noise: Noise) -> None:
    page = contexts().new_page()
    page.goto(f"http://127.0.0.1:{server.port}/c/main")
    chat = Chat(page)
    chat.say("On the full page")
    ann.open("On the full page")
    ann.reply("Plenty of room")
    expect(chat.message("Plenty of room")).to_be_visible()
    page.reload()
    expect(chat.message("Plenty of room")).to_be_visible()
    assert not noise.heard


def talk_without_script(chat: Chat, ann: Inbox, name: str) -> None:
    """Write, be told what is wrong, look for answers without losing what is being typed."""
    chat.box.fill("   ")
    chat.button.click()
    expect(chat.place.get_by_role("alert").filter(has_text=" ")).to_be_visible()
    chat.box.fill(f"No script, {name}")
    chat.button.click()
    expect(chat.message(f"No script, {name}")).to_be_visible()
    expect(chat.box).to_have_value("")
    ann.open(f"No script, {name}")
    ann.reply("No matter")
    state(ann.message("No matter"), "Sent")
    chat.box.fill("half a sentence")
    chat.place.get_by_role("button", name="Check for answers", exact=True).click()
    expect(chat.message("No matter")).to_be_visible()
    expect(chat.box).to_have_value("half a sentence")
    chat.box.fill("x" * 4001)
    chat.button.click()
    expect(chat.place.get_by_role("alert").filter(has_text="4,000")).to_be_visible()
    expect(chat.box).to_have_value("x" * 4001)
    assert chat.texts() == [f"No script, {name}", "No matter"]


def beside_refusals(noise: Noise) -> list[str]:
    """The browser itself notes a page that came with 4xx, as the refused forms must."""
    return [line for line in noise.heard if "status of 4" not in line]


def test_without_javascript_the_hosted_page_talks(server: Server, contexts: Any, ann: Inbox, noise: Noise) -> None:
    context = contexts(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/c/main")
    assert not context.cookies(), "nothing is kept before the visitor acts"
    talk_without_script(Chat(page), ann, "hosted")
    page.goto(f"http://127.0.0.1:{server.port}/c/main")
    expect(Chat(page).message("No script, hosted")).to_be_visible()
    assert all(cookie["httpOnly"] and cookie["sameSite"] in ("Lax", "Strict") for cookie in context.cookies())
    assert not beside_refusals(noise)


def test_without_javascript_the_raw_frame_talks_with_no_cookie_and_nothing_in_the_address(
    server: Server, contexts: Any, host_pages: HostPages, ann: Inbox, noise: Noise
) -> None:
    context = contexts(java_script_enabled=False)
    page = context.new_page()
    page.goto(host_pages.put("/", raw(server)))
    talk_without_script(frame_of(page), ann, "framed")
    assert not context.cookies()
    assert {frame.url.partition("localhost")[2].partition("/")[2] for frame in page.frames[1:]} == {"w/main"}
    assert not beside_refusals(noise)


def test_a_frame_of_a_stranger_on_the_same_page_gets_nobodys_token(
    server: Server, contexts: Any, host_pages: HostPages
) -> None:
    """An advertisement that frames the document and plays the loader learns nothing of the raw frame's visitor."""
    vera = Visitor(server.url).arrive()
    vera.say("my card is 4242")
    context = contexts()
    # what the visitor's partitioned cookie does under TLS: the document comes with the talk drawn in
    drawn = httpx.get(f"{server.url}/w/main", cookies={"porchlight-w-main": vera.token}, trust_env=False)
    assert "my card is 4242" in drawn.text
    context.route("**/w/main", lambda route: route.fulfill(body=drawn.text, headers=dict(drawn.headers)))
    page = context.new_page()
    page.goto(
        host_pages.put(
            "/",
            f"""<iframe name="porchlight" title="Chat" src="http://localhost:{server.port}/w/main"></iframe><script>
            const got = [], hello = {{ porchlight: 'hello', keep: {{}}, open: true }};
            onmessage = (event) => {{
              got.push(JSON.stringify(event.data));
              if (event.data.porchlight === 'ready') event.source.postMessage(hello, '*');
            }};
            </script>""",
        )
    )
    expect(Chat(page.frame_locator("iframe")).box).to_be_visible()
    page.wait_for_function("() => got.length > 1")
    page.wait_for_timeout(1000)
    got = page.evaluate("() => got.join()")
    assert "ready" in got
    assert vera.token not in got
    assert Chat(page.frame_locator("iframe")).texts() == []


def test_tabs_that_were_open_before_the_first_act_are_one_visitor(server: Server, contexts: Any) -> None:
    context = contexts()
    first, second = (Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit().open() for _ in range(2))
    first.say("from the first tab")
    expect(second.message("from the first tab")).to_be_visible()
    second.say("from the second tab")
    expect(first.message("from the second tab")).to_be_visible()
