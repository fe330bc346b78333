"""The archive: all that is kept of one person as a zip file, made while it is sent, so that none lies around."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gevent
from flask import render_template

from chat import clock, files, records
from chat.db import Store

PIECE = 64 * 1024  # bytes of a file at once


class _Pipe(io.RawIOBase):
    """Where the zip file is written to: kept until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What has come since."""
        written, self._written = bytes(self._written), bytearray()
        return written


def stream(store: Store, data: Path, person_id: int, *, notes: bool) -> Iterator[bytes]:
    """The archive in pieces: a page to read, the same as JSON, and the files. `notes`: with those of agents."""
    with store.read() as rx:
        told = records.everything(rx, person_id, notes=notes)
        sent = records.uploads(rx, person_id, notes=notes)
    names = {number: f"files/{number}-{upload.name}" for number, upload in sent}
    page = render_template("privacy/archive.html", told=told, names=names, made_at=clock.now())
    return _pack(data, page, told, [(names[number], upload) for number, upload in sent])


def _pack(data: Path, page: str, told: dict[str, object], sent: list[tuple[str, files.Upload]]) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("conversation.html", page)
        yield pipe.take()
        archive.writestr("data.json", json.dumps(told, ensure_ascii=False, indent=1))
        yield pipe.take()
        for name, upload in sent:
            yield from _file(archive, pipe, files.path(data, upload.token), name)
    yield pipe.take()


def _file(archive: zipfile.ZipFile, pipe: _Pipe, place: Path, name: str) -> Iterator[bytes]:
    if not place.exists():
        return
    entry = zipfile.ZipInfo.from_file(place, name)
    entry.compress_type = zipfile.ZIP_STORED  # pictures and sound are packed already
    with place.open("rb") as source, archive.open(entry, "w") as target:
        while piece := source.read(PIECE):
            target.write(piece)
            yield pipe.take()
            gevent.sleep(0)
