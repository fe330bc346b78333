"""Mail servers that are killed, slow or silent, a server that dies in the middle, a clock that is wrong: every letter
becomes one message, and every answer goes out."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from cast import Owner, Visitor
from chaos.ground import Clock
from feed import eventually
from harness import EMAIL, Server
from mailer import ADDRESS, PASSWORD, Dovecot, Smtp, letter, reply_to
from network import TcpProxy

from chat import deliveries
from chat.db import connect

VERA = "Vera Example <vera@example.org>"


@pytest.fixture
def mailbox() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


def settings(smtp: Smtp | None = None, imap: str = "", wire: int = 0) -> dict[str, str]:
    out = f"smtp://chat:{PASSWORD}@127.0.0.1:{wire}" if wire else smtp.url if smtp else ""
    mail = {"CHAT_MAIL_FROM": f"Shop <{ADDRESS}>", "CHAT_SMTP_URL": out, "CHAT_IMAP_URL": imap}
    return {name: value for name, value in mail.items() if value}


def bodies(server: Server) -> list[str]:
    """Every message that is stored, in order."""
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        return [row["body"] for row in db.execute("SELECT body FROM messages ORDER BY id")]


def due(server: Server) -> None:
    """Time passes: whatever mail waits is due now."""
    with closing(connect(server.data / "chat.sqlite")) as db:
        which = "sender = 'mail' AND state = 'waiting'"
        db.execute(f"UPDATE deliveries SET next_at = '2000-01-01T00:00:00.000Z' WHERE {which}")


def states(server: Server) -> Counter[str]:
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        return Counter(row[0] for row in db.execute("SELECT state FROM deliveries WHERE sender = 'mail'"))


def asked_by_mail(server: Server, imap: Dovecot, ann: Owner, words: str) -> str:
    """A letter came in; returns its thread."""
    imap.drop(letter(VERA, ADDRESS, words, words))
    eventually(lambda: words in ann.page().text, 20, "the letter")
    return ann.conversation(words)


def test_a_thousand_letters_that_wait_become_a_message_each_while_visitors_talk(
    tmp_path: Path, mailbox: Dovecot
) -> None:
    numbers = range(1000)
    mailbox.drop(*(letter(f"v{i % 97}@example.org", ADDRESS, f"letter {i}", f"Subject {i}") for i in numbers))
    with Server(tmp_path, **settings(imap=mailbox.url)) as server:
        vera = Visitor(server.url).arrive()
        said = 0
        while sum(body.startswith("letter") for body in bodies(server)) < len(numbers):
            vera.say(f"meanwhile {said}")
            said += 1
        counted = Counter(bodies(server))
        assert set(counted.values()) == {1} and {f"letter {i}" for i in numbers} < counted.keys()
        assert vera.catch_up().texts() == [f"meanwhile {i}" for i in range(said)] and said > 3


def test_killed_at_any_moment_while_letters_come_in_none_is_lost_or_doubled(tmp_path: Path, mailbox: Dovecot) -> None:
    chance = random.Random(7)
    mailbox.drop(*(letter(VERA, ADDRESS, f"letter {i}", f"Subject {i}") for i in range(150)))
    server = Server(tmp_path, **settings(imap=mailbox.url))
    with server:
        for _ in range(5):
            before = len(bodies(server))
            eventually(lambda before=before: len(bodies(server)) > before, 20, "some letters")
            eventually(lambda: chance.random() < 0.1, 5, "a moment")
            server.stop(signal.SIGKILL)
            server.start()
        eventually(lambda: len(bodies(server)) >= 150, 30, "all letters")
        mailbox.drop(letter(VERA, ADDRESS, "the last letter", "Last"))
        eventually(lambda: "the last letter" in bodies(server), 20, "the last one")
        assert Counter(bodies(server)) == Counter([*(f"letter {i}" for i in range(150)), "the last letter"])


@pytest.mark.parametrize("cut", ["in the middle of DATA", "after the last dot"])
def test_an_smtp_server_that_dies_gets_the_same_mail_again(
    tmp_path: Path, smtp: Smtp, mailbox: Dovecot, cut: str
) -> None:
    with TcpProxy(smtp.port) as wire, Server(tmp_path, **settings(imap=mailbox.url, wire=wire.port)) as server:
        ann = Owner(server.url).arrive()
        thread = asked_by_mail(server, mailbox, ann, "Do you have it?")
        if cut == "after the last dot":
            smtp.then = lambda: False
        else:
            budgets = iter([(900, None)])
            wire.budget = lambda: next(budgets, (None, None))
        ann.reply(thread, "Yes, we do.")
        due(server)
        eventually(lambda: states(server)["waiting"] and "broke" in ann.page("/inbox/mail").text, 20, "the failure")
        wire.budget = lambda: (None, None)
        due(server)
        eventually(lambda: states(server) == {"sent": 1}, 20, "the second try")
        ids = [mail["Message-ID"] for mail in smtp.mails]
        assert len(ids) == (2 if cut == "after the last dot" else 1) and len(set(ids)) == 1
        assert bodies(server) == ["Do you have it?", "Yes, we do."] and "Not delivered" not in ann.page(thread).text


def test_an_answer_that_was_never_composed_is_told_of_in_the_thread_after_a_restart_too(
    tmp_path: Path, mailbox: Dovecot
) -> None:
    with Server(tmp_path, **settings(imap=mailbox.url)) as server:
        ann = Owner(server.url).arrive()
        thread = asked_by_mail(server, mailbox, ann, "Can you write?")
        ann.reply(thread, "We can't send yet.")
        eventually(lambda: states(server)["waiting"], 20, "the delivery")
        server.stop()
        with closing(connect(server.data / "chat.sqlite")) as db:
            db.execute("UPDATE deliveries SET attempts = ?", [deliveries.ATTEMPTS - 1])
        due(server)
        server.start()
        eventually(lambda: "Not delivered: E-mail is not set up" in ann.page(thread).text, 20, "the failure")


def test_killed_between_sending_and_noting_it_the_same_mail_goes_out_once_more_at_worst(
    tmp_path: Path, smtp: Smtp, mailbox: Dovecot
) -> None:
    with Server(tmp_path, **settings(smtp, mailbox.url)) as server:
        ann = Owner(server.url).arrive()
        thread = asked_by_mail(server, mailbox, ann, "Are you there?")
        smtp.then = lambda: server.stop(signal.SIGKILL) and None
        ann.reply(thread, "I am.")
        due(server)
        eventually(lambda: server.process is None, 20, "the kill")
        server.start()
        eventually(lambda: states(server) == {"sent": 1}, 20, "the second try")
        assert len({mail["Message-ID"] for mail in smtp.mails}) == 1 and 1 <= len(smtp.mails) <= 2


def test_a_silent_smtp_server_holds_up_nobody_and_gets_the_mail_later(
    tmp_path: Path, smtp: Smtp, mailbox: Dovecot
) -> None:
    with TcpProxy(smtp.port) as wire, Server(tmp_path, **settings(imap=mailbox.url, wire=wire.port)) as server:
        ann, vera = Owner(server.url).arrive(), Visitor(server.url).arrive()
        thread = asked_by_mail(server, mailbox, ann, "Hello?")
        wire.silent = True
        ann.reply(thread, "Hello!")
        due(server)
        eventually(lambda: states(server)["sending"], 20, "the attempt")
        vera.say("I am on the web")
        ann.reply(ann.conversation("I am on the web"), "Welcome")
        assert vera.catch_up().texts("agent") == ["Welcome"]
        assert "One more" in ann.page(asked_by_mail(server, mailbox, ann, "One more letter")).text
        wire.silent = False
        wire.cut()
        eventually(lambda: states(server)["waiting"], 20, "the pause")
        due(server)
        eventually(lambda: states(server) == {"sent": 1}, 20, "the mail")


def test_a_slow_imap_line_that_breaks_in_the_middle_of_a_letter_loses_and_doubles_none(
    tmp_path: Path, mailbox: Dovecot
) -> None:
    long = "\n".join(f"line {i} of a long letter" for i in range(4000))
    mailbox.drop(letter(VERA, ADDRESS, "short", "Short"), letter(VERA, ADDRESS, long, "Long"))
    with TcpProxy(mailbox.port) as wire:
        budgets = iter([(None, 4000), (None, 40_000)])
        wire.budget, wire.delay = lambda: next(budgets, (None, None)), 0.02
        with Server(tmp_path, **settings(imap=mailbox.url.replace(str(mailbox.port), str(wire.port)))) as server:
            vera = Visitor(server.url).arrive()
            vera.say("nobody waits for a mailbox")
            eventually(lambda: any("long letter" in body for body in bodies(server)), 30, "the long one")
            wire.cut()
            mailbox.drop(letter(VERA, ADDRESS, "after the cut", "After"))
            eventually(lambda: "after the cut" in bodies(server), 30, "what came after the cut")
            assert len(bodies(server)) == 4 and wire.cuts >= 2


def test_an_imap_server_that_is_killed_and_comes_back_is_read_on(tmp_path: Path, mailbox: Dovecot) -> None:
    with Server(tmp_path, **settings(imap=mailbox.url)) as server:
        ann = Owner(server.url).arrive()
        asked_by_mail(server, mailbox, ann, "before the end")
        mailbox.stop()
        eventually(lambda: "could not be reached" in ann.page("/inbox/mail").text, 20, "the trouble on the page")
        mailbox.start()
        mailbox.drop(letter(VERA, ADDRESS, "after the end", "After"))
        eventually(lambda: "after the end" in bodies(server), 30, "the letter")
        assert bodies(server) == ["before the end", "after the end"]
        eventually(lambda: "could not be reached" not in ann.page("/inbox/mail").text, 20, "good news on the page")


def test_letters_with_wrong_dates_stand_where_they_came_in(tmp_path: Path, mailbox: Dovecot) -> None:
    years = timedelta(days=9000)
    dates = [format_datetime(datetime.now(UTC) + shift) for shift in (years, -years)] + ["yesterday, I think", ""]
    with Server(tmp_path, **settings(imap=mailbox.url)) as server:
        mailbox.drop(*(letter(VERA, ADDRESS, f"dated {i}", "Same", Date=date) for i, date in enumerate(dates)))
        eventually(lambda: len(bodies(server)) == len(dates), 20, "all of them")
        assert bodies(server) == [f"dated {i}" for i in range(len(dates))]
        ann = Owner(server.url).arrive()
        assert str(datetime.now(UTC).year) in ann.page(ann.conversation("dated 0")).first("time").attrs["datetime"]


def test_a_clock_that_was_ahead_and_is_set_right_stops_no_mail(tmp_path: Path, smtp: Smtp, mailbox: Dovecot) -> None:
    clock = Clock(tmp_path)
    clock.shift(120)
    with Server(tmp_path, **settings(smtp, mailbox.url), **clock.settings) as server:
        ann, vera = Owner(server.url).arrive(), Visitor(server.url).arrive()
        vera.say("Write to me")
        headers = vera.auth()
        vera.http.post("/w/main/address", data={"email": "vera@example.org"}, headers=headers)
        ann.reply(ann.conversation("Write to me"), "In two hours")
        eventually(lambda: states(server)["waiting"], 20, "the mail that waits")
        clock.shift(0)
        assert "In two hours" in smtp.wait_for(1, 40).as_string()
        asked_by_mail(server, mailbox, ann, "and letters come in")


def test_hundreds_of_guesses_of_a_reply_address_answer_for_nobody(tmp_path: Path, smtp: Smtp, mailbox: Dovecot) -> None:
    with Server(tmp_path, **settings(smtp, mailbox.url)) as server:
        ann = Owner(server.url).arrive()
        thread = asked_by_mail(server, mailbox, ann, "My own conversation")
        ann.reply(thread, "Yours alone")
        due(server)
        answer, chance = smtp.wait_for(1), random.Random(3)
        local, _, domain = ADDRESS.partition("@")
        letters = "abcdefghijkmnpqrstuvwxyz23456789"
        guesses = ["".join(chance.choice(letters) for _ in range(20)) for _ in range(300)]
        mailbox.drop(
            *(letter("m@evil.example", f"{local}+{guess}@{domain}", f"guess {i}") for i, guess in enumerate(guesses)),
            reply_to(answer, f"Ann <{EMAIL}>", "I only say that I am Ann"),
        )
        eventually(lambda: sum("guess" in body for body in bodies(server)) == 300, 40, "what was guessed")
        assert [body.text for body in ann.page(thread).all(cls="body")] == ["My own conversation", "Yours alone"]
        assert len([body for body in bodies(server) if "I only say" in body]) == 0
