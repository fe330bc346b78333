"""Alerts in a real browser: the worker while tabs are closed or open, the page, and tabs that agree who rings.

A headless browser has no push service, so what one would bring is handed to the worker through the browser's own
debugging protocol; that it gets there encrypted is test_alerts.py's matter."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cast import Visitor
from feed import eventually
from harness import Server
from pages import Inbox, Noise
from playwright.sync_api import BrowserContext, Page, expect
from push_service import Phone, PushService

pytestmark = pytest.mark.xdist_group("browser alerts")
GRANTED = """
  const off = () => window.unfocused;
  const own = document.hasFocus.bind(document);
  document.hasFocus = () => !off() && own();
  window.rings = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) { window.rings += 1; return start.call(this, at); };
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, HOST=None, CHAT_PRIVATE_HOSTS="127.0.0.1") as running:
        yield running


@pytest.fixture
def profile(contexts: Any, server: Server) -> BrowserContext:
    """Ann's browser, in which she has allowed notifications and is signed in."""
    context: BrowserContext = contexts()
    context.grant_permissions(["notifications"], origin=origin(server))
    context.add_init_script(GRANTED)
    Inbox(context.new_page(), origin(server)).sign_in()
    return context


def origin(server: Server) -> str:
    return f"http://localhost:{server.port}"


class Worker:
    """The service worker, called as a push service would."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        page.evaluate(
            "async () => { await navigator.serviceWorker.register('/inbox/alerts/worker.js', { scope: '/inbox' });"
            " await navigator.serviceWorker.ready; }"
        )
        self.session = page.context.new_cdp_session(page)
        self.versions: dict[str, Any] = {}
        self.session.on("ServiceWorker.workerRegistrationUpdated", self._seen)
        self.session.send("ServiceWorker.enable")
        eventually(lambda: page.wait_for_timeout(20) or self.versions, 5, "the registration")

    def _seen(self, told: dict[str, Any]) -> None:
        for each in told["registrations"]:
            self.versions[each["registrationId"]] = each["scopeURL"]

    def push(self, **note: Any) -> None:
        (number,) = [each for each, scope in self.versions.items() if scope.startswith(self.url)]
        told = {"origin": self.url + "/", "registrationId": number, "data": json.dumps(note)}
        self.session.send("ServiceWorker.deliverPushMessage", told)

    def use(self, page: Page) -> None:
        """Go on through another page, before the first one is closed."""
        self.page, self.session = page, page.context.new_cdp_session(page)
        self.session.send("ServiceWorker.enable")

    def stands(self, *bodies: str) -> None:
        """Just these notifications stand there, after a while."""
        shown: list[list[str]] = []

        def settled() -> bool:
            self.page.wait_for_timeout(20)
            shown.append(sorted(each["body"] for each in self.shown()))
            return shown[-1] == sorted(bodies)

        try:
            eventually(settled)
        except AssertionError:
            raise AssertionError(f"{shown[-1]} stands there, not {bodies}") from None

    def shown(self) -> list[dict[str, Any]]:
        """The notifications that stand there now."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await (await navigator.serviceWorker.getRegistration('/inbox')).getNotifications())"
            ".map(({ title, body, tag, silent, actions, data }) => ({ title, body, tag, silent, data,"
            " actions: actions.map(({ action }) => action) }))"
        )
        return found


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert not running.wrong


def signed_up(profile: BrowserContext, server: Server, service: PushService) -> Phone:
    """A phone in the name of this browser's session."""
    phone, page = Phone(service), profile.pages[0]
    sign_up = """async (subscription) => {
      const csrf = JSON.parse(document.body.getAttribute('hx-headers:inherited'))['X-CSRF'];
      const headers = { 'Content-Type': 'application/json', 'X-CSRF': csrf };
      const body = JSON.stringify(subscription);
      return (await fetch('/inbox/alerts/devices', { method: 'POST', headers, body })).status;
    }"""
    assert page.evaluate(sign_up, phone.subscription) == 201
    return phone


def press(profile: BrowserContext, tag: str, action: str, reply: str = "") -> None:
    """What the browser does when a button of a notification is pressed."""
    pressed = """async ([tag, action, reply]) => {
      const [notification] = await registration.getNotifications({ tag });
      const event = new NotificationEvent('notificationclick', { notification, action, reply });
      Object.defineProperty(event, 'reply', { value: reply });
      self.dispatchEvent(event);
    }"""
    profile.service_workers[0].evaluate(pressed, [tag, action, reply])


