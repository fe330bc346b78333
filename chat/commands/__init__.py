"""The verbs of the command line, one noun a file; and what they share: how a problem is told, how far work is."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from chat import config, folder, outbox, schema
from chat.archives import BadArchive
from chat.config import BadSetting, Settings
from chat.copies import NoRoom, UnusableDatabase
from chat.db import StorageError, Store

TROUBLE = (BadArchive, NoRoom, UnusableDatabase, StorageError, folder.Busy)


class Problem(click.ClickException):
    """One clear line and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"Porchlight can't do that: {self.message}", err=True)


class Misuse(Problem):
    """A verb or an option that there is not: one line too, and exit code 2."""

    exit_code = 2


class Verbs(click.Group):
    """A group whose usage errors are one line, where click would print three."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """As click does."""
        with _in_one_line():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does."""
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "app.py"
        raise Misuse(f"{error.format_message()} `python {verb} --help` says what there is.") from None


def settings_or_problem() -> Settings:
    """The settings, with the data folder made; a wrong value is the one line that the owner reads."""
    try:
        settings = config.load()
        config.prepare_data_folder(settings)
        return settings
    except BadSetting as error:
        raise Problem(str(error)) from None


def existing_data() -> Settings:
    """The settings, when there is a database already. Problem when there is none."""
    settings = settings_or_problem()
    if not settings.database.exists():
        raise Problem(f"There is no database in {settings.chat_data}. Is CHAT_DATA right?")
    return settings


@contextmanager
def told() -> Iterator[None]:
    """Whatever goes wrong inside is one line; told to stop, what is half is taken away first."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("Porchlight was told to stop, and nothing was changed."))
    try:
        yield
    except TROUBLE as error:
        raise Problem(str(error)) from None
    except BrokenPipeError:
        raise  # whoever read it has seen enough
    except OSError as error:
        where = Path(error.filename or "the disk")
        where = where.parent if where.name.startswith(".porchlight-") else where
        raise Problem(f"{where} can't be used: {error.strerror or error}.") from None
    finally:
        signal.signal(signal.SIGTERM, before)


class Progress:
    """How far long work is: a bar on a terminal, a line for each step elsewhere. On stderr, so that an output
    stays clean. A context manager."""

    def __init__(self) -> None:
        self._step = ""
        self._bar: Any = None

    def __call__(self, step: str, done: int, total: int) -> None:
        """So much of this step is done."""
        if step != self._step:
            self._end()
            self._step, self._bar = step, click.progressbar(length=total, label=step, file=sys.stderr)
            self._bar.__enter__()
        if self._bar:
            self._bar.length = total
            self._bar.update(done - self._bar.pos)

    def _end(self) -> None:
        if self._bar:
            self._bar.__exit__(None, None, None)
        self._bar = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def bring_up_to_date(settings: Settings) -> None:
    """Make or migrate the database, and say so when a snapshot was kept for that."""
    with told(), Progress() as progress:
        snapshot = schema.prepare(settings.database, progress)
        store = Store(settings.database, checkpoints=not settings.chat_replica)
        store.write(outbox.note_start)
        store.close()
    if snapshot:
        click.echo(
            f"The data were brought up to date. As they were before, they are kept in {snapshot.path}"
            " (`rollback` brings them back)."
        )
