"""Limits, switched on, behind a real proxy: fifty visitors talk while a flooder is told to wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from network import Nginx
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has every address in 127.0.0.0/8"),
    pytest.mark.xdist_group("limits"),
]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("limited")
    with Server(folder, CHAT_LIMITS="on", CHAT_PROXY="1") as server, Nginx(folder, server.port) as nginx:
        yield nginx


def is_told_to_wait(answer: httpx.Response) -> None:
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(dom.parse(answer.text).text.split()) >= 3, "no sentence"


def flood(visitor: Visitor, most: int = 150) -> tuple[list[str], httpx.Response]:
    """Post without a pause until the first refusal; what was taken, and the refusal."""
    taken = []
    for i in range(most):
        answer = visitor.post(f"flood {i}")
        if answer.status_code != 200:
            return taken, answer
        taken.append(f"flood {i}")
    raise AssertionError(f"{most} messages at once were all taken")


def test_fifty_visitors_talk_while_one_flooder_is_told_to_wait(limited: Nginx) -> None:
    people = [Visitor(limited.url, address=f"127.0.2.{i + 1}") for i in range(50)]
    flooder = Visitor(limited.url, address="127.0.3.1").arrive()

    def talk(visitor: Visitor) -> None:
        visitor.arrive()
        with visitor.again().following("socket"):
            for i in range(4):
                visitor.say(f"{visitor._address} {i}")

    with ThreadPoolExecutor(16) as pool:
        talks = [pool.submit(talk, visitor) for visitor in people]
        taken, refusal = flood(flooder)
        is_told_to_wait(refusal)
        for done in talks:
            done.result(30)
    for visitor in people:
        assert visitor.again().catch_up().texts() == [f"{visitor._address} {i}" for i in range(4)]
    assert flooder.again().catch_up().texts() == taken, "what was refused must not be stored"


def test_a_flooder_who_waited_as_long_as_told_may_speak_again(limited: Nginx) -> None:
    flooder = Visitor(limited.url, address="127.0.3.2").arrive()
    _, refusal = flood(flooder)
    time.sleep(min(int(refusal.headers["Retry-After"]), 10))
    assert flooder.post("sorry").status_code == 200


def test_a_forged_forwarded_header_buys_no_new_address(limited: Nginx) -> None:
    codes = []
    transport = httpx.HTTPTransport(local_address="127.0.3.3")
    with httpx.Client(base_url=limited.url, transport=transport, trust_env=False) as client:
        for i in range(400):
            forged = {
                "X-Forwarded-For": f"10.1.{i // 250}.{i % 250}",
                "X-Real-IP": f"10.2.0.{i % 250}",
                "Forwarded": f"for=10.3.0.{i % 250}",
            }
            codes.append(client.post("/w/main/session", headers=forged).status_code)
            if codes[-1] == 429:
                break
    assert codes[-1] == 429 and codes[0] == 200


def test_thirty_messages_in_a_second_from_many_tabs_of_one_visitor_are_too_many(limited: Nginx) -> None:
    vera = Visitor(limited.url, address="127.0.3.4").arrive()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: vera.again().post(f"tab {i}"), range(60)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused and len(refused) < 60
    is_told_to_wait(refused[0])
    assert len(vera.again().catch_up().texts()) == 60 - len(refused)


def test_an_address_that_holds_too_many_sockets_is_told_1013_and_others_still_get_in(limited: Nginx) -> None:
    hoarder = Visitor(limited.url, address="127.0.3.5").arrive()
    refusal = None
    with ExitStack() as stack:
        for _ in range(400):
            try:
                ws = stack.enter_context(hoarder.socket())
                ws.recv(timeout=5)
            except ConnectionClosed as closed:
                refusal = closed.rcvd.code if closed.rcvd else None
                break
            except InvalidStatus as refused:
                refusal = refused.response.status_code
                break
        assert refusal == 1013, f"got {refusal}"
        other = Visitor(limited.url, address="127.0.3.6").arrive()
        other.say("I am another one")
        with other.again().following("socket"):
            other.say("and I get in")
    eventually(lambda: hoarder.poll().status_code == 204, what="a free place again")


def test_guessing_passwords_becomes_slow_and_locks_nobody_out(limited: Nginx) -> None:
    guesser = Owner(limited.url, address="127.0.3.7")
    codes = []
    for i in range(40):
        answer = guesser.sign_in(password=f"a guess with number {i}")
        codes.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert codes[-1] == 429 and set(codes[:-1]) <= {200}
    begun = time.monotonic()
    ann = Owner(limited.url, address="127.0.3.8")
    eventually(lambda: ann.sign_in().status_code in (302, 303), 15, "the owner's own sign-in from elsewhere")
    print(f"the owner waited {time.monotonic() - begun:.1f} s")
