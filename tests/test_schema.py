"""The database: made and brought up to date by migrations, and refused when it is from the future."""

from pathlib import Path

import pytest

from chat import keys, schema
from chat.db import connect
from chat.schema import NewerDatabase

OWN = """SELECT name, sql FROM sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlite_%'"""


def test_every_table_is_strict(tmp_path: Path) -> None:
    db = connect(tmp_path / "chat.sqlite")
    schema.migrate(db)
    tables = db.execute(OWN).fetchall()
    assert len(tables) > 8
    assert not [row["name"] for row in tables if "STRICT" not in row["sql"]]


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    db = connect(tmp_path / "chat.sqlite")
    schema.migrate(db)
    before = db.execute("SELECT group_concat(sql) FROM sqlite_master").fetchone()[0]
    schema.migrate(db)
    assert db.execute("SELECT group_concat(sql) FROM sqlite_master").fetchone()[0] == before
    assert db.execute("SELECT count(*) FROM sites").fetchone()[0] == 1


def test_the_key_of_the_first_version_is_taken_over_and_a_new_one_made_elsewhere(tmp_path: Path) -> None:
    keys_found = set()
    for name in ("old", "new", "another"):
        (tmp_path / name).mkdir()
        if name == "old":
            (tmp_path / name / "secret.key").write_bytes(b"k" * 32)
        schema.prepare(tmp_path / name / "chat.sqlite")
        keys_found.add(keys.secret(connect(tmp_path / name / "chat.sqlite", readonly=True)))
    assert b"k" * 32 in keys_found and {len(key) for key in keys_found} == {32} and len(keys_found) == 3


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    db = connect(tmp_path / "chat.sqlite")
    schema.migrate(db)
    db.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('porchlight', 'm999_later', '2030')"
    )
    with pytest.raises(NewerDatabase, match="m999_later"):
        schema.migrate(db)


def test_foreign_keys_hold_and_every_one_has_an_index(tmp_path: Path) -> None:
    db = connect(tmp_path / "chat.sqlite")
    schema.migrate(db)
    assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    for row in db.execute(OWN).fetchall():
        indexed = {index.columns[0] for index in db[row["name"]].indexes} | set(db[row["name"]].pks)
        keys = {key.column for key in db[row["name"]].foreign_keys}
        assert keys <= indexed, f"{row['name']}: no index on {keys - indexed}"
