"""The people of a chaos run: writers who send until it is acknowledged, sometimes twice, and readers who follow."""

from __future__ import annotations

import math
import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import dom
import httpx
from cast import Owner, Visitor
from feed import WORN_OUT
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chaos.ledger import Ledger, Troubles

PATIENCE = 90.0  # seconds until a message must be acknowledged: more than the longest fault and a restart
SILENCE = 25.0  # seconds without a frame after which a socket counts as dead: more than the heartbeat
BUSY = (502, 503, 504)  # what a proxy or a full disk may answer
LEFT = (1000, 1001, 1006, 1012, 1013)  # with what a socket may end
Post = Callable[[str, str], httpx.Response]


class Writer(threading.Thread):
    """Says one thing after the other: once, twice at the same instant, again later, or two things side by side.

    `tabs` are two ways to post (text, client_id), each over connections of its own.
    """

    def __init__(self, name: str, path: str, tabs: list[Post], ledger: Ledger, troubles: Troubles, talk: str) -> None:
        super().__init__(name=name, daemon=True)
        self.done = threading.Event()
        self.chance = random.Random(name)
        self._path, self._tabs, self._ledger, self._troubles, self._talk = path, tabs, ledger, troubles, talk
        self._count = 0
        self._later: list[tuple[float, str, str]] = []

    def run(self) -> None:
        """Until told to stop; then what was begun is finished."""
        try:
            with ThreadPoolExecutor(2) as pool:
                while not self.done.wait(self.chance.random() * 0.3):
                    self._say(pool)
        except AssertionError as error:
            self._troubles.tell(f"{self.name}: {error}")

    def _say(self, pool: ThreadPoolExecutor) -> None:
        how = self.chance.choices(["once", "twice", "again", "side by side"], [6, 2, 1, 1])[0]
        text, client_id = self._next()
        first, second = self.chance.sample(self._tabs, 2)
        if how == "side by side":
            other = self._next()
            list(pool.map(self._once, (first, second), (text, other[0]), (client_id, other[1])))
        elif how == "twice":
            with self._ledger.saying(self._talk, text):
                sent = [pool.submit(self._send, tab, text, client_id) for tab in (first, second)]
                for each in sent:
                    each.result()
        else:
            self._once(first, text, client_id)
            if how == "again":
                self._later.append((time.monotonic() + self.chance.random() * 8, text, client_id))
        while self._later and self._later[0][0] < time.monotonic():
            self._send(second, *self._later.pop(0)[1:])

    def _next(self) -> tuple[str, str]:
        self._count += 1
        return f"{self.name} {self._count}" + " padding" * self.chance.randrange(40), str(uuid.uuid4())

    def _once(self, tab: Post, text: str, client_id: str) -> None:
        with self._ledger.saying(self._talk, text):
            self._send(tab, text, client_id)

    def _send(self, tab: Post, text: str, client_id: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = tab(text, client_id)
            except WORN_OUT as error:
                self._troubles.meet(self._path, type(error).__name__)
                time.sleep(0.05)
                continue
            if answer.status_code in (200, 303):
                return
            self._troubles.meet(self._path, str(answer.status_code))
            assert answer.status_code in BUSY, f"{answer.status_code}: {answer.text[:300]}"
            assert "Traceback" not in answer.text, answer.text[:300]
            time.sleep(0.05)
        raise AssertionError(f"never acknowledged within {PATIENCE:.0f} s")


def visitors_tabs(vera: Visitor, url: str) -> list[Post]:
    """Two tabs of a visitor."""
    return [vera.again(url).post for _ in range(2)]


def owners_tabs(ann: Owner, url: str, conversation: str, form: dom.Node) -> list[Post]:
    """Two tabs of the owner, both with the same thread open."""

    def post(tab: Owner, text: str, client_id: str) -> httpx.Response:
        sent = dom.fields(form) | {form.first("textarea").attrs["name"]: text, "client_id": client_id}
        return tab.http.post(f"{conversation}/messages", data=sent, headers=tab.auth())

    return [partial(post, ann.again(url)) for _ in range(2)]


class Follower(threading.Thread):
    """Follows a feed by socket or by poll, whatever breaks, as the page does: a silent socket counts as dead."""

    def __init__(self, name: str, reader: Visitor | Owner, by: str, troubles: Troubles, talk: str | None) -> None:
        super().__init__(name=name, daemon=True)
        self.reader, self.talk = reader, talk
        self.done = threading.Event()
        self.again = -1
        """How often it had to begin anew."""
        self._read = self._poll if by == "poll" else self._listen
        self._troubles = troubles

    def run(self) -> None:
        """Until told to stop."""
        while not self.done.is_set():
            self.again += 1
            try:
                self._read()
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                if code not in LEFT:
                    self._troubles.tell(f"{self.name}: the socket was closed with {code}")
            except InvalidStatus as refused:
                if refused.response.status_code not in BUSY:
                    self._troubles.tell(f"{self.name}: the handshake was refused: {refused}")
            except WORN_OUT:
                pass
            except AssertionError as error:
                self._troubles.tell(f"{self.name}: {error}")
            self.done.wait(0.1)

    def _poll(self) -> None:
        while not self.done.is_set():
            answer = self.reader.poll(wait=2)
            if answer.status_code >= 500:
                assert answer.status_code in BUSY and "Traceback" not in answer.text, answer.text[:300]
                return
            assert answer.status_code in (200, 204), f"{answer.status_code}: {answer.text[:300]}"

    def _listen(self) -> None:
        with self.reader.socket() as ws:
            heard = time.monotonic()
            while not self.done.is_set() and time.monotonic() - heard < SILENCE:
                try:
                    self.reader.log.apply(str(ws.recv(timeout=0.25)))
                    heard = time.monotonic()
                except TimeoutError:
                    continue


@dataclass
class Look:
    """How one look went: the status is 0 until there is an answer, or when there was none."""

    began: float
    ended: float = math.inf
    status: int = 0


class Watch(threading.Thread):
    """Somebody who only looks: how long does a page, or a poll, take just now?"""

    def __init__(self, vera: Visitor, ann: Owner) -> None:
        super().__init__(name="watch", daemon=True)
        self.done = threading.Event()
        self._looks: list[Look] = []
        self._urls = [
            (f"{vera.url}{vera.live}?since=0&wait=0", vera.auth(), None),
            (f"{ann.url}/c/main", {}, None),
            (f"{ann.url}/inbox", {}, ann.http.cookies),
        ]

    def run(self) -> None:
        """One look after the other, each over a connection of its own."""
        while not self.done.wait(0.1):
            for url, headers, cookies in self._urls:
                look = Look(time.monotonic())
                self._looks.append(look)
                with suppress(*WORN_OUT), httpx.Client(trust_env=False, timeout=15, cookies=cookies) as client:
                    look.status = client.get(url, headers=headers).status_code
                look.ended = time.monotonic()

    def since(self, begin: float) -> tuple[float, list[int]]:
        """Of the looks since then: the seconds of the slowest, so far, and the answers other than yes."""
        now = time.monotonic()
        looks = [look for look in self._looks if look.began >= begin]
        slowest = max((min(look.ended, now) - look.began for look in looks), default=0.0)
        return slowest, [look.status for look in looks if look.ended < now and look.status != 200]
