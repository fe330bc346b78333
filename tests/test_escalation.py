"""When nobody looks: mail, then the colleague; not in quiet hours, never a hundred at once, and after a crash too."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import PASSWORD, Server, free_port
from push_service import Phone, PushService
from test_alerts import handled, hurry, look_at_everything, plan, query, settled, subscribed, told, waiting

from chat.features.alerts.plans import BadPlan, Plan, check

pytestmark = pytest.mark.xdist_group("escalation")
BOB = "bob@example.com"


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    with PushService() as running:
        yield running
        assert not running.wrong


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With mail set up, at a server that is away: what is to be mailed waits and can be counted."""
    mail = {"CHAT_SMTP_URL": f"smtp://127.0.0.1:{free_port()}", "CHAT_MAIL_FROM": "Shop <chat@shop.example>"}
    with Server(tmp_path_factory.mktemp("server"), CHAT_PRIVATE_HOSTS="127.0.0.1", **mail) as running:
        yield running


@pytest.fixture
def ann(server: Server) -> Iterator[Owner]:
    look_at_everything(server)
    query(server, "DELETE FROM deliveries")
    query(server, "DELETE FROM alert_plans")
    yield Owner(server.url).arrive()
    query(server, "DELETE FROM push_devices")


@pytest.fixture
def bob(server: Server, ann: Owner) -> Iterator[Owner]:
    """A colleague with the same password."""
    copied = "INSERT INTO agents (email, name, password_hash, created_at) SELECT ?, 'Bob', password_hash, created_at"
    query(server, f"{copied} FROM agents WHERE NOT EXISTS (SELECT 1 FROM agents WHERE email = ?) LIMIT 1", BOB, BOB)
    colleague = Owner(server.url)
    assert colleague.sign_in(BOB, PASSWORD).status_code == 303
    yield colleague
    query(server, "DELETE FROM alert_plans")
    query(server, "DELETE FROM deliveries")
    query(server, "DELETE FROM sessions WHERE agent_id = (SELECT id FROM agents WHERE email = ?)", BOB)
    query(server, "DELETE FROM push_devices WHERE agent_id = (SELECT id FROM agents WHERE email = ?)", BOB)
    query(server, "DELETE FROM agents WHERE email = ?", BOB)


def age(server: Server, minutes: int = 10) -> None:
    """As if all that is unseen had been said that long ago."""
    past = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    query(server, "UPDATE events SET created_at = ?", past)


def mails(server: Server) -> list[str]:
    """What is to be mailed to agents: which kind each."""
    return [row[0] for row in query(server, "SELECT about ->> 'kind' FROM deliveries WHERE sender = 'mail'")]


def stepped(server: Server) -> None:
    """All steps are due, and were looked at once; those that are put off wait again."""
    handled(server)
    known = query(server, "SELECT coalesce(max(id), 0) FROM deliveries")[0][0]
    hurry(server, "alerts")
    left = "SELECT count(*) FROM deliveries WHERE sender = 'alerts' AND state IN ('waiting', 'sending') AND id <= ?"
    eventually(lambda: query(server, left, known)[0][0] == 0, 15, "the steps")


def seconds_until(moment: str) -> float:
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


def test_mail_follows_when_nobody_has_looked_for_the_minutes(server: Server, ann: Owner) -> None:
    vera = Visitor(server.url).arrive()
    vera.say("nobody home?")
    handled(server)
    ((key, due, _),) = waiting(server, "alerts")
    assert "mail to agent" in key and 290 < seconds_until(due) <= 300
    stepped(server)
    assert not mails(server), "five minutes are not over yet"
    age(server)
    stepped(server)
    assert mails(server) == ["alert"]
    vera.say("still nobody?")
    stepped(server)
    assert mails(server) == ["alert"] and 3000 < seconds_until(waiting(server, "alerts")[0][1]) <= 3600


def test_whoever_wants_new_message_only_gets_a_mail_of_that_kind(server: Server, ann: Owner) -> None:
    assert plan(ann, show_text="0").status_code == 303
    Visitor(server.url).arrive().say("my secret wish")
    age(server)
    stepped(server)
    assert query(server, "SELECT about ->> 'brief' FROM deliveries WHERE sender = 'mail'") == [(1,)]


