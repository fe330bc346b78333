"""Bounces: letters that say that one of ours did not arrive (RFC 3464; others as flufl.bounce knows them)."""

import re
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

_ADDRESS = re.compile(r"[^\s<>;,:\"]+@[A-Za-z0-9.-]+")
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_SENDERS = ("mailer-daemon", "postmaster", "mail delivery", "mailerdaemon")
_REASONS = (
    (r"\.2\.2$|\.2\.3$.{0}|quota|mailbox (is )?full|over ?quota|storage", "mailbox full"),
    (
        r"\.1\.[013468]$|no such|unknown|does ?n.t exist|not exist|invalid recipient|user not found|no mailbox",
        "no such address",
    ),
    (r"\.1\.2$|\.4\.4$|domain|host not found|nxdomain|no mx", "no such mail server"),
    (r"\.3\.4$|too (large|big)|size", "too large"),
    (r"\.7\.\d+$|spam|blocked|blacklist|policy|reputation|denied|refused|reject", "refused by their mail server"),
    (r"^4\.|timed? ?out|deferred|tempor", "their mail server could not be reached"),
)


class Bounce(NamedTuple):
    """What a bounce says."""

    address: str
    """Who was not reached; empty when it does not say."""
    reason: str
    permanent: bool
    """False: it is tried on, or was only late."""
    text: str
    """All of it, in which our Message-ID stands."""


def find(message: Message, raw: bytes) -> Bounce | None:
    """The bounce that this letter is; None for any other letter."""
    whole = raw[:200_000].decode(errors="replace")
    for status in _reports(message):
        action = str(status.get("Action", "")).strip().lower()
        if action in ("failed", "delayed"):
            code, told = str(status.get("Status", "")), str(status.get("Diagnostic-Code", ""))
            who = str(status.get("Original-Recipient") or status.get("Final-Recipient") or "")
            return Bounce(_address(who), reason(code, told), action == "failed", whole)
    sender = f"{message.get('From', '')} {message.get('Return-Path', '')}".lower()
    if not any(name in sender for name in _SENDERS) and message.get("X-Failed-Recipients") is None:
        return None
    failed = _by_flufl(message) or _address(str(message.get("X-Failed-Recipients", "")))
    if not failed and message.get_content_type() != "multipart/report":
        return None
    code = _STATUS.search(whole)
    return Bounce(failed, reason(code[0] if code else "", whole[:5000]), not code or code[1] == "5", whole)


def _reports(message: Message) -> Iterator[Message]:
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            payload = part.get_payload()
            yield from (each for each in (payload if isinstance(payload, list) else []) if each.get("Action"))


def _by_flufl(message: Message) -> str:
    from flufl.bounce import scan_message

    try:
        found = scan_message(message)
    except Exception:  # somebody else's heuristics, over somebody else's bytes
        return ""
    first = next(iter(found), b"") if found else b""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _address(said: str) -> str:
    found = _ADDRESS.search(said.rpartition(";")[2])
    return found[0].lower() if found else ""


def reason(code: str, told: str) -> str:
    """Why, in words for the owner: by the enhanced status code (RFC 3463), else by what the server said."""
    code = code.strip()
    for tried in (code, " ".join(told.lower().split())):
        for pattern, words in _REASONS:
            if tried and re.search(pattern, tried):
                return words
    return "it came back"
