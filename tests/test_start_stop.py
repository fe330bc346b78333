"""Starting and stopping: at once, with everybody told; and wrong settings end it with one clear line."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cast import Owner, Visitor
from harness import APP, GUNICORN, ROOT, Server, environment
from websockets.exceptions import ConnectionClosed

COMMANDS = pytest.mark.parametrize("command", [GUNICORN, APP], ids=["gunicorn wsgi:app", "python app.py"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@COMMANDS
def test_it_stops_within_two_seconds_and_tells_sockets_and_polls(
    tmp_path: Path, command: tuple[str, ...], how: signal.Signals
) -> None:
    with Server(tmp_path, command=command) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("hello")
        vera.catch_up()
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for connection in idle[:3]:
            connection.sendall(b"GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in connection.recv(4096)
        codes: list[int | None] = []

        def hold(reader: Visitor | Owner) -> None:
            with reader.socket() as ws:
                ready.release()
                try:
                    while True:
                        ws.recv(timeout=20)
                except ConnectionClosed as closed:
                    codes.append(closed.rcvd.code if closed.rcvd else None)

        ready = threading.Semaphore(0)
        with ThreadPoolExecutor(12) as pool:
            for reader in (*(vera.again() for _ in range(4)), ann.again()):
                pool.submit(hold, reader)
            polls = [pool.submit(vera.again().poll, 25, vera.log.cursor) for _ in range(4)]
            for _ in range(5):
                ready.acquire(timeout=10)
            time.sleep(0.3)
            seconds = server.stop(how)
            answers = [poll.result(10).status_code for poll in polls]
        for connection in idle:
            connection.close()
    assert codes == [1012] * 5
    assert set(answers) <= {200, 204, 503}, f"polls got {answers}"
    assert seconds < 2, f"stopping took {seconds:.2f} s"


def test_with_two_workers_it_stops_within_two_seconds_too(tmp_path: Path) -> None:
    with Server(tmp_path, WEB_CONCURRENCY="2") as server:
        vera = Visitor(server.url).arrive()
        vera.say("hello")
        with vera.again().following("socket"), vera.again().following("poll"):
            time.sleep(0.3)
            assert server.stop() < 2


def run_badly(folder: Path, command: tuple[str, ...], **settings: str) -> str:
    """Start with these settings; it must end by itself, not well, with something to read and no traceback."""
    server = Server(folder, command=command, **settings)
    process = server.launch()
    try:
        code = process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.stop(signal.SIGKILL)
        raise AssertionError(f"it started, or hangs:\n{server.output}") from None
    assert code != 0 and "Traceback" not in server.output, server.output
    return server.output


def one_clear_line(output: str, word: str) -> None:
    """One line names what is wrong; nothing else tries to."""
    naming = [line for line in output.splitlines() if word in line]
    assert len(naming) == 1 and len(naming[0].split()) >= 5, output
    assert len([line for line in output.splitlines() if line.strip()]) <= 3, output


WRONG = """
PORT=abc PORT=0 PORT=70000 PORT=-1 CHAT_PROXY=maybe CHAT_PROXY=-1 WEB_CONCURRENCY=0 CHAT_LIMITS=perhaps
CHAT_URL=chat.example CHAT_URL=ftp://chat.example
""".split()


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_value_stops_the_start_with_one_clear_line(tmp_path: Path, setting: str) -> None:
    name, _, value = setting.partition("=")
    one_clear_line(run_badly(tmp_path, GUNICORN, **{name: value}), name)


def test_a_number_of_workers_that_is_none_stops_the_start_with_one_clear_line(tmp_path: Path) -> None:
    """By `python app.py` only: gunicorn itself reads WEB_CONCURRENCY before any of our code runs."""
    one_clear_line(run_badly(tmp_path, APP, WEB_CONCURRENCY="many"), "WEB_CONCURRENCY")


@COMMANDS
def test_every_way_of_starting_reads_the_same_settings(tmp_path: Path, command: tuple[str, ...]) -> None:
    one_clear_line(run_badly(tmp_path, command, CHAT_PROXY="maybe"), "CHAT_PROXY")


def test_a_host_that_is_none_stops_the_start(tmp_path: Path) -> None:
    assert "no such host" in run_badly(tmp_path, GUNICORN, HOST="no such host")


@COMMANDS
def test_a_data_folder_that_is_a_file_stops_the_start_with_one_clear_line(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "taken").write_text("I am a file")
    one_clear_line(run_badly(tmp_path, command, CHAT_DATA=str(tmp_path / "taken")), "CHAT_DATA")


def test_a_data_folder_without_write_permission_stops_the_start_with_one_clear_line(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    nobody_can = "/proc/self" if os.geteuid() == 0 else str(locked)  # root may write into any real folder
    one_clear_line(run_badly(tmp_path, GUNICORN, CHAT_DATA=nobody_can), "CHAT_DATA")


@COMMANDS
def test_a_port_that_is_taken_stops_the_start_with_its_number(tmp_path: Path, command: tuple[str, ...]) -> None:
    with socket.socket() as other:
        server = Server(tmp_path, command=command)
        other.bind(("127.0.0.1", server.port))
        other.listen()
        output = run_badly(tmp_path, command, PORT=str(server.port))
    assert str(server.port) in output


def test_a_database_from_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        Visitor(server.url).arrive().say("keep me")
    file = server.data / "chat.sqlite"
    with sqlite3.connect(file) as db:
        known = "SELECT migration_set, 'm999_future', applied_at FROM _sqlite_migrations LIMIT 1"
        db.execute(f"INSERT INTO _sqlite_migrations (migration_set, name, applied_at) {known}")
    db.close()
    before = file.read_bytes()
    output = run_badly(tmp_path, GUNICORN)
    assert "newer" in output
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "chat.sqlite").write_bytes(b"this is somebody's shopping list" * 200)
    run_badly(tmp_path, GUNICORN)
    assert (tmp_path / "data" / "chat.sqlite").read_bytes().startswith(b"this is somebody's shopping list")


def test_the_owner_from_the_environment_is_made_once_and_never_overwritten(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        Owner(server.url).arrive()
        server.stop()
        server.settings["CHAT_OWNER_PASSWORD"] = "another one altogether"
        server.start()
        Owner(server.url).arrive()
        assert Owner(server.url).sign_in(password="another one altogether").status_code == 200, "the form again"


def test_the_data_folder_is_for_the_owner_of_the_process_alone(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        assert server.data.stat().st_mode & 0o077 == 0


def test_the_help_names_the_verbs() -> None:
    done = subprocess.run([*APP, "--help"], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "reset-password" in done.stdout


def test_how_fast_it_wakes_and_stops(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.stop()
        began = time.monotonic()
        server.start()
        print(f"wakes in {time.monotonic() - began:.2f} s, stops in {server.stop():.2f} s")
