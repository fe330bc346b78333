"""What is noted of agents at work: which conversation they open, and that they are there at all."""

from time import monotonic

from flask import Response, g, request

from chat import accounts, options
from chat.accounts import Agent
from chat.features.privacy import reads, settings
from chat.web import Core, core

READING = {"inbox.conversation": reads.THREAD, "inbox.history": reads.THREAD, "privacy.download": reads.ARCHIVE}
"""Requests that show a conversation."""
BY_ITSELF = frozenset(("inbox.poll", "inbox.signals", "inbox.socket", "inbox.trouble", "sites.seen"))
"""Requests that an open page makes without anybody at it."""
NOTED = 30.0  # seconds between two notes that a session is in use
_noted: dict[str, float] = {}


def note(response: Response) -> Response:
    """After each request: note what the owner wants noted, without making anybody wait."""
    agent: Agent | None = g.get("agent")
    if agent is None or request.endpoint in BY_ITSELF:
        return response
    with core().store.read() as rx:
        chosen = settings.of_installation(rx)
    what, talk = READING.get(request.endpoint or ""), (request.view_args or {}).get("conversation_id")
    if chosen.reads and what and talk and response.status_code == 200:
        core().store.post(lambda tx: reads.note(tx, agent.id, talk, what))
    if chosen.idle and monotonic() - _noted.get(agent.session_hash, -NOTED) >= NOTED:
        if len(_noted) > 1000:
            _noted.clear()
        _noted[agent.session_hash] = monotonic()
        core().store.post(lambda tx: accounts.use(tx, agent.session_hash))
    return response


def sign_off(parts: Core) -> None:
    """End the sessions in which nobody has worked for longer than the owner wants."""
    with parts.store.read() as rx:
        idle = options.get(rx, "privacy.idle")
    if idle and parts.store.write(lambda tx: accounts.sign_off(tx, int(idle) * 60)):
        parts.live.look_again()
