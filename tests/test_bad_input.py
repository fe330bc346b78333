"""What may not be stored: a clear sentence comes back, and nothing has changed."""

from __future__ import annotations

import socket
import sqlite3
import uuid
from urllib.parse import quote_plus

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import messages_in
from harness import Server
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.xdist_group("bad-input")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WAVE = "\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}"  # two code points, one picture


def says_why(answer: httpx.Response) -> None:
    """4xx, HTML, and a sentence for a person."""
    assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text[:200]}"
    assert answer.headers["content-type"].startswith("text/html")
    words = dom.parse(answer.text).text.strip()
    assert len(words.split()) >= 3 and "Traceback" not in words, f"no sentence: {answer.text[:200]!r}"


def nothing_stored(visitor: Visitor) -> None:
    assert visitor.again().catch_up().texts() == []


def post_bytes(visitor: Visitor, body: bytes, headers: dict[str, str] = FORM) -> httpx.Response:
    form = b"since=0&client_id=" + str(uuid.uuid4()).encode() + b"&body=" + body
    return visitor.http.post("/w/main/messages", content=form, headers=visitor.auth() | headers)


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "\n \t\r\n ",
        "\u00a0\u2003",
        "x" * 4001,
        WAVE * 2000 + "x",
        "a\x00b",
        "\x01",
        "a\x08",
        "\x0b",
        "\x1b[31m",
        "\x1f",
    ],
    ids=lambda body: f"{len(body)} {body[:8]!a}",
)
def test_a_body_that_is_none_is_refused_with_a_sentence(vera: Visitor, body: str) -> None:
    says_why(vera.post(body))
    nothing_stored(vera)


@pytest.mark.parametrize("body", [b"%ff%fe", b"ok%c3", b"%ed%a0%80", b"\xff\xfe", b"%80"], ids=repr)
def test_broken_utf_8_is_refused_with_a_sentence(vera: Visitor, body: bytes) -> None:
    says_why(post_bytes(vera, body))
    nothing_stored(vera)


def test_a_body_of_ten_megabytes_is_refused_with_a_sentence(vera: Visitor) -> None:
    says_why(post_bytes(vera, b"x" * 10_000_000))
    nothing_stored(vera)


@pytest.mark.parametrize("lost", [1, 9, 30])
def test_a_request_that_was_cut_on_its_way_stores_nothing_and_its_repeat_stores_it_whole(
    server: Server, vera: Visitor, lost: int
) -> None:
    client_id, text = str(uuid.uuid4()), "a sentence of which the end may be missing"
    form = f"since=0&client_id={client_id}&body={quote_plus(text)}".encode()
    head = f"POST /w/main/messages HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {len(form)}\r\n"
    head += f"Authorization: Bearer {vera.token}\r\nContent-Type: {FORM['Content-Type']}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
        wire.sendall(head.encode() + form[:-lost])
        wire.shutdown(socket.SHUT_WR)
        assert b" 200 " not in wire.recv(4096)[:20]
    nothing_stored(vera)
    assert vera.post(text, client_id).status_code == 200
    assert vera.again().catch_up().texts() == [text]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/xml", "nonsense", ""])
def test_a_body_of_another_type_is_refused_with_a_sentence(vera: Visitor, kind: str) -> None:
    says_why(post_bytes(vera, b"hello", {"Content-Type": kind}))
    nothing_stored(vera)


@pytest.mark.parametrize("client_id", ["", "7", "not-a-uuid", "x" * 5000, "'; DROP TABLE messages; --"])
def test_a_client_id_that_is_no_uuid_is_refused_with_a_sentence(vera: Visitor, client_id: str) -> None:
    form = {"body": "hello", "client_id": client_id, "since": "0"}
    says_why(vera.http.post("/w/main/messages", data=form, headers=vera.auth()))
    nothing_stored(vera)


@pytest.mark.parametrize("cursor", ["x", "1.5", "-1", "0x10", "1e3", "NaN", "' OR 1=1", "\u0661\u0662", " "])
def test_a_cursor_that_is_no_number_is_refused_everywhere(vera: Visitor, cursor: str) -> None:
    says_why(vera.post("hello", since=cursor))
    says_why(vera.poll(since=cursor))
    says_why(vera.http.get("/w/main/messages", params={"before": cursor}, headers=vera.auth()))
    nothing_stored(vera)


@pytest.mark.parametrize("cursor", ["9" * 18, "9" * 19, "9" * 40, "9" * 5000])
def test_a_huge_cursor_is_a_reset_or_refused_and_never_an_error(vera: Visitor, cursor: str) -> None:
    vera.say("Here")
    answer = vera.poll(since=cursor)
    assert (answer.status_code == 200 and "data-reset" in answer.text) or 400 <= answer.status_code < 500
    assert vera.http.get("/w/main/messages", params={"before": cursor}, headers=vera.auth()).status_code < 500


