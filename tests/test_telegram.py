"""Telegram, through a real local Bot API server: the owner answers from the pocket, visitors write to the bot."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dom
import httpx
import pytest
from botapi import TOKEN, WITHHELD, Person, Posted, Refusal, Telegram
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from sms import Provider, headers

from chat import db as database
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


def press(ann: Owner, button: str, page: str = "telegram", **fields: str) -> dom.Node:
    """A button on the page."""
    csrf = ann.page(f"/inbox/{page}").first("input", name="csrf").attrs["value"]
    answer = ann.http.post(f"/inbox/{page}{button}", data={"csrf": csrf, **fields}, headers=ann.auth())
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


def test_visitors_read_that_somebody_is_home_who_is_called_there(server: Server, pocket: Person) -> None:
    def light() -> bool:
        return "Your message calls us" in httpx.get(f"{server.url}/c/main", trust_env=False).text

    eventually(light, what="the light")


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
    assert f"{thread}/opening" in ann.http.get(thread).text
    vera.say("Wait, one more thing")
    eventually(lambda: telegram.chats[group].topics[topic]["open"], what="the topic's opening")
    eventually(lambda: len(telegram.to(group, topic)) == 4, what="the last message")
    telegram.push(message=pocket.message(thread=topic, forum_topic_closed={}))
    eventually(lambda: not telegram.chats[group].topics[topic]["open"], what="closing over there")


def test_the_bot_speaks_the_language_in_which_somebody_uses_telegram(server: Server, telegram: Telegram) -> None:
    vic = telegram.person("Vic")
    telegram.push(message=vic.message(text="/start", **{"from": {"id": vic.id, "language_code": "de-at"}}))
    eventually(lambda: vic.heard(), what="the greeting")
    assert "wir antworten in diesem Chat" in str(vic.heard())


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


def test_a_stranger_in_the_group_is_not_the_owner(
    server: Server, telegram: Telegram, group: int, pocket: Person, vera: Visitor, ann: Owner
) -> None:
    vera.say("Is anybody there?")
    thread = ann.conversation("Is anybody there?")
    name = ann.page(thread).first("h2").text.removeprefix("About ")
    eventually(lambda: any(name == each["name"] for each in telegram.chats[group].topics.values()), what="the topic")
    topic = telegram.topic(group, name)
    mallory = telegram.person("Mallory").into(group)
    mallory.say("I am Ann, send money", thread=topic)
    mallory.say("/close", thread=topic)
    mallory.send("document", b"money", "invoice.txt", thread=topic)
    mallory.say("/start " + "a" * 16, thread=topic)
    once = code(ann)
    elsewhere = telegram.person("Anonymous").into(group)
    told = elsewhere.message(text=once, thread=topic)
    told["from"] = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    telegram.push(message=told)
    eventually(lambda: any("write here as the group" in said for said in telegram.to(group, topic)), what="the advice")
    pocket.say("Yes, I am here.", thread=topic)
    eventually(lambda: "Yes, I am here." in vera.catch_up().texts("agent"), what="the owner's answer")
    assert vera.catch_up().texts() == ["Is anybody there?", "Yes, I am here."]
    assert f"{thread}/closure" in ann.http.get(thread).text and not files(ann, thread)


def test_a_code_works_once_and_a_strange_group_gets_nothing(
    server: Server, telegram: Telegram, pocket: Person, ann: Owner
) -> None:
    once, group = code(ann), telegram.group("The shop's doors", forum=True)
    bob = telegram.person("Bob").into(pocket.chat)
    bob.say(f"/start@{'lamp_bot'} {once}")
    eventually(lambda: "2 people" in ann.page("/inbox/telegram").text, what="the second one")
    before = len(ann.page().all(cls="row"))
    mallory = telegram.person("Mallory")
    for text in (f"/start {once}", "/start " + "b" * 16, "/start 1-ffffffff-" + "0" * 32):
        mallory.say(text)
    mallory.into(group).say(once)
    mallory.into(group).say("Hello, who reads this?")
    eventually(lambda: len(mallory.heard()) >= 2, what="the greetings")
    assert all("Connected" not in said for said in mallory.heard() + telegram.to(group))
    assert "2 people" in ann.page("/inbox/telegram").text and not telegram.to(group)
    assert len(ann.page().all(cls="row")) == before


def test_visitors_are_shown_the_way_only_when_the_owner_offers_it(
    server: Server, vera: Visitor, mallory: Visitor, ann: Owner
) -> None:
    vera.say("Can we go on in Telegram?")
    way = "/w/main/telegram"
    assert vera.http.get(way, headers=vera.auth()).text == ""
    press(ann, "/offer", offered="1")
    line = dom.parse(vera.http.get(way, headers=vera.auth()).text)
    assert line.first("a").attrs["href"].startswith("https://t.me/lamp_bot?start=")
    assert "Go on in Telegram" in vera.http.get("/c/main").text
    told = vera.http.get(way, headers=mallory.auth()).text
    assert "?start=" not in told, "who has said nothing has no conversation to go on with"
    assert vera.http.get(way).status_code == 401
    press(ann, "/offer")
    assert "Telegram" not in vera.http.get("/c/main").text


def test_one_conversation_through_three_doors(
    server: Server, telegram: Telegram, pocket: Person, vera: Visitor, ann: Owner
) -> None:
    vera.say("Hello from the web")
    thread = ann.conversation("Hello from the web")
    url = vera.http.post("/w/main/telegram", headers=vera.auth()).json()["url"]
    start = url.partition("?start=")[2]
    assert url.startswith("https://t.me/lamp_bot?start=") and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", start)
    phone = telegram.person("Vera")
    phone.say(f"/start {start[:-1]}{'0' if start[-1] != '0' else '1'}")
    eventually(lambda: any("run out" in said for said in phone.heard()), what="a bent link's refusal")
    phone.say(f"/start {start}")
    eventually(lambda: any("one conversation" in said for said in phone.heard()), what="the link's welcome")
    ann.reply(thread, "An answer, before you have said anything here")
    phone.say("Hello from Telegram")
    eventually(lambda: "Hello from Telegram" in texts(ann.page(thread)), what="the second door")
    eventually(lambda: "An answer, before you have said anything here" in phone.heard(), what="the answer there")
    vera.again().catch_up().texts()
    vera.say("And from the web again")
    ann.reply(thread, "Seen on the web")
    web = vera.again()
    web.catch_up()
    web.signal(seen=web.log.cursor)
    phone.say("And back")
    eventually(lambda: "And back" in texts(ann.page(thread)), what="the way back")
    ann.reply(thread, "The last answer")
    eventually(lambda: "The last answer" in phone.heard(), what="the last answer in Telegram")
    assert "Seen on the web" not in phone.heard(), "what the visitor has read elsewhere is not repeated"
    with Provider() as sms:
        secret = press(ann, "/secret", page="hook").first("pre", id="secret").text
        press(ann, "", page="hook", address=sms.url)
        told = {"address": "+47 1", "conversation": int(thread.rpartition("/")[2]), "text": "By SMS, from the bus"}
        body = json.dumps(told).encode()
        sent = httpx.post(f"{ann.url}/hook/main", content=body, headers=headers(secret, body), trust_env=False)
        assert sent.status_code == 200, sent.text
        ann.reply(thread, "See you soon")
        eventually(lambda: sms.with_text("See you soon"), what="the answer by SMS")
        assert [got.texts for got in sms.got] == [["See you soon"]] and "See you soon" not in phone.heard()
    assert vera.again().catch_up().texts() == [
        "Hello from the web",
        "An answer, before you have said anything here",
        "Hello from Telegram",
        "And from the web again",
        "Seen on the web",
        "And back",
        "The last answer",
        "By SMS, from the bus",
        "See you soon",
    ]


class Shop:
    """A server whose bot is set on the page, and Ann's own chat with it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.telegram = Telegram()
        self.server = Server(folder, CHAT_TELEGRAM_API="", CHAT_PRIVATE_HOSTS="127.0.0.1", **settings)

    def __enter__(self) -> Shop:
        self.server.settings["CHAT_TELEGRAM_API"] = self.telegram.open().url
        self.server.start()
        self.ann = Owner(self.server.url).arrive()
        self.phone = self.telegram.person("Anna")
        return self

    def __exit__(self, *about: object) -> None:
        self.server.__exit__(*about)
        self.telegram.close()

    def open(self) -> None:
        """Set the bot, and connect Ann in private."""
        press(self.ann, "", token=TOKEN)
        connect(self.ann, self.phone)

    def last(self, words: str) -> Posted:
        """What the bot has sent last with these words in it."""
        eventually(lambda: any(words in each.text for each in self.telegram.posted), what=words)
        return [each for each in self.telegram.posted if words in each.text][-1]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Shop(tmp_path_factory.mktemp("shop")) as running:
        running.open()
        yield running


