"""Letters and addresses of people who mean no good: nobody is taken for another, and markup of theirs stays text."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.utils import parseaddr
from pathlib import Path

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import EMAIL, Server
from mailer import ADDRESS, Smtp, letter, reply_to
from posting import VERA, alerted, by_mail, leave_address, push

from chat.db import connect
from chat.letters import parsing

pytestmark = pytest.mark.xdist_group("mail strangers")


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smtp: Smtp) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), **by_mail(smtp)) as running:
        yield running


def test_who_leaves_address_after_address_is_slowed_down(tmp_path: Path, smtp: Smtp) -> None:
    mail = {"CHAT_SMTP_URL": smtp.url, "CHAT_MAIL_FROM": f"Shop <{ADDRESS}>", "CHAT_LIMITS": "on"}
    with Server(tmp_path, **mail) as server:
        mallory = Visitor(server.url).arrive()
        mallory.say("hello")
        answers = [leave_address(mallory, f"victim{number}@example.org") for number in range(12)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429] * 2
        assert int(answers[-1].headers["Retry-After"]) > 60


def test_an_agent_is_never_taken_for_the_visitor(server: Server, smtp: Smtp, vera: Visitor, ann: Owner) -> None:
    push(server, letter("Fay <fay@example.org>", ADDRESS, "Please forward me", "Forwarded").as_bytes())
    thread, count = ann.conversation("Please forward me"), len(smtp.mails)
    ann.reply(thread, "This is for you")
    answer = smtp.wait_for(count + 1)
    outcome = push(server, reply_to(answer, f"Ann <{EMAIL}>", "I answer in the wrong name").as_bytes())
    assert outcome.json() == {"outcome": "refused"} and "in the wrong name" not in ann.page(thread).text


def test_a_letter_made_to_cost_minutes_holds_up_nobody(server: Server, ann: Owner, vera: Visitor) -> None:
    costly = letter(VERA, ADDRESS, "On " * 60_000 + "\n" * 40_000 + "the costly end", "Costly")
    with ThreadPoolExecutor(1) as pool:
        began, waits = time.monotonic(), []
        pushing = pool.submit(push, server, costly.as_bytes())
        while not pushing.done():
            asked = time.monotonic()
            vera.say(f"meanwhile {len(waits)}")
            waits.append(time.monotonic() - asked)
        assert pushing.result().json() == {"outcome": "new"}
        assert max(waits) < (time.monotonic() - began) * 0.8, waits  # a server that is held up answers when it is over
    assert "On On" in ann.page(ann.conversation("On On")).text


MARKUP = ('<img src=x onerror="alert(1)">', "<script>alert(1)</script>", "javascript:alert(1)//<svg/onload=alert(1)>")


@pytest.mark.parametrize("payload", MARKUP)
def test_markup_in_any_part_of_a_letter_stays_text_in_every_view(
    server: Server, smtp: Smtp, ann: Owner, payload: str
) -> None:
    quoted = payload.replace('"', "'")
    hostile = letter(f'"{quoted}" <evil@example.org>', ADDRESS, f"body {payload}\n\n> {payload}", f"subject {payload}")
    hostile.add_attachment(b"a;b\n", maintype="text", subtype="csv", filename=f"{payload}.csv")
    hostile.add_attachment(payload.encode(), maintype="text", subtype="plain", filename="note.txt")
    assert push(server, hostile.as_bytes()).json()["outcome"] in ("new", "answer")
    thread = ann.conversation(f"body {payload[:10]}")
    alert = alerted(server, smtp, thread)
    views = [str(ann.http.get(path).text) for path in ("/inbox", thread, "/inbox/mail", "/inbox/alerts")]
    views.append(alert.get_body(("html",)).get_content())  # type: ignore[union-attr]
    to_files = [link.attrs["href"] for link in dom.parse(views[-1]).all("a") if "/files/" in link.attrs["href"]]
    assert to_files and all(address.startswith(f"{server.url}/files/") for address in to_files)
    for html in views:
        page = dom.parse(html)
        assert not [each for each in page.all() if any(name.startswith("on") for name in each.attrs)]
        assert not [each for each in page.all("script") if "src" not in each.attrs]
        assert not [each for each in page.all("a") if each.attrs.get("href", "").lower().startswith("javascript")]


def test_names_and_subjects_bring_no_headers_of_their_own(server: Server, smtp: Smtp, ann: Owner) -> None:
    raw = (
        b"From: =?utf-8?q?Vera=0D=0ABcc=3A_victim=40example=2Ecom?= <vera@example.org>\r\nTo: "
        + ADDRESS.encode()
        + b"\r\nSubject: =?utf-8?q?Hi=0D=0ABcc=3A_victim=40example=2Ecom?=\r\nMessage-ID: <inject@example.org>\r\n\r\n"
        + b"An innocent question\r\n"
    )
    assert push(server, raw).json() == {"outcome": "new"}
    count = len(smtp.mails)
    ann.reply(ann.conversation("An innocent question"), "An innocent answer")
    mail = smtp.wait_for(count + 1)
    assert mail["Bcc"] is None and "victim" not in str(mail["To"])
    assert smtp.envelopes[count].rcpt_tos == ["vera@example.org"]


def test_addresses_are_guessed_in_vain(server: Server, ann: Owner) -> None:
    for guess in ("a" * 20, "abcdefghijkmnpqrstuv", "../../etc", "%2b"):
        local, _, domain = ADDRESS.partition("@")
        raw = letter("Mallory <mallory@example.org>", f"{local}+{guess}@{domain}", f"guess {guess}", "Guess").as_bytes()
        assert push(server, raw).json() == {"outcome": "new"}
        thread = ann.page(ann.conversation(f"guess {guess}"))
        assert len(thread.all(cls="body")) == 1


FAILED = "mx.example.com; spf=fail smtp.mailfrom=vera@example.org; dkim=none; dmarc=fail header.from=example.org"


@pytest.mark.parametrize(
    "forged",
    [
        {"Reply-To": "mallory@evil.example", "Authentication-Results": FAILED},
        {"Reply-To": "mallory@evil.example"},
        {"Authentication-Results": FAILED},
    ],
)
def test_a_forged_letter_of_a_visitor_gets_no_part_of_their_talk(
    server: Server, smtp: Smtp, ann: Owner, forged: dict[str, str]
) -> None:
    who = f"vera{len(forged)}{'r' * ('Reply-To' in forged)}@example.org"
    first = letter(f"Vera <{who}>", ADDRESS, f"my secret, says {who}", "Secret")
    push(server, first.as_bytes())
    thread = ann.conversation(f"my secret, says {who}")
    false = letter(f"Vera <{who}>", ADDRESS, f"send it all to me, {who}", "Re: Secret", **forged)
    false["In-Reply-To"] = first["Message-ID"]
    assert push(server, false.as_bytes()).json() == {"outcome": "new"}
    assert [each.first(cls="body").text for each in ann.page(thread).all("article")] == [f"my secret, says {who}"]
    count = len(smtp.mails)
    ann.reply(thread, "For your eyes alone")
    assert parseaddr(smtp.wait_for(count + 1)["To"])[1] == who


def test_who_was_forwarded_a_mail_neither_takes_its_place_nor_its_name(server: Server, smtp: Smtp, ann: Owner) -> None:
    push(server, letter("Fay <fay@example.org>", ADDRESS, "Fay's question", "Fay").as_bytes())
    thread = ann.conversation("Fay's question")
    count = len(smtp.mails)
    ann.reply(thread, "Fay's answer")
    mail = smtp.wait_for(count + 1)
    polite = reply_to(mail, "Mallory <mallory@evil.example>", "in between", **{"Reply-To": "fay@example.org"})
    assert push(server, polite.as_bytes()).json() == {"outcome": "answer"}
    assert "(mallory@evil.example)" in ann.page(thread).text
    with closing(connect(server.data / "chat.sqlite")) as db:
        db.execute("DELETE FROM doors WHERE address = 'fay@example.org'")
    push(server, reply_to(mail, "Mallory <mallory@evil.example>", "after she has stopped").as_bytes())
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        number = int(thread.rpartition("/")[2])
        assert not db.execute("SELECT 1 FROM doors WHERE conversation_id = ?", [number]).fetchone()
    push(server, reply_to(mail, "Fay <fay@example.org>", "and I am back").as_bytes())
    count = len(smtp.mails)
    ann.reply(thread, "Welcome back")
    assert parseaddr(smtp.wait_for(count + 1)["To"])[1] == "fay@example.org"


@pytest.mark.parametrize(
    "told",
    [
        'mx; dmarc=fail header.from=example.com; spf=fail smtp.mailfrom="dmarc=pass"@evil.example',
        "mx; spf=softfail smtp.helo=dmarc=pass",
        "mx; dkim=pass header.d=evil.example; dkim=fail header.d=example.com (dmarc=pass)",
    ],
)
def test_what_a_stranger_writes_into_the_results_is_no_verdict(told: str) -> None:
    raw = letter("Ann <ann@example.com>", ADDRESS, "as Ann", "As Ann", **{"Authentication-Results": told}).as_bytes()
    found = parsing.read(raw).verdicts
    assert "dmarc" not in found or found["dmarc"] == "fail"
    assert set(found.values()) & {"fail", "softfail"}


@pytest.mark.parametrize("sender", ["ann@example.com, m@evil.example", "a\ufffdnn@example.com", "nn\x07@example.com"])
def test_a_letter_from_two_or_from_an_address_that_cannot_be_is_from_nobody(sender: str) -> None:
    raw = b"From: " + sender.encode() + b"\r\nTo: chat@shop.example\r\nMessage-ID: <x@y>\r\n\r\nwords\r\n"
    assert parsing.read(raw).sender == ""


def test_who_has_no_key_is_sent_away_before_their_letter_is_read(server: Server) -> None:
    for path, status in (("/mail/inbound/wrong", 404), ("/mail/inbound", 401)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 30000000\r\n\r\n"
            wire.sendall(head.encode() + b"x" * 1000)
            assert f" {status} ".encode() in wire.recv(200)
    odd = httpx.post(f"{server.url}/mail/inbound", content=b"x", headers={"X-Porchlight-Signature": b"\xe9"})
    assert odd.status_code == 401


def test_a_conversation_that_nobody_answered_is_sent_to_nobody_when_it_is_closed(server: Server, ann: Owner) -> None:
    csrf = {"csrf": ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]}
    ann.http.post("/inbox/mail", data=csrf | {"transcripts": "1", "wait": "60"}, headers=ann.auth())
    push(server, letter("Victim <victim@third.example>", ADDRESS, "BUY PILLS", "Pills").as_bytes())
    thread = ann.conversation("BUY PILLS")
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        before = db.execute("SELECT count(*) FROM deliveries WHERE key LIKE 'transcript%'").fetchone()[0]
        ann.http.post(f"{thread}/closure", data=csrf, headers=ann.auth())
        eventually(lambda: "closed this conversation" in ann.page(thread).text, what="the closing")
        newest = db.execute("SELECT max(id) FROM events").fetchone()[0]
        handled = "SELECT event_id >= ? FROM cursors WHERE name = 'mail'"
        eventually(lambda: db.execute(handled, [newest]).fetchone()[0], what="the handler's look at it")
        assert db.execute("SELECT count(*) FROM deliveries WHERE key LIKE 'transcript%'").fetchone()[0] == before
