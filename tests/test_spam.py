"""Spam: who is blocked writes nothing, what is suspicious calls nobody, and a flood buries nobody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
import websockets
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from strangers import Solving, stranger

from chat.db import connect
from chat.features.spam import lists

pytestmark = pytest.mark.xdist_group("spam")
SITE = "/inbox/sites/main/spam"
PAGE = {"page_url": "https://shop.example/lamps"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With limits, and a proxy in front whose word is taken for addresses."""
    with Server(tmp_path_factory.mktemp("spam"), CHAT_LIMITS="on", CHAT_PROXY="1") as running:
        yield running


def visitor(server: Server, address: str) -> Visitor:
    """Somebody who comes from that address, as the proxy says."""
    return Solving(server.url, headers={"X-Forwarded-For": address}).arrive()


def press(ann: Owner, path: str, on: str = SITE, **fields: str) -> httpx.Response:
    csrf = ann.page(on).first("input", name="csrf").attrs["value"]
    return ann.http.post(path, data={"csrf": csrf, **fields}, headers=ann.auth(), follow_redirects=True)


def listed(ann: Owner, view: str) -> list[str]:
    """The last words of that list, all its pages."""
    words, path = [], f"/inbox?show={view}"
    while path:
        page = ann.page(path)
        words += [row.first(cls="last").text for row in page.all(cls="row")]
        more = page.all(cls="more")
        path = more[0].first("a").attrs["href"] if more else ""
    return words


def test_a_flood_of_a_thousand_strangers_does_not_bury_the_real_ones(server: Server, ann: Owner) -> None:
    before = visitor(server, "198.51.100.1")
    before.post("I was here before the flood", **PAGE)

    line = httpx.Client(base_url=server.url, trust_env=False, timeout=60)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda number: stranger(line, number), range(1000)))
    assert set(codes) == {200, 429}  # who does not compute is held from some point on: see test_proof
    taken = codes.count(200)
    during = visitor(server, "198.51.100.2")
    assert during.post("I came during the flood", **PAGE).status_code == 200
    before.say("and I am still here")
    seen, apart = listed(ann, "open"), listed(ann, "suspicious")
    assert "I came during the flood" in seen and "and I am still here" in seen
    assert len(seen) < 10 and len(apart) > taken - 10 > 100 and not set(seen) & set(apart)
    assert len(seen) + len(apart) == taken + 2  # none is lost
    assert "Suspicious" in ann.page().first(cls="views").text
    first = ann.page("/inbox?show=suspicious").first(cls="row").first("a").attrs["href"]
    words = ann.page(first).first(cls="body").text
    assert "during a flood" in ann.page(first).first(cls="suspicion").text
    press(ann, f"{first}/trust", on=first)
    assert words in listed(ann, "open") and not ann.page(first).all(cls="suspicion")


def test_an_answer_moves_a_suspicious_conversation_to_where_it_belongs(server: Server, ann: Owner) -> None:
    links = " ".join(f"https://example.com/{number}" for number in range(3))
    vera = visitor(server, "198.51.100.3")
    assert vera.post(f"three links: {links}", **PAGE).status_code == 200
    thread = next(row for row in ann.page("/inbox?show=suspicious").all(cls="row") if "three links" in row.text)
    ann.reply(thread.first("a").attrs["href"], "these are fine links")
    assert "these are fine links" in vera.catch_up().texts()
    assert any("these are fine links" in words for words in listed(ann, "open"))
    vera.say("more words")
    assert "more words" in listed(ann, "open")


def test_many_first_messages_with_the_same_words_are_suspicious_and_a_plain_hello_is_not(
    server: Server, ann: Owner
) -> None:
    for number in range(12):
        assert visitor(server, f"203.0.113.{number}").post("Buy  our Lamps, today!", **PAGE).status_code == 200
        assert visitor(server, f"203.0.113.{100 + number}").post("hello", **PAGE).status_code == 200
    assert listed(ann, "suspicious").count("Buy  our Lamps, today!") == 2
    assert "hello" not in listed(ann, "suspicious")


def test_a_word_of_the_list_goes_silently_to_suspicious(server: Server, ann: Owner) -> None:
    assert "Saved." in press(ann, SITE, words="Casino\n  cheap   pills \n\ncasino").text
    vera = visitor(server, "198.51.100.4")
    vera.say("a real question")
    vera.say("about your CASINO lamp")  # the visitor reads nothing of it
    assert "about your CASINO lamp" in listed(ann, "suspicious")
    other = visitor(server, "198.51.100.5")
    other.post("casinos are no casinò, and pills are not cheap", **PAGE)
    assert "casinos are no casinò, and pills are not cheap" in listed(ann, "open")
    press(ann, SITE)


