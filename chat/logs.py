"""Logs: one line an event, as key=value or JSON, with the request's number and nothing that is private.

Never in a line: message text, e-mail addresses, passwords, tokens, paths and queries (they can carry one), and
anybody's IP address. So an exception is told by its kind and its place; its own words only when the system chose them.
"""

import json
import logging
import os
import random
import re
import traceback
from base64 import b32encode
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.config import dictConfig
from pathlib import Path
from typing import Any

ROOT = f"{Path(__file__).resolve().parent.parent}{os.sep}"
SHAPES = ("text", "json", "text,requests", "json,requests")
"""What CHAT_LOG may be: how a line looks, and whether each request is one. Without that, only what went wrong is."""
_SANE = re.compile(r"[A-Za-z0-9._-]{6,64}")
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f]+")
_C1 = re.compile(r"[\x7f-\x9f]")  # some terminals obey them
_WITH_A_CLIENT_IN_IT = re.compile(r"(Error handling request).*", re.S)
_request: ContextVar[str] = ContextVar("request", default="")


def begin_request(given: str = "") -> None:
    """From here on lines carry this number: a trusted proxy's if it is sane, else a new one."""
    _request.set(given if _SANE.fullmatch(given) else b32encode(random.randbytes(5)).decode())


def request_number() -> str:
    """The number of the request under way; empty outside of one."""
    return _request.get()


def _own_words(error: BaseException) -> str:
    """The words of the system and of SQLite are safe; those of a ValueError may be somebody's message."""
    if isinstance(error, OSError):
        return f" ({error.strerror})" if error.strerror else ""
    return f" ({error})" if type(error).__module__.startswith(("sqlite3", "pysqlite3")) else ""


def place(error: BaseException) -> str:
    """Kind and place of an exception in one line, its cause first; no values."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    steps = ", ".join(
        f"{step.filename.removeprefix(ROOT)}:{step.lineno} {step.name}"
        for step in traceback.extract_tb(error.__traceback__)
    )
    told = f"Traceback (innermost last): {steps}: {type(error).__name__}{_own_words(error)}"
    return f"{place(before)}; then {told}" if before else told


class Line(logging.Formatter):
    """A record as one line."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """time, level, from, request, message, what the caller named in `extra={"fields": ...}`, traceback."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            "level": record.levelname.lower(),
            "from": record.name.removeprefix("porchlight."),
            "request": request_number(),
            "message": self._message(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            fields["traceback"] = place(record.exc_info[1])
        fields = {name: value for name, value in fields.items() if value != ""}
        line = json.dumps(fields, ensure_ascii=False) if self._as_json else _key_values(fields)
        return _C1.sub("?", line)

    def _message(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, BaseException):
            return place(record.msg)
        return _WITH_A_CLIENT_IN_IT.sub(r"\1", record.getMessage())


def _key_values(fields: dict[str, Any]) -> str:
    def said(value: Any) -> str:
        text = str(value)
        return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)

    return " ".join(f"{name}={said(value)}" for name, value in fields.items())


class _NoClients(logging.Filter):
    """gunicorn quotes a request that it can't read, and whose it was: no trouble of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Invalid request from ip=")


def configuration(shape: str) -> dict[str, Any]:
    """For `dictConfig`, and for gunicorn's `logconfig_dict`: everything in one shape, to stderr."""
    words = shape.split(",")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": Line, "as_json": "json" in words}},
        "filters": {"no clients": {"()": _NoClients}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "line",
                "filters": ["no clients"],
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
            "porchlight.requests": {"level": "INFO" if "requests" in words else "WARNING"},
        },
    }


def set_up(shape: str) -> None:
    """Log in that shape from here on, also what a greenlet raises: gevent would print it with all its values."""
    from gevent.hub import Hub

    def print_exception(hub: Hub, context: object, kind: object, error: BaseException, trace: object) -> None:
        if isinstance(error, BaseException):
            logging.getLogger("porchlight.greenlets").error("Something on the side failed", exc_info=error)

    dictConfig(configuration(shape))
    Hub.print_exception = print_exception
