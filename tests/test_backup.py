"""Backup: whole or not at all, of a server that is never held up; and nothing but our own archives comes back in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cast import Visitor
from feed import eventually
from harness import APP, ROOT, Server, environment
from verbs import bodies, command, everything_in, first_version, killed_at_every_step, verb

from chat import archives, restores, schema


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two uploaded files and a few things that no backup holds."""
    data = first_version(tmp_path / "data")
    schema.prepare(data / "chat.sqlite")
    (data / "files" / "ab").mkdir(parents=True)
    (data / "files" / "ab" / "Rechnung für März.pdf").write_bytes(b"%PDF" * 1000)
    (data / "files" / "empty").touch()
    (data / "files" / "outside").symlink_to("/etc/hostname")
    (data / "notes.txt").write_text("not ours")
    return data


def parts(archive: Path) -> set[str]:
    return set(zipfile.ZipFile(archive).namelist())


def test_one_file_holds_everything_that_is_kept(tmp_path: Path, data: Path) -> None:
    said = verb(data, "backup", tmp_path / "all.zip")
    assert "3 conversations, 13 messages and 14 events and 2 files" in said and "Checked" in said
    kept = {"chat.sqlite", "secret.key", "files/ab/Rechnung für März.pdf", "files/empty"}
    assert parts(tmp_path / "all.zip") == kept | {"manifest.json"}
    manifest = json.loads(zipfile.ZipFile(tmp_path / "all.zip").read("manifest.json"))
    assert manifest["counts"]["messages"] == 13 and manifest["migrations"] == schema.names()
    assert set(manifest["members"]) == kept and all(len(each["sha256"]) == 64 for each in manifest["members"].values())
    assert (tmp_path / "all.zip").stat().st_mode & 0o077 == 0
    zipfile.ZipFile(tmp_path / "all.zip").extractall(tmp_path / "by hand")
    assert bodies(tmp_path / "by hand" / "chat.sqlite") == bodies(data / "chat.sqlite")


def test_in_a_folder_it_gets_a_dated_name_and_no_file_is_overwritten_by_accident(tmp_path: Path, data: Path) -> None:
    (tmp_path / "backups").mkdir()
    verb(data, "backup", tmp_path / "backups")
    (made,) = (tmp_path / "backups").iterdir()
    assert made.name.startswith("porchlight-20") and made.suffix == ".zip"
    made.write_text("precious")
    assert "--force" in verb(data, "backup", made, fails=True)
    assert made.read_text() == "precious"
    verb(data, "backup", made, "--force")
    assert "chat.sqlite" in parts(made)


