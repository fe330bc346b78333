"""The form before the first message in a browser: in the widget, in a raw frame, by keyboard, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cast import Owner
from harness import Server
from network import TcpProxy
from pages import Chat, HostPages, Inbox, Noise, Shop
from playwright.sync_api import FrameLocator, Page, expect
from test_axe import AXE, assert_accessible
from test_forms import off, save

pytestmark = pytest.mark.xdist_group("forms-in-browsers")


@pytest.fixture(scope="module")
def owner(server: Server) -> Owner:
    """Ann's settings, without a browser."""
    return Owner(f"http://localhost:{server.port}").arrive()


@pytest.fixture(autouse=True)
def _asked(owner: Owner) -> Iterator[None]:
    fields = {"f1": "name:1:Your name", "f2": "email::Your e-mail", "f3": "consent:1:I agree"}
    assert "Saved" in save(owner, **fields, topics="Sales\nSupport", intro="Two questions first").text
    yield
    off(owner)


def fill(place: FrameLocator | Page, name: str = "Vera") -> None:
    place.get_by_label("Your name", exact=True).fill(name)
    place.get_by_label("I agree").check()
    place.get_by_role("button", name="Start the chat").click()


def test_the_widget_asks_once_and_never_again(contexts: Any, server: Server, noise: Noise) -> None:
    context = contexts()
    shop = Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit()
    shop.launcher.click()
    shop.page.evaluate("() => { window.leads = 0; Porchlight.on('lead', () => { leads += 1; }); }")
    name = shop.place.get_by_label("Your name", exact=True)
    expect(name).to_be_visible()
    expect(shop.box).to_be_hidden()
    assert shop.page.evaluate("localStorage.length") == 0, "nothing is stored before the visitor acts"
    shop.place.get_by_role("button", name="Start the chat").click()
    expect(name).to_be_focused()
    expect(shop.place.get_by_text("Fill this in to go on.")).to_be_visible()
    shop.place.get_by_label("What is it about?").select_option("Support")
    fill(shop.place)
    expect(shop.box).to_be_focused()
    assert shop.page.evaluate("leads") == 1
    shop.say("Now I may write")
    ann = Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()
    ann.open("Now I may write")
    expect(ann.page.get_by_role("heading", name="About Vera")).to_be_visible()
    expect(ann.page.locator("#about")).to_contain_text("Support")
    shop.page.reload()
    expect(shop.message("Now I may write")).to_be_visible()
    expect(shop.box).to_be_visible()
    expect(shop.place.get_by_label("Your name", exact=True)).to_have_count(0)
    other = Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit()
    expect(other.box).to_be_visible()
    assert not noise.heard


def test_whoever_answered_and_has_not_written_yet_is_not_asked_again(contexts: Any, server: Server) -> None:
    shop = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit()
    shop.launcher.click()
    fill(shop.place, "Only a lead")
    expect(shop.box).to_be_visible()
    shop.page.reload()
    expect(shop.box).to_be_visible()
    expect(shop.place.locator("#prechat-form")).to_have_count(0)


def test_a_raw_frame_asks_once(contexts: Any, server: Server, host_pages: HostPages, noise: Noise) -> None:
    frame = f'<iframe src="http://localhost:{server.port}/w/main" title="Chat" width=384 height=640></iframe>'
    page = contexts().new_page()
    page.goto(host_pages.put("/", frame))
    place = page.frame_locator("iframe")
    fill(place)
    Chat(place).say("from the frame")
    page.reload()
    expect(Chat(place).message("from the frame")).to_be_visible()
    expect(place.locator("#prechat-form")).to_have_count(0)
    assert not noise.heard


def test_questions_are_put_in_order_by_keyboard(contexts: Any, server: Server) -> None:
    ann = Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()
    page = ann.page
    page.goto(f"{ann.url}/inbox/sites/main/form")
    page.get_by_role("button", name="Move down: question 1").press("Enter")
    moved = page.get_by_label("What you ask").nth(1)
    expect(moved).to_be_focused()
    expect(moved).to_have_value("Your name")
    expect(page.get_by_role("status")).to_contain_text("Moved: it is question 2 now.")
    moved.press("Enter")  # saves
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    page.reload()
    expect(page.get_by_label("What you ask").nth(1)).to_have_value("Your name")


def test_a_row_of_another_topic_stays_out_of_the_list_of_one(contexts: Any, server: Server) -> None:
    ann = Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()
    ann.page.get_by_role("link", name="Sales", exact=True).click()
    for topic in ("Support", "Sales"):
        shop = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit()
        shop.launcher.click()
        shop.place.get_by_label("What is it about?").select_option(topic)
        fill(shop.place)
        shop.say(f"live about {topic}")
    expect(ann.line("live about Sales")).to_be_visible()
    expect(ann.line("live about Support")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_form_its_editor_the_hours_and_the_switch(
    contexts: Any, server: Server, owner: Owner, scheme: str
) -> None:
    fields = {"f1": "name:1:Your name", "f2": "choice::Size:S:L", "f3": "phone::Phone", "f4": "consent:1:I agree"}
    assert "Saved" in save(owner, **fields, r1="1:filled::5", topics="Sales", intro="Hello").text
    context = contexts(color_scheme=scheme, reduced_motion="reduce", viewport={"width": 320, "height": 700})
    context.add_init_script(path=AXE)
    page = context.new_page()
    page.goto(f"http://localhost:{server.port}/c/main")
    assert_accessible(page)
    page.get_by_role("button", name="Start the chat").click()
    expect(page.get_by_text("Tick this to go on.")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    Inbox(page, f"http://localhost:{server.port}").sign_in()
    page.locator("#porch summary").click()
    assert_accessible(page)
    assert_fits(page)
    for path, field in (("form", "points-1"), ("hours", "day-2")):
        page.goto(f"http://localhost:{server.port}/inbox/sites/main/{path}")
        page.locator(f"#{field}").fill("nonsense")
        page.get_by_role("button", name="Save", exact=True).last.click()
        expect(page.locator(f"#wrong-{field}")).to_be_visible()
        assert_accessible(page)
        assert_fits(page)


def assert_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_form_without_a_connection_says_so_and_goes_by_itself(contexts: Any, server: Server) -> None:
    with TcpProxy(server.port) as wire:
        shop = Shop(contexts().new_page(), wire.url).visit()
        shop.launcher.click()
        expect(shop.place.get_by_label("Your name", exact=True)).to_be_visible()
        wire.refuse = True
        wire.cut()
        fill(shop.place)
        expect(shop.lost()).to_be_visible()
        wire.refuse = False
        expect(shop.box).to_be_visible(timeout=30_000)
        expect(shop.lost().filter(visible=True)).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (320, 568), (640, 400)])
def test_however_long_the_form_is_its_button_is_in_reach(
    contexts: Any, server: Server, owner: Owner, width: int, height: int
) -> None:
    asked = {f"f{number}": f"text::Question {number}" for number in range(1, 9)}
    assert "Saved" in save(owner, **asked, topics="Sales\nSupport", intro="Eight questions first").text
    page = contexts(viewport={"width": width, "height": height}).new_page()
    shop = Shop(page, f"http://127.0.0.1:{server.port}").visit()
    shop.launcher.click()
    expect(shop.place.get_by_role("button", name="Start the chat")).to_be_in_viewport(ratio=1)
    shop.place.get_by_label("Question 8").focus()
    expect(shop.place.get_by_label("Question 8")).to_be_in_viewport(ratio=1)
