"""The visitor's side: one route for all that the page's code tells by `window.Porchlight`."""

import json
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from chat import people
from chat.db import Tx
from chat.features.identity import facts, persons, proof
from chat.features.identity.proof import BadProof, Claims
from chat.people import Context, Visitor
from chat.text import BadText
from chat.web import core, live, security
from chat.web.visitor import know_the_site, told

visitors = Blueprint("identity_visitors", __name__)
visitors.before_request(know_the_site)
MOST_CALLS, LARGEST = 100, 20_000  # of one request; characters


@visitors.post("/w/<key>/facts")
def tell(key: str) -> Response:
    """Take the calls. `stored` is false for a visitor who has not acted: they are to be told again then. `changed`:
    the device goes on in another conversation."""
    parts, who = core(), core().tokens.read(g.site, security.bearer())
    calls = _calls()
    parts.limits.signals.take(who.token_hash)
    parts.limits.address.take(live.address())
    with parts.store.read() as rx:
        people.recognise(rx, who)
        try:
            claims = _claims(rx, calls)
        except BadProof as bad:
            response = jsonify(error=str(bad))
            response.status_code = 422
            return response
    context = told()
    stored, changed = parts.store.write(lambda tx: _keep(tx, who, calls, claims, context))
    return jsonify(stored=stored, changed=changed)


def _calls() -> list[list[Any]]:
    raw = request.form.get("calls", "")
    try:
        calls = json.loads(raw) if len(raw) <= LARGEST else None
    except (ValueError, RecursionError):
        calls = None
    if not isinstance(calls, list) or len(calls) > MOST_CALLS or not all(isinstance(each, list) for each in calls):
        raise BadText("What the page told of its visitor could not be understood: a list of calls was expected.")
    return calls


def _claims(rx: Tx, calls: list[list[Any]]) -> Claims | None:
    """Of the last user who was told with a token. Raises BadProof."""
    tokens = [_about(call).get("token") for call in calls if call[:1] == ["setUser"]]
    return proof.read(rx, g.site, tokens[-1]) if tokens and isinstance(tokens[-1], str) else None


def _about(call: list[Any]) -> dict[str, Any]:
    return call[2] if len(call) > 2 and isinstance(call[2], dict) else {}


def _keep(tx: Tx, who: Visitor, calls: list[list[Any]], claims: Claims | None, context: Context) -> tuple[bool, bool]:
    changed = persons.prove(tx, who, claims, context) if claims else False
    person_id = people.recognise(tx, who).person_id
    if person_id is None:
        return False, False
    for call in calls:
        _take(tx, person_id, call)
    return True, changed


def _take(tx: Tx, person_id: int, call: list[Any]) -> None:
    match call:
        case ["setUser", id_, *_]:
            user = {name: value for name, value in _about(call).items() if name in ("name", "email", "phone")}
            facts.tell(tx, person_id, "user", {"id": id_, **user})
        case ["setAttributes", dict(attributes)]:
            facts.tell(tx, person_id, "attribute", attributes)
        case ["addTags", list(tags)]:
            facts.tell(tx, person_id, "tag", {str(tag): "" for tag in tags})
        case ["removeTags", list(tags)]:
            facts.tell(tx, person_id, "tag", dict.fromkeys(map(str, tags)))
        case ["track", str(name), *about]:
            facts.note(tx, person_id, name, about[0] if about else None)
