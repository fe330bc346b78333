"""Settings from the environment: each with a default, and one clear line when a value is wrong."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from chat import logs

ROOT = Path(__file__).resolve().parent.parent


class BadSetting(ValueError):
    """A setting whose value can't be used; its text is the one line that the owner reads."""


@dataclass(frozen=True)
class Settings:
    """All that can be set from outside; field names are the variables' names in lower case."""

    chat_data: Path
    """CHAT_DATA: the folder for everything that is kept, keys included."""
    chat_url: str
    """CHAT_URL: the public address, when it differs from what the server sees; empty otherwise."""
    chat_static_url: str
    """CHAT_STATIC_URL: where the loader and the files of `/static` are fetched from, such as a CDN; empty: here."""
    chat_proxy: str
    """CHAT_PROXY: `none`, `fly` or the number of proxies whose word is taken for the client's address."""
    owner_email: str
    """CHAT_OWNER_EMAIL and CHAT_OWNER_PASSWORD create the owner at first start, for unattended installs."""
    owner_password: str
    chat_replica: str
    """CHAT_REPLICA: where Litestream keeps a copy, as `s3://bucket/path` or `file:///path`; empty for nowhere."""
    limits: bool
    """CHAT_LIMITS: `off` lifts rate and per-address limits, for load tests only."""
    host: str
    """HOST: `localhost` answers on both loopbacks; `0.0.0.0` on every address."""
    port: int
    workers: int
    """WEB_CONCURRENCY: processes; one is right for nearly everybody."""
    log: str
    """CHAT_LOG: the shape of the log's lines, and whether each request is one."""
    metrics_token: str
    """CHAT_METRICS_TOKEN: who knows it may read /metrics; without one there is no such page."""
    smtp_url: str
    """CHAT_SMTP_URL: how mail goes out, as `smtp://user:password@host:587` or `smtps://`; empty: set on the page."""
    imap_url: str
    """CHAT_IMAP_URL: where answers come in, as `imaps://user:password@host/INBOX`; empty: set on the page."""
    mail_from: str
    """CHAT_MAIL_FROM: whom mail comes from, as `Shop <chat@shop.example>`; empty: set on the page."""
    mail_secret: str
    """CHAT_MAIL_SECRET: what a provider that pushes mail to /mail/inbound proves itself with; empty: made by itself."""
    telegram_token: str
    """CHAT_TELEGRAM_TOKEN: the bot's, from BotFather; empty: set on the page."""
    telegram_api: str
    """CHAT_TELEGRAM_API: where the Bot API is, when it is a server of one's own."""
    private_hosts: tuple[str, ...]
    """CHAT_PRIVATE_HOSTS: hosts of one's own network that we may call (push, hooks); others only on the internet."""

    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.chat_data / "chat.sqlite"

    @property
    def proxies(self) -> int:
        """How many proxies stand in front; Fly's edge counts as one."""
        return 1 if self.chat_proxy == "fly" else 0 if self.chat_proxy == "none" else int(self.chat_proxy)

    @property
    def local_url(self) -> str:
        """The address to print: the public one if given, else one that works on this machine."""
        if self.chat_url:
            return self.chat_url
        host = "localhost" if self.host in ("localhost", "0.0.0.0", "::", "[::]") else self.host
        return f"http://[{host.strip('[]')}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def _number(env: Mapping[str, str], name: str, default: str, low: int, high: int) -> int:
    value = env.get(name) or default
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise BadSetting(f"{name} is {value!r}, but must be a whole number from {low} to {high}.")
    return int(value)


def _choice(env: Mapping[str, str], name: str, default: str, *allowed: str) -> str:
    value = env.get(name) or default
    if value not in allowed:
        raise BadSetting(f"{name} is {value!r}, but must be one of: {', '.join(allowed)}.")
    return value


def _proxy(env: Mapping[str, str]) -> str:
    value = env.get("CHAT_PROXY") or "none"
    if value in ("none", "fly"):
        return value
    if value.isascii() and value.isdigit() and 0 < int(value) <= 10:
        return value
    raise BadSetting(f"CHAT_PROXY is {value!r}, but must be none, fly, or the number of proxies in front (1 to 10).")


def _url(env: Mapping[str, str]) -> str:
    value = (env.get("CHAT_URL") or "").rstrip("/")
    if not value and env.get("CHAT_PROXY") == "fly" and env.get("FLY_APP_NAME"):
        return f"https://{env['FLY_APP_NAME']}.fly.dev"
    return _origin("CHAT_URL", value)


def _static_url(env: Mapping[str, str]) -> str:
    value = _origin("CHAT_STATIC_URL", (env.get("CHAT_STATIC_URL") or "").rstrip("/"))
    if value and not _url(env):
        raise BadSetting("CHAT_STATIC_URL needs CHAT_URL: what comes from there has to know where the chat is.")
    return value


def _origin(name: str, value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query):
        raise BadSetting(f"{name} is {value!r}, but must look like https://chat.example (no path).")
    return value


