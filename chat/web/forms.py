"""Forms: what was posted, read once and strictly."""

from urllib.parse import unquote_to_bytes

from flask import request

from chat import messages, text
from chat.languages import gettext
from chat.web import live


def message() -> tuple[str, str, int]:
    """The posted message: cleaned body, the sender's id for it, and the cursor. Raises text.BadText."""
    _refuse_broken_bytes()
    form = request.form
    body = text.clean(form.get("body", ""))
    return body, messages.sender_id(form.get("client_id", "")), live.cursor_of(form.get("since"))


def _refuse_broken_bytes() -> None:
    """Werkzeug keeps percent-encoded bytes that are no UTF-8 as they stand, so they would be stored as `%FF`."""
    sent = request.get_data()
    if b"%" not in sent or request.mimetype != "application/x-www-form-urlencoded":
        return
    try:
        unquote_to_bytes(sent).decode()
    except UnicodeDecodeError:
        raise text.BadText(gettext(text.UNREADABLE)) from None
