"""The web: thin routes. What they all need hangs on the application, made once."""

from dataclasses import dataclass, field
from typing import Any, cast

from flask import Flask, current_app

from chat.config import Settings
from chat.db import Store
from chat.doctor import Looks
from chat.duty import Duty
from chat.limits import Limits
from chat.live import Live
from chat.people import Tokens
from chat.presence import Presence


@dataclass
class Core:
    """One process's parts."""

    settings: Settings
    store: Store
    live: Live
    presence: Presence
    tokens: Tokens
    limits: Limits
    secret: bytes
    features: list[Any] = field(default_factory=list)
    """The features, as they declared themselves: for pages that list what they bring."""
    looks: tuple[Looks, ...] = ()
    """What the features have the doctor look at."""
    duty: Duty | None = None
    busy: int = 0
    """Requests under way, which a stop waits for."""

    def init_app(self, app: Flask) -> None:
        """Hang the parts on the application, and count its requests."""
        app.extensions["porchlight"] = self
        wsgi = app.wsgi_app

        def counted(environ: Any, start_response: Any) -> Any:
            self.busy += 1
            try:
                return wsgi(environ, start_response)
            finally:
                self.busy -= 1

        app.wsgi_app = counted  # type: ignore[method-assign]


def core() -> Core:
    """The running application's parts."""
    return cast(Core, current_app.extensions["porchlight"])
