"""The command line: `python app.py` starts the server; the other verbs look after it."""

import getpass
import os
import sys
from urllib.parse import urlsplit

import click

from chat import __version__, accounts, config, folder, presence, rescue, server
from chat.accounts import Refused
from chat.commands import Problem, Verbs, bring_up_to_date, existing_data, settings_or_problem, told
from chat.commands.backup import backup
from chat.commands.check import check
from chat.commands.export import export
from chat.commands.migrate import migrate
from chat.commands.restore import restore
from chat.commands.rollback import rollback
from chat.commands.seed import seed
from chat.config import Settings
from chat.db import Store, engine
from chat.rescue import Unreadable


@click.group(cls=Verbs, invoke_without_command=True)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context) -> None:
    """Porchlight, a live chat for your site. Without a verb: start the server."""
    if context.invoked_subcommand is None:
        run()


def run() -> None:
    """Become gunicorn, with the configuration at the root."""
    settings = server.settings_or_exit()
    taken = server.taken_port(settings)
    if taken:
        sys.exit(f"Porchlight can't start: {taken}")
    os.chdir(config.ROOT)
    os.environ["CHAT_DATA"] = str(settings.chat_data)
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "wsgi:app"])


@main.command(hidden=True)
def prepare() -> None:
    """Migrate, make the owner or a set-up link, and print the addresses (the server calls this)."""
    settings = settings_or_problem()
    version, sound = engine()
    if not sound:
        click.echo(
            f"Note: SQLite {version} has a rare fault in WAL mode; `pip install pysqlite3` brings a newer one.",
            err=True,
        )
    try:
        rescue.restore(settings, click.echo)
    except Unreadable as error:
        raise Problem(f"CHAT_REPLICA {settings.chat_replica}: {error}. So nothing was started.") from None
    bring_up_to_date(settings)
    if not settings.limits:
        click.echo("Warning: CHAT_LIMITS is off: anybody may send as much as they like. For load tests only.", err=True)
    store = Store(settings.database)
    store.write(presence.forget_all)
    link = _owner(store, settings)
    store.close()
    _greet(settings, link)


def _owner(store: Store, settings: Settings) -> str:
    with store.read() as rx:
        if accounts.exists(rx):
            return ""
    if not settings.owner_email:
        return store.write(accounts.new_setup_link)
    try:
        hashed = accounts.hash_password(settings.owner_password)
    except Refused as error:
        raise Problem(f"CHAT_OWNER_PASSWORD: {error}") from None
    name = settings.owner_email.partition("@")[0].split(".")[0].title()
    store.write(lambda tx: accounts.create(tx, name, settings.owner_email, hashed))
    return ""


def _greet(settings: Settings, link: str) -> None:
    url = settings.local_url
    if settings.host in ("0.0.0.0", "::", "[::]") and not settings.chat_url:
        url = f"http://{server.lan_address()}:{settings.port}"
    inbox = f"{url}/inbox/setup/{link}" if link else f"{url}/inbox"
    first = "Set it up   " if link else "Inbox       "
    click.echo(
        f"\n  Porchlight is on.\n\n  {first}{inbox}\n  Demo page   {url}/demo\n"
        f'  Your tag    <script async src="{url}/w/main.js"></script>\n\n{_https_hint(url)}  Ctrl-C stops it.\n'
    )


def _https_hint(url: str) -> str:
    """What an http address can't do, unless it is this machine's own: browsers take its loopback as safe."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host in ("localhost", "::1") or host.startswith("127."):
        return ""
    return (
        f"  Note: {url} is not https, so pages that are https can't show this chat.\n"
        "  docs/deploy.md shows how to put it behind https; then set CHAT_URL=https://... and CHAT_PROXY=1.\n\n"
    )


main.add_command(migrate)
main.add_command(backup)
main.add_command(restore)
main.add_command(rollback)
main.add_command(check)
main.add_command(export)


@main.command("reset-password", short_help="A new password for somebody who forgot theirs.")
@click.argument("email")
def reset_password(email: str) -> None:
    """Give the agent with that e-mail address a new password, and sign them out everywhere."""
    settings = existing_data()
    password = getpass.getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    with told(), folder.used(settings.chat_data):
        store = Store(settings.database)
        try:
            hashed = accounts.hash_password(password)
            store.write(lambda tx: accounts.reset_password(tx, email, hashed))
        except Refused as error:
            raise Problem(str(error)) from None
        finally:
            store.close()
    click.echo(f"Done. {email} can sign in with the new password; all other sessions have ended.")


main.add_command(seed)
