"""The store: a result means that it is on disk; one failing write fails alone; one failing commit stores nothing."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from chat import db, schema
from chat.db import StorageError, Store, Tx, connect


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store over a migrated database."""
    made = connect(tmp_path / "chat.sqlite")
    schema.migrate(made)
    made.close()
    return Store(tmp_path / "chat.sqlite")


def names(store: Store) -> list[str]:
    with store.read() as rx:
        return [row["name"] for row in rx.execute("SELECT name FROM persons ORDER BY id")]


def person(name: str) -> Callable[[Tx], int]:
    query = "INSERT INTO persons (site_id, name, created_at) VALUES (1, ?, '')"
    return lambda tx: tx.execute(query, [name]).lastrowid


def test_a_write_returns_its_result(store: Store) -> None:
    assert store.write(person("Vera")) == 1
    assert names(store) == ["Vera"]


def test_a_write_that_fails_is_undone_alone(store: Store) -> None:
    def half(tx: Tx) -> None:
        person("Half")(tx)
        raise ValueError("no")

    jobs = [gevent.spawn(store.write, run) for run in (person("A"), half, person("B"))]
    gevent.joinall(jobs)
    assert names(store) == ["A", "B"]
    assert isinstance(jobs[1].exception, ValueError)


def test_many_writers_share_commits_and_none_is_lost(store: Store) -> None:
    gevent.joinall([gevent.spawn(store.write, person(f"p{n}")) for n in range(500)], raise_error=True)
    assert sorted(names(store)) == sorted(f"p{n}" for n in range(500))


def test_a_reader_sees_one_instant(store: Store) -> None:
    with store.read() as rx:
        assert rx.execute("SELECT count(*) FROM persons").fetchone()[0] == 0
        store.write(person("Later"))
        assert rx.execute("SELECT count(*) FROM persons").fetchone()[0] == 0
    assert names(store) == ["Later"]


def test_a_reader_can_not_write(store: Store) -> None:
    with pytest.raises(Exception, match="readonly"), store.read() as rx:
        person("No")(rx)


def test_a_full_database_stores_nothing_says_so_and_recovers(store: Store) -> None:
    store.write(
        lambda tx: tx.execute(f"PRAGMA max_page_count = {tx.execute('PRAGMA page_count').fetchone()[0]}") and None
    )
    big = person("x" * 500_000)
    with pytest.raises(StorageError):
        store.write(big)
    assert "full" in (store.trouble or "")
    store.write(lambda tx: tx.execute("PRAGMA max_page_count = 1073741823") and None)
    store.write(big)
    assert store.trouble is None and len(names(store)) == 1


def test_a_wrong_statement_is_no_trouble_of_the_disks(store: Store) -> None:
    with pytest.raises(Exception, match="no such table") as raised:
        store.write(lambda tx: tx.execute("INSERT INTO nowhere VALUES (1)"))
    assert not isinstance(raised.value, StorageError) and store.trouble is None


def test_a_statement_that_a_full_disk_refuses_is_a_storage_error_though_the_rest_is_committed(store: Store) -> None:
    def refused(tx: Tx) -> None:
        error = db.sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = 13  # SQLITE_FULL, as a statement raises it that did not end the transaction
        raise error

    beside = gevent.spawn(store.write, person("beside"))
    with pytest.raises(StorageError, match="full"):
        store.write(refused)
    beside.join()
    assert names(store) == ["beside"]


def test_each_write_waits_its_own_time_for_a_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT", 1.0)
    with closing(connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        early = gevent.spawn(store.write, person("early"))
        gevent.sleep(0.1)
        meanwhile = gevent.spawn(store.write, person("meanwhile"))  # in the queue while the first one waits
        gevent.sleep(0.6)
        later = gevent.spawn(store.write, person("later"))
        gevent.sleep(0.5)
        other.execute("ROLLBACK")
    gevent.joinall([early, meanwhile, later], timeout=5)
    assert isinstance(early.exception, StorageError) and later.successful()
    assert names(store) == (["meanwhile"] if meanwhile.successful() else []) + ["later"]


def test_closing_finishes_what_is_queued(store: Store, tmp_path: Path) -> None:
    jobs = [gevent.spawn(store.write, person(f"p{n}")) for n in range(50)]
    gevent.sleep(0)
    store.close()
    gevent.joinall(jobs, raise_error=True)
    assert connect(tmp_path / "chat.sqlite").execute("SELECT count(*) FROM persons").fetchone()[0] == 50


def test_a_read_that_cannot_begin_or_end_is_a_storage_error_and_the_next_one_goes_well(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(StorageError), store.read() as rx:
        rx.execute("ROLLBACK")  # what a sick disk does to a transaction
    store.path = tmp_path / "nowhere" / "chat.sqlite"
    with pytest.raises(StorageError), store.read():
        pass
    store.path = tmp_path / "chat.sqlite"
    with store.read() as rx:
        assert rx.execute("SELECT 1").fetchone()[0] == 1
