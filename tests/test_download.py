"""The download of everything from the inbox: for the owner alone, one at a time, and nobody waits meanwhile."""

from __future__ import annotations

import io
import os
import re
import resource
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from test_disk import limit_files
from verbs import bodies, verb

from chat import folder


def left(server: Server) -> list[Path]:
    return [path for path in server.data.rglob("*") if path.name.startswith((".porchlight", "archive"))]


def test_the_owner_gets_everything_as_one_dated_file_that_can_be_restored(
    tmp_path: Path, server: Server, ann: Owner, vera: Visitor
) -> None:
    vera.say("in the archive")
    answer = ann.http.get("/inbox/archive")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/zip"
    name = r"attachment; filename=porchlight-\d{4}-\d\d-\d\d-\d{6}\.zip"
    assert re.fullmatch(name, answer.headers["Content-Disposition"])
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.headers["Cache-Control"] == "no-store"
    assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    (tmp_path / "all.zip").write_bytes(answer.content)
    verb(tmp_path / "elsewhere", "restore", tmp_path / "all.zip")
    assert "in the archive" in bodies(tmp_path / "elsewhere" / "chat.sqlite")
    assert not left(server)


def test_nobody_else_does(server: Server, ann: Owner, nobody: httpx.Client, mallory: Visitor) -> None:
    assert nobody.get("/inbox/archive").status_code == 302
    assert mallory.http.get("/inbox/archive", headers=mallory.auth()).status_code == 302
    for site in ("cross-site", "same-site"):
        assert ann.http.get("/inbox/archive", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert ann.http.get("/inbox/archive", headers={"Origin": "https://evil.example"}).status_code == 403
    assert ann.http.get("/inbox/archive", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert ann.http.post("/inbox/archive").status_code in (403, 405)


def test_one_at_a_time_and_the_next_is_told(server: Server, ann: Owner) -> None:
    with folder.lock(server.data / "download.lock"):
        answer = ann.http.get("/inbox/archive")
    assert answer.status_code == 429 and "Another download" in answer.text and int(answer.headers["Retry-After"]) > 0
    assert ann.http.get("/inbox/archive").status_code == 200


def test_while_it_is_made_everybody_talks_on_and_a_stop_is_quick(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        (server.data / "files").mkdir()
        (server.data / "files" / "large").touch()
        os.truncate(server.data / "files" / "large", 400_000_000)
        with ThreadPoolExecutor(1) as pool:
            download = pool.submit(ann.again().http.get, "/inbox/archive", timeout=60)
            eventually(lambda: left(server), what="the making of it")
            slowest, n = 0.0, 0
            while not download.done():
                began = time.monotonic()
                vera.say(f"meanwhile {n}")
                slowest, n = max(slowest, time.monotonic() - began), n + 1
            assert download.result().status_code == 200
        assert n > 5 and slowest < 1, f"{n} messages, the slowest took {slowest:.2f} s"
        with ThreadPoolExecutor(1) as pool:
            pool.submit(ann.again().http.get, "/inbox/archive", timeout=60)
            eventually(lambda: left(server), what="the making of it")
            assert server.stop() < 2
        (server.data / "files" / "large").unlink()
        server.start()
        assert ann.http.get("/inbox/archive").status_code == 200
        assert not left(server), "what the stop left is cleared by the next"


def test_a_full_disk_is_said_and_the_chat_goes_on(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ann, vera = Owner(server.url).arrive(), Visitor(server.url).arrive()
        vera.say("before")
        (server.data / "files").mkdir()
        (server.data / "files" / "noise").write_bytes(os.urandom(2_500_000))
        limit_files(server, 1_000_000)
        answer = ann.http.get("/inbox/archive")
        assert answer.status_code == 503 and "no room" in answer.text
        assert not left(server)
        vera.say("after")
        limit_files(server, resource.RLIM_INFINITY)
        assert ann.http.get("/inbox/archive").status_code == 200
