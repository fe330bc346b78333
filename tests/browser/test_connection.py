"""The wire breaks: nothing is lost or doubled, the page says what is going on, and heals by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cast import Owner, Visitor
from harness import Server
from network import Nginx, TcpProxy
from pages import Inbox, Shop, state
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.xdist_group("connection")


@pytest.fixture
def wire(server: Server) -> Iterator[TcpProxy]:
    with TcpProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def away(contexts: Any, wire: TcpProxy) -> Shop:
    """Vera behind a wire that we can break."""
    return Shop(contexts().new_page(), wire.url).visit().open()


def test_sixty_messages_missed_while_the_wire_was_cut_arrive_once_and_in_order(
    server: Server, wire: TcpProxy, away: Shop
) -> None:
    away.say("Are you there?")
    state(away.message("Are you there?"), "Sent")
    ann = Owner(server.url).arrive()
    thread = ann.conversation("Are you there?")
    form = ann.reply_form(thread)
    wire.refuse = True
    wire.cut()
    expect(away.lost()).to_be_visible()
    missed = [f"one of sixty {i}" for i in range(60)]
    for text in missed:
        ann.reply(thread, text, form)
    wire.refuse = False
    expect(away.message("one of sixty 59")).to_be_attached(timeout=30_000)
    expect(away.lost().filter(visible=True)).to_have_count(0)
    assert away.texts() == ["Are you there?", *missed]


def test_the_inbox_heals_after_a_cut_too_list_thread_and_a_close(contexts: Any, server: Server, wire: TcpProxy) -> None:
    vera = Visitor(server.url).arrive()
    vera.say("Hello inbox")
    ann = Inbox(contexts().new_page(), wire.url.replace("127.0.0.1", "localhost")).sign_in()
    ann.open("Hello inbox")
    wire.refuse = True
    wire.cut()
    expect(ann.page.get_by_role("status").filter(has_text=re.compile("connect", re.I))).to_be_visible()
    for i in range(60):
        vera.say(f"missed {i}")
    wire.refuse = False
    expect(ann.message("missed 59")).to_be_attached(timeout=30_000)
    assert ann.texts() == ["Hello inbox", *(f"missed {i}" for i in range(60))]
    expect(ann.line("missed 59")).to_be_visible()


@pytest.mark.parametrize("blocked", ["refuse", "silent"])
def test_with_websockets_blocked_they_still_talk_both_ways(
    contexts: Any, ann: Inbox, wire: TcpProxy, blocked: str
) -> None:
    wire.websockets = blocked
    vera = Shop(contexts().new_page(), wire.url).visit().open()
    vera.say(f"Polling, {blocked}")
    ann.open(f"Polling, {blocked}")
    state(vera.message(f"Polling, {blocked}"), "Seen")
    ann.box.press_sequentially("We", delay=30)
    expect(vera.place.get_by_text(re.compile("is typing"))).to_be_visible()
    ann.reply("We hear you")
    expect(vera.message("We hear you")).to_be_visible()
    vera.box.press_sequentially("ok", delay=30)
    expect(ann.page.get_by_text(re.compile("is typing")).first).to_be_visible()
    state(ann.message("We hear you"), "Seen")


def test_what_is_typed_while_the_server_is_down_goes_out_by_itself_once(server: Server, vera: Shop, ann: Inbox) -> None:
    vera.open().say("Before")
    ann.open("Before")
    with server.down():
        expect(vera.lost()).to_be_visible()
        vera.say("Meanwhile")
        state(vera.message("Meanwhile"), "Not sent")
        expect(vera.message("Meanwhile").get_by_role("button", name="Try again", exact=True)).to_be_visible()
        ann.reply("From the inbox meanwhile")
        state(ann.message("From the inbox meanwhile"), "Not sent")
    for log, message in ((vera, "Meanwhile"), (ann, "From the inbox meanwhile")):
        expect(log.message(message)).not_to_contain_text("Not sent", timeout=40_000)
    expect(vera.message("From the inbox meanwhile")).to_be_visible(timeout=30_000)
    expect(ann.message("Meanwhile")).to_be_visible(timeout=30_000)
    expect(vera.lost().filter(visible=True)).to_have_count(0)
    for texts in (vera.texts(), ann.texts()):
        assert sorted(texts) == ["Before", "From the inbox meanwhile", "Meanwhile"]


def test_a_conversation_chosen_while_the_server_is_down_opens_when_it_is_back(server: Server, ann: Inbox) -> None:
    for words in ("the first one", "chosen without a wire"):
        Visitor(server.url).arrive().say(words)
    ann.open("the first one")
    with server.down():
        ann.line("chosen without a wire").click()
        expect(ann.page.get_by_text("can’t be opened without a connection")).to_be_visible()
    expect(ann.message("chosen without a wire")).to_be_visible(timeout=30_000)
    expect(ann.page).to_have_url(re.compile(r"/inbox/conversations/\d+$"))


def test_an_unsent_message_outlives_a_reload_of_the_shop(
    contexts: Any, server: Server, wire: TcpProxy, away: Shop, ann: Inbox
) -> None:
    away.say("First")
    state(away.message("First"), "Sent")
    away.page.context.route("**/messages", lambda route: route.abort())
    away.say("Kept over the reload")
    state(away.message("Kept over the reload"), "Not sent")
    away.page.reload()
    expect(away.message("Kept over the reload")).to_be_visible()
    away.page.context.unroute("**/messages")
    expect(away.message("Kept over the reload")).not_to_contain_text("Not sent", timeout=40_000)
    ann.open("Kept over the reload")
    assert ann.texts() == ["First", "Kept over the reload"] == away.texts()


def test_when_the_answer_is_lost_the_message_is_still_stored_once(vera: Shop, ann: Inbox) -> None:
    vera.open()
    lost: list[int] = []

    def lose(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)
        return route.abort()

    vera.page.context.route("**/w/main/messages", lose)
    vera.say("Did that arrive?")
    ann.open("Did that arrive?")
    expect(vera.message("Did that arrive?")).to_have_count(1)
    expect(vera.message("Did that arrive?")).not_to_contain_text("Not sent", timeout=40_000)
    state(vera.message("Did that arrive?"), "Seen")
    assert lost == [200] and vera.texts() == ann.texts() == ["Did that arrive?"]


def test_a_proxys_502_never_gets_into_the_thread(contexts: Any, server: Server, tmp_path: Any) -> None:
    with Nginx(tmp_path, server.port) as nginx:
        vera = Shop(contexts().new_page(), nginx.url).visit().open()
        vera.say("Through nginx")
        state(vera.message("Through nginx"), "Sent")
        with server.down():
            vera.say("While it answers 502")
            state(vera.message("While it answers 502"), "Not sent")
            expect(vera.lost()).to_be_visible()
            expect(vera.place.get_by_text(re.compile("Bad Gateway|nginx/"))).to_have_count(0)
        expect(vera.message("While it answers 502")).to_contain_text("Sent", timeout=40_000)
        assert vera.texts() == ["Through nginx", "While it answers 502"]


def test_on_a_slow_line_the_composer_is_empty_at_once_and_the_message_says_sending(
    wire: TcpProxy, away: Shop, ann: Inbox
) -> None:
    wire.delay = 0.6
    wire.cut()
    away.say("Slowly")
    state(away.message("Slowly"), "Sending")
    expect(away.message("Slowly")).to_contain_text(re.compile("Sent|Delivered"), timeout=30_000)
    ann.open("Slowly")
    ann.reply("No hurry")
    expect(away.message("No hurry")).to_be_visible(timeout=30_000)
    assert away.texts() == ["Slowly", "No hurry"]


def test_a_page_inside_the_chat_that_does_not_come_gives_way_to_the_chat(wire: TcpProxy, away: Shop) -> None:
    away.say("Still mine")
    state(away.message("Still mine"), "Sent")
    wire.refuse = True
    wire.cut()
    away.place.get_by_role("button", name="Your data").click()
    expect(away.page.get_by_text("The chat can’t be reached just now")).to_be_visible()
    wire.refuse = False
    expect(away.message("Still mine")).to_be_visible(timeout=40_000)
