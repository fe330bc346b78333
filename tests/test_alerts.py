"""Alerts: who is called when somebody writes, how, and when not. Through a push service that checks and decrypts."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from push_service import Call, Phone, PushService

pytestmark = pytest.mark.xdist_group("alerts")
PRIVATE = {"CHAT_PRIVATE_HOSTS": "127.0.0.1"}
BOB = "bob@example.com"


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert not running.wrong


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), **PRIVATE) as running:
        yield running


@pytest.fixture
def ann(server: Server) -> Iterator[Owner]:
    """Ann in a session of her own, who has looked at everything; her devices go with her session."""
    owner = Owner(server.url).arrive()
    look_at_everything(server)
    yield owner
    owner.http.post("/inbox/logout", data={"csrf": csrf(owner), "everywhere": "1"}, headers=owner.auth())


@pytest.fixture
def phone(ann: Owner, service: PushService) -> Phone:
    """Ann's phone, signed up."""
    return subscribed(ann, Phone(service))


def csrf(owner: Owner) -> str:
    return owner.page("/inbox/alerts").first("input", name="csrf").attrs["value"]


def subscribed(owner: Owner, phone: Phone) -> Phone:
    assert add(owner, phone.subscription).status_code == 201
    return phone


def add(owner: Owner, subscription: Any, **headers: str) -> httpx.Response:
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}
    return owner.http.post(
        "/inbox/alerts/devices",
        json=subscription,
        headers=owner.auth() | {"X-CSRF": csrf(owner)} | agent | headers,
    )


def press(owner: Owner, path: str, **form: str) -> httpx.Response:
    return owner.http.post(path, data={"csrf": csrf(owner), **form}, headers=owner.auth(), timeout=30)


def device_of(owner: Owner) -> str:
    acts = owner.page("/inbox/alerts").first("div", cls="device-acts")
    return re.findall(r"/devices/(\d+)/", acts.first("form").attrs["action"])[0]


def query(server: Server, statement: str, *values: object) -> list[Any]:
    """What the database holds, or a change of it, beside the running server."""
    db = sqlite3.connect(server.data / "chat.sqlite", timeout=10, isolation_level=None)
    try:
        return db.execute(statement, values).fetchall()
    finally:
        db.close()


def look_at_everything(server: Server) -> None:
    query(server, "UPDATE states SET agent_seen = 9000000000000000")
    query(server, "UPDATE deliveries SET state = 'dropped', done_at = created_at WHERE state = 'waiting'")


def hurry(server: Server, sender: str) -> None:
    """Have what waits for its time be due now."""
    query(
        server,
        "UPDATE deliveries SET next_at = '2020-01-01T00:00:00.000Z' WHERE state = 'waiting' AND sender = ?",
        sender,
    )


def waiting(server: Server, sender: str) -> list[Any]:
    return query(server, "SELECT key, next_at, attempts FROM deliveries WHERE state = 'waiting' AND sender = ?", sender)


def plan(owner: Owner, **choices: str) -> httpx.Response:
    """Save choices; the rest as they are by default."""
    form = {"first": "1", "show_text": "1", "sound": "1", "mail_after": "5", "next_after": "15"} | choices
    return press(owner, "/inbox/alerts", **{name: value for name, value in form.items() if value})


def told(server: Server, phone: Phone, count: int = 1) -> list[Call]:
    """What has reached the phone once all that was written is due."""
    handled(server)
    hurry(server, "push")
    return phone.told(count)


def handled(server: Server) -> None:
    """The alerts have taken in all that visitors wrote."""
    newest = "SELECT max(id) FROM events WHERE kind = 'message.posted'"
    asked = f"SELECT event_id >= ({newest}) FROM cursors WHERE name = 'alerts'"
    eventually(lambda: query(server, asked)[0][0], 10, "the handler")


def settled(server: Server) -> None:
    """Nothing waits to be pushed, or is under way, once all is due."""
    handled(server)
    hurry(server, "push")
    asked = "SELECT count(*) FROM deliveries WHERE sender = 'push' AND state IN ('waiting', 'sending')"
    eventually(lambda: query(server, asked)[0][0] == 0, 15, "the end of all pushes")


