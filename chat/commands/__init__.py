"""The verbs of the command line, one noun a file; and what they share: how a problem is told."""

import click

from chat import config
from chat.config import BadSetting, Settings


class Problem(click.ClickException):
    """One clear line and exit code 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"Porchlight can't do that: {self.message}", err=True)


def settings_or_problem() -> Settings:
    """The settings, with the data folder made; a wrong value is the one line that the owner reads."""
    try:
        settings = config.load()
        config.prepare_data_folder(settings)
        return settings
    except BadSetting as error:
        raise Problem(str(error)) from None
