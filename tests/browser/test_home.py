"""Home or away in a browser: the ring by the hours alone, the words live and in the reader's own time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dom
import pytest
from cast import Owner
from harness import Server
from pages import Chat, Inbox, Noise, Shop
from playwright.sync_api import expect
from test_sites import press

from chat.features.hours.schedule import typed

pytestmark = pytest.mark.xdist_group("hours-in-browsers")
DAYS = ["9-12, 13-17", "9-12, 13-17", "22-2:30", "", "0-24", "2:15-4", ""]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that sends mail, somewhere, but calls nobody by it."""
    mail = {"CHAT_SMTP_URL": "smtp://127.0.0.1:9", "CHAT_MAIL_FROM": "Ann <ann@porch.example>"}
    with Server(tmp_path_factory.mktemp("server"), HOST=None, **mail) as running:
        ann = Owner(f"http://localhost:{running.port}").arrive()
        plan = dom.fields(ann.page("/inbox/alerts").first("form", cls="choices")) | {"mail_after": ""}
        assert ann.http.post("/inbox/alerts", data=plan, headers=ann.auth()).status_code == 303
        yield running


@pytest.fixture(scope="module")
def owner(server: Server) -> Owner:
    """Ann's settings, without a browser."""
    return Owner(f"http://localhost:{server.port}").arrive()


def hours(owner: Owner, zone: str = "UTC", days: list[str] | None = None, holidays: str = "") -> None:
    said = {f"day-{number}": text for number, text in enumerate(days or [""] * 7)}
    assert "Saved" in press(owner, "/inbox/sites/main/hours", zone=zone, holidays=holidays, **said).text


@pytest.fixture(autouse=True)
def _no_hours(owner: Owner) -> Iterator[None]:
    yield
    hours(owner)
    press(owner, "/inbox/away", until="")