def test_the_worker_shows_one_notification_a_conversation(
    server: Server, profile: BrowserContext, noise: Noise
) -> None:
    worker, url = Worker(profile.pages[0], origin(server)), "/inbox/conversations/7"
    worker.push(title="Vera", body="one", tag=url, url=url, event=1, reply="x", close="y")
    worker.stands("one")
    worker.push(title="Vera: 2 new messages", body="two", tag=url, url=url, event=2, reply="x", close="y")
    worker.push(title="Olga", body="hello", tag="/inbox/conversations/8", url="/inbox/conversations/8", event=3)
    worker.stands("two", "hello")
    assert worker.shown()[0]["actions"] == ["reply", "close"]
    profile.pages[0].evaluate("history.replaceState(null, '', '/inbox/conversations/9')")
    worker.push(title="9 conversations have new messages", body="all", tag="/inbox", url="/inbox", event=4)
    worker.stands("all")
    assert not noise.heard


def test_nothing_is_shown_while_the_conversation_is_before_the_eyes(server: Server, profile: BrowserContext) -> None:
    vera, page = Visitor(server.url).arrive(), profile.pages[0]
    vera.say("I am being read")
    inbox = Inbox(page, origin(server))
    inbox.open("I am being read")
    expect(page).to_have_url(re.compile(r"/inbox/conversations/\d+$"))
    url = page.url.removeprefix(origin(server))
    worker = Worker(page, origin(server))
    worker.push(title="Vera", body="not shown", tag=url, url=url, event=1)
    worker.push(title="Olga", body="shown", tag="/inbox/conversations/8", url="/inbox/conversations/8", event=2)
    worker.stands("shown")


def test_looking_at_the_conversation_takes_its_notification_back(server: Server, profile: BrowserContext) -> None:
    Visitor(server.url).arrive().say("look here")
    page = profile.pages[0]
    worker, inbox = Worker(page, origin(server)), Inbox(page, origin(server))
    url = inbox.line("look here").get_attribute("href") or ""
    worker.push(title="Vera", body="look here", tag=url, url=url, event=1)
    worker.stands("look here")
    inbox.open("look here")
    worker.stands()


def test_a_reply_from_the_notification_is_stored_once_while_no_tab_is_open(
    server: Server, profile: BrowserContext, service: PushService
) -> None:
    phone, vera, worker = signed_up(profile, server, service), Visitor(server.url).arrive(), None
    worker = Worker(profile.pages[0], origin(server))
    vera.say("Is the blue lamp in stock?")
    note = phone.told()[0].note
    blank = profile.new_page()
    profile.pages[0].close()
    assert [page.url for page in profile.pages] == ["about:blank"]
    worker.use(blank)
    worker.push(**note)
    eventually(lambda: blank.wait_for_timeout(20) or bodies(profile) == ["Is the blue lamp in stock?"], 5, "the note")
    press(profile, note["tag"], "reply", "Yes, two of them")
    eventually(lambda: vera.poll() and "Yes, two of them" in vera.log.texts(), 10, "the reply")
    worker.push(**note)
    eventually(lambda: blank.wait_for_timeout(20) or bodies(profile), 5, "the same note again")
    press(profile, note["tag"], "reply", "Something else")
    eventually(lambda: blank.wait_for_timeout(20) or not bodies(profile), 5, "the note to go")
    vera.catch_up()
    assert "Something else" not in vera.log.texts()


def bodies(profile: BrowserContext) -> list[str]:
    """The words of the notifications, asked of the worker itself."""
    shown: list[str] = profile.service_workers[0].evaluate(
        "async () => (await registration.getNotifications()).map(({ body }) => body)"
    )
    return shown


def test_close_closes_and_what_is_typed_is_never_lost(
    server: Server, profile: BrowserContext, service: PushService
) -> None:
    phone, vera, page = signed_up(profile, server, service), Visitor(server.url).arrive(), profile.pages[0]
    worker, inbox = Worker(page, origin(server)), Inbox(page, origin(server))
    vera.say("thank you, bye")
    note = phone.told()[0].note
    worker.push(**note)
    worker.stands("thank you, bye")
    press(profile, note["tag"], "close")
    expect(inbox.line("thank you, bye")).to_have_count(0)
    worker.stands()
    with server.down():
        worker.push(**note)
        worker.stands("thank you, bye")
        press(profile, note["tag"], "reply", "typed in vain")
        eventually(lambda: page.wait_for_timeout(20) or "can’t be reached" in str(bodies(profile)), 10, "the failure")
    assert worker.shown()[0]["title"] == "Not sent: typed in vain"
    press(profile, note["tag"], "")
    expect(inbox.box).to_have_value("typed in vain", timeout=20_000)
    assert page.evaluate("document.activeElement.id") == "body"