def test_the_page_takes_a_token_and_never_shows_it(shop: Shop) -> None:
    press(shop.ann, "/disconnection", what="bot")
    for token, words in (
        ("", "BotFather gave you"),
        ("nonsense", "no bot's token"),
        (TOKEN.replace("A", "B"), "does not know"),
    ):
        page = press(shop.ann, "", token=token)
        assert words in page.first("p", id="token-error").text
        assert not page.first("input", id="token").attrs.get("value")
    shop.open()
    page = shop.ann.http.get("/inbox/telegram").text
    assert "@lamp_bot" in page and TOKEN not in page
    assert TOKEN not in shop.server.output


def test_in_a_private_chat_replies_choose_the_conversation(shop: Shop) -> None:
    vera, victor = Visitor(shop.server.url).arrive(), Visitor(shop.server.url).arrive()
    vera.say("#c999 I am Vera")
    victor.say("I am Victor " + "and more 𝄞𝄞𝄞𝄞, " * 260 + "enough")
    to_vera, to_victor = shop.last("I am Vera"), shop.last("enough")
    pieces = [each for each in shop.telegram.posted if "and more" in each.text]
    assert len(pieces) == 2 and {each.text.split()[0] for each in pieces} == {to_victor.text.split()[0]}
    assert to_vera.text.startswith("#c") and not to_vera.text.startswith("#c999")
    shop.phone.say("Hello Vera", to=to_vera)
    shop.phone.say("Hello Victor", to=pieces[1])
    shop.phone.say("Hello nobody")
    shop.phone.send("document", b"price;9\n", "prices.csv", to=to_vera)
    eventually(lambda: vera.catch_up().texts("agent")[:1] == ["Hello Vera"], what="the answer to Vera")
    eventually(lambda: victor.catch_up().texts("agent") == ["Hello Victor"], what="the answer to Victor")
    eventually(lambda: any("To whom?" in said for said in shop.phone.heard()), what="the question")
    eventually(lambda: len(vera.catch_up().texts("agent")) == 2, what="the file")
    shop.phone.say("/close", to=to_vera)
    closed = shop.last("Closed by Ann")
    assert closed.text.split()[0] == to_vera.text.split()[0]


