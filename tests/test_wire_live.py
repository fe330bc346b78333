"""The wire format of the visitor's side, sentence by sentence: polls, sockets, signals, state, resets."""

from __future__ import annotations

import json
import sqlite3
import threading
import time

import dom
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.xdist_group("wire-live")


def test_a_poll_answers_at_once_when_there_is_something(vera: Visitor) -> None:
    vera.post("Something")
    began = time.monotonic()
    assert vera.poll(wait=25, since=0).status_code == 200
    assert time.monotonic() - began < 10


def test_a_poll_answers_204_after_the_wait_when_there_is_nothing(vera: Visitor) -> None:
    vera.post("Something")
    vera.catch_up()
    began = time.monotonic()
    answer = vera.poll(wait=1.2)
    assert (answer.status_code, answer.content) == (204, b"")
    assert 1 <= time.monotonic() - began < 10


def test_a_waiting_poll_answers_when_something_is_said(vera: Visitor, ann: Owner) -> None:
    vera.say("Anybody there?")
    threading.Timer(0.5, ann.reply, [ann.conversation("Anybody there?"), "I am"]).start()
    began = time.monotonic()
    eventually(lambda: vera.poll(wait=20) and "I am" in vera.log.texts("agent"), what="the answer")
    assert time.monotonic() - began < 10, "the poll was not woken: it only ended"


def test_a_visitor_who_has_not_acted_hears_of_their_own_first_message_on_a_waiting_poll(vera: Visitor) -> None:
    threading.Timer(0.4, vera.again().post, ["From my other tab"]).start()
    began = time.monotonic()
    eventually(lambda: vera.poll(wait=20) and vera.log.texts() == ["From my other tab"], what="the poll's answer")
    assert time.monotonic() - began < 10, "the poll was not woken: it only ended"


@pytest.mark.parametrize("told", [{"typing": True}, {"delivered": 1}, {"seen": 1}, {}], ids=str)
def test_signals_are_taken_by_post_too(vera: Visitor, told: dict[str, object]) -> None:
    vera.post("Hello")
    assert vera.signal(**told).status_code in (200, 204)


@pytest.mark.parametrize(
    "wrong", ["", "[]", "7", '"typing"', '{"seen": "x"}', '{"seen": 1e400}', "{" * 5000, '{"typing": {}}']
)
def test_signals_that_are_none_break_nothing(vera: Visitor, wrong: str) -> None:
    vera.post("Hello")
    headers = vera.auth() | {"Content-Type": "application/json"}
    assert vera.http.post("/w/main/signals", content=wrong, headers=headers).status_code < 500
    assert vera.again().catch_up().texts() == ["Hello"]


def test_receipts_are_state_a_waiting_poll_returns_and_no_cursor_moves(vera: Visitor, ann: Owner) -> None:
    vera.say("Tell me when you saw this")
    (n,), cursor = vera.log.messages, vera.catch_up().cursor
    threading.Timer(0.5, lambda: read_everything(ann)).start()
    eventually(lambda: vera.poll(wait=5) and vera.log.states[n] == "Delivered", what="Delivered")
    assert vera.log.cursor == cursor


def read_everything(ann: Owner) -> None:
    """Ann's inbox draws all that there is, and says so."""
    ann.catch_up()
    with ann.socket() as ws:
        ws.send(json.dumps({"delivered": ann.log.cursor}))
        time.sleep(0.3)


def test_typing_is_state_a_waiting_poll_returns_and_no_cursor_moves(vera: Visitor, ann: Owner) -> None:
    vera.say("Type something")
    ann.catch_up()
    cursor = ann.log.cursor
    threading.Timer(0.5, lambda: vera.signal(typing=True)).start()
    eventually(lambda: ann.poll(wait=5) and "is typing" in dom.parse(ann.log.html).text, what="typing")
    assert ann.log.cursor == cursor


