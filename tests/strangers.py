"""Strangers: a flood of them, each from an address of its own; and a visitor whose browser computes what is asked."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import dom
import httpx
from altcha import solve_challenge_v1
from cast import Visitor


def stranger(line: httpx.Client, number: int) -> int:
    """One more begins, as a program would: the status of the answer."""
    told = {"X-Forwarded-For": f"10.{number // 250}.{number % 250}.7"}
    token = line.post("/w/main/session", headers=told).json()["token"]
    form = {"body": f"offer {number} of {number * 7919}", "client_id": str(uuid.uuid4())}
    return line.post("/w/main/messages", data=form, headers=told | {"Authorization": f"Bearer {token}"}).status_code


def asked_in(answer: httpx.Response) -> dict[str, Any]:
    """The challenge that stands in an answer, beside the sentence for who can't compute."""
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    said = dom.parse(answer.text).first("p", id="composer-error")
    assert "Try again in" in said.text
    return dict(json.loads(said.attrs["data-challenge"]))


def packed(said: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(said).encode()).decode()


def solved(challenge: dict[str, Any]) -> str:
    """As a browser that computes would answer, by the package's own solver."""
    most = challenge.pop("maxNumber")
    found = solve_challenge_v1(challenge["challenge"], challenge["salt"], "SHA-256", most)
    assert found
    return packed({**challenge, "number": found.number})


class Solving(Visitor):
    """Posts again with the solution when one is asked for."""

    def post(self, body: str, client_id: str | None = None, **more: str) -> httpx.Response:
        client_id = client_id or str(uuid.uuid4())
        answer = super().post(body, client_id, **more)
        if "data-challenge" in answer.text:
            return super().post(body, client_id, **more, proof=solved(asked_in(answer)))
        return answer
