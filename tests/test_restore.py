"""Restore: a backup comes in whole or not at all, and every open browser finds its way with one reset at most."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import zipfile
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import APP, ROOT, Server, environment
from verbs import bodies, everything_in, first_version, killed_at_every_step, rename_everything, verb

from chat import archives, copies, folder, restores, schema, snapshots


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with an uploaded file and everything up to date."""
    data = first_version(tmp_path / "data")
    schema.prepare(data / "chat.sqlite")
    shutil.rmtree(data / "snapshots")
    (data / "files").mkdir()
    (data / "files" / "invoice.pdf").write_bytes(b"old")
    return data


@pytest.fixture
def archive(data: Path, tmp_path: Path) -> Path:
    """A backup of it that holds something else than what is there now."""
    shutil.copytree(data, tmp_path / "other")
    rename_everything(tmp_path / "other" / "chat.sqlite", "new")
    (tmp_path / "other" / "files" / "invoice.pdf").write_bytes(b"new")
    return archives.write(tmp_path / "other", tmp_path / "backup.zip").path


def state(data: Path) -> str:
    """Whether the folder holds the old, the new, or a mixture."""
    new = {body == "new" for body in bodies(data / "chat.sqlite")}
    new.add((data / "files" / "invoice.pdf").read_bytes() == b"new")
    return "new" if new == {True} else "old" if new == {False} else "a mixture"


def test_a_backup_brings_everything_back_and_keeps_what_was_there(data: Path, archive: Path) -> None:
    said = verb(data, "restore", archive)
    assert "13 messages" in said and "Checked" in said
    assert state(data) == "new"
    kept = next((data / "snapshots").glob("*before-restore"))
    assert kept.name in said and state(kept) == "old"
    said = verb(data, "rollback", "--yes")
    assert "13 messages" in said and state(data) == "old"
    assert state(kept) == "old", "a snapshot is not used up"
    verb(data, "rollback", "--yes")
    assert state(data) == "new", "the newest snapshot is what the rollback put aside"


def test_a_backup_comes_back_on_another_machine(tmp_path: Path, archive: Path) -> None:
    assert "kept" not in verb(tmp_path / "elsewhere", "restore", archive)
    assert state(tmp_path / "elsewhere") == "new"


def test_a_bare_database_file_does_too_and_what_stands_in_its_log(tmp_path: Path, data: Path) -> None:
    lone = tmp_path / "what? 100%.sqlite"
    with closing(sqlite3.connect(data / "chat.sqlite")) as db, db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE messages SET body = 'from the log'")
        db.commit()
        for rest in ("", "-wal"):
            shutil.copyfile(data / f"chat.sqlite{rest}", f"{lone}{rest}")
    before = everything_in(tmp_path)[lone.name]
    verb(tmp_path / "elsewhere", "restore", lone)
    assert set(bodies(tmp_path / "elsewhere" / "chat.sqlite")) == {"from the log"}
    assert lone.read_bytes() == before


def test_a_restore_over_a_damaged_database_works_and_keeps_the_damaged_one(data: Path, archive: Path) -> None:
    broken = b"SQLite format 3\0" + b"?" * 5000
    (data / "chat.sqlite").write_bytes(broken)
    verb(data, "restore", archive)
    assert state(data) == "new"
    assert next((data / "snapshots").glob("*before-restore/chat.sqlite")).read_bytes() == broken


def test_it_is_refused_while_a_server_runs_whatever_happens_to_its_processes(tmp_path: Path, archive: Path) -> None:
    with Server(tmp_path, WEB_CONCURRENCY="2", CHAT_DATA=str(tmp_path / "data")) as server:
        before = bodies(server.data / "chat.sqlite")
        assert "Stop the server" in verb(server.data, "restore", archive, fails=True)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: "has taken in" in server.output, what="the reload")
        assert "Stop the server" in verb(server.data, "restore", archive, fails=True)
        os.kill(server.children[0], signal.SIGKILL)
        assert "Stop the server" in verb(server.data, "restore", archive, fails=True)
        assert bodies(server.data / "chat.sqlite") == before
        server.stop(signal.SIGKILL)
        verb(server.data, "restore", archive)
        server.start()


def test_a_server_does_not_start_in_the_middle_of_a_restore(data: Path) -> None:
    with folder.alone(data):
        server = Server(data.parent)
        assert server.launch().wait(20) != 0
    assert "A restore is under way" in server.output and "Traceback" not in server.output
    assert [line for line in server.output.splitlines() if line.strip()][1:] == []


def test_a_kill_at_any_step_leaves_the_old_or_the_new_and_the_next_who_comes_finds_it_whole(
    tmp_path: Path, data: Path, archive: Path
) -> None:
    original, seen = tmp_path / "original", set()
    shutil.copytree(data, original)
    for step in killed_at_every_step(lambda: restores.restore(data, archive)):
        assert set(bodies(data / "chat.sqlite")) == {"new"} or len(set(bodies(data / "chat.sqlite"))) > 1
        with folder.alone(data):
            assert not [path.name for path in data.iterdir() if path.name.startswith(("incoming", "swap"))], step
        assert state(data) in ("old", "new"), f"killed at step {step}: {state(data)}"
        seen.add(state(data))
        kept = list((data / "snapshots").glob("*before-restore"))
        assert [state(each) for each in kept] == (["old"] if state(data) == "new" else []), step
        shutil.rmtree(data)
        shutil.copytree(original, data)
    assert seen == {"old", "new"}
    assert state(data) == "new"


