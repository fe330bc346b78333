"""The bell between workers: what one of them does, the others look at without delay."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import dom
import gevent
import pytest
from cast import Owner, Visitor
from harness import Server
from websockets.exceptions import ConnectionClosed

from chat import bell
from chat.bell import Bell


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(bell.FOLDER, "")
    bell.hang()
    return Path(os.environ[bell.FOLDER])


def test_a_ring_is_heard_by_the_others_and_says_whether_rights_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Bell()
    monkeypatch.setattr(os, "getpid", lambda: 4)
    other, heard = Bell(), []
    other.listen(heard.append)
    mine.listen(lambda rights_changed: pytest.fail("it heard itself"))
    for rung, why in enumerate((bell.COMMITTED, bell.RIGHTS_CHANGED), 1):
        mine.ring(why)
        with gevent.Timeout(5):
            while len(heard) < rung:  # a second one before that would be heard with the first
                gevent.sleep(0.001)
    assert heard == [False, True]
    bell.take_down()
    mine.ring()
    assert not folder.exists()


def test_a_worker_that_has_died_is_forgotten(folder: Path) -> None:
    mine = Bell()
    (folder / "7.bell").touch()
    mine.ring()
    assert [path.name for path in folder.iterdir()] == [f"{os.getpid()}.bell"]
    bell.take_down()


def test_signing_out_closes_the_sockets_of_every_worker_at_once(tmp_path: Path) -> None:
    with Server(tmp_path, WEB_CONCURRENCY="3") as server, ExitStack() as stack:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("hello")
        sockets = [stack.enter_context(ann.again().socket()) for _ in range(12)]
        for ws in sockets:
            ws.recv(timeout=5)
        form = next(form for form in ann.page().all("form") if "sign" in form.text.lower())
        began = time.monotonic()
        ann.http.post(form.attrs["action"], data=dom.fields(form), headers=ann.auth())
        for ws in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    ws.recv(timeout=10)
            assert closed.value.rcvd and closed.value.rcvd.code == 4401
        assert time.monotonic() - began < 10, "only the next heartbeat told them"
