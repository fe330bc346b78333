"""Logs: one line an event, a number for each request, and nothing in them that is anybody's secret."""

from __future__ import annotations

import json
import re
import resource
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import EMAIL, PASSWORD, Server
from test_disk import limit_files

pytestmark = pytest.mark.xdist_group("logs")
SECRETS = {
    "message": "the moon is made of m0ther-of-pearl",
    "name": "Zebedee-Quux",
    "query": "q-5ecret-of-an-address",
    "password": "wr0ng-password-of-ann",
    "date": "d4te-that-is-none",
    "header": "h34der-from-a-stranger",
    "token": "t0ken-that-nobody-signed",
    "path": "p4th-with-a-set-up-link",
}
NUMBER = re.compile(r"[A-Z2-7]{8}")


class Logged(Server):
    """A server whose log is looked at by the test itself, errors included."""

    broken: httpx.Response
    refused: httpx.Response
    private: list[str]

    def __exit__(self, *error: object) -> None:
        self.stop()

    def log_lines(self) -> list[str]:
        """What came after the greeting."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return [line for line in lines if line.startswith(("time=", "{"))]


@pytest.fixture(scope="module", params=["text", "json", "json,requests"])
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    """After a day with strangers, secrets and failures."""
    with Logged(tmp_path_factory.mktemp("logged"), CHAT_LOG=request.param) as server:
        have_a_bad_day(server)
        yield server


def have_a_bad_day(server: Logged) -> None:
    """Secrets by every door, the right and the wrong way; then dates that nothing can read: a real 500."""
    ann, vera = Owner(server.url).arrive(), Visitor(server.url).arrive()
    vera.say(SECRETS["message"])
    ann.reply(ann.conversation(SECRETS["message"]), SECRETS["message"])
    vera.signal(typing=True, name=SECRETS["name"], text=SECRETS["message"])
    Owner(server.url).sign_in(password=SECRETS["password"])
    stranger = Visitor(server.url, token=SECRETS["token"], headers={"X-Custom": SECRETS["header"]})
    assert stranger.post(SECRETS["message"]).status_code == 401
    for path in (f"/inbox/setup/{SECRETS['path']}", f"/nothing?token={SECRETS['query']}", f"/w/{SECRETS['path']}.js"):
        stranger.http.get(path)
    stranger.http.post("/w/main/session", headers={"Origin": f"https://{SECRETS['header']}.example"})
    vera.http.post("/w/main/messages", content=b"\xff" + SECRETS["message"].encode(), headers=vera.auth())
    with stranger.socket() as ws, pytest.raises(Exception):  # noqa: B017, PT011
        ws.recv(timeout=10)
    for raw in (f"GET /{SECRETS['path']} HTTP/9.9", SECRETS["query"], f"GET / HTTP/1.1\r\n{SECRETS['header']}"):
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            line.sendall(f"{raw}\r\n\r\n".encode())
            assert line.recv(4096), "gunicorn has said that this is no request"
    limit_files(server, (server.data / "chat.sqlite-wal").stat().st_size)
    late = Visitor(server.url).arrive()
    assert late.post(SECRETS["message"] * 50).status_code == 503
    limit_files(server, resource.RLIM_INFINITY)
    eventually(lambda: late.post(SECRETS["message"]).status_code == 200, what="room on the disk")
    httpx.get(f"{server.url}/x?{SECRETS['query']}", headers={"X-Forwarded-For": SECRETS["header"]}, trust_env=False)
    with closing(sqlite3.connect(server.data / "chat.sqlite")) as db, db:
        db.execute("UPDATE events SET created_at = ?", [SECRETS["date"]])
        db.execute("UPDATE conversations SET started_at = ?", [SECRETS["date"]])
    vera.http.cookies.set("porchlight-c-main", vera.token)
    server.broken = vera.http.get(f"/c/main?{SECRETS['query']}")
    server.refused = vera.post(SECRETS["message"], str(uuid.uuid4()))
    assert server.broken.status_code == server.refused.status_code == 500
    server.private = [*SECRETS.values(), EMAIL, PASSWORD, vera.token, *ann.http.cookies.values()]


def test_nothing_private_is_in_the_log(logged: Logged) -> None:
    assert "Nothing can be stored" in "\n".join(logged.log_lines()), "there is no log to look at"
    for private in logged.private:
        assert private not in logged.output, f"{private!r} is in the log"
    assert "127.0.0.1" not in "\n".join(logged.log_lines()), "an address of somebody"


def test_every_event_is_one_line(logged: Logged) -> None:
    rest = logged.output.partition("Ctrl-C stops it.")[2]
    assert [line for line in rest.splitlines() if line.strip()] == logged.log_lines(), "a line belongs to no event"
    for line in logged.log_lines():
        if logged.settings["CHAT_LOG"] == "text":
            assert re.match(r"time=\S+Z level=\w+ from=\w+ ", line), line
        else:
            assert {"time", "level", "from", "message"} <= json.loads(line).keys(), line


def test_the_page_of_a_failure_names_the_line_that_tells_of_it(logged: Logged) -> None:
    page: httpx.Response = logged.broken
    number = page.headers["X-Request-ID"]
    assert NUMBER.fullmatch(number) and f"It was noted as {number}." in page.text
    (told,) = [line for line in logged.log_lines() if number in line and "Something unexpected" in line]
    assert "ValueError" in told and "chat/clock.py" in told and "visitor.chat" in told, told
    assert logged.refused.headers["X-Request-ID"] in logged.refused.text != number


def test_requests_are_lines_only_when_asked_for(logged: Logged) -> None:
    answered = [line for line in logged.log_lines() if "answered" in line]
    if logged.settings["CHAT_LOG"] != "json,requests":
        assert not answered
        return
    told = [json.loads(line) for line in answered]
    assert {"POST visitor.post 200", "GET none 404"} <= {
        f"{each['method']} {each['endpoint']} {each['status']}" for each in told
    }
    assert all(NUMBER.fullmatch(each["request"]) and float(each["seconds"]) >= 0 for each in told)


def test_a_number_is_taken_from_a_proxy_that_we_trust_and_only_if_it_is_sane(server: Server, tmp_path: Path) -> None:
    def number(of: Server, given: str) -> str:
        answer = httpx.get(f"{of.url}/up", headers={"X-Request-ID": given}, trust_env=False)
        return answer.headers["X-Request-ID"]

    assert NUMBER.fullmatch(number(server, "from-a-stranger")), "no proxy is named, so nobody's word is taken"
    with Server(tmp_path, CHAT_PROXY="1") as behind:
        assert number(behind, "6f1c-3a.b_9") == "6f1c-3a.b_9"
        for bad in ("short", "x" * 65, "two words here", "with\ttab-in-it", '"quoted-number"'):
            assert NUMBER.fullmatch(number(behind, bad)), bad


def test_greeting_and_errors_stay_as_they_are(tmp_path: Path) -> None:
    with Server(tmp_path, CHAT_LOG="json") as server:
        assert "\n  Porchlight is on.\n\n  Inbox       http://" in server.output
    with pytest.raises(AssertionError, match=r"CHAT_LOG is 'loud', but must be one of: text, json"):
        Server(tmp_path, CHAT_LOG="loud").start()
