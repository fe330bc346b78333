"""The main job in Firefox and WebKit: the tag on another site, the frame alone, long polls, a server that restarts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cast import Owner
from engines import FRAME, LAUNCHER, Engine, Firefox, WebKit
from harness import Server
from network import TcpProxy
from pages import HostPages

pytestmark = pytest.mark.xdist_group("other browsers")
BOX = "document.querySelector('#body')"
SAID = "[...document.querySelectorAll('#log .body')].map((each) => each.textContent.trim())"


@pytest.fixture(params=[Firefox, WebKit] if sys.platform == "linux" else [], ids=lambda kind: kind.name)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with request.param(tmp_path) as running:
        yield running


@pytest.fixture
def ann(server: Server) -> Owner:
    return Owner(server.url).arrive()


def tag(port: int) -> str:
    return f'<h1>Shop</h1><script async src="http://localhost:{port}/w/main.js"></script>'


def open_chat(engine: Engine) -> None:
    """Click the launcher, once the loader has drawn it; the focus goes into the chat."""
    engine.until(f"Boolean(document.querySelector('porchlight-chat') && {LAUNCHER})")
    engine.click(LAUNCHER)
    engine.until(f"{BOX}?.offsetHeight > 0", inside=True)
    engine.until(f"document.activeElement?.shadowRoot?.activeElement === {FRAME}")


def say(engine: Engine, text: str) -> None:
    engine.click(BOX, inside=True)
    engine.type(text, inside=True)
    engine.press("Enter", inside=True)


def reads(engine: Engine, *said: str) -> None:
    """All of that stands in the chat, once, in that order."""
    engine.until_it(lambda: engine.ask(SAID, inside=True) == list(said), f"{said}, not {engine.ask(SAID, True)}")


def settles(engine: Engine) -> None:
    """All that was said is stored."""
    engine.until("![...document.querySelectorAll('#log .pending')].length", inside=True)


def shoot(engine: Engine, name: str) -> None:
    """Keep a picture where PORCHLIGHT_SHOTS names a folder."""
    if folder := os.environ.get("PORCHLIGHT_SHOTS"):
        engine.shoot(Path(folder) / f"{engine.name}-{name}.png")


def test_a_visitor_talks_with_an_owner_through_the_tag(
    engine: Engine, server: Server, ann: Owner, host_pages: HostPages
) -> None:
    hello = f"Hello from {engine.name}"
    page = host_pages.put(f"/{engine.name}", tag(server.port))
    engine.goto(page)
    open_chat(engine)
    engine.type(hello, inside=True)  # without a click into the box
    engine.press("Enter", inside=True)
    reads(engine, hello)
    settles(engine)
    thread = ann.conversation(hello)
    ann.reply(thread, "Good evening")
    reads(engine, hello, "Good evening")
    shoot(engine, "talk")

    engine.press("Escape", inside=True)
    closed = f"{LAUNCHER}.getAttribute('aria-expanded') === 'false'"
    engine.until(f"{closed} && document.activeElement?.shadowRoot?.activeElement === {LAUNCHER}")
    ann.reply(thread, "Are you still there?")
    engine.until(f"/1 new message/.test({LAUNCHER}.getAttribute('aria-label'))")
    engine.click(LAUNCHER)
    reads(engine, hello, "Good evening", "Are you still there?")

    engine.goto(page)  # it was open in this tab, so it opens again
    reads(engine, hello, "Good evening", "Are you still there?")
    say(engine, "Yes")
    reads(engine, hello, "Good evening", "Are you still there?", "Yes")
    settles(engine)


def test_the_frame_alone_is_a_whole_chat(engine: Engine, server: Server, ann: Owner, host_pages: HostPages) -> None:
    hello = f"Framed in {engine.name}"
    frame = f'<iframe src="http://localhost:{server.port}/w/main" title="Chat" width="384" height="600"></iframe>'
    page = host_pages.put(f"/frame-{engine.name}", frame)
    engine.frame = "document.querySelector('iframe')"
    engine.goto(page)
    say(engine, hello)
    reads(engine, hello)
    settles(engine)
    ann.reply(ann.conversation(hello), "In a frame, too")
    reads(engine, hello, "In a frame, too")
    engine.goto(page)
    reads(engine, hello, "In a frame, too")


def test_without_websockets_it_goes_on_by_long_polls(
    engine: Engine, server: Server, ann: Owner, host_pages: HostPages
) -> None:
    hello = f"Polling from {engine.name}"
    with TcpProxy(server.port) as wire:
        wire.websockets = "refuse"
        engine.goto(host_pages.put(f"/poll-{engine.name}", tag(wire.port)))
        open_chat(engine)
        say(engine, hello)
        reads(engine, hello)
        settles(engine)
        ann.reply(ann.conversation(hello), "By long poll")
        reads(engine, hello, "By long poll")


def test_a_server_that_stops_and_comes_back_loses_nothing(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, host_pages: HostPages
) -> None:
    with Server(tmp_path_factory.mktemp("restarted"), HOST=None) as server:
        ann = Owner(server.url).arrive()
        engine.goto(host_pages.put(f"/restart-{engine.name}", tag(server.port)))
        open_chat(engine)
        say(engine, "before")
        reads(engine, "before")
        settles(engine)
        thread = ann.conversation("before")
        server.stop()
        say(engine, "meanwhile")
        reads(engine, "before", "meanwhile")
        server.start()
        settles(engine)
        Owner(server.url).arrive().reply(thread, "after")
        reads(engine, "before", "meanwhile", "after")
        assert Owner(server.url).arrive().page(thread).first(id="log").text.count("meanwhile") == 1
    assert engine.ask(f"Boolean({FRAME})")