def _owner(env: Mapping[str, str]) -> tuple[str, str]:
    email, password = env.get("CHAT_OWNER_EMAIL", "").strip(), env.get("CHAT_OWNER_PASSWORD", "")
    if bool(email) != bool(password):
        raise BadSetting("CHAT_OWNER_EMAIL and CHAT_OWNER_PASSWORD go together: set both or neither.")
    if email and "@" not in email:
        raise BadSetting(f"CHAT_OWNER_EMAIL is {email!r}, which is no e-mail address.")
    return email, password


def _replica(env: Mapping[str, str], data: Path) -> str:
    value = (env.get("CHAT_REPLICA") or "").rstrip("/")
    if not value:
        return ""
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise BadSetting("CHAT_REPLICA holds a key, but keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    if not ((parts.scheme == "s3" and parts.hostname) or (parts.scheme == "file" and not parts.netloc and parts.path)):
        raise BadSetting(f"CHAT_REPLICA is {value!r}, but must look like s3://bucket/path or file:///path.")
    if parts.scheme == "file" and Path(parts.path).resolve().is_relative_to(data.resolve()):
        raise BadSetting(f"CHAT_REPLICA is {value!r}, inside CHAT_DATA: it would be lost together with it.")
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    secret = env.get(name, "")
    if secret and not re.fullmatch(r"[\x21-\x7e]{16,200}", secret):
        raise BadSetting(f"{name} must be 16 to 200 characters without spaces, from `openssl rand -hex 16`.")
    return secret


def mail_url(name: str, value: str, *schemes: str) -> str:
    """A mail server's address, checked; also for what the owner types on a page. Raises BadSetting."""
    value = value.strip()
    parts = urlsplit(value)
    try:
        good = parts.scheme in schemes and parts.hostname and not parts.query and (parts.port or 1)
    except ValueError:  # a port that is none
        good = False
    if value and not good:
        raise BadSetting(f"{name} can't be used: it must look like {schemes[-1]}://user:password@mail.example.")
    return value


def mail_address(name: str, value: str) -> str:
    """An address with or without a name, checked; also for what the owner types on a page. Raises BadSetting."""
    value = value.strip()
    address = parseaddr(value)[1]
    if value and not re.fullmatch(r"[^@\s,;:<>\"]+@[A-Za-z0-9.-]+", address):
        raise BadSetting(f"{name} is {value!r}, but must look like Shop <chat@shop.example>.")
    return value


def telegram_token(value: str) -> str:
    """A bot's token, checked; also for what the owner types on a page. Raises BadSetting."""
    value = value.strip()
    if value and not re.fullmatch(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}", value):
        raise BadSetting("CHAT_TELEGRAM_TOKEN is no bot's token. BotFather gives one, like 110201543:AAHdqTcvCH1vGWJ.")
    return value


def _telegram_api(env: Mapping[str, str]) -> str:
    value = (env.get("CHAT_TELEGRAM_API") or "https://api.telegram.org").rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise BadSetting(f"CHAT_TELEGRAM_API is {value!r}, but must look like https://api.telegram.org.")
    return value


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Read and check every setting. Raises BadSetting with one line that names the variable."""
    email, password = _owner(env)
    data = ROOT / (env.get("CHAT_DATA") or "data")
    return Settings(
        chat_data=data,
        chat_url=_url(env),
        chat_static_url=_static_url(env),
        chat_proxy=_proxy(env),
        owner_email=email,
        owner_password=password,
        chat_replica=_replica(env, data),
        limits=_choice(env, "CHAT_LIMITS", "on", "on", "off") == "on",
        host=env.get("HOST") or "localhost",
        port=_number(env, "PORT", "8000", 1, 65535),
        workers=_number(env, "WEB_CONCURRENCY", "1", 1, 64),
        log=_choice(env, "CHAT_LOG", "text", *logs.SHAPES),
        metrics_token=_secret(env, "CHAT_METRICS_TOKEN"),
        smtp_url=mail_url("CHAT_SMTP_URL", env.get("CHAT_SMTP_URL", ""), "smtp", "smtps"),
        imap_url=mail_url("CHAT_IMAP_URL", env.get("CHAT_IMAP_URL", ""), "imap", "imaps"),
        mail_from=mail_address("CHAT_MAIL_FROM", env.get("CHAT_MAIL_FROM", "")),
        mail_secret=_secret(env, "CHAT_MAIL_SECRET"),
        telegram_token=telegram_token(env.get("CHAT_TELEGRAM_TOKEN", "")),
        telegram_api=_telegram_api(env),
        private_hosts=tuple(env.get("CHAT_PRIVATE_HOSTS", "").lower().split()),
    )


def prepare_data_folder(settings: Settings) -> None:
    """Make the data folder, readable by its owner alone. Raises BadSetting when it can't be written to."""
    folder = settings.chat_data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadSetting(f"CHAT_DATA is {str(folder)!r}, which can't be written to: {error.strerror}.") from None
