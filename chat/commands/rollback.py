"""`rollback`: back to the data as they were before an upgrade, a restore, or the last rollback."""

import sys

import click

from chat import restores, snapshots, text
from chat.commands import Progress, settings_or_problem, told


@click.command(short_help="Go back to how it was before an upgrade or a restore.")
@click.argument("name", required=False)
@click.option("--list", "listed", is_flag=True, help="Only say which snapshots there are.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def rollback(name: str | None, listed: bool, yes: bool) -> None:
    """Go back to a snapshot: the newest, or the one of that NAME. What is there now is kept as a snapshot too.

    The server must be stopped meanwhile.
    """
    settings = settings_or_problem()
    if listed:
        known = list(snapshots.every(settings.chat_data))
        if not known:
            click.echo("There is no snapshot yet. One is made before every upgrade, restore and rollback.")
        for each in known:
            size = text.size(each.database.stat().st_size)
            click.echo(f"{each.name}  ({each}, {size})")
        return
    with told():
        chosen = snapshots.find(settings.chat_data, name)
        if sys.stdin.isatty() and not yes:
            click.echo(f"The newest messages may be missing in it. What is in {settings.chat_data} now is kept.")
            click.confirm(f"Go back to the data of {chosen}?", abort=True)
        with Progress() as progress:
            done = restores.roll_back(settings.chat_data, chosen, progress)
    click.echo(f"Back to {chosen}: {done.contents}. Checked: the database is sound.")
    if done.aside:
        click.echo(f"What was here before is kept: `rollback {done.aside}` brings it back.")
    if done.late:
        older = f"version {done.contents.version}" if done.contents.version else "the first version"
        click.echo(f"Now start {older}: this one would make its changes again at once ({', '.join(done.late)}).")
    else:
        click.echo("You can start the server now. Open chats redraw themselves.")
