"""The conversation goes on by e-mail, through a real SMTP and a real IMAP server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage, Message
from email.utils import make_msgid
from pathlib import Path
from typing import Any

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import EMAIL, Server
from mailer import ADDRESS, PASSWORD, Dovecot, Smtp, letter, reply_to
from posting import SECRET, VERA, alerted, by_mail, due, leave_address, plain, push, waiting

from chat.db import connect

pytestmark = pytest.mark.xdist_group("mail")


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smtp: Smtp, mailbox: Dovecot) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), **by_mail(smtp, mailbox)) as running:
        yield running


def test_a_letter_opens_a_conversation_and_the_answers_go_both_ways(smtp: Smtp, mailbox: Dovecot, ann: Owner) -> None:
    first = letter(VERA, ADDRESS, "Do you have the tall lamp?\n\n-- \nVera", "The tall lamp")
    mailbox.drop(first)
    eventually(lambda: "Do you have the tall lamp?" in ann.page().text, 15, "the letter in the list")
    thread = ann.conversation("tall lamp")
    assert "Vera Example" in ann.page(thread).text
    count = len(smtp.mails)
    ann.reply(thread, "Yes, two of them.")
    answer = smtp.wait_for(count + 1)
    assert answer["To"] == "vera@example.org" and answer["Subject"] == "Re: The tall lamp"
    assert answer["In-Reply-To"] == first["Message-ID"] and first["Message-ID"] in answer["References"]
    assert "Yes, two of them." in answer.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Yes, two of them." in answer.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Auto-Submitted" not in answer and answer["Reply-To"] != ADDRESS
    mailbox.drop(reply_to(answer, VERA, "I take both!"))
    eventually(lambda: "I take both!" in ann.page(thread).text, 15, "the answer in the thread")
    assert [body.text for body in ann.page(thread).all(cls="body")][-1] == "I take both!"
    eventually(lambda: mailbox.unread() == 0, what="all letters marked as read")


def test_an_answer_that_was_not_seen_follows_the_visitor_in_one_mail(
    server: Server, smtp: Smtp, mailbox: Dovecot, vera: Visitor, ann: Owner
) -> None:
    vera.say("Is the rug still there?")
    assert leave_address(vera, "vera@example.org").status_code == 200
    thread = ann.conversation("Is the rug")
    assert "vera@example.org" in ann.page(thread).text
    count = len(smtp.mails)
    ann.reply(thread, "It is.")
    ann.reply(thread, "In blue and in red.")
    eventually(lambda: waiting(server, thread) == 1, what="one mail for both")
    due(server, thread)
    mail = smtp.wait_for(count + 1)
    assert mail["To"] == "vera@example.org"
    text = plain(mail)
    assert text.index("It is.") < text.index("In blue and in red.") < text.index("Is the rug still there?")
    assert "List-Unsubscribe" in mail and "/c/main/continue/" in text
    mailbox.drop(reply_to(mail, VERA, "The blue one, please."))
    vera.poll(wait=15)
    eventually(lambda: (vera.catch_up(), "The blue one, please." in vera.log.texts())[1], 15, "her own mail")
    assert vera.log.texts() == ["Is the rug still there?", "It is.", "In blue and in red.", "The blue one, please."]


def test_what_was_seen_in_time_is_not_mailed(server: Server, smtp: Smtp, vera: Visitor, ann: Owner) -> None:
    vera.say("I am still here")
    leave_address(vera, "vera@example.org")
    count = len(smtp.mails)
    thread = ann.conversation("I am still here")
    ann.reply(thread, "Good.")
    eventually(lambda: waiting(server, thread) == 1, what="the mail that waits")
    vera.catch_up()
    assert vera.signal(seen=vera.log.cursor).status_code == 204
    due(server, thread)
    eventually(lambda: waiting(server, thread) == 0, what="it to be dropped")
    assert len(smtp.mails) == count


def test_the_link_in_the_mail_opens_the_thread_for_that_browser_alone(
    server: Server, smtp: Smtp, vera: Visitor, ann: Owner, nobody: httpx.Client
) -> None:
    vera.say("A secret question")
    leave_address(vera, "vera@example.org")
    count = len(smtp.mails)
    thread = ann.conversation("A secret question")
    ann.reply(thread, "A secret answer")
    eventually(lambda: waiting(server, thread) == 1, what="the mail")
    due(server, thread)
    link = re.search(r"http://\S+(/c/main/continue/\S+)", plain(smtp.wait_for(count + 1)))
    assert link
    looked = nobody.get(link[1])
    assert looked.status_code == 200 and "secret" not in looked.text and not looked.cookies
    assert "A secret answer" not in nobody.get("/c/main").text
    opened = nobody.post(link[1], headers={"Origin": server.url}, follow_redirects=True)
    assert "A secret answer" in opened.text
    broken = httpx.get(f"{server.url}{link[1][:-3]}abc", trust_env=False)
    assert broken.status_code == 404 and "not good any more" in broken.text


def test_the_mail_says_how_to_have_no_more_of_them_and_one_click_does_it(
    server: Server, smtp: Smtp, vera: Visitor, mallory: Visitor, ann: Owner
) -> None:
    vera.say("Do not write me too often")
    leave_address(vera, "vera@example.org")
    thread, count = ann.conversation("too often"), len(smtp.mails)
    ann.reply(thread, "I won't.")
    eventually(lambda: waiting(server, thread) == 1, what="the mail")
    due(server, thread)
    mail = smtp.wait_for(count + 1)
    link = mail["List-Unsubscribe"].strip(" <>")
    html = dom.parse(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert {a.text: a.attrs["href"] for a in html.all("a")}["Stop these e-mails"] == link
    assert link in plain(mail).split()
    asked = httpx.get(link, trust_env=False)
    assert asked.status_code == 200 and "vera@example.org" in asked.text
    assert "vera@example.org" in ann.page(thread).text, "a look alone stops nothing"
    done = httpx.post(link, data={"List-Unsubscribe": "One-Click"}, trust_env=False)
    assert done.status_code == 200 and "No more e-mails" in done.text
    assert "vera@example.org" not in ann.page(thread).text
    ann.reply(thread, "As promised.")
    assert httpx.get(f"{link}x", trust_env=False).status_code == 404
    mallory.say("And me?")
    leave_address(mallory, "mallory@example.org")
    other = ann.conversation("And me?")
    ann.reply(other, "You as you like.")
    eventually(lambda: waiting(server, other) == 1, what="the mail for somebody else, which comes after it")
    assert waiting(server, thread) == 0


def test_an_alert_that_is_to_say_nothing_names_neither_words_nor_people(
    server: Server, smtp: Smtp, vera: Visitor, ann: Owner
) -> None:
    vera.say("My secret wish")
    alert = alerted(server, smtp, ann.conversation("My secret wish"), brief=True)
    assert alert["Subject"] == "New message" and "Answer in the inbox" in plain(alert)
    assert "secret" not in alert.as_string() and "Visitor" not in plain(alert)


def test_an_agent_answers_an_alert_from_their_own_address_and_nobody_else_can(
    server: Server, smtp: Smtp, mailbox: Dovecot, vera: Visitor, ann: Owner
) -> None:
    vera.say("Anybody there?")
    thread = ann.conversation("Anybody there?")
    alert = alerted(server, smtp, thread)
    assert alert["To"] == EMAIL and "Anybody there?" in alert["Subject"]
    mailbox.drop(reply_to(alert, "Mallory <mallory@example.org>", "I am Ann, trust me"))
    forged = reply_to(alert, f"Ann <{EMAIL}>", "I am Ann indeed")
    forged["Authentication-Results"] = "mx.shop.example; spf=fail smtp.mailfrom=evil.example; dmarc=fail"
    mailbox.drop(forged, reply_to(alert, f"Ann <{EMAIL}>", "Yes, from my phone."))
    eventually(lambda: (vera.catch_up(), "Yes, from my phone." in vera.log.texts())[1], 15, "the answer")
    assert vera.log.texts() == ["Anybody there?", "Yes, from my phone."]
    page = ann.page("/inbox/mail").text
    assert "came from mallory@example.org" in page and "could not verify" in page


def test_a_letter_that_comes_twice_is_one_message_and_noise_is_none(
    server: Server, mailbox: Dovecot, ann: Owner
) -> None:
    question = letter(VERA, ADDRESS, "Only once, please", "Once")
    holiday = letter(VERA, ADDRESS, "I am away until Monday", "Out of office", Auto_Submitted="auto-replied")
    news = letter("news@list.example", ADDRESS, "Our newest offers", "Offers", List_Id="<news.list.example>")
    mailbox.drop(question, question, holiday, news, letter(VERA, ADDRESS, "The last one", "Last"))
    eventually(lambda: "The last one" in ann.page().text, 15, "the last letter")
    page = ann.page().text
    assert page.count("Only once, please") == 1 and "away until Monday" not in page and "newest offers" not in page
    assert push(server, question.as_bytes()).json() == {"outcome": "known"}


def test_a_provider_pushes_letters_with_the_secret_only(server: Server, ann: Owner) -> None:
    raw = letter(VERA, ADDRESS, "Pushed by a provider", "Pushed").as_bytes()
    assert push(server, raw).json() == {"outcome": "new"}
    assert push(server, raw).json() == {"outcome": "known"}
    assert "Pushed by a provider" in ann.page().text
    assert push(server, raw, **{"X-Porchlight-Signature": "sha256=" + "0" * 64}).status_code == 401
    form = {"body-mime": letter(VERA, ADDRESS, "In a form", "Form").as_string()}
    address = f"{server.url}/mail/inbound/{SECRET}"
    assert httpx.post(address, data=form, trust_env=False).json() == {"outcome": "new"}
    assert httpx.post(address[:-1], data=form, trust_env=False).status_code == 404
    assert "In a form" in ann.page().text


def test_files_come_along_when_they_are_what_they_say(server: Server, ann: Owner, nobody: httpx.Client) -> None:
    mail = letter(VERA, ADDRESS, "See the picture", "A picture")
    picture = b"\x89PNG\r\n\x1a\n" + bytes(64)
    mail.add_attachment(picture, maintype="image", subtype="png", filename="../la\u202emp\n.png")
    mail.add_attachment(b"MZ" + bytes(200), maintype="application", subtype="octet-stream", filename="setup.exe")
    mail.add_attachment("<svg onload=alert(1)>", subtype="html", filename="page.html")
    assert push(server, mail.as_bytes()).json() == {"outcome": "new"}
    thread = ann.page(ann.conversation("See the picture"))
    (link,) = [a for a in thread.all("a") if a.attrs.get("href", "").startswith("/files/")]
    assert "lamp" in link.text and ".." not in link.text
    assert "setup.exe was not kept" in thread.text and "page.html was not kept" in thread.text
    got = nobody.get(link.attrs["href"])
    assert got.content == picture and got.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in got.headers["Content-Security-Policy"] and got.headers["X-Content-Type-Options"] == "nosniff"
    assert nobody.get(link.attrs["href"][:-1]).status_code == 404


def test_a_refused_answer_and_one_that_comes_back_are_told_in_the_thread(
    server: Server, smtp: Smtp, ann: Owner
) -> None:
    smtp.say = {"full@example.org": "552 5.2.2 Mailbox full"}
    push(server, letter("Full <full@example.org>", ADDRESS, "My box is small", "Small").as_bytes())
    thread = ann.conversation("My box is small")
    ann.reply(thread, "Here is a lot")
    ann.reply(thread, "And more, in the same mail")
    refusals = lambda: ann.page(thread).text.count("Not delivered: mailbox full")  # noqa: E731
    eventually(lambda: refusals() == 2, 20, "the refusal, at each answer that the mail carried")
    smtp.say = {}
    failed = next(each for each in ann.page("/inbox/mail").all(cls="queued") if "Not sent" in each.text)
    csrf = {"csrf": failed.first("input", name="csrf").attrs["value"]}
    assert ann.http.post(failed.first("form").attrs["action"], data=csrf, headers=ann.auth()).status_code == 303
    eventually(lambda: ann.page(thread).text.count("Delivered after all") == 2, 20, "the second try")
    push(server, letter("Gone <gone@example.org>", ADDRESS, "I leave soon", "Leaving").as_bytes())
    other, count = ann.conversation("I leave soon"), len(smtp.mails)
    ann.reply(other, "Goodbye")
    sent = smtp.wait_for(count + 1)
    assert push(server, bounce(sent, "5.1.1", "no such user").as_bytes()).json() == {"outcome": "bounce"}
    assert "Not delivered: no such address" in ann.page(other).text


def bounce(sent: EmailMessage, status: str, told: str) -> EmailMessage:
    """What a mail server sends back (RFC 3464)."""
    report = EmailMessage()
    report["From"], report["To"] = "MAILER-DAEMON@mx.example.org", ADDRESS
    report["Subject"], report["Message-ID"] = "Undelivered Mail Returned to Sender", make_msgid(domain="mx.example.org")
    report.set_content("I'm sorry to have to inform you that your message could not be delivered.")
    report.make_mixed()
    report.replace_header("Content-Type", 'multipart/report; report-type="delivery-status"; boundary="=b="')
    status_part = EmailMessage()
    status_part["Content-Type"] = "message/delivery-status"
    machine, person = Message(), Message()
    machine["Reporting-MTA"] = "dns; mx.example.org"
    person["Final-Recipient"] = f"rfc822; {sent['To']}"
    person["Action"], person["Status"], person["Diagnostic-Code"] = "failed", status, f"smtp; 550 {status} {told}"
    status_part.set_payload([machine, person])
    original = Message()
    original["Content-Type"] = "text/rfc822-headers"
    original.set_payload(f"Message-ID: {sent['Message-ID']}\nTo: {sent['To']}\n")
    report.attach(status_part)
    report.attach(original)
    return report


def test_a_mail_carries_its_styles_and_tells_the_readers_own_time(
    server: Server, smtp: Smtp, vera: Visitor, ann: Owner
) -> None:
    assert vera.post("What time is it?", timezone="Asia/Kathmandu").status_code == 200
    leave_address(vera, "vera@example.org")
    thread, count = ann.conversation("What time is it?"), len(smtp.mails)
    ann.reply(thread, "It depends")
    eventually(lambda: waiting(server, thread) == 1, what="the mail that waits")
    due(server, thread)
    mail = smtp.wait_for(count + 1)
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    button = next(link for link in dom.parse(html).all("a") if "button" in link.attrs.get("class", ""))
    assert "background" in button.attrs["style"] and "prefers-color-scheme: dark" in html
    assert all(time.text.endswith("+0545") for time in dom.parse(html).all("time")) and dom.parse(html).all("time")
    assert "+0545" in plain(mail) and "UTC" not in plain(mail)


def test_a_visitor_gets_the_conversation_by_mail_once_somebody_has_answered(
    server: Server, smtp: Smtp, vera: Visitor, ann: Owner
) -> None:
    vera.say("Buy my pills at https://evil.example")
    leave_address(vera, "victim@example.org")
    count = len(smtp.mails)
    refused = vera.http.post("/w/main/transcript", headers=vera.auth())
    assert refused.status_code == 422 and "Nobody has answered yet" in refused.text
    ann.reply(ann.conversation("Buy my pills"), "What do you mean?")
    assert vera.http.post("/w/main/transcript", headers=vera.auth()).status_code == 200
    mail = smtp.wait_for(count + 1)
    assert mail["To"] == "victim@example.org" and "What do you mean?" in plain(mail)


def test_a_transcript_for_an_agent_speaks_for_the_agent_and_never_for_the_visitor(
    server: Server, smtp: Smtp, vera: Visitor, ann: Owner
) -> None:
    vera.say("Send me to the owner")
    thread = ann.conversation("Send me to the owner")
    form, count = ann.page(thread).first("form", cls="transcript"), len(smtp.mails)
    csrf = {"csrf": form.first("input", name="csrf").attrs["value"], "to": "me", "wish": "one"}
    asked = {"conversation": thread.rpartition("/")[2], **csrf}
    assert ann.http.post("/inbox/mail/transcripts", data=asked, headers=ann.auth()).status_code == 303
    mail = smtp.wait_for(count + 1)
    assert mail["To"] == EMAIL and thread in plain(mail) and "/continue/" not in mail.as_string()
    outcome = push(server, reply_to(mail, f"Ann <{EMAIL}>", "Answered from the transcript").as_bytes())
    assert outcome.json() == {"outcome": "answer"}
    assert vera.catch_up().texts("agent") == ["Answered from the transcript"]


def test_a_letter_that_is_pushed_twice_leaves_no_file_behind(server: Server, ann: Owner) -> None:
    twice = letter(VERA, ADDRESS, "With a file", "File")
    twice.add_attachment(b"price;9\n", maintype="text", subtype="csv", filename="prices.csv")
    assert push(server, twice.as_bytes()).json() == {"outcome": "new"}
    kept = sorted((server.data / "files").glob("??/*"))
    assert push(server, twice.as_bytes()).json() == {"outcome": "known"}
    assert sorted((server.data / "files").glob("??/*")) == kept


def test_an_agents_file_for_which_there_is_no_room_holds_up_no_letter(
    server: Server, smtp: Smtp, mailbox: Dovecot, vera: Visitor, ann: Owner
) -> None:
    vera.say("Send me the price list")
    thread = ann.conversation("Send me the price list")
    alert = alerted(server, smtp, thread)
    with closing(connect(server.data / "chat.sqlite")) as db:
        (message,) = db.execute("SELECT max(id) FROM messages").fetchone()
        row = {"site_id": 1, "conversation_id": int(thread.rpartition("/")[2]), "name": "big", "type": "image/png"}
        row |= {"message_id": message, "token": "full", "size": 10**12, "created_at": "2026-11-23T09:00:00.000Z"}
        db["files"].insert(row)
    try:
        answer = reply_to(alert, f"Ann <{EMAIL}>", "Here it is")
        answer.add_attachment(b"price;9\n", maintype="text", subtype="csv", filename="prices.csv")
        mailbox.drop(answer, letter(VERA, ADDRESS, "the next letter", "Next"))
        eventually(lambda: "the next letter" in ann.page().text, 20, "the next letter")
        assert vera.catch_up().texts("agent") == ["Here it is"]
        assert "no room left" in ann.page("/inbox/mail").text
    finally:
        with closing(connect(server.data / "chat.sqlite")) as db:
            db["files"].delete_where("token = 'full'")


@pytest.mark.parametrize("words", ["From my pocket", "BMW or MZ?", "Subject: the lamp", "{not json"])
def test_words_that_look_like_a_format_are_words(server: Server, ann: Owner, words: str) -> None:
    said = f"{words}\n\n> quoted\n> words\n"
    push(server, letter(VERA, ADDRESS, said, "Words").as_bytes())
    thread = ann.conversation(words)
    log = ann.page(thread).first(role="log").text
    assert "not kept" not in log and "Whole message.txt" in log


def test_a_second_letter_that_answers_the_first_one_is_in_the_same_conversation(server: Server, ann: Owner) -> None:
    first = letter(VERA, ADDRESS, "My first letter", "Lamp")
    push(server, first.as_bytes())
    thread = ann.conversation("My first letter")
    push(server, letter(VERA, ADDRESS, "One more thing", "Re: Lamp", In_Reply_To=first["Message-ID"]).as_bytes())
    assert [body.text for body in ann.page(thread).all(cls="body")] == ["My first letter", "One more thing"]
    guess = letter("m@evil.example", ADDRESS, "Let me in", "Re: Lamp", In_Reply_To=first["Message-ID"])
    push(server, guess.as_bytes())
    assert "Let me in" not in [body.text for body in ann.page(thread).all(cls="body")]


def test_a_form_on_a_website_is_answered_to_whom_it_names(server: Server, smtp: Smtp, ann: Owner) -> None:
    fay = {"Reply_To": "Fay <fay@example.org>"}
    push(server, letter("Form <noreply@form.example>", ADDRESS, "I filled in a form", "Form", **fay).as_bytes())
    count = len(smtp.mails)
    ann.reply(ann.conversation("I filled in a form"), "Thank you")
    assert smtp.wait_for(count + 1)["To"] == "fay@example.org"


def test_an_answer_to_a_test_mail_becomes_no_conversation(server: Server, smtp: Smtp, ann: Owner) -> None:
    count = len(smtp.mails)
    csrf = {"csrf": ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]}
    ann.http.post("/inbox/mail/test", data=csrf, headers=ann.auth())
    test = smtp.wait_for(count + 1)
    assert test["Reply-To"] == ADDRESS
    eventually(lambda: "E-mail works" in ann.page("/inbox/mail").text, what="the note that it went out")
    assert push(server, reply_to(test, f"Ann <{EMAIL}>", "It came").as_bytes()).json() == {"outcome": "refused"}


@pytest.mark.parametrize("email", ["vera", "vera@", "@x.org", "a b@x.org", "vera@x.org\r\nBcc: a@b.org", "<v@x.org>"])
def test_an_address_that_is_none_is_told_and_changes_nothing(vera: Visitor, email: str) -> None:
    vera.say("where to?")
    answer = leave_address(vera, email)
    assert answer.status_code == 422 and "no e-mail address" in answer.text


def set_up(ann: Owner, **typed: str) -> dom.Node:
    """Fill the page's form in and save it."""
    csrf = ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]
    answer = ann.http.post("/inbox/mail", data={"csrf": csrf, **typed}, headers=ann.auth(), follow_redirects=True)
    assert answer.status_code == 200
    return dom.parse(answer.text)


