"""`export`: everything as readable JSON Lines."""

import sys
from pathlib import Path

import click

from chat import exports, folder, text
from chat.commands import Problem, Progress, existing_data, told


@click.command(short_help="Write everything as readable JSON Lines.")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def export(path: Path | None, force: bool) -> None:
    """Write everything as readable JSON Lines to PATH, or to the standard output without one.

    The server may run meanwhile. docs/data.md describes the lines.
    """
    settings = existing_data()
    if path and path.is_dir():
        raise Problem(f"{path} is a folder. Give a file's name.")
    if path and path.exists() and not force:
        raise Problem(f"{path} is there already. Choose another name, or add --force to replace it.")
    with told(), folder.used(settings.chat_data), Progress() as progress:
        if path:
            count = exports.write(settings.database, path, progress)
        else:
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
            count = sum(1 for line in exports.lines(settings.database, progress) if sys.stdout.write(line))
            sys.stdout.flush()
    where = f"{path} ({text.size(path.stat().st_size)})" if path else "the standard output"
    click.echo(f"Exported {count:,} lines to {where}.", err=True)
