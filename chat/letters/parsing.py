"""Letters: what a mail says, out of any bytes. Never raises: what can't be understood is kept as a file.

MIME by RFC 2045-2049 and 2231, encoded headers by RFC 2047, threading by RFC 5322 (3.6.4).
"""

import hashlib
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parseaddr
from typing import NamedTuple

from chat import text
from chat.letters import automatic, bounces, replies
from chat.letters.bounces import Bounce

LARGEST = 25 * 1024 * 1024  # bytes of a letter that is taken in
PARTS = 200  # parts of a letter that are looked at
HEAD = 64 * 1024  # bytes of a letter that can't be read in which its head is looked for
LINE = 300  # code points of a subject or a name
TO_US = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Forwarded-To", "X-Envelope-To", "Resent-To")
_ID = re.compile(r"<([^<>\s]{3,250})>")


class Letter(NamedTuple):
    """A mail, read."""

    message_id: str
    """Without brackets; made of the content where there is none."""
    parents: list[str]
    """The Message-IDs that it answers, the nearest one last."""
    name: str
    sender: str
    """The address in From, in lower case; empty when there is none."""
    answers_to: str
    """The address in Reply-To, likewise: a form on a website writes in somebody's name."""
    recipients: list[str]
    subject: str
    body: str
    """What the person wrote: without quotes and signature, cleaned, no longer than a message may be."""
    whole: str
    """All of the text, when the body is less than that; else empty."""
    files: list[tuple[str, bytes]]
    automatic: str
    """Why it is no person's letter; empty when it may be one."""
    bounce: Bounce | None
    verdicts: dict[str, str]
    """What the receiving server found: dkim, spf, dmarc -> pass, fail, ... (RFC 8601); empty when it does not say."""


BROKEN = (RecursionError, MemoryError, ValueError, LookupError, TypeError, AttributeError, IndexError, KeyError)
"""What reading hostile bytes may raise, in the standard library and beyond."""


def read(raw: bytes, *, cut: bool = True) -> Letter:
    """The letter in these bytes; its new words alone (`cut`), or all of its text. May take minutes: see `reader`."""
    try:
        return _read(message_from_bytes(raw), raw, cut)
    except BROKEN:
        return sealed(raw)


def sealed(raw: bytes) -> Letter:
    """A letter that can't be read: what its head says, and the whole of it as a file."""
    try:
        head = message_from_bytes(raw[:HEAD].partition(b"\n\n")[0].partition(b"\r\n\r\n")[0])
        letter = _read(head, raw, cut=False)
    except BROKEN:
        letter = Letter(
            f"{hashlib.sha256(raw).hexdigest()}@unreadable", [], "", "", "", [], "", "", "", [], "", None, {}
        )
    return letter._replace(body="", whole="", files=[("letter.eml", raw)], bounce=None)


def _read(message: Message, raw: bytes, cut: bool) -> Letter:
    name, sender = parseaddr(next(_all(message, ("From",)), ""))  # before decoding: an encoded name may hold an "@"
    if len({each.lower() for _, each in getaddresses(list(_all(message, ("From",)))) if "@" in each}) > 1:
        sender = ""  # from two people: whichever is believed, the other one may have been meant
    answers_to = parseaddr(next(_all(message, ("Reply-To",)), ""))[1]
    plain, html, files = _contents(message)
    plain = plain.replace("\r\n", "\n")
    full = plain if plain.strip() else replies.from_html(html)
    body = plain if plain.strip() else replies.from_html(replies.without_quotes(html))
    body = replies.newest(body) if cut else body
    subject = text.line(header(message, "Subject"), LINE)
    if replies.is_forwarded(subject, full) or not body.strip():
        body = full
    shown = _cleaned(body)
    found = _ID.search(header(message, "Message-ID"))
    return Letter(
        message_id=found[1] if found else f"{hashlib.sha256(raw).hexdigest()[:40]}@without-id",
        parents=[*_ID.findall(header(message, "References")), *_ID.findall(header(message, "In-Reply-To"))][-50:],
        name=text.line(decode(name), 60),
        sender=_usable(sender),
        answers_to=_usable(answers_to),
        recipients=[address.lower() for _, address in getaddresses(list(_all(message, TO_US)))][:100],
        subject=subject,
        body=shown,
        whole=full if shown.split() != full.split() else "",
        files=files,
        automatic=automatic.why(message),
        bounce=bounces.find(message, raw),
        verdicts=_verdicts(message),
    )