def test_the_page_sets_mail_up_field_by_field_and_says_what_is_wrong(tmp_path: Path, smtp: Smtp) -> None:
    with Server(tmp_path) as server:
        ann = Owner(server.url).arrive()
        assert "must look like" in set_up(ann, smtp="hello", **{"from": "nonsense"}).text
        set_up(ann, smtp=smtp.url.replace(PASSWORD, "wrong"), **{"from": f"Shop <{ADDRESS}>"})
        csrf = {"csrf": ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]}
        assert "refused the user name or the password" in ann.http.post("/inbox/mail/test", data=csrf).text
        shown = ann.page("/inbox/mail").first("input", name="smtp").attrs["value"]
        assert shown == smtp.url.replace(f":{PASSWORD}", "")
        page = set_up(ann, smtp=smtp.url)
        assert "Saved." in page.text
        page = set_up(ann, smtp=shown, **{"from": f"Lamps <{ADDRESS}>"})
        assert f"from {ADDRESS}" in page.text and PASSWORD not in str(ann.http.get("/inbox/mail").text)
        count = len(smtp.mails)
        assert "let us in" in ann.http.post("/inbox/mail/test", data=csrf, headers=ann.auth()).text
        assert smtp.wait_for(count + 1)["Subject"] == "E-mail works"
        assert "No mail goes out" in set_up(ann, smtp="").text


@pytest.mark.parametrize(
    "sent",
    [
        [1],
        7,
        "x",
        {"email": 7},
        {"email": {"a": 1}},
        {"email": ["a@b.c"]},
        {"email": "\ud800@b.co"},
        {"email": "a\x01@b.co"},
    ],
)
def test_what_is_no_address_is_refused_in_words(server: Server, sent: Any) -> None:
    vera = Visitor(server.url).arrive()
    vera.say("my address is odd")
    body = json.dumps(sent).encode()
    headers = vera.auth() | {"Content-Type": "application/json"}
    answer = vera.http.post(f"{vera.base}/address", content=body, headers=headers)
    assert answer.status_code < 500 and "Answers also go to" not in answer.text
