"""The hook: a signed door for any other channel, both ways, against a real provider's server."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import ROOT, Server, free_port
from sms import Provider, headers

from chat import outbound

pytestmark = pytest.mark.xdist_group("hook")
PHONE = "+47 900 00 001"
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), CHAT_PRIVATE_HOSTS="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def secret(ann: Owner, provider: Provider) -> str:
    """Ann has made one, and has told where answers go."""
    made = press(ann, "/secret").first("pre", id="secret").text
    press(ann, "", address=provider.url)
    return made


def press(ann: Owner, what: str, **fields: str) -> dom.Node:
    csrf = ann.page("/inbox/hook").first("input", name="csrf").attrs["value"]
    answer = ann.http.post(f"/inbox/hook{what}", data={"csrf": csrf, **fields}, headers=ann.auth())
    assert answer.status_code in (200, 303), answer.text
    return dom.parse(answer.text)


def send(ann: Owner, secret: str, *, webhook_id: str = "", at: float | None = None, **told: Any) -> httpx.Response:
    body = json.dumps({"address": PHONE, "name": "Per <b>", **told}).encode()
    sent = headers(secret, body, webhook_id, at)
    return httpx.post(f"{ann.url}/hook/main", content=body, headers=sent, trust_env=False, timeout=30)


def bodies(ann: Owner, answer: httpx.Response) -> list[str]:
    thread = f"/inbox/conversations/{answer.json()['conversation']}"
    return [body.text for body in ann.page(thread).all(cls="body")]


def test_a_text_message_comes_in_and_its_answer_goes_out_signed(ann: Owner, provider: Provider, secret: str) -> None:
    came = send(ann, secret, id="SM1", text="Is my lamp ready?")
    assert came.status_code == 200, came.text
    thread = f"/inbox/conversations/{came.json()['conversation']}"
    page = ann.page(thread)
    assert "Is my lamp ready?" in page.text and "Per <b>" in page.text and "by another channel" in page.text
    assert PHONE in page.first("aside").text, "the owner sees where the answer goes"
    ann.reply(thread, "Yes, come by.")
    eventually(lambda: provider.with_text("Yes, come by."), what="the answer at the provider's")
    got = provider.with_text("Yes, come by.")[0]
    assert got.is_signed_with(secret) and abs(int(got.headers["webhook-timestamp"]) - time.time()) < 10
    data = got.told["data"]
    assert got.told["type"] == "answer.posted" and data["site"] == "main" and data["address"] == PHONE
    assert data["conversation"] == came.json()["conversation"] and data["messages"][0]["by"] == "agent"
    eventually(lambda: "Sent" in ann.page("/inbox/hook").text, what="the success on the page")


def test_the_same_message_again_changes_nothing(ann: Owner, secret: str) -> None:
    first = send(ann, secret, id="SM-twice", text="once", address="+47 2")
    again = send(ann, secret, id="SM-twice", text="once", address="+47 2")
    by_header = [send(ann, secret, webhook_id="msg_same", text="by header", address="+47 2") for _ in range(2)]
    assert again.json() == first.json() and by_header[0].json() == by_header[1].json()
    assert bodies(ann, first) == ["once", "by header"]


def test_a_note_is_for_agents_alone_and_nobody_waits_for_it(ann: Owner, vera: Visitor, secret: str) -> None:
    vera.say("Please call me back")
    number = int(ann.conversation("Please call me back").rpartition("/")[2])
    ann.reply(f"/inbox/conversations/{number}", "We try at noon")
    noted = send(ann, secret, kind="note", conversation=number, text="Called, 3 minutes, wants the brass one")
    assert noted.status_code == 200 and noted.json()["conversation"] == number
    note = ann.page(f"/inbox/conversations/{number}").all("article")[-1]
    assert note.attrs["data-by"] == "system" and "Note" in note.first(cls="author").text
    assert note.first(cls="body").text == "Called, 3 minutes, wants the brass one"
    assert vera.again().catch_up().texts() == ["Please call me back", "We try at noon"]
    row = next(row for row in ann.page().all(cls="row") if "wants the brass one" in row.text)
    assert "data-unread" not in row.attrs and not row.all("time", data_relative="waiting")


def test_files_come_along_and_what_is_not_kept_is_told(ann: Owner, provider: Provider, secret: str) -> None:
    provider.files["/lamp.png"] = PNG
    wanted = [
        {"name": "lamp.png", "url": provider.url.replace("/in", "/lamp.png")},
        {"name": "note.txt", "base64": base64.b64encode(b"brass").decode()},
        {"name": "setup.exe", "base64": base64.b64encode(b"MZ\x90\0" + b"\0" * 90).decode()},
    ]
    came = send(ann, secret, address="+47 3", files=wanted)
    assert came.status_code == 200, came.text
    assert "setup.exe was not kept" in came.json()["not_kept"][0]
    page = ann.page(f"/inbox/conversations/{came.json()['conversation']}")
    links = [link.attrs["href"] for each in page.all(cls="files") for link in each.all("a")]
    assert [ann.http.get(link).content for link in links] == [PNG, b"brass"]


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        ({"text": ""}, 422, "Give a `text`"),
        ({"text": 7}, 422, "`text` must be a string"),
        ({"text": "x", "address": " "}, 422, "Give the `address`"),
        ({"text": "x", "kind": "shout"}, 422, "`kind`"),
        ({"text": "x" * 4001}, 422, "4,001 characters"),
        ({"text": "x", "files": "no"}, 422, "`files`"),
        ({"text": "x", "files": [{"base64": "%%"}]}, 422, "`base64`"),
        ({"text": "x", "files": [{"url": "http://10.0.0.1/x"}]}, 422, "none that we call"),
        ({"text": "x", "files": [{"url": "https://10.0.0.1/x"}]}, 422, "no address on the internet"),
        ({"text": "x", "files": [{"url": "http://127.0.0.1:1/x"}]}, 503, "Send it all again"),
        ({"text": "x", "conversation": 999999}, 404, "no conversation of that number"),
        ({"text": "x", "conversation": True}, 422, "`conversation`"),
        ({"text": "x" * 1_100_000}, 413, "1 MB"),
    ],
)
def test_what_can_not_be_taken_is_refused_in_clear_words(
    ann: Owner, secret: str, told: dict[str, Any], status: int, words: str
) -> None:
    answer = send(ann, secret, **told)
    assert answer.status_code == status and words in answer.json()["error"], answer.text


def test_a_stranger_gets_nothing_in(ann: Owner, secret: str) -> None:
    body = json.dumps({"address": PHONE, "text": "forged"}).encode()
    good = headers(secret, body)
    wrong = "whsec_" + base64.b64encode(b"x" * 32).decode()
    tries = [
        (body, {}),
        (body, headers(wrong, body)),
        (body, headers(secret, body, at=time.time() - 400)),
        (body, headers(secret, body, at=time.time() + 400)),
        (body.replace(b"forged", b"forget"), good),
        (body, good | {"webhook-id": "another"}),
        (body, good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}),
        (body, good | {"webhook-timestamp": "nan"}),
        (body, good | {"webhook-signature": "v1"}),
        (body, good | {"webhook-signature": "v1,é".encode().decode("latin-1")}),
        (body, good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v0,")}),
        (b"\xff\xfe", good),
    ]
    for content, sent in tries:
        sent_raw = {name: value.encode("latin-1") for name, value in sent.items()}
        answer = httpx.post(f"{ann.url}/hook/main", content=content, headers=sent_raw, trust_env=False)
        assert answer.status_code == 401 and "signature" in answer.json()["error"], (sent, answer.text)
    assert httpx.post(f"{ann.url}/hook/other", content=body, headers=good, trust_env=False).status_code == 404
    assert "forge" not in ann.page().text


def test_answers_are_tried_again_under_the_same_id_and_in_order(ann: Owner, provider: Provider, secret: str) -> None:
    came = send(ann, secret, text="order please", address="+47 4")
    thread = f"/inbox/conversations/{came.json()['conversation']}"
    provider.answer(429, Retry_After="3")
    ann.reply(thread, "first answer")
    eventually(lambda: provider.with_text("first answer"), what="the first try")
    ann.reply(thread, "second answer")
    eventually(lambda: provider.with_text("second answer"), what="both")
    tries = provider.with_text("first answer")
    assert [got.status for got in tries] == [429, 200], "put off once, and the second answer waited for it"
    assert tries[0].headers["webhook-id"] == tries[1].headers["webhook-id"] and tries[0].body == tries[1].body
    second = provider.with_text("second answer")
    assert [got.texts for got in second] == [["second answer"]]
    assert provider.got.index(tries[1]) < provider.got.index(second[0])


@pytest.fixture(scope="module")
def examples() -> dict[str, str]:
    """The programs of the docs, by a word in them."""
    blocks = re.findall(r"```(?:sh|python)\n(.*?)```", (ROOT / "docs" / "channels.md").read_text(), re.S)
    return {word: next(block for block in blocks if word in block) for word in ("curl", "tell(", "Receiver")}


def test_the_programs_of_the_docs_work_as_they_stand(
    ann: Owner, provider: Provider, secret: str, examples: dict[str, str]
) -> None:
    port = free_port()
    env = {**os.environ, "SECRET": secret, "CHAT": ann.url, "PORT": str(port), "no_proxy": "*"}
    receiver = subprocess.Popen(
        [sys.executable, "-c", examples["Receiver"]], env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        press(ann, "", address=f"http://127.0.0.1:{port}/sms")
        curled = subprocess.run(["sh", "-ec", examples["curl"]], env=env, capture_output=True, text=True, timeout=30)
        assert json.loads(curled.stdout)["not_kept"] == [], curled.stdout + curled.stderr
        subprocess.run([sys.executable, "-c", examples["tell("]], env=env, check=True, timeout=30)
        thread = ann.conversation("Comes by on Friday")
        said = [body.text for body in ann.page(thread).all(cls="body")]
        assert said[-2:] == ["Please call me back about the brass lamp.", "Called back, 3 minutes. Comes by on Friday."]
        ann.reply(thread, "See you on Friday.")
        assert receiver.stdout and receiver.stdout.readline() == "+47 900 00 001: See you on Friday.\n"
    finally:
        receiver.kill()
        receiver.wait()
        press(ann, "", address=provider.url)


def test_an_address_that_is_gone_is_asked_no_more_until_it_is_saved_again(
    ann: Owner, provider: Provider, secret: str
) -> None:
    came = send(ann, secret, text="are you there", address="+47 5")
    thread = f"/inbox/conversations/{came.json()['conversation']}"
    provider.answer(410)
    ann.reply(thread, "into the void")
    eventually(lambda: "Not delivered" in ann.page(thread).text, what="the failure in the thread")
    assert "gone for good" in ann.page("/inbox/hook").text
    press(ann, "", address=provider.url)
    failed = next(each for each in ann.page("/inbox/hook").all(cls="queued") if "Not sent" in each.text)
    number = failed.first("input", name="delivery").attrs["value"]
    press(ann, "/attempts", delivery=number)
    eventually(lambda: len(provider.with_text("into the void")) == 2, what="the try by hand")
    tries = provider.with_text("into the void")
    assert tries[0].headers["webhook-id"] == tries[1].headers["webhook-id"]
    eventually(lambda: "Delivered after all" in ann.page(thread).text, what="the good news in the thread")


def test_both_secrets_hold_for_a_day_after_a_rotation(ann: Owner, provider: Provider, secret: str) -> None:
    fresh = press(ann, "/secret").first("pre", id="secret").text
    assert fresh != secret and fresh not in ann.page("/inbox/hook").text
    assert [send(ann, each, text="still here", address="+47 6").status_code for each in (secret, fresh)] == [200, 200]
    outcome = press(ann, "/test")
    assert "answered with 200: “noted <b>well</b>”" in outcome.text
    assert provider.got[-1].told["type"] == "test"
    assert provider.got[-1].is_signed_with(secret) and provider.got[-1].is_signed_with(fresh)


@pytest.mark.parametrize(
    ("address", "words"),
    [("nonsense", "no address on the web"), ("http://example.com/x", "Use https"), ("https://u:p@e.com", "no address")],
)
def test_an_address_that_will_not_do_is_told_beside_the_field(ann: Owner, address: str, words: str) -> None:
    page = press(ann, "", address=address)
    assert words in page.first("p", id="address-error").text
    assert page.first("input", id="address").attrs["value"] == address


def test_a_private_address_is_never_called(ann: Owner, provider: Provider, secret: str) -> None:
    press(ann, "", address="https://169.254.169.254/latest")
    assert "no address on the internet" in press(ann, "/test").text
    press(ann, "", address=provider.url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("8.8.8.8", True), ("2606:4700::1111", True), ("64:ff9b::808:808", True), ("2002:808:808::1", True)),
        *(("127.0.0.1", False), ("::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False)),
        *(("64:ff9b::a9fe:a9fe", False), ("64:ff9b:1::7f00:1", False), ("2002:7f00:1::", False)),
        *(("::127.0.0.1", False), ("fec0::1", False), ("169.254.169.254", False), ("100.64.0.1", False)),
    ],
)
def test_no_disguise_of_an_inner_address_is_called(monkeypatch: pytest.MonkeyPatch, address: str, public: bool) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(outbound.socket, "getaddrinfo", lambda *args, **kwargs: found)
    if public:
        assert outbound.resolve("some.example", 443) == address
    else:
        with pytest.raises(outbound.Refused):
            outbound.resolve("some.example", 443)
