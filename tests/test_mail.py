"""The conversation goes on by e-mail, through a real SMTP and a real IMAP server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cast import Owner
from feed import eventually
from harness import Server
from mailer import ADDRESS, Dovecot, Smtp, letter, reply_to

pytestmark = pytest.mark.xdist_group("mail")
VERA = "Vera Example <vera@example.org>"


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    with Dovecot(tmp_path_factory.mktemp("dovecot")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smtp: Smtp, mailbox: Dovecot) -> Iterator[Server]:
    mail = {"CHAT_SMTP_URL": smtp.url, "CHAT_IMAP_URL": mailbox.url, "CHAT_MAIL_FROM": f"Shop <{ADDRESS}>"}
    with Server(tmp_path_factory.mktemp("server"), **mail) as running:
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
