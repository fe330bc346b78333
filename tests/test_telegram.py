"""Telegram, through a real local Bot API server: the owner answers from the pocket, visitors write to the bot."""

from __future__ import annotations

from collections.abc import Iterator

import dom
import pytest
from botapi import TOKEN, Person, Telegram
from cast import Owner, Visitor
from feed import eventually
from harness import Server

from chat.features.telegram.speech import parts, units

pytestmark = pytest.mark.xdist_group("telegram")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    with Telegram() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, telegram: Telegram) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), **settings(telegram)) as running:
        yield running


def settings(telegram: Telegram) -> dict[str, str]:
    return {
        "CHAT_TELEGRAM_TOKEN": TOKEN,
        "CHAT_TELEGRAM_API": telegram.url,
        "CHAT_PRIVATE_HOSTS": "127.0.0.1",
        "CHAT_URL": "https://chat.example",
    }


def press(ann: Owner, what: str, **fields: str) -> dom.Node:
    """A button on the page."""
    csrf = ann.page("/inbox/telegram").first("input", name="csrf").attrs["value"]
    answer = ann.http.post(f"/inbox/telegram{what}", data={"csrf": csrf, **fields}, headers=ann.auth())
    assert answer.status_code in (200, 303), answer.text
    return dom.parse(answer.text)


def code(ann: Owner) -> str:
    return press(ann, "/code").first("span", cls="secret").text


def connect(ann: Owner, who: Person) -> None:
    """Ann answers from there now."""
    before = len(who.heard())
    who.say(code(ann))
    eventually(lambda: any("Connected" in said for said in who.heard()[before:]), what="the connection")


def texts(page: dom.Node) -> list[str]:
    return [body.text for body in page.all(cls="body")]


@pytest.fixture(scope="module")
def group(telegram: Telegram) -> int:
    return telegram.group("The shop's doors", forum=True)


@pytest.fixture(scope="module")
def pocket(telegram: Telegram, server: Server, group: int) -> Person:
    """Ann, in the connected forum."""
    anna = telegram.person("Anna").into(group)
    connect(Owner(server.url).arrive(), anna)
    return anna


def test_a_visitor_on_the_web_gets_a_topic_and_the_owner_answers_in_it(
    server: Server, telegram: Telegram, group: int, pocket: Person, vera: Visitor, ann: Owner
) -> None:
    vera.post("Do you have <b>tall</b> lamps?", page_url="https://shop.example/lamps", page_title="Lamps")
    thread = ann.conversation("tall")
    name = ann.page(thread).first("h2").text.removeprefix("About ")
    eventually(lambda: telegram.chats[group].topics, what="the topic")
    topic = telegram.topic(group, name)
    eventually(lambda: telegram.to(group, topic), what="the message in the topic")
    assert telegram.to(group, topic) == [
        f"{name}: Do you have <b>tall</b> lamps?\n\nOn Lamps https://shop.example/lamps\nhttps://chat.example{thread}"
    ]
    pocket.say("Yes, two of them.", thread=topic)
    eventually(lambda: "Yes, two of them." in vera.catch_up().texts("agent"), what="the answer on the web")
    ann.reply(thread, "One is brass.")
    eventually(lambda: len(telegram.to(group, topic)) == 2, what="the inbox's answer in the topic")
    assert "by Telegram" in ann.page(thread).text and "One is brass." in telegram.to(group, topic)[1]
    vera.say("I take the brass one")
    eventually(lambda: len(telegram.to(group, topic)) == 3, what="the next message")
    assert telegram.to(group, topic)[2] == f"{name}: I take the brass one", "no echo, and no page told twice"
    pocket.say("/close", thread=topic)
    eventually(lambda: not telegram.chats[group].topics[topic]["open"], what="the topic's closing")
    assert "Closed" in ann.page(thread).text
    vera.say("Wait, one more thing")
    eventually(lambda: telegram.chats[group].topics[topic]["open"], what="the topic's opening")
    eventually(lambda: len(telegram.to(group, topic)) == 4, what="the last message")
    telegram.push(message=pocket.message(thread=topic, forum_topic_closed={}))
    eventually(lambda: not telegram.chats[group].topics[topic]["open"], what="closing over there")


def test_somebody_writes_to_the_bot_and_is_answered_there(server: Server, telegram: Telegram, ann: Owner) -> None:
    vic = telegram.person("Vic <i>", "Töwn")
    vic.say("/start")
    eventually(lambda: vic.heard(), what="the greeting")
    vic.say("Is the shop open on Monday?")
    vic.send("photo", PNG, caption="this one")
    vic.send("document", b"MZ\x90\0\0\0" + b"\0" * 200, "setup.exe")
    vic.send("voice", b"OggS\0\2" + b"\0" * 22 + b"OpusHead" + b"\0" * 100)
    eventually(lambda: "Vic <i> Töwn" in ann.page().text, what="the conversation")
    row = next(row for row in ann.page().all(cls="row") if "Vic <i> Töwn" in row.text)
    thread = row.first("a").attrs["href"].partition("?")[0]
    eventually(lambda: len(files(ann, thread)) == 2, what="the files")
    assert texts(ann.page(thread))[:2] == ["Is the shop open on Monday?", "this one"]
    assert ann.http.get(files(ann, thread)[0]).content == PNG
    eventually(lambda: any("could not be taken" in said for said in vic.heard()), what="the polite refusal")
    ann.reply(thread, "Yes, from nine.")
    ann.reply(thread, "𝄞" * 3000)
    eventually(lambda: "Yes, from nine." in vic.heard(), what="the answer in Telegram")
    eventually(lambda: "".join(vic.heard()[-2:]) == "𝄞" * 3000, what="the long answer, in two pieces")
    telegram.push(edited_message=vic.message(text="on Tuesday"))
    telegram.push(message=vic.message(sticker={"file_id": "s", "emoji": "🙂"}))
    eventually(lambda: any("not passed on" in said for said in vic.heard()), what="about the edit")
    eventually(lambda: any("can't be passed on" in said for said in vic.heard()), what="about the sticker")
    assert "on Tuesday" not in ann.page(thread).text


def files(ann: Owner, thread: str) -> list[str]:
    return [link.attrs["href"] for each in ann.page(thread).all(cls="files") for link in each.all("a")]


def test_text_is_cut_where_it_hurts_least() -> None:
    assert parts("") == [] and parts("a" * 4096) == ["a" * 4096]
    assert parts("a" * 3000 + "\n\n" + "b" * 3000) == ["a" * 3000, "b" * 3000]
    assert parts(("word " * 1000).strip()) == [("word " * 819).strip(), ("word " * 181).strip()]
    family = "👨\u200d👩\u200d👧"
    pieces = parts("👨" + family * 1200)
    assert "".join(pieces) == "👨" + family * 1200 and all(units(piece) <= 4096 for piece in pieces)
    assert all(piece.startswith("👨") and piece.endswith("👧") for piece in pieces)
