"""The replica: a lost data folder comes back from it, to the message; and it is there whenever the server is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import ROOT, Server, environment
from test_start_stop import one_clear_line, run_badly

from chat import replica


def litestreams(server: Server) -> list[int]:
    """The running Litestreams of that data folder."""
    running = psutil.process_iter(["pid", "cmdline"])
    configuration = str(server.data / "litestream.yml")
    return [each.pid for each in running if {"replicate", configuration} <= set(each.info["cmdline"] or ())]


def elsewhere(server: Server, folder: Path) -> Server:
    """Another machine, with nothing but the same replica."""
    folder.mkdir()
    return Server(folder, CHAT_REPLICA=server.settings["CHAT_REPLICA"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with a replica, not started yet."""
    (tmp_path / "first").mkdir()
    server = Server(tmp_path / "first", CHAT_REPLICA=f"file://{tmp_path}/replica")
    yield server
    server.stop(signal.SIGKILL)


def test_a_lost_data_folder_comes_back_to_the_message(server: Server, tmp_path: Path) -> None:
    server.start()
    vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
    vera.say("start")
    answered: dict[str, list[tuple[float, str]]] = {"a": [], "b": [], "c": []}
    tabs = {who: vera.again() for who in answered}

    def write(who: str) -> None:
        tab = tabs[who]
        while True:
            text = f"{who} {len(answered[who])}"
            try:
                if tab.post(text).status_code == 200:
                    answered[who].append((time.monotonic(), text))
            except httpx.TransportError:  # the kill
                return

    threads = [threading.Thread(target=write, args=(who,)) for who in answered]
    for thread in threads:
        thread.start()
    eventually(lambda: all(len(said) > 20 and said[20][0] < time.monotonic() - 3 for said in answered.values()), 60)
    end, killed = time.monotonic(), datetime.now(UTC)
    server.stop(signal.SIGKILL)
    for thread in threads:
        thread.join(20)
    last = max(tab.log.cursor for tab in tabs.values()) + 5  # of a page that had seen more than those who wrote
    shutil.rmtree(server.data)

    with elsewhere(server, tmp_path / "second") as other:
        after = Visitor(other.url, token=vera.token)
        seen = after.catch_up().texts()
        assert len(seen) == len(set(seen)), "something came twice"
        for who, said in answered.items():
            there = [text for text in seen if text.split()[0] == who]
            safe = [text for moment, text in said if moment < end - 2]
            assert len(safe) > 20
            assert there[: len(safe)] == safe, f"what {who} said more than two seconds before is not all there"
            assert there == [f"{who} {i}" for i in range(len(there))]
        said_from = re.search(r"It is from (.+?) UTC", other.output)
        assert said_from and "There was no data here" in other.output
        age = killed - datetime.strptime(said_from[1], "%d %b %Y, %H:%M:%S").replace(tzinfo=UTC)
        assert -1 < age.total_seconds() < 4, f"{age} before the kill"
        print(f"{sum(map(len, answered.values()))} answered, {len(seen) - 1} came back, to {age.total_seconds():.1f} s")

        ann = Owner(other.url, headers={"Cookie": ann.socket_headers()["Cookie"]})
        assert ann.http.get("/inbox").status_code == 200, "the owner was signed out"
        for i in range(last - after.log.cursor + 5):  # enough for one to have that number, if none were left out
            after.say(f"after {i}")
        old_page = Visitor(other.url, token=vera.token)
        old_page.log.cursor = last
        shown = old_page.catch_up().texts()
        assert old_page.log.resets == 1 and shown == after.log.texts()[-len(shown) :] and len(shown) > 50


def test_it_goes_on_over_stops_kills_and_times_without_it(server: Server, tmp_path: Path) -> None:
    server.start()
    vera, said = Visitor(server.url).arrive(), []

    def say(text: str) -> None:
        said.append(text)
        vera.say(text)

    say("first")
    server.restart()
    say("after a stop")
    time.sleep(1)
    server.restart(signal.SIGKILL)
    say("after a kill")
    server.stop()
    where, server.settings["CHAT_REPLICA"] = server.settings["CHAT_REPLICA"], None
    server.start()
    say("without the replica")
    server.stop()
    assert not litestreams(server)
    server.settings["CHAT_REPLICA"] = where
    server.start()
    for i in range(30):
        say(f"{i}" + " with it again" * 200)
    say("right before the stop")
    assert server.stop() < 2 and not litestreams(server)
    shutil.rmtree(server.data)
    with elsewhere(server, tmp_path / "second") as other:
        assert Visitor(other.url, token=vera.token).catch_up().texts() == said
        with sqlite3.connect(other.data / "chat.sqlite") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


