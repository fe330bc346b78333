"""`migrate`: bring the data up to date beside a server that runs (it calls this before it takes in new code)."""

import click

from chat.commands import bring_up_to_date, settings_or_problem


@click.command(hidden=True)
def migrate() -> None:
    """Apply the migrations that are not applied yet (a snapshot is kept), and nothing else."""
    bring_up_to_date(settings_or_problem())