def test_a_socket_says_who_it_is_in_its_first_frame_and_then_reads_batches(vera: Visitor, ann: Owner) -> None:
    vera.say("On the wire")
    fresh = vera.again()
    with fresh.socket() as ws:
        fresh.hear(ws, "On the wire")
        ann.reply(ann.conversation("On the wire"), "I hear you")
        fresh.hear(ws, "I hear you")
    assert fresh.log.texts() == ["On the wire", "I hear you"]


def test_a_socket_carries_signals_up(vera: Visitor, ann: Owner) -> None:
    vera.say("Watch me type")
    ann.catch_up()
    with vera.socket() as ws, ann.socket() as inbox:
        ws.send(json.dumps({"typing": True}))
        ann.hear(inbox, "is typing")
        ann.reply(ann.conversation("Watch me type"), "Did it arrive?")
        vera.hear(ws, "Did it arrive?")
        ws.send(json.dumps({"seen": vera.log.cursor}))
        ann.hear(inbox, "Seen")
        assert ann.log.states[max(vera.log.messages)] == "Seen"


def test_a_socket_from_0_pages_through_everything_without_a_reset(vera: Visitor) -> None:
    for i in range(230):
        vera.post(f"line {i}")
    fresh = vera.again()
    with fresh.socket() as ws:
        fresh.hear(ws, "line 229")
    assert fresh.log.texts() == [f"line {i}" for i in range(230)] and fresh.log.resets == 0


def test_a_cursor_from_the_future_gets_a_reset_with_a_cursor_to_go_on_from(vera: Visitor) -> None:
    vera.say("The past")
    lost = vera.again()
    lost.log.cursor = 10**9
    assert lost.poll().status_code == 200
    assert lost.log.resets == 1 and lost.log.texts() == ["The past"] and lost.log.cursor < 10**9
    vera.say("The present")
    assert lost.catch_up().texts() == ["The past", "The present"] and lost.log.resets == 1


def test_what_changed_between_two_polls_is_not_missed_by_a_client_that_sends_its_cursor_alone(
    vera: Visitor, ann: Owner
) -> None:
    vera.say("Between the polls")
    thread = ann.conversation("Between the polls")
    ann.reply(thread, "seen and answered")
    vera.catch_up()
    cursor = vera.log.cursor
    with ann.socket() as ws:
        ws.send(json.dumps({"typing": True, "conversation": int(thread.rpartition("/")[2])}))
        eventually(lambda: "is typing" in dom.parse(vera.poll().text).text, what="typing")
    assert vera.log.cursor == cursor


def test_a_cursor_that_was_pruned_away_gets_a_reset(server: Server, vera: Visitor) -> None:
    for i in range(5):
        vera.say(f"old {i}")
    late = vera.again()
    pruned = next(iter(vera.log.messages.values())).event
    with sqlite3.connect(server.data / "chat.sqlite") as db:
        db.execute("DELETE FROM events WHERE id = ?", [pruned])
    db.close()
    late.log.cursor = pruned
    late.poll()
    assert late.log.resets == 1
    assert late.log.texts()[-1] == "old 4"
    assert late.log.cursor == vera.log.cursor


def test_a_revoked_token_is_refused_everywhere_and_its_socket_closed(server: Server, vera: Visitor) -> None:
    vera.say("soon revoked")
    with vera.socket() as ws:
        vera.hear(ws, "")
        with sqlite3.connect(server.data / "chat.sqlite") as db:
            db.execute("UPDATE devices SET revoked_at = 'now' WHERE revoked_at IS NULL")
        db.close()
        assert vera.poll().status_code == 401
        assert vera.post("no more").status_code == 401
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(10):
                vera.hear(ws, "this is never said", timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_a_socket_with_a_cursor_from_the_future_gets_the_reset_too(vera: Visitor) -> None:
    vera.say("The past")
    lost = vera.again()
    lost.log.cursor = 10**9
    with lost.socket() as ws:
        lost.hear(ws, "The past")
    assert lost.log.resets == 1 and lost.log.cursor < 10**9
