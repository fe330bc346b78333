"""Files: the one door by which anything that is not text comes in.

What is kept lies in `files/` of the data folder under 192 random bits, which are its address too. Only types on the
list are kept, told by their content and not by what they call themselves (OWASP ASVS 5.2.2); a file is on the disk
before the row that speaks of it is committed, so that a crash leaves at most a file that nobody knows, swept later.
"""

import os
import re
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from chat import clock, folder, text
from chat.db import Tx

LARGEST = 25 * 1024 * 1024  # bytes a file
OF_CONVERSATION = 200 * 1024 * 1024  # bytes that one conversation may keep
OF_SITE = 20 * 1024**3
WHOLE = "Whole message.txt"
"""What a letter is called of which a message shows only the new words: for those who answer, not for who wrote it."""
NAME = 120  # code points of a file's name
UNKNOWN_FOR = 86400.0  # seconds after which a file that no row knows is swept
ANY = "application/octet-stream"
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".heic": "image/heif",
    ".heif": "image/heif",
    ".pdf": "application/pdf",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp4": "video/mp4",
    ".zip": "application/zip",
    **dict.fromkeys((".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".doc", ".xls", ".ppt", ".rtf"), ANY),
}
"""What is kept when its content says so, by ending; office files go out as plain bytes."""
PLAIN = frozenset((".txt", ".csv", ".log", ".md", ".ics", ".vcf", ".eml", ".asc"))
"""What is kept as plain text when it is nothing but text."""
SEALED = frozenset((".p7s", ".p7m", ".dat", ".pgp"))
"""What mail programs wrap letters in: kept as bytes when it is nothing that is known."""
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]+')


class Refused(ValueError):
    """The file is not kept; the text says why, to whom sent it."""


class Upload(NamedTuple):
    """A file that lies on the disk, and that no message has yet."""

    token: str
    name: str
    type: str
    size: int


def path(data: Path, token: str) -> Path:
    """Where it lies; two letters of its name make the folder, so that none grows without end."""
    return data / folder.FILES / token[:2] / token


def sniff(name: str, content: bytes) -> tuple[str, str]:
    """A harmless name, and the type that the content shows. Raises Refused when that is not on the list."""
    import puremagic

    stem, ending = os.path.splitext(_UNSAFE.sub(" ", text.line(name, 500)).strip(" ."))
    ending, stem = ending.lower(), stem.strip(" .") or "file"
    if ending in PLAIN and _is_text(content):  # words may begin like any format: "BMW", "From my pocket"
        return stem[: NAME - len(ending)] + ending, "text/plain"
    try:
        shown = [match.extension for match in puremagic.magic_string(content)]
    except (puremagic.PureError, ValueError):
        shown = []
    known = [each for each in shown if each in TYPES]
    if known:
        ending = ending if ending in known else known[0]
    elif _is_text(content) and not shown:
        ending = ending if ending in PLAIN else ".txt"
    elif shown or ending not in SEALED:
        raise Refused(f"{stem}{ending} was not kept: only pictures, PDF, office files, text, sound and video are.")
    return stem[: NAME - len(ending)] + ending, TYPES.get(ending, "text/plain" if ending in PLAIN else ANY)


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def lay_down(data: Path, name: str, content: bytes, kind: str = "") -> Upload:
    """Put it on the disk, synced; of that `kind` when we made it ourselves, else of what it shows to be.
    Takes its time: run it in a thread. Raises Refused, and OSError of a full disk."""
    if len(content) > LARGEST:
        raise Refused(f"{text.line(name, NAME)} was not kept: it is larger than {text.size(LARGEST)}.")
    if not content:
        raise Refused(f"{text.line(name, NAME)} was not kept: it is empty.")
    if not kind:
        name, kind = sniff(name, content)
    token = secrets.token_urlsafe(24)
    place = path(data, token)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with place.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        place.unlink(missing_ok=True)
        raise
    folder.sync(place.parent)
    return Upload(token, name, kind, len(content))


def attach(tx: Tx, site_id: int, conversation_id: int, message_id: int, uploads: list[Upload]) -> None:
    """Give files to a message, in the transaction that stores it. Raises Refused when there is no room for them."""
    if not uploads:
        return
    size = sum(upload.size for upload in uploads)
    for column, value, most in (("conversation_id", conversation_id, OF_CONVERSATION), ("site_id", site_id, OF_SITE)):
        used = tx.execute(f"SELECT coalesce(sum(size), 0) FROM files WHERE {column} = ?", [value]).fetchone()[0]
        if used + size > most:
            raise Refused(f"{uploads[0].name} was not kept: there is no room left for files here.")
    for upload in uploads:
        tx.execute(
            "INSERT INTO files (token, site_id, conversation_id, message_id, name, type, size, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [upload.token, site_id, conversation_id, message_id, upload.name, upload.type, upload.size, clock.now()],
        )
    tx.execute("UPDATE messages SET files = files + ? WHERE id = ?", [len(uploads), message_id])


def find(rx: Tx, token: str) -> Upload | None:
    """The file with that address."""
    row = rx.execute("SELECT token, name, type, size FROM files WHERE token = ?", [token]).fetchone()
    return Upload(*row) if row else None


def take_stock(rx: Tx, data: Path) -> tuple[int, list[str]]:
    """(how many files belong to messages, the names of those that are not on the disk). Goes through all of them;
    a database of a version that took none has none."""
    if not rx.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
        return 0, []
    there = {place.name for place in (data / folder.FILES).glob("??/*")}
    known = rx.execute("SELECT token, name FROM files ORDER BY id").fetchall()
    return len(known), [row["name"] for row in known if row["token"] not in there]


def discard(data: Path, uploads: Iterable[Upload]) -> None:
    """What was laid down is wanted by nobody after all."""
    for upload in uploads:
        path(data, upload.token).unlink(missing_ok=True)


def sweep(rx: Tx, data: Path) -> None:
    """Take away what lies on the disk and belongs to nothing: an attempt that was cut off."""
    for place in (data / folder.FILES).glob("??/*"):
        if time.time() - place.stat().st_mtime > UNKNOWN_FOR and find(rx, place.name) is None:
            place.unlink(missing_ok=True)