def test_a_message_reaches_the_phone_encrypted_and_signed(server: Server, service: PushService, phone: Phone) -> None:
    Visitor(server.url).arrive().say("Do you ship to Norway?")
    call = told(server, phone)[0]
    assert call.note["body"] == "Do you ship to Norway?" and call.note["title"]
    assert re.fullmatch(r"/inbox/conversations/\d+", call.note["url"]) and call.note["tag"] == call.note["url"]
    assert call.headers["Urgency"] == "high" and call.size < 3100
    assert call.claims["sub"] == "mailto:ann@example.com"
    assert not service.wrong


def test_a_burst_is_one_alert_and_the_next_comes_later_under_the_same_topic(server: Server, phone: Phone) -> None:
    vera = Visitor(server.url).arrive()
    for line in ("one", "two", "three"):
        vera.say(line)
    first = phone.told()[0]
    assert first.note["body"] == "three" and "3 new messages" in first.note["title"]
    vera.say("four")
    handled(server)
    due = datetime.fromisoformat(waiting(server, "push")[0][1])
    assert 6 < (due - datetime.now(UTC)).total_seconds() <= 10, "the next one about it comes 10 s after the last"
    second = told(server, phone, 2)[1]
    assert second.note["body"] == "four"
    assert second.headers["Topic"] == first.headers["Topic"] and second.note["tag"] == first.note["tag"]


def test_what_was_looked_at_meanwhile_calls_nobody(server: Server, ann: Owner, phone: Phone) -> None:
    vera = Visitor(server.url).arrive()
    vera.say("quickly read")
    number = int(ann.conversation("quickly read").rpartition("/")[2])
    ann.catch_up()
    headers = ann.auth() | {"X-CSRF": csrf(ann)}
    told = {"seen": ann.log.cursor, "conversation": number}
    assert ann.http.post("/inbox/signals", json=told, headers=headers).status_code == 204
    settled(server)
    assert not phone.calls


def test_more_than_a_handful_of_conversations_is_one_summary(server: Server, phone: Phone) -> None:
    for number in range(30):
        Visitor(server.url).arrive().say(f"visitor {number}")
    assert "conversations have new messages" in told(server, phone)[0].note["title"]
    settled(server)
    assert len(phone.calls) <= 2, [call.note["title"] for call in phone.calls]
    assert phone.calls[-1].note["unseen"] >= 6


def test_new_message_only_tells_nothing_else(server: Server, ann: Owner, phone: Phone) -> None:
    assert plan(ann, show_text="0", sound="").status_code == 303
    Visitor(server.url).arrive().say("my secret wish")
    note = told(server, phone)[0].note
    assert note["title"] == "New message" and "secret" not in str(note) and "reply" not in note and note["silent"]
    assert plan(ann).status_code == 303


@pytest.mark.parametrize("status", [404, 410])
def test_an_expired_browser_is_dropped(server: Server, ann: Owner, phone: Phone, status: int) -> None:
    phone.answers.append((status, {}))
    Visitor(server.url).arrive().say("anybody?")
    settled(server)
    eventually(lambda: not ann.page("/inbox/alerts").all(cls="device-acts"), 10, "the device to go")
    assert phone.tries == 1 and not phone.calls


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "2"}), (500, {"Retry-After": "1"}), (503, {})])
def test_a_busy_push_service_is_asked_again_when_it_says(
    server: Server, ann: Owner, phone: Phone, status: int, headers: dict[str, str]
) -> None:
    phone.answers.append((status, headers))
    vera = Visitor(server.url).arrive()
    vera.say("hello?")
    handled(server)
    hurry(server, "push")
    eventually(lambda: phone.tries == 1, 10, "the first try")
    eventually(lambda: str(status) in ann.page("/inbox/alerts").text, 5, "the reason on the page")
    if headers:
        return assert_asked_again(server, phone, float(headers["Retry-After"]))
    vera.say("hello again")
    handled(server)
    assert len(waiting(server, "push")) == 1, "what is being retried tells what comes after, too"
    assert told(server, phone)[0].note["body"] == "hello again"
    settled(server)
    assert phone.tries == 2 and "Alerts work" in ann.page("/inbox/alerts").text


