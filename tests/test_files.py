"""Files on the disk: what no message has goes again, what one has stays, whatever was restored meanwhile."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat import channels, files, schema, sites
from chat.channels import Incoming, Received
from chat.db import Store, Tx
from chat.files import Upload


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    schema.prepare(tmp_path / "chat.sqlite")
    store = Store(tmp_path / "chat.sqlite")
    yield store
    store.close()


def said(store: Store, number: int, *uploads: Upload, body: str = "look") -> Received:
    incoming = Incoming("hook", "+47", "Kari", body, f"message {number}", files=uploads)

    def write(tx: Tx) -> Received:
        return channels.receive(tx, sites.first(tx).id, incoming)

    return store.write(write)


def test_what_came_twice_or_found_no_room_goes_from_the_disk_again(store: Store, tmp_path: Path) -> None:
    kept, twice, large = (files.keep(tmp_path, f"{name}.txt", b"words") for name in ("a", "b", "c"))
    first = said(store, 1, kept)
    assert said(store, 1, twice) == first and not first.not_kept
    refused = said(store, 2, large._replace(size=files.OF_CONVERSATION))
    assert "c.txt: not kept" in refused.not_kept
    files.settle(store, tmp_path, [upload.token for upload in (kept, twice, large)])
    assert [files.path(tmp_path, upload.token).exists() for upload in (kept, twice, large)] == [True, False, False]
    with store.read() as rx:
        bodies = [row["body"] for row in rx.execute("SELECT body FROM messages ORDER BY id").fetchall()]
    assert bodies == ["look", f"look\n\n[{refused.not_kept}]"], "who answers reads what is missing"


def test_a_site_keeps_so_much_and_no_more_and_what_was_taken_away_makes_room(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "OF_SITE", 10)
    five = [files.keep(tmp_path, f"{number}.txt", b"words") for number in range(3)]
    assert [bool(said(store, number, each).not_kept) for number, each in enumerate(five)] == [False, False, True]
    store.write(lambda tx: tx.execute("DELETE FROM files WHERE token = ?", [five[0].token]) and None)
    assert not said(store, 4, five[2]).not_kept


def test_only_what_nothing_has_known_for_a_month_is_swept(store: Store, tmp_path: Path) -> None:
    known, fresh, old = (files.keep(tmp_path, f"{name}.txt", b"words") for name in ("known", "fresh", "old"))
    said(store, 1, known)
    for upload, days in ((known, 400), (fresh, 29), (old, 31)):
        then = time.time() - days * 86400
        os.utime(files.path(tmp_path, upload.token), (then, then))
    files.sweep(store, tmp_path)
    assert [files.path(tmp_path, upload.token).exists() for upload in (known, fresh, old)] == [True, True, False]
