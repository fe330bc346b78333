"""Files: the one door by which anything that is not text comes in.

What is kept lies in `files/` of the data folder under 192 random bits, which are its address too. Only types on the
list are kept, told by their content and not by what they call themselves (OWASP ASVS 5.2.2); a file is on the disk
before the row that speaks of it is committed, so that a crash leaves at most a file that nobody knows, swept later.
"""

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import gevent

from chat import clock, folder, text
from chat.db import Store, Tx

LARGEST = 25 * 1024 * 1024  # bytes a file
OF_CONVERSATION = 200 * 1024 * 1024  # bytes that one conversation may keep
OF_SITE = 20 * 1024**3
WHOLE = "Whole message.txt"
"""What a letter is called of which a message shows only the new words."""
NAME = 120  # code points of a file's name
UNKNOWN_FOR = 30 * 86400.0  # seconds after which a file that no row knows is swept: an older backup that was put in
# knows less than the disk, and who regrets that finds everything for a month
SLICE = 200  # files looked up in one go
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
    audience: Literal["all", "agents"] = "all"
    """Who is shown it."""


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


def keep(data: Path, name: str, content: bytes, *, made: bool = False) -> Upload:
    """Put it on the disk, synced, in a thread; of the type that it shows to be, or, where we `made` it of somebody's
    words, as plain text for agents alone. Raises Refused, and OSError of a full disk."""
    kept = gevent.get_hub().threadpool.apply(_kept, (data, name, content, made))
    if isinstance(kept, Exception):
        raise kept
    return kept


def _kept(data: Path, name: str, content: bytes, made: bool) -> Upload | Exception:
    """An error comes back as a value, since gevent prints what a thread raises."""
    try:
        return _lay_down(data, name, content, made)
    except (Refused, OSError) as error:
        return error


def _lay_down(data: Path, name: str, content: bytes, made: bool) -> Upload:
    if len(content) > LARGEST:
        raise Refused(f"{text.line(name, NAME)} was not kept: it is larger than {text.size(LARGEST)}.")
    if not content:
        raise Refused(f"{text.line(name, NAME)} was not kept: it is empty.")
    name, kind = (name, "text/plain") if made else sniff(name, content)
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
    return Upload(token, name, kind, len(content), "agents" if made else "all")


def lack_of_room(rx: Tx, site_id: int, conversation_id: int, uploads: Sequence[Upload]) -> str:
    """Why there is no room for these files; empty when there is."""
    size = sum(upload.size for upload in uploads)
    for query, value, most in ((_OF_CONVERSATION, conversation_id, OF_CONVERSATION), (_OF_SITE, site_id, OF_SITE)):
        used = rx.execute(query, [value]).fetchone() if uploads else None
        if used and used[0] + size > most:
            named = uploads[0].name if len(uploads) == 1 else f"{uploads[0].name} and {len(uploads) - 1} more"
            return f"{named}: not kept, since there is no room left for files here."
    return ""


def attach(tx: Tx, site_id: int, conversation_id: int, message_id: int, uploads: Sequence[Upload]) -> None:
    """Give files to a message, in the transaction that stores it; whether there is room was asked before."""
    for upload in uploads:
        tx.execute(
            "INSERT INTO files (token, site_id, conversation_id, message_id, name, type, size, audience, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [upload.token, site_id, conversation_id, message_id, *upload[1:], clock.now()],
        )
    if uploads:
        tx.execute("UPDATE messages SET files = files + ? WHERE id = ?", [len(uploads), message_id])


_OF_CONVERSATION = "SELECT coalesce(sum(size), 0) FROM files WHERE conversation_id = ?"
_OF_SITE = "SELECT size FROM file_sums WHERE site_id = ?"


def find(rx: Tx, token: str) -> Upload | None:
    """The file with that address."""
    row = rx.execute("SELECT token, name, type, size, audience FROM files WHERE token = ?", [token]).fetchone()
    return Upload(*row) if row else None


def take_stock(rx: Tx, data: Path) -> tuple[int, list[str]]:
    """(how many files belong to messages, the names of those that are not on the disk). Goes through all of them;
    a database of a version that took none has none."""
    if not rx.execute("SELECT 1 FROM sqlite_master WHERE name = 'files'").fetchone():
        return 0, []
    there = {place.name for place in (data / folder.FILES).glob("??/*")}
    known = rx.execute("SELECT token, name FROM files ORDER BY id").fetchall()
    return len(known), [row["name"] for row in known if row["token"] not in there]


def settle(store: Store, data: Path, tokens: Iterable[str]) -> None:
    """What was laid down, and no message has after all (no room, said before, refused), goes from the disk again."""
    for some in _batched(tokens, SLICE):
        with store.read() as rx:
            unknown = [token for token in some if find(rx, token) is None]
        for token in unknown:
            path(data, token).unlink(missing_ok=True)


def discard(data: Path, uploads: Iterable[Upload]) -> None:
    """They belonged to messages that were erased."""
    for upload in uploads:
        path(data, upload.token).unlink(missing_ok=True)


def sweep(store: Store, data: Path) -> None:
    """Take away what has long been on the disk and belongs to nothing: an attempt that a crash cut off."""
    settle(store, data, gevent.get_hub().threadpool.apply(_lying, (data,)))


def _lying(data: Path) -> list[str]:
    """The files that came long enough ago. In a thread: there may be many."""
    before = time.time() - UNKNOWN_FOR
    return [place.name for place in (data / folder.FILES).glob("??/*") if place.stat().st_mtime < before]


def _batched(tokens: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(tokens)
    while some := list(islice(rest, size)):
        yield some
