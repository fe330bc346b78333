"""`backup`: everything that is kept, in one checked file, while the server runs."""

from pathlib import Path

import click

from chat import archives, folder
from chat.commands import Problem, Progress, existing_data, told


@click.command(short_help="Save everything as one checked archive.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def backup(path: Path, force: bool) -> None:
    """Save everything as one checked archive at PATH, while the server runs.

    When PATH is a folder, the file in it is named after the time.
    """
    settings = existing_data()
    target = path / archives.dated_name() if path.is_dir() else path
    if target.exists() and not force:
        raise Problem(f"{target} is there already. Choose another name, or add --force to replace it.")
    if not target.parent.is_dir():
        raise Problem(f"There is no folder {target.parent}. Make it first, or choose another.")
    with told(), folder.used(settings.chat_data), Progress() as progress:
        done = archives.write(settings.chat_data, target, progress)
    click.echo(f"Saved to {done.path}: {done}. Checked: the database is sound, every part is whole.")