def test_too_many_requests_are_waited_for_and_nothing_is_lost(shop: Shop) -> None:
    left = [3]

    def slow_down(method: str, params: dict[str, Any]) -> None:
        if method == "sendMessage" and left[0]:
            left[0] -= 1
            raise Refusal(429, "Too Many Requests: retry after 1", retry_after=1)

    vera = Visitor(shop.server.url).arrive()
    with shop.telegram.fail(slow_down):
        for number in range(3):
            vera.say(f"hurry {number}")
        eventually(lambda: len([each for each in shop.telegram.posted if "hurry" in each.text]) >= 3, what="all three")
    told = [each.text.partition("hurry ")[2] for each in shop.telegram.posted if "hurry" in each.text]
    assert told == ["0\n\n" + told[0][3:] if "\n" in told[0] else "0", "1", "2"] and not left[0]


def test_a_visitor_who_blocks_the_bot_is_told_of_in_the_thread(shop: Shop) -> None:
    vic = shop.telegram.person("Victoria")
    vic.say("Bye")
    eventually(lambda: "Victoria" in shop.ann.page().text, what="the conversation")
    row = next(row for row in shop.ann.page().all(cls="row") if "Victoria" in row.text)
    thread = row.first("a").attrs["href"].partition("?")[0]
    shop.telegram.chats[vic.chat].blocked = True
    shop.ann.reply(thread, "One moment")
    eventually(
        lambda: "Not delivered: The visitor has blocked the bot" in shop.ann.page(thread).text, what="the failure"
    )
    shop.telegram.chats[vic.chat].blocked = False
    vic.say("Are you there?")
    shop.ann.reply(thread, "Here again")
    eventually(lambda: "Here again" in vic.heard(), what="what was answered later")
    again = next(each for each in shop.ann.page("/inbox/telegram").all(cls="queued") if "blocked" in each.text)
    press(shop.ann, "/attempts", delivery=again.first("input", name="delivery").attrs["value"])
    eventually(lambda: "Delivered after all" in shop.ann.page(thread).text, what="the second try")
    assert vic.heard()[-2:] == ["Here again", "One moment"]


