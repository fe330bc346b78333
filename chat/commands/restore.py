"""`restore`: a backup in the place of what is there."""

from pathlib import Path

import click

from chat import restores
from chat.commands import Problem, Progress, settings_or_problem, told


@click.command(short_help="Bring a backup back; what is there now is kept.")
@click.argument("path", type=click.Path(path_type=Path))
def restore(path: Path) -> None:
    """Put a backup (or a database file) in the place of what is there, which is kept as a snapshot.

    The server must be stopped meanwhile.
    """
    if not path.is_file():
        raise Problem(f"{path} is {'a folder' if path.is_dir() else 'not there'}. Name the file that `backup` made.")
    settings = settings_or_problem()
    with told(), Progress() as progress:
        done = restores.restore(settings.chat_data, path, progress)
    click.echo(f"Restored from {path}: {done.contents}. Checked: the database is sound.")
    if done.applied:
        click.echo(f"It was made by an older version, so it was brought up to date ({', '.join(done.applied)}).")
    if done.aside:
        click.echo(f"What was here before is kept: `rollback {done.aside}` brings it back.")
    click.echo("You can start the server now. Open chats redraw themselves.")
