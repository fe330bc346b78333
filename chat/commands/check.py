"""`check`: the doctor on the command line. Works with the server running, and the part on the data without it."""

import socket
import sys
import textwrap
from collections.abc import Iterator
from itertools import chain

import click

from chat import config, logs
from chat.commands import Problem
from chat.config import BadSetting, Settings
from chat.doctor import Check, Finding, Looks, doors, local, public, summary, warning
from chat.doctor.wire import Address

MARGIN = " " * 27


@click.command(short_help="Look at the data and the way in; say what to mend.")
@click.pass_obj
@click.option("--url", default="", help="The public address to look at, when it is not CHAT_URL.")
def check(looks: tuple[Looks, ...], url: str) -> None:
    """Look at the data and at the way in from outside; say what is wrong, why, and what to do.

    Exit code 0 when there is no problem, 1 when there is one.
    """
    try:
        settings = config.load()
    except BadSetting as error:
        raise Problem(str(error)) from None
    if url:
        _refuse_wrong(url)
    logs.set_up(settings.log)
    findings = [_show(each) for each in _all(settings, looks, url)]
    click.echo(f"\n{summary(findings)}")
    sys.exit(any(finding.state == "problem" for finding in findings))


def _all(settings: Settings, looks: tuple[Looks, ...], url: str) -> Iterator[Check]:
    on_data = local.checks(settings, thorough=True)
    return chain(on_data, local.of_features(settings, looks), _way_in(settings, url))


def _refuse_wrong(url: str) -> None:
    try:
        Address.of(url)
    except ValueError:
        raise Problem(f"--url is {url!r}, but must look like https://chat.example (no path).") from None


def _way_in(settings: Settings, url: str) -> Iterator[Check]:
    if not settings.database.exists():
        return
    if not url and not _runs(doors.own_address(settings)):
        what = f"The server is not running here (nothing listens on port {settings.port})."
        stopped = warning(what, "So the way in was not looked at.", "Start it, then look again.")
        yield Check("Address", lambda: stopped)
        return
    yield from public.way_in(settings, url)


def _runs(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), timeout=2).close()
    except OSError:
        return False
    return True


def _show(each: Check) -> Finding:
    """The name first, so that one sees what takes its time."""
    click.echo(f"  {each.name:<16}", nl=False)
    found = each.finding
    colour = {"ok": "green", "warning": "yellow", "problem": "red"}[found.state]
    click.echo(f"{click.style(f'{found.state:<7}', fg=colour)}  {_wrapped(found.what)}")
    for said in filter(None, (found.why, found.do)):
        click.echo(f"{MARGIN}{_wrapped(said)}")
    for lines in found.lines:
        click.echo(f"{MARGIN}{lines.place}:")
        click.echo(textwrap.indent(lines.text, f"{MARGIN}    "))
    return found


def _wrapped(text: str) -> str:
    return f"\n{MARGIN}".join(textwrap.wrap(text, 90, break_long_words=False, break_on_hyphens=False))