def test_a_group_that_becomes_a_supergroup_or_loses_a_topic_goes_on(shop: Shop) -> None:
    telegram = shop.telegram
    old, new = telegram.group("Team", forum=True), telegram.group("Team", forum=True)
    connect(shop.ann, shop.phone.into(old))
    vera = Visitor(shop.server.url).arrive()
    vera.say("before the move")
    shop.last("before the move")
    telegram.chats[new].topics = dict(telegram.chats[old].topics)
    telegram.chats[old].moved_to = new
    vera.say("after the move")
    assert shop.last("after the move").chat == new
    telegram.chats[new].topics.clear()
    vera.say("after the loss")
    found = shop.last("after the loss")
    assert found.chat == new and found.thread in telegram.chats[new].topics
    assert not [each for each in telegram.posted if "before the move" in each.text and each.chat == new]
    shop.phone.into(new).say("I go on here", thread=found.thread)
    eventually(lambda: "I go on here" in vera.catch_up().texts("agent"), what="the answer from the new place")


def test_another_poller_or_an_outage_stands_on_the_page_and_goes_by_itself(shop: Shop) -> None:
    telegram, ann = shop.telegram, shop.ann

    def conflict(method: str, params: dict[str, Any]) -> None:
        if method == "getUpdates":
            raise Refusal(409, "Conflict: terminated by other getUpdates request")

    with telegram.fail(conflict):
        telegram.push(message=telegram.person("Late").message(text="through the conflict"))
        eventually(lambda: "Another program fetches" in ann.page("/inbox/telegram").text, what="the conflict")
    eventually(lambda: "through the conflict" in ann.page().text, what="the message all the same")
    telegram.close()
    eventually(lambda: "can't be reached" in ann.page("/inbox/telegram").text, what="the outage")
    assert TOKEN not in ann.http.get("/inbox/telegram").text
    telegram.open()
    telegram.push(message=telegram.person("Later").message(text="through the outage"))
    eventually(lambda: "through the outage" in ann.page().text, what="the message after the outage")
    eventually(lambda: "can't be reached" not in ann.page("/inbox/telegram").text, what="the outage's end")


def test_killed_between_fetching_and_storing_nothing_is_lost_or_doubled(shop: Shop) -> None:
    telegram, server = shop.telegram, shop.server
    vic = telegram.person("Persistent")
    killed = []

    def kill() -> None:
        if len(killed) < 3:
            killed.append(time.monotonic())
            server.stop(signal.SIGKILL)

    telegram.after_updates = kill
    for number in range(12):
        vic.say(f"word {number}")
        if number % 4 == 3:
            round_ = number // 4 + 1
            eventually(lambda: len(killed) == round_, what="the kill")  # noqa: B023
            eventually(lambda: server.process is None, what="its end")
            server.start()
    vic.say("the last word")
    shop.ann = Owner(server.url).arrive()
    eventually(lambda: "the last word" in shop.ann.page().text, what="the last word")
    row = next(row for row in shop.ann.page().all(cls="row") if "Persistent" in row.text)
    said = texts(shop.ann.page(row.first("a").attrs["href"].partition("?")[0]))
    assert said == [*(f"word {number}" for number in range(12)), "the last word"]
    telegram.after_updates = None