def test_what_was_seen_is_not_mailed(server: Server, ann: Owner) -> None:
    Visitor(server.url).arrive().say("seen in time")
    handled(server)
    age(server)
    query(server, "UPDATE states SET agent_seen = 9000000000000000")
    stepped(server)
    assert not mails(server) and not waiting(server, "alerts")


def test_whoever_wants_no_mail_gets_none(server: Server, ann: Owner) -> None:
    assert plan(ann, mail_after="").status_code == 303
    Visitor(server.url).arrive().say("no mail, please")
    handled(server)
    assert not waiting(server, "alerts")


def test_many_unseen_conversations_are_one_mail(server: Server, ann: Owner) -> None:
    for number in range(12):
        Visitor(server.url).arrive().say(f"visitor {number}")
    handled(server)
    age(server)
    hurry(server, "alerts")
    eventually(lambda: mails(server), 15, "the mail")
    stepped(server)
    assert mails(server) == ["digest"]


def test_the_colleague_is_called_when_the_time_is_over_and_not_before(
    server: Server, ann: Owner, bob: Owner, service: PushService
) -> None:
    hers, his = subscribed(ann, Phone(service)), subscribed(bob, Phone(service))
    number = query(server, "SELECT id FROM agents WHERE email = ?", BOB)[0][0]
    first = query(server, "SELECT id FROM agents WHERE email <> ? AND password_hash <> '!'", BOB)[0][0]
    assert plan(ann, mail_after="", next_agent_id=str(number), next_after="5").status_code == 303
    assert plan(bob, mail_after="", first="0", next_agent_id=str(first), next_after="5").status_code == 303
    Visitor(server.url).arrive().say("who is there?")
    assert told(server, hers)
    settled(server)
    ((key, due, _),) = waiting(server, "alerts")
    assert key.startswith("colleague") and 290 < seconds_until(due) <= 300 and not his.calls
    stepped(server)
    assert told(server, his)[0].note["body"] == "who is there?"
    settled(server)
    assert len(hers.calls) == 1 and not waiting(server, "alerts"), "Ann was asked already"


def test_if_everybody_waits_for_a_colleague_all_are_called(
    server: Server, ann: Owner, bob: Owner, service: PushService
) -> None:
    hers, his = subscribed(ann, Phone(service)), subscribed(bob, Phone(service))
    assert plan(ann, first="0").status_code == plan(bob, first="0").status_code == 303
    Visitor(server.url).arrive().say("after you, please")
    assert told(server, hers) and told(server, his)


def test_quiet_hours_hold_everything_back_and_end_with_one_summary(
    server: Server, ann: Owner, service: PushService
) -> None:
    phone, now = subscribed(ann, Phone(service)), datetime.now(UTC)
    quiet = {"quiet_from": f"{now - timedelta(hours=1):%H:%M}", "quiet_to": f"{now + timedelta(hours=1):%H:%M}"}
    assert plan(ann, **quiet, timezone="UTC").status_code == 303
    for number in range(3):
        Visitor(server.url).arrive().say(f"night owl {number}")
    handled(server)
    ((_, due, _),) = waiting(server, "push")
    assert 3300 < seconds_until(due) <= 3600
    ((key, due, _),) = waiting(server, "alerts")
    assert "conversation" not in key and 3300 + 300 < seconds_until(due) <= 3600 + 300
    hurry(server, "push")
    age(server)
    stepped(server)
    eventually(
        lambda: waiting(server, "push") and seconds_until(waiting(server, "push")[0][1]) > 3000, 10, "still quiet"
    )
    assert not phone.calls and not mails(server)
    assert plan(ann).status_code == 303
    assert told(server, phone)[0].note["title"] == "3 conversations have new messages"
    stepped(server)
    settled(server)
    assert len(phone.calls) == 1 and mails(server) == ["digest"]


