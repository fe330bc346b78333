"""`migrate`: bring the data up to date beside a server that runs (it calls this before it takes in new code)."""

import click

from chat import schema
from chat.commands import Problem, settings_or_problem
from chat.schema import UnusableDatabase


@click.command(hidden=True)
def migrate() -> None:
    """Apply the migrations that are not applied yet, and nothing else."""
    try:
        schema.prepare(settings_or_problem().database)
    except UnusableDatabase as error:
        raise Problem(str(error)) from None
