"""Alerts and the stranger: foreign pages, other agents, addresses inside the house, tickets that are not theirs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cast import Owner, Visitor
from harness import PASSWORD, Server
from push_service import Phone, PushService
from test_alerts import add, csrf, device_of, look_at_everything, press, query, subscribed, told

from chat.features.alerts import notes, webpush
from chat.features.alerts.plans import Plan
from chat.features.alerts.unseen import Unseen

pytestmark = pytest.mark.xdist_group("alerts stranger")
EVIL = "https://evil.example"
BOB = "bob@example.com"
DOORS = ["reply", "closure", "renewal"]


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), CHAT_PRIVATE_HOSTS="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def bob(server: Server) -> Owner:
    """Another agent, with the same password."""
    copied = "INSERT INTO agents (email, name, password_hash, created_at) SELECT ?, 'Bob', password_hash, created_at"
    query(server, f"{copied} FROM agents LIMIT 1", BOB)
    colleague = Owner(server.url)
    assert colleague.sign_in(BOB, PASSWORD).status_code == 303
    return colleague


@pytest.fixture
def note(server: Server, ann: Owner, service: PushService) -> dict[str, Any]:
    """What Ann's phone was told of a new conversation."""
    look_at_everything(server)
    query(server, "DELETE FROM push_devices")
    phone = subscribed(ann, Phone(service))
    Visitor(server.url).arrive().say("a question")
    return told(server, phone)[0].note


def knock(owner: Owner, door: str, said: object, **headers: str) -> httpx.Response:
    return owner.http.post(f"/inbox/alerts/{door}", json=said, headers=owner.auth() | headers)


def posted(server: Server, note: dict[str, Any]) -> list[str]:
    number = note["url"].rpartition("/")[2]
    found = query(server, "SELECT body FROM messages WHERE conversation_id = ? AND by = 'agent'", number)
    return [row[0] for row in found]


@pytest.mark.parametrize("address", ["devices", "departure", *DOORS, "", "devices/1/test", "devices/1/removal"])
def test_another_sites_page_can_do_nothing(ann: Owner, note: dict[str, Any], address: str) -> None:
    said = {"ticket": note["reply"], "body": "forged"}
    path = f"/inbox/alerts/{address}".rstrip("/")
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = ann.http.post(path, json=said, headers=headers | {"X-CSRF": csrf(ann)})
        assert answer.status_code == 403, headers


@pytest.mark.parametrize("door", DOORS)
def test_the_workers_doors_want_our_own_origin_to_be_named(ann: Owner, note: dict[str, Any], door: str) -> None:
    assert ann.http.post(f"/inbox/alerts/{door}", json={"ticket": note["reply"]}).status_code == 403


@pytest.mark.parametrize("door", DOORS)
def test_signed_out_nothing_can_be_done(server: Server, note: dict[str, Any], door: str) -> None:
    nobody = Owner(server.url)
    assert knock(nobody, door, {"ticket": note["reply"], "body": "forged"}).status_code == 401
    assert not posted(server, note)


def test_a_form_without_its_token_is_refused(ann: Owner, service: PushService) -> None:
    for path in ("/inbox/alerts", "/inbox/alerts/devices", "/inbox/alerts/departure"):
        assert ann.http.post(path, json=Phone(service).subscription, headers=ann.auth()).status_code == 403


def test_another_agents_devices_are_out_of_reach(
    server: Server, ann: Owner, bob: Owner, note: dict[str, Any], service: PushService
) -> None:
    number, endpoint = device_of(ann), query(server, "SELECT endpoint FROM push_devices")[0][0]
    for what in ("test", "removal"):
        assert press(bob, f"/inbox/alerts/devices/{number}/{what}").status_code == 404
    assert endpoint not in bob.http.get("/inbox/alerts").text
    headers = bob.auth() | {"X-CSRF": csrf(bob)}
    bob.http.post("/inbox/alerts/departure", json={"endpoint": endpoint}, headers=headers)
    renewal = Phone(service).subscription | {"replacing": endpoint}
    assert knock(bob, "renewal", renewal).status_code == 201
    assert device_of(ann) == number, "hers is still there"


def test_a_renewed_address_takes_the_place_of_the_old_one(
    server: Server, ann: Owner, note: dict[str, Any], service: PushService
) -> None:
    (old,) = query(server, "SELECT endpoint FROM push_devices")[0]
    fresh = Phone(service)
    assert knock(ann, "renewal", fresh.subscription | {"replacing": old}).status_code == 201
    assert query(server, "SELECT endpoint FROM push_devices") == [(fresh.subscription["endpoint"],)]
    assert knock(ann, "renewal", {"endpoint": "https://10.1.2.3/x", "keys": {}}).status_code == 422


def test_another_agents_ticket_is_refused(server: Server, ann: Owner, bob: Owner, note: dict[str, Any]) -> None:
    assert knock(bob, "reply", {"ticket": note["reply"], "body": "in her name"}).status_code == 403
    assert knock(bob, "closure", {"ticket": note["close"]}).status_code == 403
    assert not posted(server, note)