def _usable(address: str) -> str:
    """An address that a mail can go to; nothing for one with broken or invisible characters in it."""
    return address.lower()[:254] if "@" in address and address.isprintable() and "\ufffd" not in address else ""


def header(message: Message, name: str) -> str:
    """A header as it was meant; broken encodings keep what can be read."""
    return decode(message.get(name))


def decode(value: object) -> str:
    """Encoded words as text (RFC 2047)."""
    if value is None:
        return ""
    pieces = []
    try:
        for piece, charset in decode_header(value):
            pieces.append(decoded(piece, charset or "") if isinstance(piece, bytes) else piece)
    except (ValueError, LookupError):
        pieces = [str(value)]
    return " ".join("".join(pieces).encode(errors="surrogateescape").decode(errors="replace").split())


def _all(message: Message, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        for value in message.get_all(name, []):
            yield str(value).replace("\r", " ").replace("\n", " ")[:10_000]


def decoded(content: bytes, charset: str) -> str:
    """Bytes as text: by the charset that they claim, else by what they look like."""
    for claimed in (charset.strip("\"' ").lower(), "utf-8"):
        try:
            return content.decode(claimed)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    from charset_normalizer import from_bytes

    best = from_bytes(content[:100_000]).best()
    return content.decode(best.encoding if best else "utf-8", errors="replace")


def _contents(message: Message) -> tuple[str, str, list[tuple[str, bytes]]]:
    """(plain text, HTML, files): of alternatives the plain one; what is neither is a file."""
    plain, html, files = [], [], []
    for part in _leaves(message):
        kind, name = part.get_content_type(), _file_name(part)
        content = _bytes(part)
        attached = part.get_content_disposition() == "attachment" or (name and not kind.startswith("text/"))
        if kind in ("text/plain", "text/html") and not attached:
            (plain if kind == "text/plain" else html).append(decoded(content, str(part.get_param("charset", "") or "")))
        elif content and kind not in ("message/delivery-status", "text/rfc822-headers"):
            files.append((name or _default_name(kind), content))
    return "\n".join(plain), "\n".join(html), files


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something, in order; a letter inside of the letter is one of them."""
    waiting, seen = [message], 0
    while waiting and seen < PARTS:
        part = waiting.pop(0)
        seen += 1
        if part.get_content_type() == "message/rfc822" or not part.is_multipart():
            yield part
        else:
            payload = part.get_payload()
            waiting[:0] = [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _bytes(part: Message) -> bytes:
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        return inner[0].as_bytes() if isinstance(inner, list) and inner else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _file_name(part: Message) -> str:
    name = part.get_filename() or ""
    pieces = decode_header(name) if "=?" in name else [(name, None)]
    return "".join(decoded(p, c or "") if isinstance(p, bytes) else p for p, c in pieces)[:LINE]


def _default_name(kind: str) -> str:
    names = {"message/rfc822": "letter.eml", "text/calendar": "invitation.ics", "text/html": "page.html"}
    return names.get(kind, f"file.{kind.rpartition('/')[2][:10]}")


def _cleaned(body: str) -> str:
    """Within what a message may be; the rest stays in the whole text."""
    body = re.sub(r"\n{3,}", "\n\n", text.scrub(body)).strip()
    return body if len(body) <= text.LIMIT else body[: text.LIMIT - 2].rstrip() + " …"


def _verdicts(message: Message) -> dict[str, str]:
    """The topmost Authentication-Results is our own server's; those below may be anybody's (RFC 8601, 5). Only what
    stands where a method stands counts, never what a stranger's address says in quotes; of several the worst."""
    topmost = str((message.get_all("Authentication-Results") or [""])[0]).lower()
    plain = re.sub(r'"(?:[^"\\]|\\.)*"|\([^()]*\)', " ", topmost)
    found: dict[str, str] = {}
    for piece in plain.split(";")[1:]:
        if told := re.match(r"\s*(spf|dkim|dmarc)\s*=\s*(\w+)", piece):
            method, verdict = told.groups()
            if found.get(method) not in ("fail", "softfail"):
                found[method] = verdict
    return found
