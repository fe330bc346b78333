"""The page "Appearance" and what comes of it: the preview follows the form, and real pages look as was saved."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from harness import Server
from network import TcpProxy
from pages import Chat, HostPages, Inbox, Noise, Shop
from PIL import Image
from playwright.sync_api import FrameLocator, Page, expect
from test_axe import AXE, assert_accessible

pytestmark = pytest.mark.xdist_group("appearance")


def drawing() -> dict[str, Any]:
    made = BytesIO()
    Image.new("RGB", (400, 200), (20, 120, 80)).save(made, "PNG")
    return {"name": "logo.png", "mimeType": "image/png", "buffer": made.getvalue()}


@pytest.fixture
def form(ann: Inbox, server: Server) -> Page:
    """The page, at the default look."""
    page = ann.page
    page.goto(f"{ann.url}/inbox/sites/main/appearance")
    page.get_by_role("button", name="Back to the default look").click()
    expect(page.get_by_text("This is the default look now.")).to_be_visible()
    return page


def save(page: Page, **values: str) -> None:
    for name, value in values.items():
        if name in ("theme", "corner", "icon", "on_colour"):
            page.locator(f"input[name={name}][value='{value}']").check(force=True)
        else:
            page.locator(f"[name={name}]").evaluate(
                "(el) => { for (let at = el; at; at = at.parentElement) at.open = true; }"
            )
            page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()


def stage(page: Page) -> FrameLocator:
    return page.frame_locator("#stage")


def colour_of(place: Any, what: str = "backgroundColor") -> str:
    return str(place.evaluate(f"(el) => getComputedStyle(el).{what}"))


def test_the_preview_follows_the_form_and_going_back_leaves_the_page(form: Page, noise: Noise) -> None:
    inner = stage(form).frame_locator("iframe")
    expect(inner.get_by_role("heading")).to_have_text("Chat")
    form.get_by_label("Title", exact=True).fill("Nothing is saved")
    expect(inner.get_by_role("heading")).to_have_text("Nothing is saved")
    form.get_by_label("Brand colour").fill("#f2d024")
    expect(form.get_by_role("status").filter(has_text="1.5 to 1")).to_be_visible()
    expect(stage(form).locator(".launcher")).to_have_css("background-color", "rgb(242, 208, 36)")
    form.get_by_label("What it shows").select_option("talk")
    expect(inner.get_by_text("Do you ship to Norway?")).to_have_css("background-color", "rgb(242, 208, 36)")
    form.get_by_label("Logo", exact=True).set_input_files(drawing())
    expect(inner.locator(".logo")).to_be_visible()
    form.get_by_label("Brand colour").fill("green")
    expect(form.get_by_role("status").filter(has_text="Colour")).to_contain_text("#0b6e4f")
    expect(form.locator(".beside iframe")).to_have_count(1)
    form.once("dialog", lambda dialog: dialog.accept())
    form.evaluate("history.back()")
    expect(form).to_have_url(re.compile("appearance$"))  # it was ?done=default: no preview stands between
    assert not noise.heard


def test_what_is_not_saved_is_asked_about_and_what_is_saved_is_not(form: Page, ann: Inbox) -> None:
    asked: list[str] = []
    form.get_by_label("Title", exact=True).fill("Half done")

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    form.once("dialog", stay)
    form.get_by_role("link", name="Back").click()
    expect(form.get_by_label("Title", exact=True)).to_have_value("Half done")
    assert asked == ["beforeunload"]
    save(form, title="Whole")
    form.get_by_role("link", name="Back").click()
    expect(form).to_have_url(re.compile("sites/main$"))
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_launcher_and_the_frame_stand_where_and_as_the_owner_said(
    form: Page, server: Server, contexts: Any, host_pages: HostPages, noise: Noise, direction: str
) -> None:
    save(form, colour="#0b6e4f", corner="start", side="40", bottom="60", label="Ask us", radius="4", icon="smile")
    url = f"http://localhost:{server.port}"
    strict = f"default-src 'none'; script-src {url}; frame-src {url}; require-trusted-types-for 'script'"
    script = f'<h1>Shop</h1><script async src="{url}/w/main.js"></script>'
    page = contexts(viewport={"width": 1000, "height": 700}).new_page()
    host_pages.put(f"/{direction}", script, Content_Security_Policy=strict)
    headers, body = host_pages.pages[f"/{direction}"]
    host_pages.pages[f"/{direction}"] = (headers, body.replace("<html ", f"<html dir={direction} "))
    shop = Shop(page, host_pages.url).visit(f"/{direction}")
    expect(shop.launcher).to_have_accessible_name("Open chat: Ask us")
    expect(shop.launcher).to_have_css("background-color", "rgb(11, 110, 79)")
    button = shop.launcher.bounding_box()
    assert button and button["height"] == 56 and button["y"] + 56 == 700 - 60 and 100 < button["width"] < 200
    assert (button["x"] == 40) if direction == "ltr" else (button["x"] + button["width"] == 1000 - 40)
    shop.open()
    frame = shop.frame.bounding_box()
    assert frame and frame["y"] >= 0 and frame["y"] + frame["height"] == 700 - 60 - 68
    assert (frame["x"] == 40) if direction == "ltr" else (frame["x"] + frame["width"] == 1000 - 40)
    assert colour_of(shop.frame, "borderRadius") == "4px"
    shop.say("Looks good")
    expect(shop.message("Looks good").locator(".body")).to_have_css("background-color", "rgb(11, 110, 79)")
    assert not noise.heard


def test_a_picture_on_the_launcher_comes_after_everything_else(
    form: Page, contexts: Any, host_pages: HostPages, server: Server, noise: Noise
) -> None:
    form.get_by_label("A picture instead").set_input_files(drawing())
    expect(form.locator("input[name=picture]")).to_have_value(re.compile("^[0-9a-f]{32}$"))
    save(form)
    asked: list[str] = []
    page = contexts().new_page()
    page.on("request", lambda request: asked.append(request.url))
    host_pages.put("/", f'<h1>Shop</h1><script async src="http://localhost:{server.port}/w/main.js"></script>')
    Shop(page, host_pages.url).visit("/")
    expect(page.locator("porchlight-chat img")).to_be_visible()
    ours = [url.rpartition("/")[2] for url in asked if str(server.port) in url]
    assert len(ours) == 2 and ours[0] == "main.js" and ours[1].endswith(".webp")
    assert not noise.heard


@pytest.mark.parametrize(
    ("theme", "system", "paper"), [("dark", "light", "rgb(27, 26, 24)"), ("light", "dark", "rgb(255, 255, 255)")]
)
def test_one_light_alone_in_the_frame_and_on_the_page(
    form: Page, contexts: Any, server: Server, theme: str, system: str, paper: str, noise: Noise
) -> None:
    save(form, theme=theme, colour="#0b6e4f", css="body { letter-spacing: 1px }")
    context = contexts(color_scheme=system, reduced_motion="reduce")
    context.add_init_script(path=AXE)
    shop = Shop(context.new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    shop.say("In one light")
    inner = next(frame for frame in shop.page.frames if "/w/main" in frame.url)
    assert colour_of(inner.locator("body")) == paper
    assert colour_of(inner.locator("body"), "letterSpacing") == "1px"
    assert colour_of(shop.page.locator("body"), "letterSpacing") != "1px"
    assert_accessible(inner)
    hosted = context.new_page()
    hosted.goto(f"http://127.0.0.1:{server.port}/c/main")
    assert colour_of(hosted.locator("body")) == paper
    assert_accessible(hosted)
    assert not noise.heard


@pytest.mark.parametrize("colour", ["#f2d024", "#0a0a23", "#ff0000", "#808080"])
def test_every_colour_is_read_in_both_lights(form: Page, contexts: Any, server: Server, colour: str) -> None:
    save(form, colour=colour)
    for system, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(27, 26, 24)")):
        context = contexts(color_scheme=system, reduced_motion="reduce")
        context.add_init_script(path=AXE)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/c/main")
        assert colour_of(page.locator("body")) == paper
        Chat(page).say("Is it read? https://example.org")
        expect(Chat(page).message("Is it read? https://example.org")).to_be_visible()
        assert_accessible(page)


def test_opening_stays_light_with_everything_set(
    form: Page, contexts: Any, server: Server, host_pages: HostPages
) -> None:
    save(form, colour="#0b6e4f", theme="dark", label="Ask us", radius="4", font="Inter", css=".head { margin: 0 }")
    with TcpProxy(server.port) as wire:
        host_pages.put("/", f'<h1>Shop</h1><script async src="http://localhost:{wire.port}/w/main.js"></script>')
        shop = Shop(contexts().new_page(), host_pages.url).visit("/")
        shop.page.wait_for_load_state("networkidle")
        before = wire.received
        shop.open()
        shop.page.wait_for_load_state("networkidle")
        assert 2000 < before <= 5000
        # 24,000 is the aim for the chat as it comes (test_quiet); 28,000 is never passed, whatever an owner sets
        assert 10_000 < wire.received - before <= 28_000, (before, wire.received - before)
        print(f"bytes on the wire: {before} before opening, {wire.received - before} for opening")


def test_without_scripts_the_look_is_set_and_seen(form: Page, contexts: Any, server: Server) -> None:
    context = contexts(java_script_enabled=False)
    context.add_cookies(form.context.cookies())
    page = context.new_page()
    page.goto(f"http://localhost:{server.port}/inbox/sites/main/appearance")
    page.get_by_label("Title", exact=True).fill("No script")
    page.get_by_role("button", name="Show the preview").click()
    expect(stage(page).frame_locator("iframe").get_by_role("heading")).to_have_text("No script")
    page.locator("#logo-file").set_input_files(drawing())
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(re.compile("^Saved"))).to_be_visible()
    page.goto(f"http://localhost:{server.port}/c/main")
    expect(page.get_by_role("heading")).to_have_text("No script")
    expect(page.locator(".logo")).to_be_visible()