def test_a_digest_comes_once_a_day_at_its_hour(server: Server, ann: Owner) -> None:
    Visitor(server.url).arrive().say("I wait since yesterday")
    past = f"{datetime.now(UTC) - timedelta(minutes=1):%H:%M}"
    assert plan(ann, mail_after="", digest=past, timezone="UTC").status_code == 303
    today = query(server, "SELECT digested_on FROM alert_plans")[0][0]
    assert today == f"{datetime.now(UTC):%F}", "the hour of today is over: it begins tomorrow"
    query(server, "UPDATE alert_plans SET digested_on = '2020-01-01'")
    eventually(lambda: mails(server) == ["digest"], 10, "the digest")
    assert query(server, "SELECT digested_on FROM alert_plans")[0][0] == today


def test_a_crash_loses_and_doubles_no_alert(server: Server, ann: Owner, service: PushService) -> None:
    phone = subscribed(ann, Phone(service))
    Visitor(server.url).arrive().say("before the crash")
    server.restart(signal.SIGKILL)
    assert told(server, phone)[0].note["body"] == "before the crash"
    query(server, "UPDATE deliveries SET state = 'sending', done_at = NULL WHERE sender = 'push'")
    server.restart(signal.SIGKILL)  # sent, and killed before it could be noted
    settled(server)
    assert {call.headers["Topic"] for call in phone.calls} == {phone.calls[0].headers["Topic"]}
    assert len(phone.calls) <= 2, "at worst it is shown again in its own place"


@pytest.mark.parametrize(
    ("quiet", "moment", "end"),
    [
        (("22:00", "07:00", "UTC"), "2026-11-23T23:00", "2026-11-24T07:00"),
        (("22:00", "07:00", "UTC"), "2026-11-23T06:59", "2026-11-23T07:00"),
        (("22:00", "07:00", "UTC"), "2026-11-23T07:00", None),
        (("22:00", "07:00", "UTC"), "2026-11-23T21:59", None),
        (("12:00", "13:00", "UTC"), "2026-11-23T12:00", "2026-11-23T13:00"),
        (("12:00", "13:00", "Asia/Kathmandu"), "2026-11-23T06:30", "2026-11-23T07:15"),
        (("22:00", "07:00", "Europe/Vienna"), "2026-03-28T22:00", "2026-03-29T05:00"),  # the clocks go forward
        (("22:00", "07:00", "Europe/Vienna"), "2026-10-24T22:00", "2026-10-25T06:00"),  # and back
        (("02:00", "02:30", "Europe/Vienna"), "2026-03-29T00:59", None),
        (("22:00", "07:00", "Not/AZone"), "2026-11-23T23:00", "2026-11-24T07:00"),
        (("", "", ""), "2026-11-23T23:00", None),
    ],
)
def test_quiet_hours_end_when_their_clock_says(quiet: Any, moment: str, end: str | None) -> None:
    mine = Plan(1, "Ann", "ann@example.com", quiet_from=quiet[0], quiet_to=quiet[1], timezone=quiet[2])
    found = mine.quiet_until(datetime.fromisoformat(f"{moment}+00:00"))
    assert found == (datetime.fromisoformat(f"{end}+00:00") if end else None)


@pytest.mark.parametrize(
    ("field", "choice"),
    [
        ("quiet_from", {"quiet_from": "25:00", "quiet_to": "07:00"}),
        ("quiet_from", {"quiet_from": "22:00"}),
        ("quiet_from", {"quiet_from": "22:00", "quiet_to": "22:00"}),
        ("quiet_to", {"quiet_from": "22:00", "quiet_to": "seven"}),
        ("digest", {"digest": "8"}),
        ("timezone", {"timezone": "Middle/Earth"}),
        ("timezone", {"timezone": "../../etc/passwd"}),
    ],
)
def test_a_choice_that_cannot_be_is_refused_beside_its_field(field: str, choice: dict[str, str]) -> None:
    with pytest.raises(BadPlan) as bad:
        check(Plan(1, "Ann", "ann@example.com")._replace(**choice))  # type: ignore[arg-type]
    assert bad.value.field == field