def test_under_load_it_holds_all_that_was_acknowledged_before_and_holds_nobody_up(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        writers = [Visitor(server.url).arrive() for _ in range(4)]
        acknowledged: list[str] = []
        slowest, done = [0.0], threading.Event()

        def write(vera: Visitor, name: int) -> None:
            n = 0
            while not done.is_set():
                began = time.monotonic()
                assert vera.post(f"{name}-{n}").status_code == 200
                acknowledged.append(f"{name}-{n}")
                slowest[0] = max(slowest[0], time.monotonic() - began)
                n += 1

        threads = [threading.Thread(target=write, args=(vera, n)) for n, vera in enumerate(writers)]
        for thread in threads:
            thread.start()
        for n in range(3):
            eventually(lambda n=n: len(acknowledged) > 20 * (n + 1), what="talk")
            before = set(acknowledged)
            command(server.data, "backup", tmp_path / f"{n}.zip")
            zipfile.ZipFile(tmp_path / f"{n}.zip").extract("chat.sqlite", tmp_path / str(n))
            assert before <= set(bodies(tmp_path / str(n) / "chat.sqlite"))
        done.set()
        for thread in threads:
            thread.join(30)
        assert slowest[0] < 2, f"a message waited {slowest[0]:.1f} s"


def test_a_kill_at_any_step_leaves_nothing_half_under_its_name(tmp_path: Path, data: Path) -> None:
    target = tmp_path / "all.zip"
    for step in killed_at_every_step(lambda: archives.write(data, target)):
        if target.exists():
            archives.check(target)
            target.unlink()
        assert step >= 0
    archives.check(target)


def test_a_stop_in_the_middle_leaves_nothing_at_all(tmp_path: Path, data: Path) -> None:
    to = tmp_path / "to"
    to.mkdir()
    (data / "files" / "large").touch()
    os.truncate(data / "files" / "large", 2_000_000_000)
    env = environment(CHAT_DATA=str(data))
    process = subprocess.Popen([*APP, "backup", to / "all.zip"], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
    eventually(lambda: list(to.glob(".porchlight-*/archive.zip")), what="the packing")
    process.terminate()
    assert "nothing was changed" in process.communicate(timeout=20)[1]
    assert process.returncode != 0 and list(to.iterdir()) == []


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path]:
    """A disk with so much room, mounted there; where that is not allowed, just the folder."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    mounted = subprocess.run(["mount", *options], capture_output=True).returncode == 0
    try:
        yield place
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("kilobytes", [8, 80, 160], ids=lambda size: f"{size} KB")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, data: Path, kilobytes: int) -> None:
    before = everything_in(data)
    with small_disk(tmp_path / "full", kilobytes) as full:
        command(data, "backup", full / "all.zip", room=kilobytes * 1024 - 4096, fails=True)
        assert list(full.iterdir()) == []
        command(data, "export", full / "all.jsonl", room=2048, fails=True)
        assert list(full.iterdir()) == []
    assert everything_in(data) == before


def test_a_full_disk_stops_a_restore_before_anything_is_changed(tmp_path: Path, data: Path) -> None:
    archives.write(data, tmp_path / "all.zip")
    with small_disk(tmp_path / "full", 600) as full:
        shutil.copyfile(data / "chat.sqlite", full / "chat.sqlite")
        before = everything_in(full)
        command(full, "restore", tmp_path / "all.zip", room=80 * 1024, fails=True)
        command(full, "restore", data / "chat.sqlite", room=80 * 1024, fails=True)
        assert everything_in(full) == before


WRONG = ["backup", "backup --frobnicate x.zip", "backup /nowhere/at/all.zip", "backup /proc/all.zip", "restore",
         "restore nothing.zip", "restore .", "restore README.md", "restore --frobnicate", "rollback --frobnicate",
         "rollback no-such-snapshot", "export /nowhere/at/all.jsonl", "export .", "export --frobnicate"]  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_done_is_one_clear_line_and_changes_nothing(data: Path, line: str) -> None:
    before = everything_in(data)
    verb(data, *line.split(), fails=True)
    assert everything_in(data) == before


def test_without_a_database_there_is_nothing_to_save(tmp_path: Path) -> None:
    for line in ("backup x.zip", "export", "rollback", "reset-password ann@example.com"):
        verb(tmp_path / "empty", *line.split(), fails=True)


def test_a_damaged_database_is_not_saved_as_if_it_were_sound(tmp_path: Path, data: Path) -> None:
    whole = (data / "chat.sqlite").read_bytes()
    (data / "chat.sqlite").write_bytes(whole[:8192] + b"\xff" * 20_000 + whole[28192:])
    verb(data, "backup", tmp_path / "all.zip", fails=True)
    assert not (tmp_path / "all.zip").exists()


def test_a_newer_database_is_neither_saved_nor_exported_nor_restored(tmp_path: Path, data: Path) -> None:
    fresh = tmp_path / "fresh"
    archives.write(data, tmp_path / "all.zip")
    verb(fresh, "restore", tmp_path / "all.zip")
    db = schema.connect(data / "chat.sqlite")
    db["_sqlite_migrations"].insert({"migration_set": "porchlight", "name": "m999_future", "applied_at": ""})
    db.close()
    before = everything_in(fresh)
    for line in (f"backup {tmp_path / 'x.zip'}", "export", "migrate"):
        assert "newer" in verb(data, *line.split(), fails=True)
    assert "newer" in verb(fresh, "restore", data / "chat.sqlite", fails=True)
    assert everything_in(fresh) == before


def rewrite(change: Callable[[dict[str, bytes]], None]) -> Callable[[Path], None]:
    """Pack the archive again, with its parts changed and the manifest's sums set right."""

    def rewritten(archive: Path) -> None:
        with zipfile.ZipFile(archive) as old:
            held = {name: old.read(name) for name in old.namelist()}
        change(held)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as new:
            for name, content in held.items():
                new.writestr(name, content)

    return rewritten


def listed(name: str, content: bytes = b"x", **said: object) -> Callable[[Path], None]:
    """With one more part, which the manifest lists as it is."""

    def change(held: dict[str, bytes]) -> None:
        manifest = json.loads(held["manifest.json"])
        part = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} | said
        manifest["members"][name] = part
        held[name], held["manifest.json"] = content, json.dumps(manifest).encode()

    return rewrite(change)


