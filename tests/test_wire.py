"""The wire format of the visitor's side, sentence by sentence: sessions, posts, batches, history."""

from __future__ import annotations

import uuid

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import messages_in
from harness import Server

pytestmark = pytest.mark.xdist_group("wire")


def test_a_session_is_a_token_and_a_visitor(nobody: httpx.Client) -> None:
    answer = nobody.post("/w/main/session")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    told = answer.json()
    assert set(told) == {"token", "visitor"}
    assert all(isinstance(value, str) and len(value) >= 22 for value in told.values()), "128 bits are 22 characters"


def test_two_sessions_are_two_visitors(nobody: httpx.Client) -> None:
    one, other = (nobody.post("/w/main/session").json() for _ in range(2))
    assert one["token"] != other["token"] and one["visitor"] != other["visitor"]


def test_the_answer_to_a_post_is_a_batch_with_the_senders_own_message(vera: Visitor) -> None:
    answer = vera.post("Good evening")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert vera.log.texts("visitor") == ["Good evening"]


def test_a_message_is_an_event_with_a_number_a_side_and_a_body_that_stands_alone(vera: Visitor) -> None:
    root = dom.parse(vera.post("Just this").text)
    (message,) = messages_in(root)
    element = root.first(id=f"message-{message.n}")
    assert element.attrs["data-by"] == "visitor"
    assert [body.text for body in element.all(cls="body")] == ["Just this"]
    assert message.event > 0


def test_a_batch_ends_with_the_cursor_of_its_last_event(vera: Visitor) -> None:
    root = dom.parse(vera.post("Where am I?").text)
    end = root.elements[-1]
    events = [int(node.attrs["data-event"]) for node in root.walk() if "data-event" in node.attrs]
    assert end.tag == "meta" and end.attrs["id"] == "cursor" and "data-reset" not in end.attrs
    assert int(end.attrs["content"]) == max(events)


def test_the_receipt_is_an_element_of_its_own(vera: Visitor) -> None:
    vera.post("Did you get this?")
    (n,) = vera.log.messages
    assert vera.log.states[n] == "Sent"


def test_the_same_client_id_again_is_stored_once_and_gets_the_same_answer(vera: Visitor) -> None:
    client_id = str(uuid.uuid4())
    first = vera.post("Only once", client_id, since="0")
    again = vera.post("Only once", client_id, since="0")
    assert (first.status_code, again.status_code) == (200, 200)
    assert [m.n for m in messages_in(dom.parse(first.text))] == [m.n for m in messages_in(dom.parse(again.text))]
    assert vera.catch_up().texts() == ["Only once"]


def test_two_visitors_may_use_the_same_client_id(vera: Visitor, mallory: Visitor) -> None:
    client_id = str(uuid.uuid4())
    vera.post("From Vera", client_id)
    mallory.post("From Mallory", client_id)
    assert vera.again().catch_up().texts() == ["From Vera"]
    assert mallory.again().catch_up().texts() == ["From Mallory"]


def test_with_a_token_the_answer_is_a_batch_whatever_other_headers_say(vera: Visitor) -> None:
    for extra in (
        {"Accept": "application/json"},
        {"HX-Request": "true"},
        {"Accept": "text/html"},
        {"Sec-Fetch-Mode": "navigate"},
    ):
        form = {"body": f"with {extra}", "client_id": str(uuid.uuid4()), "since": str(vera.log.cursor)}
        answer = vera.http.post("/w/main/messages", data=form, headers=vera.auth() | extra)
        assert answer.status_code == 200
        assert [message.text for message in vera.log.apply(answer.text)] == [f"with {extra}"]


def test_the_token_outlives_a_restart_and_so_does_what_was_said(
    server: Server, vera: Visitor, mallory: Visitor
) -> None:
    vera.say("Before the restart")
    server.restart()
    assert vera.again().catch_up().texts() == ["Before the restart"]
    mallory.say("A token that had not acted is good too")


def test_what_the_agent_says_is_by_agent(vera: Visitor, ann: Owner) -> None:
    vera.say("Who is this?")
    ann.reply(ann.conversation("Who is this?"), "Ann")
    vera.catch_up()
    assert vera.log.texts("agent") == ["Ann"] and vera.log.texts("visitor") == ["Who is this?"]
    assert {message.by for message in vera.log.messages.values()} <= {"visitor", "agent", "bot", "system"}


def test_since_0_is_the_whole_conversation_in_batches_of_at_most_200_events(vera: Visitor) -> None:
    said = [f"line {i}" for i in range(450)]
    for text in said:
        vera.post(text)
    fresh = vera.again()
    sizes = []
    while (answer := fresh.poll()).status_code == 200:
        events = [node for node in dom.parse(answer.text).walk() if "data-event" in node.attrs]
        sizes.append(len(events))
    assert fresh.log.texts() == said
    assert fresh.log.resets == 0 and max(sizes) <= 200 and len(sizes) >= 3


def test_the_answer_to_a_post_from_far_behind_leaves_no_gap(vera: Visitor) -> None:
    said = [f"line {i}" for i in range(260)]
    for text in said:
        vera.post(text)
    fresh = vera.again()
    assert fresh.post("and this").status_code == 200
    assert "and this" in fresh.log.texts(), "the sender's own message is in the answer"
    assert fresh.catch_up().texts() == [*said, "and this"] and fresh.log.resets == 0


def test_applying_from_any_known_cursor_gives_what_came_after(vera: Visitor) -> None:
    for i in range(5):
        vera.post(f"line {i}")
    events = [message.event for message in vera.log.messages.values()]
    for i, event in enumerate(events[:-1]):
        got = messages_in(dom.parse(vera.poll(since=event).text))
        assert [message.text for message in got] == [f"line {j}" for j in range(i + 1, 5)]


def test_older_messages_come_before_the_given_one_in_order(vera: Visitor) -> None:
    for i in range(120):
        vera.post(f"line {i}")
    numbers, texts = list(vera.log.messages), vera.log.texts()
    collected: list[str] = []
    first = numbers[-1]
    for _ in range(200):
        answer = vera.http.get("/w/main/messages", params={"before": first}, headers=vera.auth())
        assert answer.status_code in (200, 204), answer.text
        older = messages_in(dom.parse(answer.text))
        if not older:
            break
        assert [m.n for m in older] == sorted(m.n for m in older) and older[-1].n == numbers[numbers.index(first) - 1]
        collected, first = [m.text for m in older] + collected, older[0].n
    assert collected == texts[:-1]


def test_forms_without_javascript_get_a_page(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        page = dom.parse(browser.get("/c/main").text)
        area = page.first("textarea")
        form = next(node for node in area.up() if node.tag == "form")
        sent = dom.fields(form) | {area.attrs["name"]: "Without any script"}
        answer = browser.post(form.attrs.get("action") or "/c/main", data=sent, headers={"Origin": server.url})
        assert answer.status_code == 200 and "<html" in answer.text.lower()
        assert [m.text for m in messages_in(dom.parse(answer.text))] == ["Without any script"]
        assert [m.text for m in messages_in(dom.parse(browser.get("/c/main").text))] == ["Without any script"]
