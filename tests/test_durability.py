"""An answer of 200 means: on disk. Seen in the system calls of the running server: what a message says is written to
the write-ahead log, then that is brought to the disk, and only then does a byte of the answer leave."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import strace
from cast import Owner, Visitor
from feed import eventually
from harness import GUNICORN, Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux")


def post(server: Server, writer: int, messages: int) -> tuple[int, list[str]]:
    """Post one after the other over one connection: its port here, and what was answered with 200."""
    vera, said = Visitor(server.url).arrive(), []
    wire = HTTPConnection("127.0.0.1", server.port, timeout=60)
    wire.connect()
    port = wire.sock.getsockname()[1]
    headers = vera.auth() | {"Content-Type": "application/x-www-form-urlencoded"}
    for i in range(messages):
        text = f"durable-{writer}-{i}-{uuid4().hex}"
        wire.request("POST", "/w/main/messages", urlencode({"body": text, "client_id": uuid4(), "since": 0}), headers)
        answer = wire.getresponse()
        assert answer.status == 200 and text in answer.read().decode()
        said.append(text)
    return port, said


@pytest.mark.parametrize(("writers", "messages"), [(1, 20), (8, 8), (50, 3)])
def test_no_200_leaves_before_the_fsync_of_its_commit(tmp_path: Path, writers: int, messages: int) -> None:
    assert shutil.which("strace"), "strace is not installed; `make test` says how to get it"
    output = tmp_path / "calls"
    with Server(tmp_path, command=strace.command(output, GUNICORN)) as server:
        ann = Owner(server.url).arrive()
        with ann.following("socket"), ThreadPoolExecutor(writers) as pool:
            posted = list(pool.map(lambda writer: post(server, writer, messages), range(writers)))
            eventually(lambda: len(ann.log.messages) == writers * messages, what="the inbox's reading of it all")
    calls = list(strace.calls(output))
    syncs = [call for call in calls if call.syncs_the_wal]
    for port, said in posted:
        heads = [call for call in calls if call.peer == port and '"HTTP/1.1 200' in call.args]
        assert len(heads) == len(said) == messages
        for text, head in zip(said, heads, strict=True):
            written = next(call for call in calls if call.writes_the_wal and text in call.args)
            durable = next((sync for sync in syncs if sync.begin > written.end), None)
            assert durable, f"{text} was never brought to the disk"
            sent = [call for call in calls if call.peer and text in call.args]
            assert {port} < {call.peer for call in sent}, "the answer and the inbox's socket hold it"
            for call in (head, *sent):
                assert call.begin > durable.end, f"this left before the fsync of {text}: {call.args[:150]}"