def test_a_litestream_that_ends_is_started_again(server: Server, tmp_path: Path) -> None:
    with server:
        vera = Visitor(server.url).arrive()
        vera.say("before")
        (old,) = litestreams(server)
        os.kill(old, signal.SIGKILL)
        vera.say("meanwhile")
        eventually(lambda: litestreams(server) and litestreams(server) != [old], what="another one")
        assert "the replica stands still" in server.output
        vera.say("after")
        said, replica = time.time(), tmp_path / "replica"
        eventually(
            lambda: any(each.stat().st_mtime > said for each in replica.rglob("*.ltx")), what="it in the replica"
        )
        server.stop()
    shutil.rmtree(server.data)
    with elsewhere(server, tmp_path / "second") as other:
        assert Visitor(other.url, token=vera.token).catch_up().texts() == ["before", "meanwhile", "after"]


def test_it_ends_with_the_server_whatever_ends_that(server: Server) -> None:
    hows = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "linux":  # elsewhere nothing tells a child that its parent was killed
        hows.append(signal.SIGKILL)
    for how in hows:
        server.start()
        assert len(litestreams(server)) == 1
        server.stop(how)
        eventually(lambda: not litestreams(server), 3, "its end")


def test_data_that_is_there_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    server.start()
    Visitor(server.url).arrive().say("in the replica")
    server.stop()
    with Server(tmp_path) as other:
        vera = Visitor(other.url).arrive()
        vera.say("on the disk")
        other.stop()
        other.settings["CHAT_REPLICA"] = server.settings["CHAT_REPLICA"]
        other.start()
        assert vera.again().catch_up().texts() == ["on the disk"]
        assert "There was no data here" not in other.output


def test_what_is_left_of_a_lost_database_is_not_mixed_with_the_replicas(server: Server) -> None:
    server.start()
    Visitor(server.url).arrive().say("in the replica")
    server.stop(signal.SIGKILL)
    (server.data / "chat.sqlite").unlink()
    left = {path.name for path in server.data.iterdir() if path.is_file()}
    assert "chat.sqlite-wal" in left
    assert "move what is left" in run_badly(server.folder, server.command, **server.settings)
    assert {path.name for path in server.data.iterdir() if path.is_file()} == left


WRONG = """
s3:// ftp://host/path /var/backups file://var/backups file:// s3://key:word@bucket/path file:///proc/nowhere
file://{data}/replica
""".split()


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_replica_stops_the_start_with_one_clear_line(tmp_path: Path, value: str) -> None:
    value = value.format(data=tmp_path / "data")
    one_clear_line(run_badly(tmp_path, Server(tmp_path).command, CHAT_REPLICA=value), "CHAT_REPLICA")


def test_a_replica_that_cannot_be_asked_stops_a_start_without_data_and_no_other(tmp_path: Path) -> None:
    nowhere = "s3://bucket/chat?endpoint=http://127.0.0.1:9&region=us-east-1"
    keys = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
    output = run_badly(tmp_path, Server(tmp_path).command, CHAT_REPLICA=nowhere, **keys)
    assert "CHAT_REPLICA" in output and "nothing was started" in output
    assert not (tmp_path / "data" / "chat.sqlite").exists()
    with Server(tmp_path) as server:
        server.stop()
        server.settings |= {"CHAT_REPLICA": nowhere} | keys
        server.start()
        Visitor(server.url).arrive().say("the talk goes on")


def test_the_configuration_serves_litestream_by_hand_as_well(server: Server) -> None:
    with server:
        Visitor(server.url).arrive().say("hello")
        listing = [replica.program(), "ltx", "-config", str(server.data / "litestream.yml")]

        def listed() -> str:
            database = str(server.data / "chat.sqlite")
            done = subprocess.run([*listing, database], capture_output=True, text=True, cwd=ROOT, env=environment())
            return done.stdout

        eventually(lambda: "min_txid" in listed(), what="the list of what is in the replica")
