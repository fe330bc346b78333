"""Upgrades can be undone: a snapshot before every migration, and the first version's data taken over whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from cast import Owner, Visitor
from harness import Server
from sqlite_utils import Database
from verbs import bodies, command, everything_in, first_version, verb

from chat import __version__, copies, keys, schema, snapshots
from chat.db import connect
from chat.people import Tokens
from chat.sites import Site


@pytest.fixture
def later() -> Iterator[None]:
    """This program with one migration more, as a later version would have it."""

    def m900_brooms(db: Database) -> None:
        db.execute("CREATE TABLE brooms (id INTEGER PRIMARY KEY) STRICT")

    schema.migrations()(m900_brooms)
    yield
    schema.migrations._migrations.pop()


@pytest.fixture
def failing() -> Iterator[None]:
    """This program with a migration that fails in its middle."""

    def m900_failing(db: Database) -> None:
        db.execute("DELETE FROM messages")
        db.execute("DROP TABLE no_such_table")

    schema.migrations()(m900_failing)
    yield
    schema.migrations._migrations.pop()


def kept(data: Path) -> list[Path]:
    return [each.path for each in snapshots.every(data)]


def test_a_running_server_takes_over_the_first_version_with_every_message(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    said = bodies(data / "chat.sqlite")
    key = (data / "secret.key").read_bytes()
    token, _ = Tokens(key).issue(Site(1, "main", "Chat", ()))
    with closing(sqlite3.connect(data / "chat.sqlite")) as db, db:  # tokens end after a year: this one is fresh
        db.execute("UPDATE devices SET token_hash = ? WHERE id = 1", [keys.fingerprint(token)])
    with Server(tmp_path) as server:
        assert bodies(data / "chat.sqlite") == said
        vera, ann = Visitor(server.url, token=token), Owner(server.url).arrive()
        assert len(vera.catch_up().messages) == 10
        assert vera.log.texts()[2] == "Lovely, thank you\nand good evening 🌙"
        ann.reply(ann.conversation("number 7"), "Still here.")
        assert vera.catch_up().texts()[-1] == "Still here." and vera.log.resets == 0
        assert ann.page("/inbox?show=closed").text.count("نعم") == 1
        (snapshot,) = kept(data)
        assert bodies(snapshot / "chat.sqlite") == said and str(snapshot) in server.output
        server.restart()
        assert kept(data) == [snapshot], "one upgrade, one snapshot"


def test_after_a_rollback_the_first_version_finds_what_it_left(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    before = connect(data / "chat.sqlite", readonly=True)["_sqlite_migrations"].rows
    applied = [row["name"] for row in before]
    assert "kept in" in command(data, "migrate")
    said = command(data, "rollback")
    assert "start the first version" in said.lower() and "13 messages" in said
    with closing(sqlite3.connect(data / "chat.sqlite")) as db:
        assert [row[0] for row in db.execute("SELECT name FROM _sqlite_migrations ORDER BY id")] == applied
        assert db.execute("SELECT count(*) FROM messages").fetchone() == (13,)
    command(data, "migrate")
    assert schema.names() == list(copies.check(data / "chat.sqlite").migrations)


@pytest.mark.usefixtures("later")
def test_a_rollback_says_which_version_to_start(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    path = data / "chat.sqlite"
    late = schema.migrations._migrations.pop()
    schema.prepare(path)
    schema.migrations._migrations.append(late)
    snapshot = schema.prepare(path)
    assert snapshot and snapshot.version == __version__
    assert f"version {__version__}" in verb(data, "rollback", snapshot.name)
    with closing(connect(path)) as db:
        assert [each.name for each in schema.migrations.pending(db)] == ["m900_brooms"]


def test_before_a_migration_a_checked_copy_is_kept_and_only_then(tmp_path: Path, later: None) -> None:
    data = first_version(tmp_path / "data")
    path = data / "chat.sqlite"
    said = bodies(path)
    steps: list[str] = []
    snapshot = schema.prepare(path, lambda step, *_: steps.append(step))
    assert snapshot and bodies(snapshot.database) == said
    assert {"Copying the database", "Checking the database"} <= set(steps)
    assert schema.prepare(path) is None
    assert len(kept(data)) == 1
    (tmp_path / "new").mkdir()
    assert schema.prepare(tmp_path / "new" / "chat.sqlite") is None, "a new database has nothing to keep"


def test_a_migration_that_fails_leaves_the_data_as_they_were(tmp_path: Path, failing: None) -> None:
    data = first_version(tmp_path / "data")
    said = bodies(data / "chat.sqlite")
    assert "m900_failing failed (no such table: no_such_table)" in verb(data, "migrate", fails=True)
    assert bodies(data / "chat.sqlite") == said
    assert bodies(kept(data)[0] / "chat.sqlite") == said


def test_when_the_disk_is_too_full_for_a_snapshot_nothing_is_migrated(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    before = everything_in(data)
    command(data, "migrate", room=80 * 1024, fails=True)
    assert everything_in(data) == before


def test_the_last_five_are_kept_and_never_the_one_in_use_thrown_away(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    first = schema.prepare(data / "chat.sqlite")
    for _ in range(6):
        verb(data, "rollback", first.name)
    names = [path.name for path in kept(data)]
    assert len(names) == snapshots.KEPT + 1 and first.name in names
    verb(data, "rollback", names[0])
    assert len(kept(data)) == snapshots.KEPT


def test_the_list_says_when_why_and_how_large_or_that_it_is_empty(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    assert "no snapshot yet" in verb(data, "rollback", "--list")
    verb(data, "migrate")
    verb(data, "rollback")
    newest, oldest = verb(data, "rollback", "--list").splitlines()
    assert re.search(r"before-rollback .*before a rollback, data of version 0\.", newest)
    assert re.search(r"before-upgrade .*before an upgrade, data of the first version, \d", oldest)
    (data / "snapshots" / "something else").mkdir()
    assert len(kept(data)) == 2


def test_a_rollback_with_a_damaged_snapshot_changes_nothing(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    snapshot = schema.prepare(data / "chat.sqlite")
    with snapshot.database.open("r+b") as file:
        file.truncate(60_000)
    before = everything_in(data)
    verb(data, "rollback", fails=True)
    assert everything_in(data) == before


def test_two_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    data = first_version(tmp_path / "data")
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: command(data, "migrate"), range(3)))
    assert len([each for each in said if "kept in" in each]) == 1
    assert len(kept(data)) == 1
