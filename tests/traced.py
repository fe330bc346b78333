"""Runs a Python program and notes every SQL statement that it executes, with the line of `chat/` that asked for it.

python tests/traced.py NOTES gunicorn wsgi:app
python tests/traced.py NOTES app.py seed

The program knows nothing of it. NOTES gets one JSON list a line: file, line, statement.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHAT = f"{ROOT / 'chat'}{os.sep}"


class Notes:
    """A file to which several processes append; each distinct note once a process."""

    def __init__(self, path: str) -> None:
        self._path, self._known = path, set()

    def take(self, statement: str) -> None:
        frame = sys._getframe(2)
        while frame and not frame.f_code.co_filename.startswith(CHAT):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        where = (frame.f_code.co_filename.removeprefix(CHAT), frame.f_lineno)
        if (where, statement) not in self._known:
            self._known.add((where, statement))
            line = json.dumps([*where, statement]) + "\n"
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, line.encode())
            os.close(handle)


def watch(notes: Notes) -> None:
    """From here on every new connection is one that takes notes."""
    from sqlite_utils.utils import sqlite3

    class Connection(sqlite3.Connection):  # type: ignore[name-defined, misc]
        def execute(self, statement: str, parameters: Any = ()) -> Any:
            notes.take(statement)
            return super().execute(statement, parameters)

        def executemany(self, statement: str, rows: Any) -> Any:
            rows = list(rows)
            if rows:
                notes.take(statement)
            return super().executemany(statement, rows)

    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **more: connect(*args, **{"factory": Connection} | more)


def main() -> None:
    notes, program, *rest = sys.argv[1:]
    watch(Notes(notes))
    sys.argv = [program, *rest]
    sys.path.insert(0, str(ROOT))
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
