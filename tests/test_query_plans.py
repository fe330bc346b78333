"""No query without an index: every statement of the product is run once, and its plan looked at.

A new statement that nothing here reaches fails the suite: drive it in `talk_of_everything`, or name its verb in VERBS.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import EMAIL, NOTED, NOTES, PASSWORD, ROOT, Server, environment

from chat.db import connect

pytestmark = pytest.mark.xdist_group("test_query_plans")
CHAT = ROOT / "chat"
TOKEN = "only-for-Prometheus"
VERBS: list[tuple[list[str], str]] = [(["reset-password", EMAIL], f"{PASSWORD}\n")]
"""Verbs to run beside the server, with what is typed into them."""

BOUNDED = {
    "options": "what the owner set, a row each",
    "agents": "a handful of people answer",
    "a": "the agents beside a session",
    "sites": "a handful of sites",
    "sessions": "where they are signed in",
    "site_options": "what the owner set for them, a row each",
    "setup_links": "one row at most",
    "health": "one row",
    "sqlite_sequence": "a row for each table",
    "json_each": "the ids that were asked for",
    "c": "the same, under its alias",
    "sqlite_master": "the tables themselves",
    "presences": "the pages that are open just now",
    "waiting": "the conversations that wait, a limited number, in a query of their own",
    "CONSTANT ROW": "no table at all",
    "states_here": "an index of those only who were here when the server stopped",
}
"""Tables and indexes that may be scanned, and why."""
SORTED = {
    "where migration_set = ? order by rowid": "a handful of migrations",
    "WHERE person_id IN (SELECT value FROM json_each(?)) ORDER BY seen_at": "the devices of one batch's people",
    "WHERE c.id IN (?) ORDER BY c.rank": "no more rows than ids: what one batch redraws",
}
"""Ends of statements that may sort by themselves, and why."""
THOROUGH = {"SELECT token, name FROM files ORDER BY id": "the doctor looks whether each is on the disk"}
"""Statements that read everything by their nature."""
NOT_A_QUERY = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)\b", re.I)
NOT_DAILY = {"migrations.py", "schema.py", "copies.py", "restores.py", "rescue.py", "exports.py"}
"""Migrations, and what copies or reads everything by its nature."""
NOT_DAILY_EITHER = {"children", "leave_room", "newest_moment", "_sound", "_attempt", "take_stock"}
"""Functions of other files that serve a restore, or check everything; which tables refer to which; and the commit."""


class Note(NamedTuple):
    """A statement as it was executed, and from where."""

    file: str
    line: int
    statement: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traced")


@pytest.fixture(scope="module")
def notes(folder: Path, notes_folder: Path) -> list[Note]:
    """Everything that the product executes while everything is done once, on a database of some size; and what the
    features' own tests do."""
    written = folder / "notes.jsonl"
    traced = (sys.executable, "tests/traced.py", str(written))
    nobody = {"CHAT_OWNER_EMAIL": None, "CHAT_OWNER_PASSWORD": None}
    server = Server(folder, command=(*traced, "gunicorn", "wsgi:app"), CHAT_METRICS_TOKEN=TOKEN, **nobody)

    def run(*verb: str, typed: str = "") -> str:
        command = [*traced, "app.py", *verb]
        env = environment(CHAT_DATA=str(server.data))
        done = subprocess.run(command, cwd=ROOT, env=env, input=typed, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{verb}: {done.stderr}"
        return done.stdout

    run("seed", "--conversations", "1500", "--messages", "20000")
    with server:
        first = re.findall(r"/inbox/setup/\S+", server.output)[-1]
        link = re.findall(r"/inbox/setup/\S+", run("prepare"))[-1]  # what gunicorn's start runs in a process of its own
        assert link != first
        set_up(server, link)
        talk_of_everything(server)
        for verb, typed in VERBS:
            run(*verb, typed=typed)
        assert Owner(server.url).arrive()
        run_rarely = [*traced, "tests/rarely.py", str(server.data / "chat.sqlite")]
        subprocess.run(run_rarely, cwd=ROOT, env=environment(), check=True, capture_output=True, timeout=60)
    features_at_work(notes_folder)
    files = (written, *notes_folder.glob("*.jsonl"))
    taken = [read(line) for file in files for line in file.read_text().splitlines()]
    daily = [note for note in taken if note.file not in NOT_DAILY and note.statement not in THOROUGH]
    return [note for note in daily if not NOT_A_QUERY.match(note.statement)]


def read(line: str) -> Note:
    """A note; lists of any length (`IN (?, ?, ?)`) count as one statement."""
    file, number, statement = json.loads(line)
    return Note(file, number, re.sub(r"IN \((\?, )+\?\)", "IN (?)", statement))


def features_at_work(notes_folder: Path) -> None:
    """Run those of the features' tests that this session has not: their servers take notes."""
    left = [name for name in NOTED if not (notes_folder / f"{name}.jsonl").exists()]
    if not left:
        return
    files = [str(ROOT / "tests" / f"{name}.py") for name in left]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
    env = environment(**{NOTES: str(notes_folder / "left.jsonl")})
    env |= {"PYTEST_ADDOPTS": f"--basetemp={notes_folder / 'left'}"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-3000:]


def set_up(server: Server, link: str) -> None:
    """The first owner, by the link that the start printed."""
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        browser.get(link)
        form = {"name": "Ann", "email": EMAIL, "password": PASSWORD}
        assert browser.post(link, data=form, headers={"Origin": server.url}).status_code == 303


def talk_of_everything(server: Server) -> None:
    """Every door, signal and button once."""
    vera, ann, bob = Visitor(server.url).arrive(), Owner(server.url).arrive(), Owner(server.url).arrive()
    with vera.socket() as hers, ann.following("socket"):
        vera.say("hello")
        vera.hear(hers, "is here")
        thread = ann.conversation("hello")
        ann.reply(thread, "good morning")
        vera.hear(hers, "good morning")
        for told in ({"typing": True}, {"delivered": vera.log.cursor}, {"seen": vera.log.cursor}):
            vera.signal(**told)
        vera.signal(page={"url": "https://shop.example/", "title": "Shop"})
        signals(ann, thread)
        assert "is typing" in ann.page(thread).text
        button(ann, thread, "closure")
        button(ann, thread, "opening")
        button(ann, thread, "closure")
        vera.say("one more thing")
        for _ in range(2):
            assert vera.post("said twice", client_id="0b0f4f0e-9d0a-4b52-8f2b-1d6f3c1f0001").status_code == 200
    pages(vera, ann, thread)
    eventually(lambda: "Left" in ann.page(thread).text, 20, "the visitor's going")  # and the owner's, with it
    for owner, which in ((ann, {}), (bob, {"everywhere": "1"})):
        owner.http.post("/inbox/logout", data=token_of(owner.page()) | which, headers=owner.auth())
        assert owner.http.get("/inbox").status_code == 302


def pages(vera: Visitor, ann: Owner, thread: str) -> None:
    """What is only looked at, polled or asked for without a script."""
    long = max(ann.page().all(cls="row"), key=lambda row: len(row.text)).first("a").attrs["href"]
    for path in ("/inbox?show=closed", "/inbox?after=0", "/inbox/trouble", f"{thread}/messages?before=99", long):
        assert ann.http.get(path).status_code == 200, path
    looked = ann.http.post("/inbox/server", data=token_of(ann.page("/inbox/server")), headers=ann.auth(), timeout=60)
    assert looked.status_code == 200 and "Sound" in looked.text
    assert httpx.get(f"{ann.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert vera.http.get("/w/main/messages?before=99", headers=vera.auth()).status_code == 200
    for reader in (vera, ann):
        reader.poll()
        assert "data-reset" in reader.poll(since=2**40).text
    form = {"token": vera.token, "check": "1"}
    assert vera.http.post("/c/main", data=form, headers={"Origin": vera.url}).status_code == 200
    assert ann.http.get("/inbox", headers={"HX-Request": "true"}).status_code == 200


def signals(ann: Owner, thread: str) -> None:
    """What an open inbox says by itself."""
    page, number = ann.page(thread), int(thread.rpartition("/")[2])
    cursor = int(page.first("meta", id="cursor").attrs["content"])
    for told in (
        {"delivered": cursor},
        {"typing": True, "conversation": number},
        {"seen": cursor, "conversation": number},
    ):
        headers = ann.auth() | {"X-CSRF": token_of(page)["csrf"]}
        assert ann.http.post("/inbox/signals", json=told, headers=headers).status_code == 204


def button(ann: Owner, thread: str, what: str) -> None:
    answer = ann.http.post(f"{thread}/{what}", data=token_of(ann.page(thread)), headers=ann.auth())
    assert answer.status_code == 303, answer.text


def token_of(page: dom.Node) -> dict[str, str]:
    return {"csrf": page.first("input", name="csrf").attrs["value"]}


def plan(database: Path, note: Note) -> Iterator[str]:
    db = connect(database, readonly=True)
    try:
        marks = note.statement.count("?")
        for row in db.conn.execute(f"EXPLAIN QUERY PLAN {note.statement}", [None] * marks):
            yield row["detail"]
    finally:
        db.close()


def complaints(database: Path, note: Note) -> list[str]:
    """What is wrong with the statement's plan."""
    found = []
    for detail in plan(database, note):
        scan = re.match(r"SCAN (CONSTANT ROW|[^(]\S*)(?: USING INDEX (\S+))?", detail)
        if scan and not BOUNDED.keys() & set(scan.groups()):
            found.append(detail)  # a "(subquery-1)" has a plan of its own, and lines of its own here
        if "TEMP B-TREE" in detail and not note.statement.endswith(tuple(SORTED)):
            found.append(detail)
    return found


def bad_plans(database: Path, notes: list[Note]) -> str:
    """Every statement with a bad plan, once, for the person who reads it."""
    found = {note.statement: (note, complaints(database, note)) for note in notes}
    return "\n".join(f"chat/{note.file}:{note.line}: {bad}\n    {text}" for text, (note, bad) in found.items() if bad)


def test_every_statement_finds_its_rows_by_an_index(folder: Path, notes: list[Note]) -> None:
    assert len({note.statement for note in notes}) > 60
    assert not bad_plans(folder / "data" / "chat.sqlite", notes)


def test_statistics_change_nothing_about_it(folder: Path, notes: list[Note]) -> None:
    """The product never runs ANALYZE, so a plan is the same on every database; but somebody else may."""
    copy = folder / "copy.sqlite"
    db = connect(folder / "data" / "chat.sqlite")
    db.execute("VACUUM INTO ?", [str(copy)])
    db.close()
    db = connect(copy)
    db.execute("ANALYZE")
    db.close()
    assert not bad_plans(copy, notes)


def test_no_statement_of_the_product_is_left_out(notes: list[Note]) -> None:
    seen = {(note.file, note.line) for note in notes}
    missing = []
    for path in sorted(CHAT.rglob("*.py")):
        name = str(path.relative_to(CHAT))
        for call in executions(path) if name not in NOT_DAILY else ():
            if not any((name, line) in seen for line in range(call.lineno, (call.end_lineno or 0) + 1)):
                missing.append(f"chat/{name}:{call.lineno}: {ast.unparse(call)[:120]}")
    assert not missing, "\n".join(missing)


def executions(path: Path) -> Iterator[ast.Call]:
    """Where a file executes SQL; transaction control and pragmas are no queries."""
    tree = ast.parse(path.read_text())
    spared = {
        id(inner)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name in NOT_DAILY_EITHER
        for inner in ast.walk(function)
    }
    for node in ast.walk(tree):
        calls = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("execute", "executemany")
        if calls and id(node) not in spared:
            said = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
            if not NOT_A_QUERY.match(str(said)):
                yield node


def test_a_scan_and_a_sort_would_be_noticed(folder: Path, notes: list[Note]) -> None:
    database = folder / "data" / "chat.sqlite"
    assert complaints(database, Note("", 0, "SELECT count(*) FROM messages WHERE body = ?"))
    assert complaints(database, Note("", 0, "SELECT id FROM messages WHERE conversation_id = ? ORDER BY body"))
    assert not complaints(database, Note("", 0, "SELECT id FROM messages WHERE conversation_id = ? ORDER BY client_id"))
