"""A full disk: nothing is answered that is not stored, nothing crashes, and it heals by itself."""

from __future__ import annotations

import resource
import time
import uuid
from pathlib import Path

import httpx
from cast import Owner, Visitor
from chaos.ground import limit_files
from harness import Server


def test_a_full_disk_is_said_to_both_sides_and_the_same_message_goes_in_when_there_is_room(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("before")
        limit_files(server, (server.data / "chat.sqlite-wal").stat().st_size)
        client_id = str(uuid.uuid4())
        refused = vera.post("x" * 3000, client_id)
        assert refused.status_code == 503
        assert "sent again" in refused.text
        assert int(refused.headers["Retry-After"]) > 0
        assert server_is(server) == 503
        assert "can't be stored" in ann.http.get("/inbox").text
        assert "before" in ann.http.get(ann.conversation("before")).text
        limit_files(server, resource.RLIM_INFINITY)
        assert vera.post("x" * 3000, client_id).status_code == 200
        assert vera.again().catch_up().texts() == ["before", "x" * 3000]
        assert "can't be stored" not in ann.http.get("/inbox").text


def server_is(server: Server) -> int:
    """What /up says, after the second for which it keeps its word."""
    time.sleep(1.1)
    return httpx.get(f"{server.url}/up", trust_env=False).status_code
