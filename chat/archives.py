"""The archive: everything that is kept, in one zip file, with a manifest by which every part is checked."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import IO, Any, Literal

from chat import __version__, clock, copies, folder, schema, text
from chat.copies import NoRoom, Tell
from chat.schema import NewerDatabase

FORMAT = 1
MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 16 * 1024 * 1024  # 100,000 files; read whole
_CHUNK = 1024 * 1024
_SPARE = 16 * 1024 * 1024  # bytes that stay free when an archive is made or unpacked
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    RecursionError,
    MemoryError,
)
"""What reading a damaged or hostile zip file raises; a RuntimeError asks for a password."""
_IMPOSSIBLE = (errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""What the system says of a place before the file's beginning, and of names that no folder can hold together."""


class BadArchive(Exception):
    """The file is no archive of ours, or not all of it is there; the text says which."""


@dataclass(frozen=True)
class Written:
    """What a backup did."""

    path: Path
    contents: copies.Contents
    files: int
    size: int
    seconds: float

    def __str__(self) -> str:
        files = f" and {self.files:,} files" if self.files else ""
        return f"{self.contents}{files}; {text.size(self.size)} in {self.seconds:.1f} s"


def dated_name() -> str:
    """A name that tells when the archive was made."""
    return f"porchlight-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.zip"


def write(data: Path, target: Path, tell: Tell = copies.silent) -> Written:
    """Save the data folder as the archive `target`, beside a server that may run; it appears whole or not at all.

    Raises UnusableDatabase when the database is damaged, NoRoom when the disk is full, OSError when the place can't
    be written to.
    """
    began = monotonic()
    with copies.explained(target), tempfile.TemporaryDirectory(prefix=".porchlight-", dir=target.parent) as place:
        database, made = Path(place) / folder.DATABASE, Path(place) / "archive.zip"
        _refuse_without_room(data, target.parent)
        contents = copies.copy(data / folder.DATABASE, database, tell)
        schema.refuse_newer(contents.migrations)
        members = _pack(made, [(folder.DATABASE, database), *_beside(data)], contents, tell)
        database.unlink()
        check(made, tell)
        made.chmod(0o600)
        folder.sync(made)
        length = made.stat().st_size
        made.replace(target)
        folder.sync(target.parent)
    return Written(target, contents, sum(name.startswith("files/") for name in members), length, monotonic() - began)


def _refuse_without_room(data: Path, place: Path) -> None:
    """Said before the work begins: the copy of the database, and at worst as much again as everything takes."""
    database = data / folder.DATABASE
    size = database.stat().st_size if database.exists() else 0
    needed = 2 * size + sum(path.stat().st_size for _, path in _beside(data)) + _SPARE
    if shutil.disk_usage(place).free < needed:
        raise NoRoom(f"There is no room left on the disk of {place}: this takes up to {text.size(needed)}.")


def _beside(data: Path) -> Iterator[tuple[str, Path]]:
    if (data / folder.KEY).exists():
        yield folder.KEY, data / folder.KEY
    for path in sorted((data / folder.FILES).rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(data).as_posix(), path


def _pack(made: Path, parts: list[tuple[str, Path]], contents: copies.Contents, tell: Tell) -> dict[str, Any]:
    total, done, members = sum(path.stat().st_size for _, path in parts), 0, {}
    with zipfile.ZipFile(made, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, path in parts:
            digest, length = hashlib.sha256(), 0
            with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as member:
                while chunk := source.read(_CHUNK):
                    member.write(chunk)
                    digest.update(chunk)
                    length, done = length + len(chunk), done + len(chunk)
                    tell("Packing", done, total)
            members[name] = {"size": length, "sha256": digest.hexdigest()}
        manifest = {
            "porchlight": FORMAT,
            "version": __version__,
            "made_at": clock.now(),
            "migrations": contents.migrations,
            "counts": contents.counts,
            "members": members,
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    return members


def kind_of(path: Path) -> Literal["archive", "database"]:
    """What the file is by its first bytes. Raises BadArchive when it is neither."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"PK\x03\x04"):
        return "archive"
    if start == b"SQLite format 3\0":
        return "database"
    raise BadArchive(f"{path} is neither an archive that `backup` made, nor a database of Porchlight.")


def check(path: Path, tell: Tell = copies.silent) -> dict[str, Any]:
    """Read every part of the archive, compare it with the manifest, and return that. Raises BadArchive."""
    return _read(path, None, tell)


def unpack(path: Path, place: Path, tell: Tell = copies.silent) -> dict[str, Any]:
    """Put the archive's parts into an empty folder, each checked, and return the manifest.

    Raises BadArchive when anything is missing, damaged, or not what an archive of ours holds, NewerDatabase for one
    of a newer version, NoRoom when the disk can't take it.
    """
    with copies.explained(place):
        return _read(path, place, tell)


def _read(path: Path, place: Path | None, tell: Tell) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            total, done = sum(member["size"] for member in manifest["members"].values()), 0
            if place and shutil.disk_usage(place).free < total + _SPARE:
                raise NoRoom(f"The disk of {place.parent} has no room for this archive: it takes {text.size(total)}.")
            for name, said in manifest["members"].items():
                with archive.open(name) as member:
                    for got in _take(member, place / name if place else None, said):
                        tell("Checking the archive", done + got, total)
                done += said["size"]
            return manifest
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _IMPOSSIBLE:
            raise
        raise BadArchive(f"{path} is damaged, cut short, or no archive of Porchlight ({error}).") from None


def _take(member: IO[bytes], target: Path | None, said: dict[str, Any]) -> Iterator[int]:
    """Read a part to its end, to the disk if there is a target; says now and then how far it is."""
    if target:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, got = hashlib.sha256(), 0
    with open(target or os.devnull, "xb" if target else "wb", opener=_private) as file:
        while chunk := member.read(_CHUNK):
            got += len(chunk)
            if got > said["size"]:
                break
            digest.update(chunk)
            file.write(chunk)
            yield got
    if (got, digest.hexdigest()) != (said["size"], said["sha256"]):
        raise ValueError(f"{member.name} is not what was saved")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The manifest, when the archive holds exactly what it lists, and nothing that could leave its folder."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if MANIFEST not in entries:
        raise ValueError("it has no manifest")
    if entries[MANIFEST].file_size > _LARGEST_MANIFEST:
        raise ValueError("its manifest is too large")
    manifest = json.loads(archive.read(MANIFEST))
    try:
        if manifest["porchlight"] > FORMAT:
            raise NewerDatabase(
                f"A newer Porchlight, {str(manifest['version'])[:40]!r}, made this archive. Restore it with that."
            )
        sizes = {name: member["size"] for name, member in manifest["members"].items() if member["sha256"]}
        listed = {name: entry.file_size for name, entry in entries.items() if name != MANIFEST}
    except (TypeError, KeyError, AttributeError):
        raise ValueError("its manifest is none of ours") from None
    if sizes != listed or len(archive.infolist()) != len(entries) or folder.DATABASE not in sizes:
        raise ValueError("it does not hold what its manifest lists")
    if strange := [name for name, entry in entries.items() if not _is_ours(name, entry)]:
        raise ValueError(f"it holds {strange[0]!r}, which no backup does")
    return manifest


def _is_ours(name: str, entry: zipfile.ZipInfo) -> bool:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return False
    parts = PurePosixPath(name).parts
    inside = parts[:1] == (folder.FILES,) and len(parts) > 1 and ".." not in parts
    return name in (MANIFEST, folder.DATABASE, folder.KEY) or (inside and PurePosixPath(*parts).as_posix() == name)
