"""Where the owner answers from the pocket, who may, and how far the bot's messages were read: all kept as options.

A chat is connected by a one-time code from the page; whoever sends it is from then on that agent, by their Telegram
user id. Nobody else is listened to there.
"""

import json
import secrets
from typing import Any, NamedTuple

from chat import clock, options
from chat.db import Tx
from chat.keys import fingerprint

CODE_SECONDS = 15 * 60.0
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
CODE = 16  # letters: 80 random bits
FORGETS = 6 * 86400.0  # seconds without any update, after which Telegram may begin with lower numbers (a week)


class Place(NamedTuple):
    """The chat in which the owner answers."""

    chat: str
    title: str
    forum: bool
    """Whether each conversation has a topic of its own; else answers are replies."""
    private: bool
    people: dict[str, int]
    """Telegram's user ids, with the agents whom they speak for."""


def _load(rx: Tx, name: str) -> Any:
    return json.loads(options.get(rx, name, "null"))


def find(rx: Tx) -> Place | None:
    """The connected chat; None when there is none."""
    told = _load(rx, "telegram.place")
    return Place(**told) if told else None


def new_code(tx: Tx, agent_id: int) -> str:
    """A code with which that agent connects a chat, once, within CODE_SECONDS. Their earlier ones are void."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(CODE))
    kept = {key: value for key, value in _codes(tx).items() if value[0] != agent_id}
    options.put(tx, "telegram.codes", json.dumps(kept | {fingerprint(code): [agent_id, clock.now(CODE_SECONDS)]}))
    return code


def _codes(rx: Tx) -> dict[str, list[Any]]:
    return {key: value for key, value in (_load(rx, "telegram.codes") or {}).items() if value[1] > clock.now()}


def redeem(tx: Tx, code: str) -> int | None:
    """The agent whose code this is, which is used up by it; None for one that is wrong or too old."""
    codes = _codes(tx)
    agent_id, _ = codes.pop(fingerprint(code), (None, ""))
    if agent_id is not None:
        options.put(tx, "telegram.codes", json.dumps(codes))
    return agent_id


def connect(tx: Tx, place: Place, user: str, agent_id: int) -> None:
    """That user answers in that chat as that agent from now on. In another chat than before, everybody begins anew."""
    before = find(tx)
    people = before.people if before and before.chat == place.chat else {}
    _keep(tx, place._replace(people={**people, user: agent_id}))


def move(tx: Tx, old: str, new: str) -> None:
    """The group has become a supergroup, which has another id."""
    place = find(tx)
    if place and place.chat == old:
        _keep(tx, place._replace(chat=new))


def disconnect(tx: Tx) -> None:
    """Nobody answers from Telegram any more."""
    options.put(tx, "telegram.place", "")


def _keep(tx: Tx, place: Place) -> None:
    options.put(tx, "telegram.place", json.dumps(place._asdict()))


def next_update(rx: Tx, bot_id: str) -> int:
    """The first update that was not taken in; 0 when any is welcome: another bot, or a week of silence."""
    told = _load(rx, "telegram.read")
    known = told and told["bot"] == bot_id and told["at"] > clock.now(-FORGETS)
    return int(told["next"]) if known else 0


def advance(tx: Tx, bot_id: str, update_id: int) -> None:
    """That update is taken in: to be called in the transaction that stores what it brought."""
    told = {"bot": bot_id, "next": update_id + 1, "at": clock.now()}
    options.put(tx, "telegram.read", json.dumps(told))


def heard_at(rx: Tx) -> str | None:
    """When the last update was taken in."""
    told = _load(rx, "telegram.read")
    return str(told["at"]) if told else None


def profile(rx: Tx, bot_id: str) -> dict[str, str]:
    """What the bot says of itself (`username`, `name`); empty when nobody has asked it yet."""
    told = _load(rx, "telegram.bot") or {}
    return told if told.get("id") == bot_id else {}


def introduce(tx: Tx, bot_id: str, told: dict[str, Any]) -> None:
    """Keep what getMe told."""
    profile = {"id": bot_id, "username": str(told.get("username", "")), "name": str(told.get("first_name", ""))}
    options.put(tx, "telegram.bot", json.dumps(profile))
