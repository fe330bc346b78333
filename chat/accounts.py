"""Agents, their passwords and their sessions. Passwords are argon2id, hashed off the loop, one at a time."""

import secrets
from dataclasses import dataclass
from functools import cache

import gevent
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from gevent.lock import BoundedSemaphore

from chat import clock
from chat.db import Store, Tx
from chat.keys import fingerprint
from chat.languages import gettext
from chat.states import HERE

SESSION_DAYS = 30
PASSWORD_LENGTH = (10, 256)
NO_PASSWORD = "!"  # in place of a hash: an agent who only lends a name to seeded talks, and can't sign in
_hasher = PasswordHasher()  # argon2id with RFC 9106's low-memory profile: 64 MiB, 3 passes
_one_at_a_time = BoundedSemaphore(1)


@cache
def _nobody() -> str:
    """A hash to check a password against when the address is unknown, so that both take as long."""
    return _hasher.hash("nobody has this password")


class Refused(ValueError):
    """Something about the account can't be as asked; the text is for the person."""


@dataclass(frozen=True)
class Agent:
    """Somebody who answers, signed in by the session whose hash is given."""

    id: int
    name: str
    email: str
    session_hash: str = ""
    language: str = ""
    """Chosen by them; empty: what their browser wants."""


def hash_password(password: str) -> str:
    """The argon2id hash, computed in a real thread. Raises Refused when it is too short or too long."""
    low, high = PASSWORD_LENGTH
    if len(password) < low:
        raise Refused(gettext("Use %(low)s characters or more. Three words that you remember are fine.") % {"low": low})
    if len(password) > high:
        raise Refused(gettext("Use %(high)s characters at most.") % {"high": high})
    if len(set(password)) < 4:
        raise Refused(gettext("This is too easy to guess. Three words that you remember are fine."))
    with _one_at_a_time:
        return str(gevent.get_hub().threadpool.apply(_hasher.hash, (password,)))


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        return _hasher.verify(password_hash or _nobody(), password)
    except (VerificationError, InvalidHashError):
        return False


def check_password(store: Store, email: str, password: str) -> Agent | None:
    """The agent with that address and password, or None; an unknown address takes just as long."""
    with store.read() as rx:
        row = rx.execute("SELECT id, name, email, password_hash FROM agents WHERE email = ?", [email]).fetchone()
    with _one_at_a_time:
        right = gevent.get_hub().threadpool.apply(_verify, (row["password_hash"] if row else None, password))
    return Agent(row["id"], row["name"], row["email"]) if row and right else None


def exists(rx: Tx) -> bool:
    """Whether the installation has an owner."""
    return rx.execute("SELECT 1 FROM agents WHERE password_hash <> ? LIMIT 1", [NO_PASSWORD]).fetchone() is not None


def create(tx: Tx, name: str, email: str, password_hash: str, language: str = "") -> int:
    """A new agent, who reads that language; every set-up link dies with it. Raises Refused for an address that is taken
    or none."""
    if "@" not in email or len(email) > 254:
        wrong = (
            gettext("That is no e-mail address: it looks like ann@example.com.")
            if email
            else gettext("Give your e-mail address.")
        )
        raise Refused(gettext("%(wrong)s You will sign in with it.") % {"wrong": wrong})
    if tx.execute("SELECT 1 FROM agents WHERE email = ?", [email]).fetchone():
        raise Refused(gettext("Somebody here has this e-mail address already. Sign in instead."))
    tx.execute("DELETE FROM setup_links")
    new = "INSERT INTO agents (name, email, password_hash, created_at, language) VALUES (?, ?, ?, ?, ?)"
    return int(tx.execute(new, [name, email, password_hash, clock.now(), language]).lastrowid)


def new_setup_link(tx: Tx) -> str:
    """A fresh one-time token for the first owner; the ones before it are void."""
    token = secrets.token_urlsafe(24)
    tx.execute("DELETE FROM setup_links")
    tx.execute("INSERT INTO setup_links (token_hash, created_at) VALUES (?, ?)", [fingerprint(token), clock.now()])
    return token


def setup_link_is_valid(rx: Tx, token: str) -> bool:
    """Whether this token may create the first owner."""
    if exists(rx):
        return False
    return rx.execute("SELECT 1 FROM setup_links WHERE token_hash = ?", [fingerprint(token)]).fetchone() is not None


def set_up(tx: Tx, token: str, name: str, email: str, password_hash: str, language: str) -> int:
    """Create the first owner with the set-up link, once. Raises Refused when the link is used up."""
    if not setup_link_is_valid(tx, token):
        raise Refused(gettext("This set-up link was used already. Sign in, or start the server again for a new link."))
    return create(tx, name, email, password_hash, language)


def sign_in(tx: Tx, agent_id: int, user_agent: str) -> str:
    """A new session's token (256 bit), of which only the hash is stored; expired sessions are swept."""
    token = secrets.token_urlsafe(32)
    tx.execute("DELETE FROM sessions WHERE expires_at < ?", [clock.now()])
    row = [fingerprint(token), agent_id, user_agent, clock.now(), clock.now(SESSION_DAYS * 86400)]
    tx.execute(
        "INSERT INTO sessions (token_hash, agent_id, user_agent, created_at, expires_at) VALUES (?, ?, ?, ?, ?)", row
    )
    return token


