"""The doctor for e-mail: real servers for SMTP, IMAP and names, in each state in which they may be."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from cast import Owner
from harness import APP, ROOT, Server, environment, free_port
from mailer import ADDRESS, PASSWORD, Dovecot, Smtp
from names import Names

from chat import clock, config, schema
from chat.db import connect
from chat.doctor import Finding
from chat.features.mail import checks, records

pytestmark = pytest.mark.xdist_group("mail checks")
GOOD = {
    ("shop.example", "TXT"): ['"v=spf1 mx ~all"', '"google-site-verification=abc"'],
    ("shop.example", "MX"): ["10 mx.shop.example."],
    ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=quarantine;" "rua=mailto:a@shop.example"'],
    ("selector2._domainkey.shop.example", "TXT"): ['"v=DKIM1; k=rsa; p=MIGf"'],
}


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


def found(tmp_path: Path, names: Names | None = None, **settings: str) -> dict[str, Finding]:
    """What the doctor finds with these settings."""
    data = tmp_path / "data"
    data.mkdir()
    schema.prepare(data / "chat.sqlite")
    made = config.load({"CHAT_DATA": str(data), **settings})
    with closing(connect(made.database)) as rx:
        return {check.name: check.finding for check in checks.look(made, rx, names.resolver() if names else None)}


def of_names(tmp_path: Path, change: dict[tuple[str, str], list[str]], host: str = "") -> dict[str, Finding]:
    """What it finds with these name records, beside the good ones; an empty list takes one away."""
    told = {name: texts for name, texts in (GOOD | change).items() if texts}
    mail = {"CHAT_MAIL_FROM": "Shop <chat@shop.example>"} | ({"CHAT_SMTP_URL": f"smtps://u:p@{host}"} if host else {})
    with Names(told) as names:
        return found(tmp_path, names, **mail)


def test_what_is_not_set_up_is_told_in_one_line_and_no_fault(tmp_path: Path) -> None:
    (only,) = found(tmp_path).values()
    assert only.state == "ok" and "not set up" in only.what


def test_servers_that_work_are_told_so(tmp_path: Path, smtp: Smtp, mailbox: Dovecot) -> None:
    mail = {"CHAT_SMTP_URL": smtp.url, "CHAT_IMAP_URL": mailbox.url, "CHAT_MAIL_FROM": f"Shop <{ADDRESS}>"}
    with Names(GOOD) as names:
        told = found(tmp_path, names, **mail)
    assert told["E-mail out"].state == "ok" and ADDRESS in told["E-mail out"].what
    assert told["E-mail in"].state == "ok" and "at once" in told["E-mail in"].what
    assert not smtp.mails, "looking sends nothing"
    assert {name: each.state for name, each in told.items()} == dict.fromkeys(told, "ok")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("smtp://chat:wrong@127.0.0.1:{port}", "refused the user name or the password"),
        ("smtp://chat:x@127.0.0.1:1", "could not be reached"),
        ("smtps://chat:x@127.0.0.1:{port}", "could not be reached"),
    ],
)
def test_an_outgoing_server_that_does_not_work_is_told_in_words(
    tmp_path: Path, smtp: Smtp, url: str, words: str
) -> None:
    told = found(tmp_path, CHAT_SMTP_URL=url.format(port=smtp.port), CHAT_MAIL_FROM="chat@localhost")
    assert told["E-mail out"].state == "problem" and words in told["E-mail out"].what


@pytest.mark.parametrize(("scheme", "option"), [("smtps", "ssl_context"), ("smtp", "tls_context")])
def test_an_encrypted_server_that_wants_no_password_is_told_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, option: str
) -> None:
    authority, context, port = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), free_port()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    authority.issue_cert("localhost").configure_cert(context)
    relay = Controller(object(), hostname="localhost", port=port, **{option: context})
    relay.start()
    try:
        told = found(tmp_path, CHAT_SMTP_URL=f"{scheme}://localhost:{port}", CHAT_MAIL_FROM="chat@localhost")
    finally:
        relay.stop()
    assert told["E-mail out"].what == "localhost lets us in and takes mail from chat@localhost."


def test_a_mailbox_that_does_not_work_is_told_in_words(tmp_path: Path, mailbox: Dovecot) -> None:
    wrong = mailbox.url.replace(PASSWORD, "wrong")
    told = found(tmp_path, CHAT_IMAP_URL=wrong, CHAT_MAIL_FROM="chat@localhost")
    assert told["E-mail in"].state == "problem" and "refused the user name or the password" in told["E-mail in"].what
    assert told["E-mail out"].state == "problem" and "No server" in told["E-mail out"].what


@pytest.mark.parametrize(
    ("change", "name", "state", "words"),
    [
        ({}, "SPF", "ok", "v=spf1 mx ~all"),
        ({}, "DKIM", "ok", "selector2._domainkey.shop.example"),
        ({}, "DMARC", "ok", "p=quarantine"),
        ({}, "Answers", "ok", "mx.shop.example"),
        ({("shop.example", "TXT"): []}, "SPF", "warning", "does not say who may send"),
        ({("shop.example", "TXT"): ['"v=spf1 mx -all"', '"v=spf1 a -all"']}, "SPF", "problem", "2 SPF records"),
        ({("shop.example", "TXT"): ['"v=spf1 +all"']}, "SPF", "warning", "allows everybody"),
        ({("shop.example", "TXT"): ['"v=spf1 -all"']}, "SPF", "problem", "lets nobody send"),
        ({("selector2._domainkey.shop.example", "TXT"): ['"v=DKIM1; p="']}, "DKIM", "warning", "under the usual names"),
        ({("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=Reject"']}, "DMARC", "ok", "p=reject"),
        ({("selector2._domainkey.shop.example", "TXT"): []}, "DKIM", "warning", "under the usual names"),
        ({("_dmarc.shop.example", "TXT"): []}, "DMARC", "warning", "does not say what to do"),
        ({("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=sometimes"']}, "DMARC", "problem", "can't be read"),
        ({("shop.example", "MX"): []}, "Answers", "problem", "no mail server"),
        ({("shop.example", "MX"): ["0 ."]}, "Answers", "problem", "no mail server"),
        ({("shop.example", "MX"): [], ("shop.example", "A"): ["192.0.2.1"]}, "Answers", "ok", "192.0.2.1"),
        ({("shop.example", "MX"): [], ("shop.example", "AAAA"): ["2001:db8::1"]}, "Answers", "ok", "2001:db8::1"),
        ({("shop.example", "MX"): ["20 b.example.", "9 a.example."]}, "Answers", "ok", "go to a.example"),
    ],
)
def test_each_record_of_the_senders_domain_is_judged(
    tmp_path: Path, change: dict[tuple[str, str], list[str]], name: str, state: str, words: str
) -> None:
    told = of_names(tmp_path, change)[name]
    assert told.state == state and words in told.what
    if state == "warning" and name in ("SPF", "DMARC") and not told.do:
        assert "shop.example" in told.lines[0].place and told.lines[0].text.startswith("v=")


def test_the_provider_has_to_be_named(tmp_path: Path) -> None:
    told = of_names(tmp_path, {}, "smtp.gmail.com")["SPF"]
    assert told.state == "warning" and told.lines[0].text == "v=spf1 include:_spf.google.com mx ~all"


def test_a_record_beside_which_another_would_be_void_is_to_be_replaced(tmp_path: Path) -> None:
    lacking = of_names(tmp_path, {("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=sometimes"']}, "smtp.gmail.com")
    for name in ("SPF", "DMARC"):
        assert lacking[name].lines[0].place.startswith(f"Instead of the {name} record that is there"), name


def test_a_record_that_is_missing_is_a_new_one(tmp_path: Path) -> None:
    none = of_names(tmp_path, {("shop.example", "TXT"): [], ("_dmarc.shop.example", "TXT"): []})
    assert all(none[name].lines[0].place.startswith("A new record: type TXT") for name in ("SPF", "DMARC"))


def test_a_subdomain_is_spoken_for_by_the_one_above(tmp_path: Path) -> None:
    below = {("mail.shop.example", "TXT"): ['"v=spf1 a ~all"'], ("mail.shop.example", "MX"): ["1 mx.shop.example."]}
    with Names(GOOD | below) as names:
        told = found(tmp_path, names, CHAT_MAIL_FROM="chat@mail.shop.example")
    assert told["DMARC"].state == "ok" and "quarantine" in told["DMARC"].what


def test_a_domain_that_there_is_not_is_a_problem(tmp_path: Path) -> None:
    with Names({("other.example", "A"): ["192.0.2.1"]}) as names:
        told = found(tmp_path, names, CHAT_MAIL_FROM="chat@shop.example")
    assert "no domain shop.example" in told["SPF"].what


@pytest.mark.parametrize(
    ("name", "unanswered"),
    [
        ("DMARC", [("_dmarc.shop.example", "TXT")]),
        ("Answers", [("shop.example", "MX")]),
        ("DKIM", [(f"{selector}._domainkey.shop.example", "TXT") for selector in records.SELECTORS]),
    ],
)
def test_what_one_name_server_could_not_say_is_not_taken_for_missing(
    tmp_path: Path, name: str, unanswered: list[tuple[str, str]]
) -> None:
    with Names(GOOD) as names:
        names.broken.update(unanswered)
        told = found(tmp_path, names, CHAT_MAIL_FROM="chat@shop.example")
    assert told.pop(name).what == checks.SILENT
    assert {told[each].state for each in ("SPF", "DKIM", "DMARC", "Answers") if each != name} == {"ok"}


def test_silent_name_servers_are_no_fault_and_cost_seconds_at_most(tmp_path: Path) -> None:
    began = monotonic()
    with Names(GOOD) as names:
        names.silent = True
        told = found(tmp_path, names, CHAT_MAIL_FROM="chat@shop.example")
    assert {told[name].state for name in ("SPF", "DKIM", "DMARC", "Answers")} == {"warning"}
    assert "could not be looked up" in told["SPF"].what
    assert monotonic() - began < 2 * records.PATIENCE, "asked once"


def test_a_providers_own_domain_is_none_of_ours(tmp_path: Path) -> None:
    assert "SPF" not in found(tmp_path, CHAT_MAIL_FROM="shop@gmail.com")


def test_what_is_stuck_is_counted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    schema.prepare(data / "chat.sqlite")
    settings = config.load({"CHAT_DATA": str(data), "CHAT_MAIL_FROM": "chat@localhost"})
    row = {"sender": "mail", "about": "{}", "next_at": clock.now(), "created_at": clock.now()}
    with closing(connect(settings.database)) as db:
        row |= {"key": "a", "state": "waiting", "attempts": 2, "error": "mail.example could not be reached"}
        db["deliveries"].insert_all([row, row | {"key": "b", "state": "failed"}])
        (queue,) = [each for each in checks.look(settings, db) if each.name == "E-mail queue"]
    assert queue.finding.state == "warning" and "1 could not be sent and 1 did not go out yet" in queue.finding.what


def test_the_command_and_the_pages_show_it(tmp_path: Path, smtp: Smtp) -> None:
    mail: dict[str, Any] = {"CHAT_SMTP_URL": smtp.url, "CHAT_MAIL_FROM": "Shop <chat@localhost>"}
    with Server(tmp_path, **mail) as server:
        env = environment(CHAT_DATA=str(server.data), PORT=str(server.port), HOST="127.0.0.1", **mail)
        said = subprocess.run([*APP, "check"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
        assert "E-mail out" in said.stdout and "lets us in and takes mail from chat@localhost" in said.stdout
        ann = Owner(server.url).arrive()
        csrf = {"csrf": ann.page("/inbox/mail").first("input", name="csrf").attrs["value"]}
        for path in ("/inbox/mail/checks", "/inbox/server"):
            page = ann.http.post(path, data=csrf, headers=ann.auth(), timeout=60)
            assert page.status_code == 200 and "takes mail from chat@localhost" in page.text, path
        assert PASSWORD not in page.text + said.stdout