def test_open_browsers_get_one_reset_and_nothing_twice_or_never(tmp_path: Path) -> None:
    with Server(tmp_path) as server, ExitStack() as following:
        vera, ann, late = Visitor(server.url).arrive(), Owner(server.url).arrive(), Visitor(server.url).arrive()
        vera.say("kept")
        verb(server.data, "backup", tmp_path / "backup.zip")
        readers = [vera.again(), vera.again(), ann.again(), ann.again()]
        idle = [vera.again(), ann.again()]
        late.say("I came after the backup")
        for n in range(5):
            vera.say(f"lost {n}")
        for reader in idle:
            reader.catch_up()
        for reader, wire in zip(readers, ("socket", "poll") * 2, strict=True):
            following.enter_context(reader.following(wire))
        eventually(lambda: all("lost 4" in reader.log.texts() for reader in readers), what="everybody up to date")
        for round_ in (1, 2):  # the same backup a second time: numbers of the first round must not come again
            with server.down():
                verb(server.data, "restore", tmp_path / "backup.zip")
            late.say(f"late {round_}")
            for n in range(12):  # as many as would take the numbers that were seen before
                vera.again().say(f"round {round_}, {n}")
            said = ["kept", *(f"round {round_}, {n}" for n in range(12))]
            eventually(lambda said=said: all(reader.log.texts()[-1:] == said[-1:] for reader in readers), what="news")
            for reader in (*readers, *idle):
                reader.catch_up()
                assert [text for text in reader.log.texts() if "late" not in text] == said
                assert reader.log.resets == round_
            assert late.catch_up().texts()[-1] == f"late {round_}"
            assert late.log.resets <= round_


def test_a_database_that_is_just_dropped_in_leaves_room_too(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera = Visitor(server.url).arrive()
        vera.say("kept")
        verb(server.data, "backup", tmp_path / "backup.zip")
        for n in range(5):
            vera.say(f"lost {n}")
        with server.down():
            zipfile.ZipFile(tmp_path / "backup.zip").extract("chat.sqlite", server.data)
        other = vera.again()
        for n in range(12):
            other.say(f"new {n}")
        assert vera.catch_up().texts() == ["kept", *(f"new {n}" for n in range(12))]
        assert vera.log.resets == 1
        server.restart()
        assert vera.catch_up().resets == 1


def test_an_archive_that_is_dropped_into_the_folder_is_taken_in_at_the_next_start(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera = Visitor(server.url).arrive()
        vera.say("kept")
        verb(server.data, "backup", server.data / "restore.zip")
        vera.say("lost")
        server.restart()
        assert vera.catch_up().texts() == ["kept"] and vera.log.resets == 1
        assert not (server.data / "restore.zip").exists() and "Restored from" in server.output
        (server.data / "restore.zip").write_text("not quite")
        server.restart()
        assert vera.catch_up().texts() == ["kept"] and "was not taken in" in server.output


def test_what_root_restores_belongs_to_the_owner_of_the_folder(tmp_path: Path, data: Path, archive: Path) -> None:
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    for path in (data, *data.rglob("*")):
        os.chown(path, owner, -1)
    verb(data, "restore", archive)
    verb(data, "rollback")
    snapshots.take(data / "chat.sqlite", copies.silent)
    assert not [path for path in data.rglob("*") if path.stat().st_uid != owner]


def test_on_a_terminal_a_rollback_asks_first_and_a_no_changes_nothing(data: Path, archive: Path) -> None:
    verb(data, "restore", archive)
    for answer, then in ((b"n\n", "new"), (b"y\n", "old")):
        ours, theirs = os.openpty()
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        process = subprocess.Popen([*APP, "rollback"], cwd=ROOT, env=environment(CHAT_DATA=str(data)), **streams)
        os.close(theirs)
        os.write(ours, answer)
        process.wait(20)
        said = os.read(ours, 10_000).decode()
        os.close(ours)
        assert "Go back to the data of" in said and state(data) == then, said
        assert (process.returncode == 0) == (then == "old")


def test_the_replica_follows_a_restore(tmp_path: Path) -> None:
    """Litestream knows its database by what lies beside it: a lost folder must come back as it was restored."""
    with Server(tmp_path, CHAT_REPLICA=f"file://{tmp_path}/replica") as server:
        vera = Visitor(server.url).arrive()
        vera.say("kept")
        verb(server.data, "backup", tmp_path / "backup.zip")
        for n in range(20):
            vera.say(f"lost {n}")
        server.stop(signal.SIGKILL)
        verb(server.data, "restore", tmp_path / "backup.zip")
        server.start()
        vera.say("after")
        server.stop()
        shutil.rmtree(server.data)
        server.start()
        assert "fetched from the replica" in server.output
        assert vera.again().catch_up().texts() == ["kept", "after"]
