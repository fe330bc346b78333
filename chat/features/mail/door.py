"""The doors of mail to the outside: where a provider pushes letters, and where one click ends e-mails."""

import hmac
from hashlib import sha256

from flask import Blueprint, Response, abort, jsonify, render_template, request

from chat import channels, conversations, people, sites
from chat.db import Tx
from chat.features.mail import account, inbox, links
from chat.letters import parsing
from chat.web import core, security

door = Blueprint("mail_door", __name__, url_prefix="/mail")
MINUTES = 2.0 * 60  # seconds that 25 MB may take to come in
ROOM = int(1.4 * parsing.LARGEST)  # a form makes a letter longer: base64, percent signs
SIGNATURE = "X-Porchlight-Signature"
UNSIGNED = "This letter was not signed with the secret that stands on the page Settings, E-mail."
FIELDS = ("body-mime", "email", "RawEmail", "raw", "message", "mime")
"""Where providers put the raw letter in a form: Mailgun, SendGrid, Postmark, others."""
for name in ("mail_door.inbound", "mail_door.inbound_by_address"):
    security.LARGER[name] = (ROOM, MINUTES)


@door.post("/inbound/<secret>")
def inbound_by_address(secret: str) -> Response:
    """The same, for a provider that can sign nothing: the secret stands in the address."""
    return _take()


@door.post("/inbound")
def inbound() -> Response:
    """A letter, pushed by a provider: raw MIME as the body, or in a form. Signed with HMAC-SHA256 over the body."""
    given = request.headers.get(SIGNATURE, "").removeprefix("sha256=").strip().lower()
    right = hmac.new(_secret().encode(), request.get_data(), sha256).hexdigest()
    by_address = request.args.get("secret", "")
    if not (_same(given, right) or _same(by_address, _secret())):
        abort(401, UNSIGNED)
    return _take()


def _before_the_body() -> None:
    """Whoever has neither the secret nor a signature is sent away before 50 MB of theirs are read."""
    if request.endpoint == "mail_door.inbound_by_address":
        if not _same((request.view_args or {}).get("secret", ""), _secret()):
            abort(404)
    elif request.endpoint == "mail_door.inbound":
        by_address = request.args.get("secret", "")
        if not (_same(by_address, _secret()) or (SIGNATURE in request.headers and not by_address)):
            abort(401, UNSIGNED)


security.BEFORE_BODY.append(_before_the_body)


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())


def _secret() -> str:
    return account.secret(core().settings, core().store)


def _take() -> Response:
    raw = _raw()
    if not raw:
        abort(400, "There is no letter in this request: send the raw MIME text, or a form that holds it.")
    if len(raw) > parsing.LARGEST:
        abort(413)
    outcome = inbox.take_in(core().store, core().settings.chat_data, raw, core().limits.doors)
    return jsonify(outcome=outcome)


def _raw() -> bytes:
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return request.get_data()
    for name in FIELDS:
        if name in request.files:
            return request.files[name].read()
        if request.form.get(name):
            return request.form[name].encode(errors="surrogateescape")
    return b""


@door.route("/stop/<token>", methods=["GET", "POST"])
def stop(token: str) -> Response:
    """End the e-mails about a conversation, by one click of the person or of their mail program (RFC 8058)."""
    talk = links.read(core().secret, "stop", token)
    if talk is None:
        return Response(render_template("mail/stop.html", gone=True), 404)
    with core().store.read() as rx:
        known = channels.door(rx, talk, "mail")
        site = sites.key_of(rx, conversations.site_of(rx, talk))
    if request.method == "POST":
        core().store.write(lambda tx: _stop(tx, talk))
        known = None
    return Response(render_template("mail/stop.html", known=known, site=site))


def _stop(tx: Tx, talk: int) -> None:
    channels.close_door(tx, talk, "mail")
    people.reachable_at(tx, people.of_conversation(tx, talk), None)