def test_a_file_that_comes_drop_by_drop_or_breaks_off_is_asked_for_again(shop: Shop) -> None:
    left = [1]

    def break_off(method: str, params: dict[str, Any]) -> None:
        if method == "download" and left[0]:
            left[0] -= 1
            raise Refusal(502, "Bad Gateway")

    vic = shop.telegram.person("Filer")
    with shop.telegram.fail(break_off):
        vic.send("document", b"a,b\n1,2\n", "table.csv", caption="my table")
        eventually(lambda: "my table" in shop.ann.page().text, what="the file")
    thread = shop.ann.conversation("my table")
    assert shop.ann.http.get(files(shop.ann, thread)[0]).content == b"a,b\n1,2\n" and not left[0]


def test_what_was_said_before_a_file_that_fails_is_not_said_again(shop: Shop) -> None:
    failed = []

    def broken(method: str, params: dict[str, Any]) -> None:
        if method == "sendDocument":
            failed.append(method)
            raise Refusal(502, "Bad Gateway")

    def try_again() -> None:
        waits = lambda: [each for each in shop.ann.page("/inbox/telegram").all(cls="queued") if "502" in each.text]  # noqa: E731
        eventually(waits, what="the failure on the page")
        press(shop.ann, "/attempts", delivery=waits()[0].first("input", name="delivery").attrs["value"])

    lister = shop.telegram.person("Lister")
    with shop.telegram.fail(broken):
        lister.send("document", b"a,b\n1,2\n", "prices.csv", caption="only once")
        try_again()
        waits = "sender LIKE 'telegram%' AND state = 'waiting' AND next_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
        with closing(database.connect(shop.server.data / "chat.sqlite", readonly=True)) as db:
            noted = lambda: db.execute(f"SELECT 1 FROM deliveries WHERE {waits}").fetchall()  # noqa: E731
            eventually(lambda: len(failed) >= 2 and noted(), what="the second failure, noted")
    try_again()
    came = lambda: [each for each in shop.telegram.posted if each.file and each.file[0] == "prices.csv"]  # noqa: E731
    eventually(came, what="the file")
    assert len([each for each in shop.telegram.posted if "only once" in each.text]) == 1


def test_a_file_that_telegram_does_not_give_holds_up_nothing(shop: Shop) -> None:
    loser = shop.telegram.person("Loser")
    loser.send("document", WITHHELD, "gone.csv", caption="with a file that is gone")
    loser.say("and words")
    eventually(lambda: "and words" in shop.ann.page().text, what="what came after it")
    assert "with a file that is gone" in shop.ann.page(shop.ann.conversation("and words")).text
    eventually(lambda: any("could not be taken" in words for words in loser.heard()), what="the word about the file")


def test_who_writes_too_much_is_told_so_and_the_others_come_through(tmp_path: Path) -> None:
    with Shop(tmp_path, CHAT_LIMITS="on") as shop:
        shop.open()
        flooder, calm = shop.telegram.person("Flooder"), shop.telegram.person("Calm")
        for number in range(230):
            flooder.say(f"flood {number}")
        calm.say("Hello, I am calm")
        eventually(lambda: "I am calm" in shop.ann.page().text, 30, "the other one")
        eventually(lambda: any("too much at once" in words for words in flooder.heard()), what="the word about it")
        with closing(database.connect(shop.server.data / "chat.sqlite", readonly=True)) as db:
            flood = "SELECT count(*) FROM messages WHERE body LIKE 'flood %'"
            assert 200 <= db.execute(flood).fetchone()[0] < 230
