"""seed: talks that nobody had, to try everything on."""

import shutil
from pathlib import Path

import click
from sqlite_utils.utils import sqlite3

from chat import schema, seeds
from chat.commands import Problem, settings_or_problem
from chat.schema import UnusableDatabase

MOST = 10_000_000


@click.command(short_help="Add made-up conversations, to try things on.")
@click.option("--conversations", default=100, show_default=True, help="How many conversations to add.")
@click.option("--messages", default=1000, show_default=True, help="How many messages they have together.")
@click.option("--seed", "number", default=1, show_default=True, help="Another number makes other conversations.")
def seed(conversations: int, messages: int, number: int) -> None:
    """Add made-up conversations to what is there, to try things on. A server may be running meanwhile."""
    if not 1 <= conversations <= messages <= MOST:
        raise Problem(
            f"{conversations:,} conversations with {messages:,} messages: there must be at least one conversation,"
            f" a message for each, and at most {MOST:,} messages."
        )
    settings = settings_or_problem()
    _look_for_room(settings.chat_data, conversations, messages)
    try:
        schema.prepare(settings.database)
    except UnusableDatabase as error:
        raise Problem(str(error)) from None
    sowing = seeds.Sowing(settings.database, conversations, messages, number)
    try:
        with click.progressbar(length=messages, label="Talking") as bar:
            for stored in sowing.run():
                bar.update(stored)
    except KeyboardInterrupt:
        click.echo(f"\nStopped. {_there(sowing)}", err=True)
        raise SystemExit(130) from None
    except sqlite3.Error as error:
        raise Problem(f"the database can't be written ({error}). {_there(sowing)}") from None
    click.echo(f"Done. {_there(sowing)}")


def _look_for_room(folder: Path, conversations: int, messages: int) -> None:
    free, needed = shutil.disk_usage(folder).free, (conversations + messages) * seeds.BYTES
    if free < needed:
        raise Problem(
            f"that many need about {needed / 1e6:,.0f} MB, but {folder} has {free / 1e6:,.0f} MB free."
            " Make room, or ask for fewer messages."
        )


def _there(sowing: seeds.Sowing) -> str:
    return f"{sowing.messages:,} messages in {sowing.conversations:,} conversations were added, all of them whole."
