"""The other workers of this server, asked for their figures over Unix sockets: each answers for itself, when asked."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.server import StreamServer

from chat.bell import meeting_place

PATIENCE = 1.0  # seconds for all of them to answer


class Colleagues:
    """One worker's door to the others for one matter; there are none when it is the only worker."""

    def __init__(self, matter: str = "door") -> None:
        self._folder = meeting_place()
        self._matter = matter
        self._name = f"{os.getpid()}.{matter}"

    def listen(self, told: Callable[[], dict[str, Any]]) -> None:
        """Answer whoever of them asks with what `told` says then."""
        if self._folder is None:
            return
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        (self._folder / self._name).unlink(missing_ok=True)
        door.bind(str(self._folder / self._name))
        door.listen(8)

        def answer(caller: Any, _: object) -> None:
            with caller:
                caller.sendall(json.dumps(told()).encode())

        StreamServer(door, answer).start()

    def ask(self) -> list[dict[str, Any]]:
        """What each other worker tells of itself; one that has died, or hangs, is left out."""
        if self._folder is None:
            return []
        others = [door for door in self._folder.glob(f"*.{self._matter}") if door.name != self._name]
        asked = [gevent.spawn(self._ask, door) for door in others]
        gevent.joinall(asked, timeout=PATIENCE)
        gevent.killall([each for each in asked if not each.ready()])
        return [each.value for each in asked if isinstance(each.value, dict)]

    def _ask(self, other: Path) -> dict[str, Any] | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            try:
                line.connect(str(other))
                said = b"".join(iter(lambda: line.recv(65536), b""))
                return dict(json.loads(said))
            except ConnectionRefusedError:
                other.unlink(missing_ok=True)  # it has died
            except (OSError, ValueError):
                pass
        return None
