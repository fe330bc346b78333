"""Seeded talks look as if people had had them, are added to what is there, and are whole wherever it stops."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import uuid
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cast import Owner, Visitor
from click.testing import CliRunner
from feed import eventually
from harness import APP, ROOT, Server, environment

from chat import clock, conversations, messages, schema, seeds, sites, states, text
from chat.cli import main
from chat.db import Tx, connect
from chat.people import Context
from chat.people import Visitor as Person
from chat.seeds import plan
from chat.seeds.plan import Step, Talk

UNTIL = datetime(2026, 3, 4, 15, 30, tzinfo=UTC).timestamp()
TABLES = ("agents", "persons", "devices", "conversations", "messages", "events", "states")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A fresh database."""
    schema.prepare(tmp_path / "chat.sqlite")
    return tmp_path / "chat.sqlite"


def sow(path: Path, conversations: int, messages: int, seed: int = 1) -> None:
    for _ in seeds.Sowing(path, conversations, messages, seed, UNTIL).run():
        pass


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    db = connect(path)
    try:
        return [tuple(row) for row in db.execute(query).fetchall()]
    finally:
        db.close()


def everything(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    return {table: set(rows(path, f"SELECT * FROM {table}")) for table in TABLES}


def seed(folder: Path, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    env = environment(CHAT_DATA=str(folder))
    command = [*APP, "seed", *options]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, **more)


class Replay:
    """The same steps, done by the product's own functions as they happened, one after the other."""

    def __init__(self, tx: Tx, monkeypatch: pytest.MonkeyPatch, agents: list[int]) -> None:
        self.tx, self.agents, self.site = tx, agents, sites.first(tx)
        self.people: dict[Talk, Person] = {}
        self.now = 0.0
        monkeypatch.setattr(clock, "now", lambda offset=0.0: clock.text(datetime.fromtimestamp(self.now + offset, UTC)))

    def do(self, step: Step) -> None:
        tx, self.now = self.tx, step.at
        if step.talk not in self.people:
            self.people[step.talk] = Person(self.site, "", f"token {len(self.people)}")
        person_id = len(self.people) if step.first else list(self.people).index(step.talk) + 1
        talk = conversations.of_visitor(tx, self.people[step.talk], Context()) if step.by == "visitor" else person_id
        agent_id = self.agents[person_id % 2] if step.by == "agent" else None
        if not step.body:
            conversations.close(tx, talk, agent_id or 0)
            states.see(tx, talk, "agent", 2**60)
            return
        if agent_id:
            states.type(tx, talk, "agent", True, agent_id)
        messages.post(tx, self.site.id, talk, step.by, step.body, str(uuid.uuid4()), agent_id)
        event_id = tx.execute("SELECT max(id) FROM events").fetchone()[0]
        other: states.Side = "agent" if step.by == "visitor" else "visitor"
        if step.by == "visitor":
            states.see(tx, talk, "visitor", event_id)
            states.deliver(tx, talk, "agent", event_id)
        if step.looked:
            states.deliver(tx, talk, other, event_id)
        if step.looked == "seen":
            states.see(tx, talk, other, event_id)
        if step.by == "visitor" or step.looked:
            states.leave(tx, talk)


BOOKS = (
    "SELECT * FROM conversations",
    "SELECT id, conversation_id, by, agent_id, body, created_at FROM messages",
    "SELECT * FROM events",
    "SELECT id, person_id, created_at, seen_at, revoked_at FROM devices",
    "SELECT conversation_id, visitor_delivered, visitor_seen, agent_delivered, agent_seen, agent_typing_id,"
    " agent_typing_until, visitor_typing_until, visitor_here_until, visitor_left_at FROM states",
    "SELECT conversation_id FROM states ORDER BY version",
)


def test_the_books_are_those_that_the_product_itself_keeps(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "STEPS", 50)  # so that talks go on from one commit to the next
    sow(path, 80, 900)
    again = tmp_path / "again.sqlite"
    schema.prepare(again)
    db = connect(again)
    for row in rows(path, "SELECT id, email, name, password_hash, created_at FROM agents"):
        db.execute("INSERT INTO agents (id, email, name, password_hash, created_at) VALUES (?, ?, ?, ?, ?)", row)
    replay = Replay(db, monkeypatch, [1, 2])
    db.execute("BEGIN")
    for step in plan.steps(1, 80, 900, UNTIL):
        replay.do(step)
    db.execute("COMMIT")
    db.close()
    for query in BOOKS:
        assert rows(path, query) == rows(again, query), query


def test_texts_are_such_as_people_may_send_and_digests_prove_them(path: Path) -> None:
    sow(path, 300, 6000)
    stored = rows(path, "SELECT body, salt, digest FROM messages")
    assert len(stored) == 6000
    for body, salt, digest in stored:
        assert text.clean(body) == body
        assert messages.digest(salt, body) == digest
    assert max(len(body) for body, _, _ in stored) > 1000
    said = "".join(body for body, _, _ in stored)
    for sign in ("🙂", "https://shop.example/items/", "\n\n", "ß", "¿", "é", "日", "没", "요", "ش", "ש", "ค", "है"):
        assert sign in said, sign


def test_most_talks_are_short_and_closed_a_few_are_long_open_or_waiting(path: Path) -> None:
    sow(path, 2000, 20000)
    lengths = [row[0] for row in rows(path, "SELECT count(*) FROM messages GROUP BY conversation_id")]
    assert sum(lengths) == 20000
    assert len(lengths) == 2000
    assert sum(2 <= length <= 20 for length in lengths) > 1700
    assert max(lengths) == 5000
    count = "SELECT count(*) FROM conversations WHERE closed_at IS "
    waiting, others = (rows(path, f"{count} NULL AND waiting_at IS {which}")[0][0] for which in ("NOT NULL", "NULL"))
    assert 0 < waiting < others < rows(path, f"{count} NOT NULL")[0][0] / 20
    first, last = rows(path, "SELECT min(created_at), max(created_at) FROM events")[0]
    assert first < "2024-04" and "2026-03" < last <= clock.text(datetime.fromtimestamp(UNTIL, UTC))
    assert not rows(path, "SELECT 1 FROM events a JOIN events b ON b.id = a.id + 1 WHERE b.created_at < a.created_at")


def test_the_same_seed_makes_the_same_talks_and_another_others(tmp_path: Path) -> None:
    made = []
    for name, number in (("a", 7), ("b", 7), ("c", 8)):
        schema.prepare(tmp_path / name)
        sow(tmp_path / name, 30, 300, number)
        made.append({table: found for table, found in everything(tmp_path / name).items() if table != "agents"})
    assert made[0] == made[1]
    assert made[0]["messages"].isdisjoint(made[2]["messages"])


def test_it_adds_and_leaves_every_row_that_is_there_as_it_is(path: Path) -> None:
    sow(path, 30, 300, 1)
    before = everything(path)
    before.pop("agents")  # who lends a name to seeds notes how far inboxes have drawn
    sow(path, 10, 100, 1)
    sow(path, 10, 300, 2)
    after = everything(path)
    assert all(kept <= after[table] for table, kept in before.items())
    assert len(after["messages"]) == 700
    assert not rows(path, "PRAGMA foreign_key_check")


def test_beside_a_running_server_people_go_on_talking_and_see_it_come(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("before")
        with vera.following("socket"), ann.following("poll"):
            running = subprocess.Popen(
                [*APP, "seed", "--conversations", "900", "--messages", "9000"],
                cwd=ROOT,
                env=environment(CHAT_DATA=str(server.data)),
                stdout=subprocess.PIPE,
            )
            said = 0
            while running.poll() is None:
                vera.say(f"meanwhile {said}")
                said += 1
            assert b"9,000 messages in 900 conversations" in running.communicate()[0]
        assert said > 3
        assert vera.again().catch_up().texts() == ["before", *(f"meanwhile {i}" for i in range(said))]
        assert len(ann.log.messages) > said + 1, "the open inbox saw none of it"


def test_seeded_pages_open_and_nobody_signs_in_as_a_made_up_agent(tmp_path: Path) -> None:
    done = seed(tmp_path / "data", "--conversations", "300", "--messages", "3000")
    assert "3,000 messages in 300 conversations" in done.stdout, done.stderr
    with Server(tmp_path) as server:
        assert Owner(server.url).sign_in("mila@seed.invalid", "!").status_code == 200, "the form again"
        ann = Owner(server.url).arrive()
        listed = [link.attrs["href"] for link in ann.page("/inbox?show=closed").first("ul").all("a")]
        assert len(listed) >= 50
        for thread in listed[:8]:
            shown = ann.page(thread).first(role="log")
            assert shown.all("article")
            answers = shown.all("article", data_by="agent")
            assert {article.first(cls="author").text for article in answers} <= {"Mila", "Jonas"}


def test_stopped_in_the_middle_it_says_what_is_there_and_that_is_whole(tmp_path: Path, path: Path) -> None:
    running = subprocess.Popen(
        [*APP, "seed", "--conversations", "50000", "--messages", "500000"],
        cwd=ROOT,
        env=environment(CHAT_DATA=str(tmp_path)),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background hands down "ignored"
    )
    eventually(lambda: rows(path, "SELECT 1 FROM messages LIMIT 1"), what="the first commit")
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    stored, talks = (rows(path, f"SELECT count(*) FROM {table}")[0][0] for table in ("messages", "conversations"))
    assert f"{stored:,} messages in {talks:,} conversations" in said
    assert_whole(path)


def assert_whole(path: Path) -> None:
    """Every row has those that belong to it."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert not rows(path, "PRAGMA foreign_key_check")
    for table in ("states s", "devices s"):
        ids = "conversation_id" if table[0] == "s" else "person_id"
        assert not rows(path, f"SELECT id FROM conversations EXCEPT SELECT {ids} FROM {table}")
    last = "SELECT max(m.id) FROM messages m WHERE m.conversation_id = c.id"
    assert not rows(path, f"SELECT id FROM conversations c WHERE last_message_id IS NOT ({last})")
    event = "SELECT 1 FROM events e WHERE e.subject = m.id AND e.kind = 'message.posted' AND e.by = m.by"
    assert not rows(path, f"SELECT id FROM messages m WHERE NOT EXISTS ({event})")


def test_a_disk_that_fills_up_meanwhile_is_said_and_what_is_there_is_whole(tmp_path: Path, path: Path) -> None:
    most = path.stat().st_size + 4_000_000

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = seed(tmp_path, "--conversations", "5000", "--messages", "50000", preexec_fn=limit)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "can't be written" in done.stderr
    assert_whole(path)


@pytest.mark.parametrize(
    "options", [("--conversations", "0"), ("--messages", "-5"), ("--conversations", "20", "--messages", "19"),
                ("--messages", "10000001")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_in_one_line_and_make_nothing(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = seed(tmp_path / "data", *options)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_without_room_on_the_disk_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 10**6, 10**6))
    monkeypatch.setenv("CHAT_DATA", str(tmp_path))
    done = CliRunner().invoke(main, ["seed"])
    assert done.exit_code == 0, "a thousand messages are less than a megabyte"
    done = CliRunner().invoke(main, ["seed", "--messages", "100000"])
    assert done.exit_code == 1
    assert "Make room" in done.stderr
