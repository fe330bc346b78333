"""Following a feed by the public wire: batches kept exactly as the contract says, by socket or by poll."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dom
import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

_MESSAGE = re.compile(r"message-(\d+)")
_STATE = re.compile(r"message-(\d+)-state")
SILENCE = 25.0  # seconds after which a socket counts as dead: the server speaks every 20
WORN_OUT = (httpx.TransportError, WebSocketException, OSError, TimeoutError)


@dataclass(frozen=True)
class Message:
    """A message as it is read."""

    n: int
    by: str
    text: str
    event: int


@dataclass
class Log:
    """What a page shows: batches applied in order, events that it has already dropped, a reset obeyed."""

    cursor: int = 0
    resets: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    html: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def apply(self, html: str) -> list[Message]:
        """Take a batch; returns the messages that were new here. AssertionError when it breaks the contract."""
        with self._lock:
            root, self.html = dom.parse(html), html
            end = root.elements[-1]
            assert (end.tag, end.attrs.get("id")) == ("meta", "cursor"), f"no cursor at the end: {html[-300:]}"
            reset = "data-reset" in end.attrs
            if reset:
                self.resets += 1
                self.messages.clear()
                self.states.clear()
            new = [message for message in messages_in(root) if self._take(message, reset)]
            for node in root.walk():
                if found := _STATE.fullmatch(node.attrs.get("id", "")):
                    self.states[int(found[1])] = node.text.strip()
            after = int(end.attrs["content"])
            self.cursor = after if reset else max(after, self.cursor)
            return new

    def _take(self, message: Message, reset: bool) -> bool:
        if message.event <= self.cursor and not reset:
            return False
        fresh = message.n not in self.messages
        if fresh and self.messages:
            newest = next(reversed(self.messages))
            assert message.n > newest, f"message {message.n} came after {newest}"
        self.messages[message.n] = message
        return fresh

    def texts(self, by: str | None = None) -> list[str]:
        """The texts in the order in which they first appeared."""
        with self._lock:
            return [message.text for message in self.messages.values() if by in (None, message.by)]


def messages_in(root: dom.Node) -> list[Message]:
    """The whole messages in a batch or a page, in its order."""
    found = []
    for node in root.walk():
        if number := _MESSAGE.fullmatch(node.attrs.get("id", "")):
            event = next((up.attrs["data-event"] for up in node.up() if "data-event" in up.attrs), None)
            assert event is not None, f"{node.attrs['id']} has no data-event"
            text = node.first(cls="body").text
            found.append(Message(int(number[1]), node.attrs["data-by"], text, int(event)))
    return found


class Reader:
    """Somebody who follows a feed, by socket or by poll."""

    live = socket_path = ""

    def __init__(self, url: str, *, address: str | None = None, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.log = Log()
        transport = httpx.HTTPTransport(local_address=address, limits=httpx.Limits(max_connections=None))
        self.http = httpx.Client(base_url=url, transport=transport, headers=headers, timeout=30, trust_env=False)
        self._address = address
        self.extra = headers or {}

    def first_frame(self, since: int) -> dict[str, object]:
        raise NotImplementedError

    def auth(self) -> dict[str, str]:
        raise NotImplementedError

    def socket_headers(self) -> dict[str, str]:
        return self.extra

    def poll(self, wait: float = 0, since: int | str | None = None) -> httpx.Response:
        """One poll; a batch is applied unless another cursor than ours was asked for."""
        query = {"since": self.log.cursor if since is None else since, "wait": wait}
        answer = self.http.get(self.live, params=query, headers=self.auth(), timeout=wait + 20)
        if answer.status_code == 200 and since is None:
            self.log.apply(answer.text)
        return answer

    def hear(self, ws: ClientConnection, words: str, timeout: float = 10) -> str:
        """Apply frames until one holds these words, and return it."""
        end = time.monotonic() + timeout
        while True:
            frame = str(ws.recv(timeout=max(0.01, end - time.monotonic())))
            self.log.apply(frame)
            if words in dom.parse(frame).text:
                return frame

    def catch_up(self) -> Log:
        """Poll until there is nothing more."""
        for _ in range(1000):
            answer = self.poll()
            if answer.status_code == 204:
                return self.log
            assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:300]}"
        raise AssertionError("the feed never ends")

    @contextmanager
    def socket(self, since: int | None = None, **headers: str) -> Iterator[ClientConnection]:
        """An open socket that has said who it is and from where it reads."""
        address = "ws" + self.url.removeprefix("http") + self.socket_path
        source = (self._address, 0) if self._address else None
        options = {"proxy": None, "max_size": None, "open_timeout": 5, "close_timeout": 1, "ping_interval": None}
        with connect(
            address, additional_headers=self.socket_headers() | headers, source_address=source, **options
        ) as ws:
            ws.send(json.dumps(self.first_frame(self.log.cursor if since is None else since)))
            yield ws

    @contextmanager
    def following(self, by: str) -> Iterator[None]:
        """Follow the feed in the background, whatever breaks, until the block ends."""
        done, errors = threading.Event(), []
        thread = threading.Thread(target=self._follow, args=(by, done, errors), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(30)
            if errors:
                raise errors[0]  # in place of what the block says: it is the reason

    def _follow(self, by: str, done: threading.Event, errors: list[BaseException]) -> None:
        while not done.is_set():
            try:
                self._read_once(by, done)
            except WORN_OUT:
                done.wait(0.05)
            except BaseException as error:
                errors.append(error)
                return

    def _read_once(self, by: str, done: threading.Event) -> None:
        if by == "poll":
            answer = self.poll(wait=1)
            assert answer.status_code in (200, 204, 502, 503), f"{answer.status_code}: {answer.text[:300]}"
            if answer.status_code >= 500:
                done.wait(0.05)
            return
        with self.socket() as ws:
            heard = time.monotonic()
            while not done.is_set():
                try:
                    self.log.apply(str(ws.recv(timeout=0.2)))
                    heard = time.monotonic()
                except TimeoutError:
                    if time.monotonic() - heard > SILENCE:
                        raise


def keep_trying(send: Callable[[], httpx.Response], seconds: float = 40) -> httpx.Response:
    """Send until the answer is a yes. A cut wire, or a proxy's 502, is tried again; a no is an error."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answer = send()
        except WORN_OUT:
            time.sleep(0.03)
            continue
        if answer.status_code in (200, 204, 302, 303):
            return answer
        assert answer.status_code in (502, 503, 504), f"{answer.status_code}: {answer.text[:500]}"
        time.sleep(0.03)
    raise AssertionError("never acknowledged")


def eventually(check: Callable[[], object], seconds: float = 45, what: str = "it") -> None:
    """Wait until the check is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.03)
    raise AssertionError(f"{what} did not happen in {seconds} s")