def of_session(rx: Tx, token: str) -> Agent | None:
    """Who is signed in with that session token; None when it expired, was revoked or never was."""
    return of_session_hash(rx, fingerprint(token)) if token else None


def of_session_hash(rx: Tx, token_hash: str) -> Agent | None:
    """The same by the stored hash, for a socket that looks again."""
    query = (
        "SELECT a.id, a.name, a.email, a.language FROM sessions s JOIN agents a ON a.id = s.agent_id"
        " WHERE s.token_hash = ? AND s.expires_at > ?"
    )
    row = rx.execute(query, [token_hash, clock.now()]).fetchone()
    return Agent(row["id"], row["name"], row["email"], token_hash, row["language"]) if row else None


def use(tx: Tx, session_hash: str) -> None:
    """Somebody is at work in that session just now."""
    tx.execute("UPDATE sessions SET used_at = ? WHERE token_hash = ?", [clock.now(), session_hash])


def sign_off(tx: Tx, idle: float) -> int:
    """End the sessions in which nobody has worked for so many seconds; returns how many. They have expired, as after
    SESSION_DAYS: the browser still says that there is something new, without a name or a word."""
    change = "UPDATE sessions SET expires_at = ? WHERE expires_at > ? AND max(used_at, created_at) < ?"
    return int(tx.execute(change, [clock.now(), clock.now(), clock.now(-idle)]).rowcount)


def sign_out(tx: Tx, session_hash: str) -> None:
    """End one session."""
    tx.execute("DELETE FROM sessions WHERE token_hash = ?", [session_hash])


def sign_out_everywhere(tx: Tx, agent_id: int) -> None:
    """End every session of the agent."""
    tx.execute("DELETE FROM sessions WHERE agent_id = ?", [agent_id])


def reset_password(tx: Tx, email: str, password_hash: str) -> None:
    """Give an agent a new password and end all their sessions. Raises Refused for an unknown address."""
    row = tx.execute("SELECT id FROM agents WHERE email = ?", [email]).fetchone()
    if row is None:
        raise Refused(f"Nobody here has the e-mail address {email}.")
    tx.execute("UPDATE agents SET password_hash = ? WHERE id = ?", [password_hash, row["id"]])
    sign_out_everywhere(tx, row["id"])


def arrive(tx: Tx, agent_id: int) -> None:
    """The agent has an inbox open. Said again before HERE seconds are over."""
    tx.execute("UPDATE agents SET here_until = ? WHERE id = ?", [clock.now(HERE), agent_id])


def leave(tx: Tx, agent_id: int) -> None:
    """The agent's last inbox is gone."""
    tx.execute("UPDATE agents SET here_until = '' WHERE id = ?", [agent_id])


def every(rx: Tx) -> list[Agent]:
    """Everybody who answers here, the first one first."""
    return [Agent(*row) for row in rx.execute("SELECT id, name, email FROM agents ORDER BY id").fetchall()]


def name_of(rx: Tx, agent_id: int) -> str:
    """The agent's name, as visitors see it."""
    return str(rx.execute("SELECT name FROM agents WHERE id = ?", [agent_id]).fetchone()["name"])


def email_of(rx: Tx, agent_id: int) -> str | None:
    """The agent's address; None when there is no such agent."""
    row = rx.execute("SELECT email FROM agents WHERE id = ?", [agent_id]).fetchone()
    return str(row["email"]) if row else None


def language_of(rx: Tx, agent_id: int) -> str:
    """The language that the agent has chosen; empty where they have not, or are gone."""
    row = rx.execute("SELECT language FROM agents WHERE id = ?", [agent_id]).fetchone()
    return str(row["language"]) if row else ""


def is_address(rx: Tx, email: str) -> bool:
    """Whether somebody who answers has that address."""
    return rx.execute("SELECT 1 FROM agents WHERE email = ?", [email]).fetchone() is not None


def home(rx: Tx) -> str:
    """The name of somebody who has an inbox open; empty when nobody has."""
    row = rx.execute("SELECT name FROM agents WHERE here_until > ? ORDER BY id LIMIT 1", [clock.now()]).fetchone()
    return row["name"] if row else ""


def face(rx: Tx, name: str) -> str:
    """The picture of who answers under that name; empty when there is none."""
    row = rx.execute("SELECT picture FROM agents WHERE name = ? ORDER BY id LIMIT 1", [name]).fetchone()
    return row["picture"] if row else ""


def introduce(tx: Tx, agent_id: int, name: str, picture: str, language: str) -> None:
    """The name and the picture that visitors see from now on, and the language that they read themselves (empty: what
    their browser wants). Raises Refused."""
    if not name:
        raise Refused(gettext("Write a name. Visitors read it above your answers."))
    tx.execute(
        "UPDATE agents SET name = ?, picture = ?, language = ? WHERE id = ?", [name, picture, language, agent_id]
    )