@pytest.mark.parametrize("wait", ["x", "-1", "NaN", "-inf", "0x1"])
def test_a_wait_that_is_no_number_never_hangs_or_breaks(vera: Visitor, wait: str) -> None:
    answer = vera.http.get("/w/main/live", params={"since": 0, "wait": wait}, headers=vera.auth(), timeout=29)
    assert answer.status_code == 204 or 400 <= answer.status_code < 500


def test_json_nested_too_deeply_is_no_json_and_never_an_error(vera: Visitor, ann: Owner) -> None:
    deep = b'{"email":' + b"[" * 100_000
    asked = {"content": deep, "headers": vera.auth() | {"Content-Type": "application/json"}}
    assert 400 <= vera.http.post("/w/main/address", **asked).status_code < 500
    told = {"content": deep, "headers": ann.auth() | {"Content-Type": "application/json"}}
    assert 400 <= ann.http.post("/inbox/alerts/reply", **told).status_code < 500


def test_an_unknown_site_is_not_found(vera: Visitor, nobody: httpx.Client) -> None:
    for path in ("/w/nope", "/w/nope.js", "/c/nope", "/w/nope/live?since=0&wait=0", "/w/nope/messages?before=5"):
        assert nobody.get(path).status_code == 404, path
        assert nobody.get(path, headers=vera.auth()).status_code == 404, path
    for path in ("/w/nope/session", "/w/nope/messages", "/w/nope/signals"):
        says_why(nobody.post(path, headers=vera.auth()))
        assert nobody.post(path).status_code == 404, path
    nothing_stored(vera)


@pytest.mark.parametrize("body", ["x" * 4000, WAVE * 2000, "\u0639" * 4000], ids=["latin", "emoji", "arabic"])
def test_four_thousand_code_points_are_taken_whatever_they_are(vera: Visitor, body: str) -> None:
    assert vera.post(body).status_code == 200
    assert vera.again().catch_up().texts() == [body]


def test_line_ends_count_once_and_white_space_around_does_not_count(vera: Visitor) -> None:
    assert vera.post("  \r\n" + "a\r\n" * 1999 + "bc\r\n \n").status_code == 200
    assert vera.log.texts() == ["a\n" * 1999 + "bc"]


def test_bidi_overrides_are_neutralised_and_the_marks_of_arabic_and_hebrew_kept(vera: Visitor) -> None:
    answer = vera.post(
        "invoice\u202egpj.exe \u202dx\u202c \u200f\u05e9\u05dc\u05d5\u05dd\u200e \u061c\u0639\u0631\u0628\u064a"
    )
    assert answer.status_code == 200
    assert "\u202e" not in answer.text and "\u202d" not in answer.text
    (text,) = vera.log.texts()
    assert "\u200f\u05e9\u05dc\u05d5\u05dd\u200e \u061c\u0639\u0631\u0628\u064a" in text


def test_a_session_that_has_not_acted_stores_nothing(server: Server) -> None:
    before = rows(server)
    quiet = Visitor(server.url).arrive()
    assert quiet.poll().status_code == 204
    with quiet.socket() as ws:
        ws.send('{"typing": true}')
        ws.send('{"seen": 1}')
    quiet.signal(typing=True)
    says_why(quiet.post(" "))
    assert rows(server) == before


def rows(server: Server) -> dict[str, int]:
    """How many rows every table has."""
    db = sqlite3.connect(f"file:{server.data / 'chat.sqlite'}?mode=ro", uri=True)
    tables = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
    ]
    counted = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
    db.close()
    return counted


@pytest.fixture(scope="module")
def writer(server: Server) -> Visitor:
    return Visitor(server.url).arrive()


@settings(max_examples=60, deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), exclude_characters="\ufffd"),
        min_size=1,
        max_size=300,
    )
)
def test_any_other_text_comes_back_as_it_was_typed(writer: Visitor, body: str) -> None:
    if not body.strip():
        return
    answer = post_bytes(writer, quote_plus(body).encode())
    assert answer.status_code == 200, answer.text
    assert messages_in(dom.parse(writer.poll(since=writer.log.cursor).text))[-1].text == body.strip()
    writer.catch_up()


def test_the_owners_reply_is_held_to_the_same_rules(vera: Visitor, ann: Owner) -> None:
    vera.say("What will you answer?")
    conversation = ann.conversation("What will you answer?")
    form = ann.reply_form(conversation)
    name, action = form.first("textarea").attrs["name"], form.attrs.get("action") or form.attrs["hx-post"]
    for body in ("", "  \n", "x" * 4001, "a\x00b"):
        sent = dom.fields(form) | {name: body, "client_id": str(uuid.uuid4())}
        says_why(ann.http.post(action, data=sent, headers=ann.auth()))
    assert vera.again().catch_up().texts() == ["What will you answer?"]