def manifest(text: str) -> Callable[[Path], None]:
    return rewrite(lambda held: held.__setitem__("manifest.json", text.encode()))


def cut(share: float) -> Callable[[Path], None]:
    return lambda archive: os.truncate(archive, int(archive.stat().st_size * share))


def damage(archive: Path) -> None:
    held = bytearray(archive.read_bytes())
    held[2000:2100] = bytes(100)
    archive.write_bytes(held)


def as_tar(archive: Path) -> None:
    packed = archive.with_suffix(".tar.gz")
    subprocess.run(["tar", "czf", packed, "-C", archive.parent, "data"], check=True)
    packed.replace(archive)


def twice(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("chat.sqlite", b"another")


def nested(archive: Path) -> None:
    listed("files/a")(archive)
    listed("files/a/b")(archive)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "half of it": cut(0.5),
    "all but its end": cut(0.99),
    "nothing": cut(0),
    "with a hole": damage,
    "a tar file": as_tar,
    "no database": rewrite(lambda held: held.pop("chat.sqlite") and None),
    "no manifest": rewrite(lambda held: held.pop("manifest.json") and None),
    "another database": rewrite(lambda held: held.update({"chat.sqlite": b"SQLite format 3\0 not quite"})),
    "a database of another program": listed("chat.sqlite", b"SQLite format 3\0" + bytes(4080)),
    "a path upwards": listed("files/../../evil"),
    "an absolute path": listed("/tmp/porchlight-evil"),
    "a path of another system": listed("..\\evil"),
    "a part that is none of ours": listed("server.lock"),
    "a snapshot": listed("snapshots/x/chat.sqlite"),
    "a part whose name is a folder's": listed("files"),
    "a folder as a part": listed("files/x/"),
    "a part twice": twice,
    "a size that is a lie": listed("files/x", b"x" * 5000, size=3),
    "a size that is none": listed("files/x", size=-1),
    "a sum that is a lie": listed("files/x", sha256="0" * 64),
    "a manifest that is no JSON": manifest("hello"),
    "a manifest that is a list": manifest("[1]"),
    "a manifest that nests": manifest("[" * 100_000),
    "a manifest of something else": manifest('{"name": "app"}'),
    "a manifest of the future": manifest('{"porchlight": 2, "version": "9.0.0", "members": {}}'),
    "a version that paints the terminal": manifest('{"porchlight": 2, "version": "\\u001b[31m9", "members": {}}'),
    "a name that no disk takes": listed("files/" + "a" * 300),
    "a part inside of a part": nested,
    "a bomb": listed("files/bomb", bytes(30_000_000), size=10**15),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_an_archive_that_is_not_as_backup_wrote_it_changes_nothing(
    tmp_path: Path, data: Path, change: Callable[[Path], None]
) -> None:
    archive = archives.write(data, tmp_path / "all.zip").path
    change(archive)
    before = everything_in(data)
    with pytest.raises((archives.BadArchive, schema.UnusableDatabase)) as refused:
        restores.restore(data, archive)
    assert "\n" not in str(refused.value)
    assert everything_in(data) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "data"]


def test_what_is_refused_is_said_in_one_line(tmp_path: Path, data: Path) -> None:
    archive = archives.write(data, tmp_path / "all.zip").path
    cut(0.5)(archive)
    assert "cut short" in command(data, "restore", archive, fails=True)


def test_a_bomb_that_says_its_size_is_refused_before_it_is_unpacked(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archives.write(data, tmp_path / "all.zip").path
    listed("files/bomb", bytes(100_000_000))(archive)
    assert archive.stat().st_size < 1_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 90_000_000))
    before = everything_in(data)
    assert "no room" in verb(data, "restore", archive, fails=True)
    assert everything_in(data) == before