def test_of_three_tabs_one_rings_and_one_shows_the_notification(server: Server, profile: BrowserContext) -> None:
    tabs = [profile.pages[0], profile.new_page(), profile.new_page()]
    vera = Visitor(server.url).arrive()
    vera.say("first words")
    for tab in tabs:
        tab.goto(f"{origin(server)}/inbox")
        tab.get_by_role("button", name="Turn on alerts").or_(tab.get_by_role("button", name="Alerts are on")).wait_for()
        if tab is tabs[0]:
            tab.get_by_role("button", name="Turn on alerts").click()
        tab.keyboard.press("Shift")
        tab.evaluate(COUNT)
    for tab in tabs:
        tab.evaluate("window.unfocused = true; window.rings = 0; dispatchEvent(new Event('blur'))")
    tabs[0].wait_for_timeout(300)
    vera.say("who rings?")
    total = lambda what: sum(tab.evaluate(f"window.{what}") for tab in tabs)  # noqa: E731
    for tab in tabs:
        expect(tab.locator(".row .unread")).to_contain_text("2")
    eventually(lambda: tabs[0].wait_for_timeout(20) or total("notes") == 1, 10, f"a notification {state(tabs)}")
    tabs[0].wait_for_timeout(500)
    assert (total("rings"), total("notes")) == (2, 1), "two strokes of one bell, one note"
    tabs[1].evaluate("window.unfocused = false; dispatchEvent(new Event('focus'))")
    inbox = Inbox(tabs[1], origin(server))
    inbox.open("who rings?")
    tabs[1].wait_for_timeout(300)
    vera.say("you see this one")
    expect(inbox.message("you see this one")).to_be_visible()
    tabs[0].wait_for_timeout(700)
    assert (total("rings"), total("notes")) == (2, 1), "nothing rings while one tab looks at it"


def state(tabs: list[Page]) -> list[Any]:
    """What each tab knows, for the person who reads a failure."""
    asked = (
        "async () => [window.rings, window.notes, window.unfocused, Notification.permission, { ...localStorage },"
        " (await navigator.locks.query()).held.map(({ name }) => name)]"
    )
    return [tab.evaluate(asked) for tab in tabs]


COUNT = """() => {
  window.notes = 0;
  window.Notification = class extends EventTarget {
    static permission = 'granted';
    static requestPermission = async () => 'granted';
    constructor() { super(); window.notes += 1; }
    close() {}
  };
}"""


def test_in_quiet_hours_no_tab_rings(server: Server, profile: BrowserContext) -> None:
    page = profile.pages[0]
    page.goto(f"{origin(server)}/inbox/alerts")
    page.get_by_label("From", exact=True).fill("00:00")
    page.get_by_label("To", exact=True).fill("23:59")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="saved")).to_be_visible()
    expect(page.get_by_label("Your time zone")).not_to_have_value("")
    page.goto(f"{origin(server)}/inbox")
    page.evaluate(COUNT)
    page.get_by_role("button", name="Turn on alerts").click()
    page.evaluate("window.unfocused = true; window.rings = 0; dispatchEvent(new Event('blur'))")
    Visitor(server.url).arrive().say("sleep well")
    expect(Inbox(page, origin(server)).line("sleep well")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate("[window.rings, window.notes]") == [0, 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_says_why_alerts_do_not_come_and_fits_every_screen(
    server: Server, contexts: Any, profile: BrowserContext, scheme: Any, noise: Noise
) -> None:
    for width in (1280, 390):
        page = contexts(color_scheme=scheme, viewport={"width": width, "height": 900}).new_page()
        Inbox(page, origin(server)).sign_in()
        page.goto(f"{origin(server)}/inbox/alerts")
        expect(page.locator("#standing")).to_contain_text("Alerts do not reach you")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(page, f"alerts-{scheme}-{width}")
    page = profile.new_page()
    page.goto(f"{origin(server)}/inbox/alerts")
    page.get_by_role("button", name="Turn on alerts in this browser").click()
    expect(page.locator("#here")).to_contain_text("Alerts could not be turned on. This browser’s push service refused")
    assert not [line for line in noise.heard if "incognito" not in line]


PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


@pytest.mark.parametrize(
    ("lacking", "agent", "words"),
    [
        ("delete window.PushManager", PHONE, "Add to Home Screen"),
        ("delete window.PushManager", None, "can’t be called by pages"),
        ("Object.defineProperty(Notification, 'permission', { value: 'denied' })", None, "blocks notifications"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", None, "does not come by https"),
    ],
)
def test_what_stands_in_the_way_in_this_browser_is_said_with_what_to_do(
    server: Server, contexts: Any, noise: Noise, lacking: str, agent: str | None, words: str
) -> None:
    context = contexts(user_agent=agent) if agent else contexts()
    context.add_init_script(lacking)
    page = context.new_page()
    Inbox(page, origin(server)).sign_in()
    page.goto(f"{origin(server)}/inbox/alerts")
    expect(page.locator("#standing")).to_contain_text(words)
    expect(page.get_by_role("button", name="Turn on alerts")).to_have_count(0)
    assert not noise.heard


def shoot(page: Page, name: str) -> None:
    """Keep a picture where PORCHLIGHT_SHOTS names a folder."""
    if folder := os.environ.get("PORCHLIGHT_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