def test_an_address_of_the_list_gets_a_polite_sentence_and_nothing_is_stored(server: Server, ann: Owner) -> None:
    press(ann, SITE, addresses="192.0.2.0/24\n2001:db8:5::/48")
    for address in ("192.0.2.77", "2001:db8:5::1"):
        answer = visitor(server, address).post("from a listed address", **PAGE)
        assert answer.status_code == 403 and "This chat is closed for you." in answer.text
    assert visitor(server, "192.0.3.1").post("from beside it", **PAGE).status_code == 200
    assert not [words for view in ("open", "suspicious") for words in listed(ann, view) if "a listed address" in words]
    press(ann, SITE)


@pytest.mark.parametrize("line", ["shop.example", "0.0.0.0/0", "300.1.1.1", "1.2.3.4/40", "<b>"])
def test_a_line_that_is_no_address_is_named_and_changes_nothing(ann: Owner, line: str) -> None:
    answer = press(ann, SITE, addresses=f"192.0.2.1\n{line}", words="kept")
    assert 'role="alert"' in answer.text and "kept" not in ann.page(SITE).first("textarea", id="words").text


def test_a_blocked_visitor_is_cut_off_writes_nothing_and_comes_back_when_unblocked(server: Server, ann: Owner) -> None:
    vera = visitor(server, "198.51.100.6")
    vera.post("about to be blocked", **PAGE)
    thread = ann.conversation("about to be blocked")
    base = thread.replace("/inbox/", "/inbox/spam/")
    with vera.socket() as hers:
        press(ann, f"{base}/block", on=thread)
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            for _ in range(100):
                hers.recv(timeout=10)
    assert closed.value.rcvd and closed.value.rcvd.code == 4401
    answer = vera.post("let me in")
    assert answer.status_code == 403 and "please reach us another way" in answer.text
    again = vera.http.post("/w/main/session", headers=vera.auth())
    assert again.status_code == 403  # what the widget asks for when its token is not taken any more
    page = vera.http.post("/c/main", data={"token": vera.token, "body": "x"}, headers={"Origin": vera.url})
    assert page.status_code == 403 and "This chat is closed for you." in page.text
    assert "about to be blocked" in listed(ann, "suspicious") and "Blocked since" in ann.page(thread).text
    assert "about to be blocked" not in listed(ann, "open") and "Unblock" in ann.page(SITE).text
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        assert not db.execute("SELECT 1 FROM messages WHERE body IN ('let me in', 'x')").fetchone()
    press(ann, f"{base}/block", on=thread, undo="1")
    vera.say("back again")
    assert "back again" in listed(ann, "open")


def test_suspicious_conversations_call_nobody(server: Server, ann: Owner) -> None:
    with closing(connect(server.data / "chat.sqlite")) as db:
        db.execute(
            "INSERT INTO agents (email, name, password_hash, created_at) VALUES ('bob@x.example', 'Bob', '!', '')"
        )
        db.execute("INSERT INTO alert_plans (agent_id, next_agent_id) VALUES (1, last_insert_rowid())")

    def called(talk: int) -> bool:
        with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
            query = "SELECT 1 FROM deliveries WHERE sender = 'alerts' AND conversation_id = ?"
            return db.execute(query, [talk]).fetchone() is not None

    quiet, loud = visitor(server, "198.51.100.7"), visitor(server, "198.51.100.8")
    quiet.post("https://a.example https://b.example https://c.example call me", **PAGE)
    loud.post("call me, I am real", **PAGE)
    rows = {row.first(cls="last").text: row for row in ann.page("/inbox?show=suspicious").all(cls="row")}
    link = next(row.first("a").attrs["href"] for words, row in rows.items() if "https://a.example" in words)
    talks = [int(path.rpartition("/")[2]) for path in (link, ann.conversation("call me, I am real"))]
    eventually(lambda: called(talks[1]), 10, "the call about the real one")
    assert not called(talks[0])


def test_a_list_of_words_can_be_long_and_odd() -> None:
    words, _ = lists.check("a+b\n(x\n[\n\\d\n" + "\n".join(f"w{number}" for number in range(400)), "")
    assert lists.word_in(words, "is A+B here") == "a+b" and lists.word_in(words, "w399!") == "w399"
    assert not lists.word_in(words, "w4000 and 5") and not lists.word_in("", "anything")
