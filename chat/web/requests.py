"""Every request has a number, by which its lines in the log and its answer are known; and it is counted and timed."""

import logging
from time import perf_counter
from typing import Any

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider

from chat import logs, metrics
from chat.config import Settings

log = logging.getLogger("porchlight.requests")
HEADER = "X-Request-ID"


class Counted:
    """Around the whole application. A number that a proxy gives is taken only where its word is taken (CHAT_PROXY)."""

    def __init__(self, wsgi: Any, settings: Settings) -> None:
        self._wsgi, self._trusting = wsgi, bool(settings.proxies)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        logs.begin_request(environ.get("HTTP_X_REQUEST_ID", "") if self._trusting else "")
        began, status = perf_counter(), "parked"

        def start(line: str, *more: Any) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, *more)

        try:
            return self._wsgi(environ, start)
        finally:
            seconds, endpoint = perf_counter() - began, environ.get("porchlight.endpoint", "none")
            metrics.requested(endpoint, status, seconds)
            if log.isEnabledFor(logging.INFO):
                told = {"method": environ["REQUEST_METHOD"], "endpoint": endpoint, "status": status}
                log.info("answered", extra={"fields": {**told, "seconds": f"{seconds:.4f}"}})


class Json(DefaultJSONProvider):
    """JSON as Flask reads it; what is nested too deeply to be read is no JSON, and not an error of ours."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """What it says. Raises ValueError."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _name() -> None:
    request.environ["porchlight.endpoint"] = request.endpoint or "none"


def _tell(response: Response) -> Response:
    if request.endpoint != "assets.static_file":  # nobody complains of one, and there it would be paid for each time
        response.headers[HEADER] = logs.request_number()
    return response


def init_app(app: Flask, settings: Settings) -> None:
    """Number, count and time every request: called before whatever may refuse one."""
    app.json = Json(app)
    app.wsgi_app = Counted(app.wsgi_app, settings)  # type: ignore[method-assign]
    app.before_request(_name)
    app.after_request(_tell)