@pytest.mark.parametrize("zone", ["Europe/Vienna", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/New_York"])
def test_the_ring_is_lit_when_the_hours_say_so_wherever_the_browser_is(
    contexts: Any, server: Server, owner: Owner, zone: str
) -> None:
    today = datetime.now(UTC).date()
    holiday = f"{today + timedelta(2)} Closed"
    hours(owner, zone, DAYS, holiday)
    page = contexts(timezone_id="Asia/Kathmandu").new_page()
    page.clock.install(time=datetime.now(UTC))
    Shop(page, f"http://127.0.0.1:{server.port}").visit()
    mine, seen = typed(zone, DAYS, holiday), set()
    for step in range(60):
        moment = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(minutes=step * 167)
        page.clock.set_system_time(moment)
        page.clock.run_for(60_000)
        lit = page.evaluate("document.querySelector('porchlight-chat').shadowRoot.querySelector('.lit') !== null")
        assert lit is mine.is_open(moment + timedelta(minutes=1)), moment
        seen.add(lit)
    assert seen == {True, False}


def test_the_words_change_in_an_open_chat_and_are_in_the_readers_own_time(
    contexts: Any, server: Server, owner: Owner, noise: Noise
) -> None:
    shop = Shop(contexts(timezone_id="Australia/Lord_Howe").new_page(), f"http://127.0.0.1:{server.port}").visit()
    chat = shop.open()
    chat.say("Are you there?")
    words = chat.place.locator("#presence")
    expect(words).to_contain_text("Nobody is here")
    away = [""] * 7
    away[(datetime.now(UTC) + timedelta(3)).weekday()] = "9-17"
    hours(owner, "Europe/Vienna", away)
    opens = typed("Europe/Vienna", away, "").opens(datetime.now(UTC))
    assert opens
    there = shop.page.evaluate(
        "at => [new Date(at).toLocaleDateString('en', {weekday: 'long'}), new Date(at).getHours()]", opens.isoformat()
    )
    expect(words).to_contain_text(re.compile(rf"^Back on {there[0]} at {there[1]:02}:[03]0"))
    hours(owner)
    ann = Inbox(contexts().new_page(), f"http://localhost:{server.port}").sign_in()
    expect(words).to_contain_text("is here and answers you")
    ann.page.locator("#porch summary").click()
    ann.page.get_by_role("button", name="Away for an hour").click()
    expect(words).to_contain_text("Back today at")
    expect(ann.page.locator("#porch-standing")).to_contain_text("Away until")
    ann.page.get_by_role("button", name="I am back", exact=True).click()
    expect(words).to_contain_text("is here and answers you")
    assert not noise.heard


def test_who_has_not_written_yet_reads_it_anew_when_the_chat_is_opened_again(
    contexts: Any, server: Server, owner: Owner
) -> None:
    press(owner, "/inbox/away", until="on")
    shop = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    words = shop.place.locator("#presence")
    expect(words).to_contain_text("We are away just now")
    press(owner, "/inbox/away", until="hour")
    shop.close_button.click()
    shop.launcher.click()
    expect(words).to_contain_text("Back today at")


def test_without_javascript_the_sites_own_time_is_named(contexts: Any, server: Server, owner: Owner) -> None:
    page = contexts(java_script_enabled=False).new_page()
    press(owner, "/inbox/away", until="hour")
    page.goto(f"http://127.0.0.1:{server.port}/c/main")
    expect(Chat(page).place.locator("#presence")).to_contain_text(re.compile(r"Back on \w+ at \d\d:\d\d \(UTC\)"))


def test_the_way_for_an_answer_opens_when_something_was_written_to_nobody(
    contexts: Any, server: Server, owner: Owner, noise: Noise
) -> None:
    press(owner, "/inbox/away", until="on")
    shop = Shop(contexts().new_page(), f"http://127.0.0.1:{server.port}").visit().open()
    way = shop.place.locator("#address")
    expect(way).to_be_hidden()
    shop.say("Is anybody there?")
    expect(shop.box).to_be_focused()
    email = way.get_by_label("We are away just now. Leave your e-mail address and we answer there.")
    email.fill("vera@example.org")
    way.get_by_role("button", name="Save", exact=True).click()
    expect(way).to_contain_text("Answers also go to vera@example.org")
    assert not noise.heard


# In the reader's zone, now, and words for instants. Lord Howe's clock is set back by half an hour on 2026-04-05 at 2.
WORDS = {
    ("Australia/Lord_Howe", "2026-04-04T12:50Z"): {
        "2026-04-04T12:55:00.000Z": "Back today at 23:55.",
        "2026-04-04T13:05:00.000Z": "Back tomorrow at 00:05.",
        "2026-04-05T15:00:00.000Z": "Back on Monday at 01:30.",
        "2026-04-10T13:00:00.000Z": "Back on Friday at 23:30.",
        "2026-04-11T01:00:00.000Z": "Back on April 11 at 11:30.",
    },
    ("Europe/Vienna", "2026-03-28T22:30Z"): {"2026-03-29T07:00:00.000Z": "Back tomorrow at 09:00."},
    ("Europe/Vienna", "2026-10-24T22:30Z"): {"2026-10-25T08:00:00.000Z": "Back today at 09:00."},
    ("Pacific/Kiritimati", "2026-11-22T09:00Z"): {"2026-11-22T19:00:00.000Z": "Back tomorrow at 09:00."},
    ("Pacific/Pago_Pago", "2026-11-22T10:30Z"): {"2026-11-22T20:00:00.000Z": "Back tomorrow at 09:00."},
}
SHOW = """instants => document.getElementById('presence').replaceChildren(...instants.map((at) => {
  const said = document.createElement('span');
  said.className = 'back';
  said.dataset.at = at;
  return said;
}))"""


def test_the_day_is_the_readers_own_around_every_change_of_the_clock(contexts: Any, server: Server) -> None:
    for (zone, now), words in WORDS.items():
        page = contexts(timezone_id=zone).new_page()
        page.clock.install(time=datetime.fromisoformat(now))
        page.route("**/live?*", lambda route: route.abort())  # what the server says of its own time is another matter
        page.goto(f"http://127.0.0.1:{server.port}/c/main")
        page.evaluate(SHOW, list(words))
        page.clock.run_for(61_000)
        assert page.locator(".back").all_text_contents() == list(words.values())
