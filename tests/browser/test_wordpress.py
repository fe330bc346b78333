"""A blog under WordPress: the tag put there as the page "Install" says, in a classic theme and in a block theme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server
from pages import Inbox, Noise, Shop
from playwright.sync_api import Page, expect
from wordpress import Dashboard, WordPress

pytestmark = pytest.mark.xdist_group("wordpress")


@pytest.fixture(scope="module")
def blog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordPress]:
    with WordPress(tmp_path_factory.mktemp("wp")) as running:
        yield running


def shown_tag(ann: Inbox) -> str:
    """What the owner copies."""
    ann.page.goto(f"{ann.url}/inbox/sites/main/install")
    return ann.page.locator("#tag").inner_text()


def read_the_post(page: Page) -> None:
    page.get_by_role("link", name="Hello world!").first.click()
    expect(page.get_by_role("heading", name="Hello world!", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("theme", "put"),
    [("twentytwentyone", Dashboard.put_into_footer_file), ("twentytwentythree", Dashboard.put_into_footer_block)],
    ids=["classic theme", "block theme"],
)
def test_a_talk_on_a_blog_goes_on_from_page_to_page(
    server: Server, contexts: Any, blog: WordPress, ann: Inbox, noise: Noise, theme: str, put: Any
) -> None:
    desk = Dashboard(contexts().new_page(), blog.url).sign_in()
    desk.wear(theme)
    put(desk, theme, shown_tag(ann))
    noise.heard.clear()  # what WordPress itself says in its dashboard
    page = contexts().new_page()
    vera = Shop(page, blog.url).visit("/").open()
    vera.say(f"Does {theme} ship to Norway?")
    ann.page.goto(f"{ann.url}/inbox")
    ann.open(f"Does {theme} ship to Norway?")
    read_the_post(page)
    expect(vera.message(f"Does {theme} ship to Norway?")).to_have_count(1)
    ann.reply("It does.")
    expect(vera.message("It does.")).to_have_count(1)
    vera.close_button.click()
    expect(vera.launcher).to_be_focused()
    ann.page.goto(f"{ann.url}/inbox/sites/main/install")
    expect(ann.page.get_by_text(f"The tag works on {blog.url}")).to_be_visible()
    assert not noise.heard

    desk.page.set_viewport_size({"width": 390, "height": 844})
    anns = Shop(desk.page, blog.url).visit("/").open()
    box = anns.frame.bounding_box()
    assert box and box["height"] == 844, "the whole phone, and WordPress's bar below it"
    anns.close_button.click(timeout=5000)  # Playwright clicks only where nothing lies above
    expect(anns.launcher).to_be_focused()
    assert not noise.heard
