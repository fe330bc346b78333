"""The gate: a stranger who begins under load is asked for a proof of work, and let in with it."""

import json

from flask import Blueprint, Response, render_template, request

from chat.features.spam.proof import Asked, Proofs
from chat.people import Visitor
from chat.web import errors, live

challenges = Blueprint("challenges", __name__)


class Gate:
    """For who wants to say something; the solution comes along with the words."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def __call__(self, who: Visitor) -> None:
        """Raises Asked."""
        self._proofs.ask(who, live.address(), request.form.get("proof", ""))


@challenges.app_errorhandler(Asked)
def ask(error: Asked) -> Response:
    """The sentence as for every limit; for a script with the challenge, which it solves and sends the words again."""
    status, sentence, wait = errors.describe(error)
    response = errors.answer(status, sentence, wait)
    if errors.wants_fragment():
        challenge = json.dumps(error.challenge)
        response.set_data(render_template("spam/_challenge.html", sentence=sentence, challenge=challenge))
    return response
