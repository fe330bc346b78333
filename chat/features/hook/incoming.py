"""What comes in by the hook: POST /hook/<site>, signed, stored once, refused in clear words as JSON."""

import base64
import json
from binascii import Error as NoBase64
from typing import Any, NamedTuple

from flask import Blueprint, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException

from chat import channels, files, outbound, sites, text
from chat.channels import Incoming, Received
from chat.db import StorageError, Tx
from chat.features.hook import account
from chat.files import Upload
from chat.limits import TooMany
from chat.messages import NoConversation
from chat.web import core, errors, live, security

CHANNEL = "hook"
MOST_FILES = 5
door = Blueprint("hook_door", __name__)
security.LARGER["hook_door.receive"] = (1024 * 1024, 30.0)


class Unusable(ValueError):
    """What was sent can't be taken; the text says which field, and why. `status`: 422, or 503 to send it again."""

    def __init__(self, why: str, status: int = 422) -> None:
        super().__init__(why)
        self.status = status


class Told(NamedTuple):
    """The body of a request, checked."""

    external_id: str
    address: str
    name: str
    text: str
    files: list[dict[str, str]]
    note: bool
    conversation: int | None


@door.post("/hook/<key>")
def receive(key: str) -> Response:
    """Store a message, or a note, once; answers with the conversation and the message."""
    core().limits.address.take(live.address())
    with core().store.read() as rx:
        site = sites.find(rx, key) or abort(404, "There is no site of that name here.")
        secrets = account.of(rx).secrets
    verify(secrets, request.get_data())
    told = read(request.get_data(), request.headers["webhook-id"])
    uploads, refused = lay_down(told.files)
    if not told.text and not uploads:
        raise Unusable(refused[0] if refused else "Give a `text`, or `files`.")
    incoming = Incoming(
        CHANNEL, told.address, told.name, told.text, f"{key} {told.external_id}", files=tuple(uploads), note=told.note
    )

    try:
        stored = core().store.write(lambda tx: _store(tx, site.id, incoming, told))
    finally:
        files.settle(core().store, core().settings.chat_data, [upload.token for upload in uploads])
    refused += [stored.not_kept] if stored.not_kept else []
    return jsonify(conversation=stored.conversation_id, message=stored.message_id, not_kept=refused)


def _store(tx: Tx, site_id: int, incoming: Incoming, told: Told) -> Received:
    stored = channels.receive(tx, site_id, incoming, told.conversation)
    if stored.not_kept and not told.text:
        raise Unusable(stored.not_kept)
    return stored


def verify(secrets: tuple[str, ...], body: bytes) -> None:
    """Abort with 401 unless one of the secrets has signed this body within the last five minutes."""
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    if not secrets:
        abort(401, "No secret was made yet. Make one on the page “Another channel” in the settings.")
    why = ""
    for secret in secrets:
        try:
            return Webhook(secret).verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            why = str(error) if isinstance(error, WebhookVerificationError) else "Malformed signature or body"
    abort(401, f"The signature does not hold: {why}. It is made after Standard Webhooks; docs/channels.md shows how.")


def read(body: bytes, webhook_id: str) -> Told:
    """The request's fields. Raises Unusable, which names the field that is wrong."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Unusable("The body is no JSON.", 400) from None
    if not isinstance(told, dict):
        raise Unusable("The body must be a JSON object.", 400)
    kind, conversation = told.get("kind", "message"), told.get("conversation")
    if kind not in ("message", "note"):
        raise Unusable("`kind` must be message or note.")
    if conversation is not None and (type(conversation) is not int or not 0 < conversation < 2**62):
        raise Unusable("`conversation` must be the number of a conversation.")
    address = text.line(_string(told, "address"), 200)
    if not address:
        raise Unusable("Give the `address` that answers go to, such as a telephone number.")
    said = _string(told, "text")
    given = told.get("files", [])
    if not isinstance(given, list) or len(given) > MOST_FILES or not all(isinstance(each, dict) for each in given):
        raise Unusable(f"`files` must be a list of {MOST_FILES} objects at most.")
    return Told(
        external_id=_string(told, "id", 200) or webhook_id[:200],
        address=address,
        name=text.line(_string(told, "name"), 60),
        text=text.clean(said) if said.strip() else "",
        files=given,
        note=kind == "note",
        conversation=conversation,
    )


def _string(told: dict[str, Any], field: str, most: int = 10**6) -> str:
    value = told.get(field, "")
    if not isinstance(value, str) or len(value) > most or any("\ud800" <= each <= "\udfff" for each in value):
        raise Unusable(f"`{field}` must be a string{f' of {most} characters at most' if most < 10**6 else ''}.")
    return value


def lay_down(given: list[dict[str, str]]) -> tuple[list[Upload], list[str]]:
    """The files on the disk, and why others are not kept. Raises Unusable for what is no file, or can't be had now."""
    uploads: list[Upload] = []
    refused: list[str] = []
    for file in given:
        name, content = _string(file, "name", 500), _content(file)
        try:
            uploads.append(files.keep(core().settings.chat_data, name, content))
        except files.Refused as why:
            refused.append(str(why))
        except OSError as error:
            raise StorageError(str(error)) from None
    return uploads, refused


def _content(file: dict[str, str]) -> bytes:
    if "base64" in file:
        try:
            return base64.b64decode(_string(file, "base64"), validate=True)
        except (NoBase64, ValueError):
            raise Unusable("`base64` of a file is none.") from None
    url = _string(file, "url", 2000)
    try:
        answer = outbound.ask("GET", url, private_hosts=core().settings.private_hosts, most=files.LARGEST + 1)
    except outbound.Refused as error:
        raise Unusable(f"The `url` of a file is none that we call: {error}") from None
    except outbound.Failed as error:
        raise Unusable(f"A file could not be fetched just now: {error}. Send it all again.", 503) from None
    if answer.status != 200:
        raise Unusable(f"A file could not be fetched: its `url` answered with {answer.status}.")
    return answer.body


# What is refused, as JSON: {"error": "what happened, and what to do"}.


def _refusal(status: int, sentence: str, retry_after: int | None = None) -> Response:
    response = jsonify(error=sentence)
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


@door.errorhandler(Unusable)
def unusable(error: Unusable) -> Response:
    """A field is wrong, or a file can't be had."""
    return _refusal(error.status, str(error), 60 if error.status == 503 else None)


@door.errorhandler(HTTPException)
def http(error: HTTPException) -> Response:
    """Too large, no such site, a signature that does not hold."""
    status = error.code or 500
    return _refusal(status, "The body may be 1 MB at most." if status == 413 else str(error.description))


def domain(error: Exception) -> Response:
    """What the domain refuses."""
    if isinstance(error, NoConversation):
        return _refusal(404, "There is no conversation of that number at this site.")
    status, sentence, wait = errors.describe(error)
    return _refusal(status, sentence, wait)


for kind in (text.BadText, TooMany, StorageError, NoConversation):
    door.register_error_handler(kind, domain)
