"""Automatic: mails that no person wrote to us, which are never answered (RFC 3834)."""

from email.message import Message

OWN = "X-Porchlight"
_SIGNS = (
    ("Auto-Submitted", "no", "an automatic answer"),
    ("X-Autoreply", "no", "an automatic answer"),
    ("X-Autorespond", "no", "an automatic answer"),
    ("X-Auto-Response-Suppress", "none", "an automatic answer"),
    ("List-Id", "", "a mailing list"),
    ("List-Unsubscribe", "", "a mailing list"),
    ("Feedback-ID", "", "a mailing"),
)


def why(message: Message) -> str:
    """Why this is no person's letter, in words; empty when it may be one."""
    if message.get(OWN):
        return "our own mail"
    for name, harmless, sign in _SIGNS:
        value = str(message.get(name, "")).strip().lower()
        if value and value.partition(";")[0].strip() != harmless:
            return sign
    if str(message.get("Precedence", "")).strip().lower() in ("bulk", "list", "junk", "auto_reply"):
        return "a mailing"
    if str(message.get("Return-Path", "x")).strip() == "<>":
        return "an automatic answer"
    if message.get_content_type() == "multipart/report":
        return "a report"
    return ""
