"""Starting: what happens before gunicorn's workers run."""

import os
import resource
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from chat import config, folder, replica
from chat.config import BadSetting, Settings


def settings_or_exit() -> Settings:
    """The settings, or the end with one clear line."""
    try:
        settings = config.load()
        config.prepare_data_folder(settings)
        replica.check(settings)
        return settings
    except BadSetting as error:
        sys.exit(f"Porchlight can't start: {error}")


def addresses(settings: Settings) -> list[str]:
    """What to listen on: `localhost` means both loopbacks, where the machine has both."""
    port = settings.port
    if settings.host != "localhost":
        return [f"[{settings.host}]:{port}" if ":" in settings.host.strip("[]") else f"{settings.host}:{port}"]
    return [f"127.0.0.1:{port}"] + ([f"[::1]:{port}"] if _has_ipv6() else [])


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def taken_port(settings: Settings) -> str:
    """Why an address can't be listened on, as a sentence; empty when all can."""
    for address in addresses(settings):
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), int(port)))
            except OSError as error:
                return f"{address} is not free ({error.strerror}). Stop what uses it, or choose another PORT or HOST."
    return ""


def lan_address() -> str:
    """This machine's address in its own network, for a phone; the loopback when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a UDP connect sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def allow_many_connections() -> None:
    """Raise the limit of open files, often 1,024, to what the system allows: each open page is one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # macOS names more than it grants
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def prepare(settings: Settings) -> None:
    """Take the data folder's lock, migrate, make the owner, print the addresses: in processes of their own, so that
    gunicorn's master stays small (it would carry 20 MB of libraries for as long as the server lives)."""
    _take_in(settings.chat_data / folder.DROPPED, settings)
    try:
        folder.occupy(settings.chat_data)
    except folder.Busy as error:
        sys.exit(f"Porchlight can't start: {error}")
    if not _verb(settings, "prepare"):
        sys.exit(1)


def _take_in(dropped: Path, settings: Settings) -> None:
    """Restore the archive that lies in the data folder for that: the way where nobody can stop the server by hand.
    When it is refused, the chat goes on with what is there."""
    if not dropped.exists():
        return
    if _verb(settings, "restore", str(dropped)):
        dropped.unlink()
    else:
        print(f"{dropped} was not taken in (see above). The data are as before; take it away.", file=sys.stderr)


def _verb(settings: Settings, *words: str) -> bool:
    command = [sys.executable, str(config.ROOT / "app.py"), *words]
    return subprocess.run(command, env=os.environ | {"CHAT_DATA": str(settings.chat_data)}).returncode == 0