def test_a_ticket_is_good_for_its_own_action_alone(server: Server, ann: Owner, note: dict[str, Any]) -> None:
    assert knock(ann, "reply", {"ticket": note["close"], "body": "wrong door"}).status_code == 403
    assert knock(ann, "closure", {"ticket": note["reply"]}).status_code == 403
    for ticket in ("", "x", note["reply"][:-2] + "xx", note["reply"] + "A", "W10.x.y"):
        assert knock(ann, "reply", {"ticket": ticket, "body": "forged"}).status_code == 403
    for said in ([], {}, {"ticket": 7}, "x"):
        assert knock(ann, "reply", said).status_code == 400
    assert not posted(server, note)


def test_a_replayed_reply_is_stored_once_and_a_replayed_close_closes_nothing(
    server: Server, ann: Owner, note: dict[str, Any]
) -> None:
    assert [knock(ann, "reply", {"ticket": note["reply"], "body": text}).status_code for text in ("yes", "no")] == [
        201,
        200,
    ]
    assert posted(server, note) == ["yes"]
    assert knock(ann, "closure", {"ticket": note["close"]}).status_code == 409, "something has happened since"
    assert knock(ann, "reply", {"ticket": note["reply"], "body": " "}).status_code == 422


def test_close_closes_once(server: Server, ann: Owner, note: dict[str, Any]) -> None:
    assert knock(ann, "closure", {"ticket": note["close"]}).status_code == 204
    assert knock(ann, "closure", {"ticket": note["close"]}).status_code == 409
    closed = query(server, "SELECT closed_at FROM conversations WHERE id = ?", note["url"].rpartition("/")[2])
    assert closed[0][0]


def test_a_ticket_ends_after_half_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = notes.Ticket(1, 7, "reply", 3)
    signed = ticket.sign(b"secret")
    assert notes.redeem(b"secret", signed, 1, "reply") == ticket
    now = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + webpush.LIFE + 5)
    with pytest.raises(notes.BadTicket):
        notes.redeem(b"secret", signed, 1, "reply")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://localhost/x",
        "https://user:password@push.example/x",
        "https://",
        "ftp://push.example/x",
        "javascript:alert(1)",
        "https://push.example:99999/x",
        "https://push.example/" + "x" * 2000,
        7,
        None,
    ],
)
def test_only_addresses_of_the_internet_by_https_are_taken(ann: Owner, service: PushService, endpoint: Any) -> None:
    answer = add(ann, Phone(service).subscription | {"endpoint": endpoint})
    assert answer.status_code == 422 and answer.json()["error"]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        None,
        {"p256dh": "AAAA", "auth": "AAAA"},
        {"p256dh": "B" + "A" * 86, "auth": "A" * 22},  # no point of the curve
        {"p256dh": "ä", "auth": "ö"},
        {"p256dh": ["x"], "auth": {}},
    ],
)
def test_keys_that_are_none_are_refused(ann: Owner, service: PushService, keys: Any) -> None:
    assert add(ann, Phone(service).subscription | {"keys": keys}).status_code == 422
    for said in ([], "x", 7, None):
        assert add(ann, said).status_code == 422


def test_nobody_has_more_than_a_handful_of_devices(server: Server, ann: Owner, service: PushService) -> None:
    query(server, "DELETE FROM push_devices")
    phones = [Phone(service) for _ in range(21)]
    assert [add(ann, phone.subscription).status_code for phone in phones] == [201] * 20 + [422]
    assert add(ann, phones[0].subscription).status_code == 201, "one that is known may come again"
    query(server, "DELETE FROM push_devices")


def test_the_longest_words_fit_into_a_push() -> None:
    body = "\U0001f3ee" * 4000
    told = Unseen(2**53, "\U0001f3ee" * 200, 100, body, 2**53, "2026-11-23T09:30:00.000Z")
    plan = Plan(2**53, "Ann", "ann@example.com")
    note = notes.of_conversation(plan, told, b"secret", signed_in=True)
    assert len(notes.packed(note | {"unseen": 200})) <= webpush.LARGEST


def test_script_and_manifest_say_what_browsers_want(ann: Owner) -> None:
    script = ann.http.get("/inbox/alerts/worker.js")
    assert script.headers["Service-Worker-Allowed"] == "/inbox" and "javascript" in script.headers["Content-Type"]
    assert "no-cache" in script.headers["Cache-Control"] and "__" not in script.text
    page = ann.page("/inbox/alerts")
    manifest = ann.http.get(page.first("link", rel="manifest").attrs["href"]).json()
    assert manifest["display"] == "standalone" and manifest["scope"] == manifest["start_url"] == "/inbox"
    icons = [each["src"] for each in manifest["icons"]] + [page.first("link", rel="apple-touch-icon").attrs["href"]]
    for icon in icons:
        answer = ann.http.get(icon)
        assert answer.status_code == 200 and answer.content.startswith(b"\x89PNG"), icon


def test_nothing_of_an_alert_stands_in_the_log(server: Server, ann: Owner, note: dict[str, Any]) -> None:
    words = str(uuid.uuid4())
    assert knock(ann, "reply", {"ticket": note["reply"], "body": words}).status_code == 201
    endpoint = query(server, "SELECT endpoint FROM push_devices")[0][0]
    for secret in (words, note["reply"], endpoint, "a question"):
        assert secret not in server.output
