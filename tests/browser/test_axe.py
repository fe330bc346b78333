"""axe-core finds nothing, light and dark, on every page that a person of this product meets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from harness import PASSWORD, Server
from pages import Chat, Inbox, Shop, state
from playwright.sync_api import Frame, Page, expect

pytestmark = pytest.mark.xdist_group("axe")
AXE = Path(__file__).with_name("axe.min.js")
RUN = """async () => (await axe.run(document, { iframes: false, resultTypes: ['violations'] })).violations
  .map((v) => [v.id, v.help, ...v.nodes.map((n) => n.target.join(' ') + ' ' + n.html.slice(0, 120))].join(' | '))"""


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, contexts: Any) -> Page:
    context = contexts(color_scheme=request.param, reduced_motion="reduce")
    context.add_init_script(path=AXE)
    return context.new_page()


def assert_accessible(place: Page | Frame) -> None:
    """No violation in this document; frames in it are looked at by themselves."""
    found = place.evaluate(RUN)
    assert not found, "\n".join(found)


def test_the_shop_with_the_launcher(server: Server, page: Page) -> None:
    Shop(page, f"http://127.0.0.1:{server.port}").visit()
    assert_accessible(page)


def test_the_open_widget_empty_and_with_a_talk_in_it(server: Server, page: Page, ann: Inbox) -> None:
    vera = Shop(page, f"http://127.0.0.1:{server.port}").visit().open()
    inner = next(frame for frame in page.frames if "/w/main" in frame.url)
    assert_accessible(inner)
    text = f"Is it readable, {page.context.pages.index(page)}? https://example.org"
    vera.say(text)
    ann.open(text)
    ann.reply("It is, I hope")
    expect(vera.message("It is, I hope")).to_be_visible()
    ann.box.press_sequentially("Mo", delay=30)
    expect(vera.place.get_by_text(re.compile("is typing"))).to_be_visible()
    assert_accessible(inner)
    assert_accessible(page)
    ann.page.get_by_role("button", name=re.compile("^Close conversation")).click()
    expect(vera.log).to_contain_text(re.compile("closed", re.I))
    assert_accessible(inner)


def test_the_widget_without_a_connection(server: Server, page: Page) -> None:
    vera = Shop(page, f"http://127.0.0.1:{server.port}").visit().open()
    vera.say("Soon gone")
    state(vera.message("Soon gone"), "Sent")
    page.context.route("**/messages", lambda route: route.abort())
    vera.say("Stuck")
    state(vera.message("Stuck"), "Not sent")
    assert_accessible(next(frame for frame in page.frames if "/w/main" in frame.url))


def test_the_hosted_page(server: Server, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/c/main")
    Chat(page).say("Full page")
    state(Chat(page).message("Full page"), "Sent")
    assert_accessible(page)


def test_the_login_also_with_an_error(server: Server, page: Page) -> None:
    page.goto(f"http://localhost:{server.port}/inbox/login")
    assert_accessible(page)
    page.get_by_role("textbox", name="Email", exact=True).fill("ann@example.com")
    page.get_by_label("Password", exact=True).fill("a wrong password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(" ")
    assert_accessible(page)


def test_the_page_of_this_server_before_and_after_a_look(server: Server, page: Page) -> None:
    Inbox(page, f"http://localhost:{server.port}").sign_in()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="This server").click()
    expect(page.get_by_role("button", name="Look at everything")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Look at everything").click()
    expect(page.get_by_role("status")).to_have_text("All is well.", timeout=20_000)
    assert_accessible(page)


def test_the_inbox_its_list_and_a_thread(server: Server, page: Page, contexts: Any) -> None:
    vera = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    vera.say("One for the list")
    ann = Inbox(page, f"http://localhost:{server.port}").sign_in()
    expect(ann.line("One for the list").first).to_be_visible()
    assert_accessible(page)
    ann.line("One for the list").first.click()
    expect(ann.message("One for the list")).to_be_visible()
    ann.reply("And an answer")
    state(ann.message("And an answer"), "Sent")
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert_accessible(page)
    page.goto(f"http://localhost:{server.port}/inbox")
    assert_accessible(page)


def test_the_set_up_link_the_errors_on_it_and_the_empty_inbox(tmp_path: Path, page: Page) -> None:
    with Server(tmp_path, HOST=None, CHAT_OWNER_EMAIL=None, CHAT_OWNER_PASSWORD=None) as new:
        (link,) = re.findall(r"http://\S+/inbox/setup/\S+", new.output)
        page.goto(link)
        assert_accessible(page)
        page.get_by_role("textbox", name=re.compile("name", re.I)).fill("Ann")
        page.get_by_role("textbox", name="Email", exact=True).fill("ann@example.com")
        page.get_by_label("Password", exact=True).fill("aaaaaaaaaaaa")
        page.locator("button[type=submit]").click()
        expect(page.get_by_role("alert")).to_contain_text(" ")
        assert_accessible(page)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.locator("button[type=submit]").click()
        expect(page).to_have_url(re.compile(r"/inbox$"))
        assert_accessible(page)


def test_the_page_of_alerts(server: Server, page: Page) -> None:
    Inbox(page, f"http://localhost:{server.port}").sign_in()
    page.goto(f"http://localhost:{server.port}/inbox/alerts")
    expect(page.locator("#standing")).to_contain_text("Alerts do not reach you")
    assert_accessible(page)


OWNERS_PAGES = (
    "/inbox/sites",
    "/inbox/sites/main",
    "/inbox/sites/main/install",
    "/inbox/sites/main/appearance",
    "/inbox/profile",
    "/inbox/settings",
    "/inbox/mail",
    "/inbox/telegram",
    "/inbox/hook",
    "/inbox/server",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_the_settings(server: Server, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    Inbox(page, f"http://localhost:{server.port}").sign_in()
    for path in OWNERS_PAGES:
        page.goto(f"http://localhost:{server.port}{path}")
        for details in page.locator("details").all():
            details.evaluate("each => { each.open = true; }")
        assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in OWNERS_PAGES:
        page.goto(f"http://localhost:{server.port}{path}")
        assert_accessible(page)