def assert_asked_again(server: Server, phone: Phone, seconds: float) -> None:
    began = time.monotonic()
    assert phone.told()[0].at - began < seconds + 2 and phone.tries == 2
    assert not waiting(server, "push")


@pytest.mark.parametrize("status", [400, 403, 413])
def test_a_refusal_is_told_and_not_repeated(server: Server, ann: Owner, phone: Phone, status: int) -> None:
    phone.answers.append((status, {}))
    Visitor(server.url).arrive().say("anybody there?")
    eventually(lambda: str(status) in ann.page("/inbox/alerts").text, 10, "the reason on the page")
    assert "Alerts do not reach you" in ann.page("/inbox/alerts").text
    settled(server)
    assert phone.tries == 1


def test_a_slow_push_service_holds_up_no_other_phone(
    server: Server, ann: Owner, phone: Phone, service: PushService
) -> None:
    phone.wait = 3
    other = subscribed(ann, Phone(service))
    Visitor(server.url).arrive().say("two phones")
    handled(server)
    hurry(server, "push")
    assert other.told(1, 2)
    assert phone.told(1, 15)


def test_a_dead_push_service_is_told_on_the_page(server: Server, ann: Owner) -> None:
    with PushService() as dead:
        phone = subscribed(ann, Phone(dead))
    said = press(ann, f"/inbox/alerts/devices/{device_of(ann)}/test").text
    assert "did not reach Firefox 145 on Linux" in said and "could not be reached" in said
    assert not phone.calls


def test_a_test_says_at_once_what_came_back(ann: Owner, phone: Phone) -> None:
    path = f"/inbox/alerts/devices/{device_of(ann)}/test"
    assert "has taken the test" in press(ann, path).text
    assert phone.calls[0].note["title"] == "Alerts work"
    page = ann.page("/inbox/alerts").text
    assert "Alerts work: the last one reached Firefox 145 on Linux" in re.sub(r"\s+", " ", page)
    phone.answers.append((503, {}))
    assert "answered 503" in press(ann, path).text
    phone.answers.append((410, {}))
    assert "was removed" in press(ann, path).text
    assert "No browser of yours is signed up" in ann.page("/inbox/alerts").text


def test_signing_out_ends_alerts_on_that_device(server: Server, ann: Owner, service: PushService) -> None:
    other = Owner(server.url).arrive()
    here, there = subscribed(ann, Phone(service)), subscribed(other, Phone(service))
    ann_page = ann.page("/inbox/alerts")
    assert len(ann_page.all(cls="device-acts")) == 2
    press(other, "/inbox/logout")
    Visitor(server.url).arrive().say("who is still called?")
    assert told(server, here)
    settled(server)
    assert not there.tries


def test_an_expired_session_is_still_called_but_reads_nothing(server: Server, phone: Phone) -> None:
    query(server, "UPDATE sessions SET expires_at = '2020-01-01T00:00:00.000Z'")
    Visitor(server.url).arrive().say("for signed-in eyes")
    try:
        note = told(server, phone)[0].note
    finally:
        query(server, "UPDATE sessions SET expires_at = '2999-01-01T00:00:00.000Z'")
    assert note["title"] == "New message" and "eyes" not in str(note) and "reply" not in note


def test_the_key_is_made_once_and_kept(server: Server, ann: Owner, service: PushService, phone: Phone) -> None:
    key = ann.http.get("/inbox/alerts/plan").json()["key"]
    server.restart()
    assert ann.http.get("/inbox/alerts/plan").json()["key"] == key
    Visitor(server.url).arrive().say("after the restart")
    assert told(server, phone)
    assert service.keys == {key}
