"""Notices: what other features have sent by mail. Each is looked at again when its time has come: what was seen
meanwhile is not sent."""

from chat import deliveries
from chat.db import Tx

SENDER = "mail"


def alert(tx: Tx, agent_id: int, conversation_id: int, after: float = 0.0, *, brief: bool = False) -> None:
    """Tell the agent by mail, in `after` seconds, what the visitor said and nobody has seen by then. One that waits
    already tells this too, so a burst is one mail. The mail can be answered. `brief`: it says that, not what."""
    key = f"alert {agent_id} {conversation_id}"
    about = {"agent_id": agent_id, "conversation_id": conversation_id}
    deliveries.add(tx, SENDER, key, after=after, kind="alert", brief=brief, **about)  # type: ignore[arg-type]


def digest(tx: Tx, agent_id: int, after: float = 0.0, *, brief: bool = False) -> None:
    """Send the agent one list of all that waits for an answer, or how many (`brief`); nothing when nothing waits."""
    deliveries.add(tx, SENDER, f"digest {agent_id}", after=after, agent_id=agent_id, kind="digest", brief=brief)


def transcript(tx: Tx, conversation_id: int, agent_id: int | None = None, asked: str = "") -> None:
    """Send the whole talk to the visitor, or that agent. `asked` tells two wishes apart; the same one is sent once."""
    key = f"transcript {conversation_id} {agent_id or ''} {asked}"
    deliveries.add(tx, SENDER, key, conversation_id=conversation_id, agent_id=agent_id, kind="transcript")


def test(tx: Tx, agent_id: int) -> None:
    """Send the agent a mail that says that mail works."""
    deliveries.add(tx, SENDER, f"test {agent_id}", agent_id=agent_id, kind="test")
