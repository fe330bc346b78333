"""Nothing but a route that reads its body, under the same gunicorn: what the parts that Porchlight stands on can do
at most. `bench.py --servers wsgi,flask --rows saturation`"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

from flask import Flask, request  # noqa: E402

ANSWER = b'<p class="body">m.</p><meta id="cursor" content="1">'
TOKEN = b'{"token": "t"}'
flask = Flask(__name__)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    environ["wsgi.input"].read()
    body = TOKEN if environ["PATH_INFO"].endswith("session") else ANSWER
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]


@flask.post("/w/<key>/session")
def session(key: str) -> bytes:
    return TOKEN


@flask.post("/w/<key>/messages")
def messages(key: str) -> bytes:
    assert request.form["body"]
    return ANSWER
