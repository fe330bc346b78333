"""What is set for the hook: the owner's address, and the secrets by which both sides know each other.

After a rotation the old secret stays valid for OVERLAP seconds: the other side takes its time.
"""

import base64
import json
import secrets
from typing import Any, NamedTuple

from chat import clock, options
from chat.db import Tx

OVERLAP = 24 * 3600.0


class Account(NamedTuple):
    """How the hook is set up."""

    address: str
    """Where answers go; empty: nowhere."""
    secrets: tuple[str, ...]
    """Those that are valid now, the newest first; none: nothing is taken in or sent."""
    off: bool
    """The address said that it is gone for good (410)."""
    made_at: str
    """When the newest secret was made."""
    old_until: str
    """Until when the one before it is valid; empty when it is not any more."""


def of(rx: Tx) -> Account:
    """As it stands now."""
    kept = [each for each in _kept(rx) if not each["until"] or each["until"] > clock.now()]
    return Account(
        options.get(rx, "hook.address"),
        tuple(each["secret"] for each in kept),
        bool(options.get(rx, "hook.off")),
        kept[0]["at"] if kept else "",
        kept[1]["until"] if len(kept) > 1 else "",
    )


def _kept(rx: Tx) -> list[dict[str, Any]]:
    return list(json.loads(options.get(rx, "hook.secrets", "[]")))


def rotate(tx: Tx) -> str:
    """A new secret of 256 random bits (`whsec_...`). The one before it is valid for OVERLAP seconds more."""
    made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    before = [{**each, "until": clock.now(OVERLAP)} for each in _kept(tx)[:1]]
    options.put(tx, "hook.secrets", json.dumps([{"secret": made, "at": clock.now(), "until": ""}, *before]))
    return made


def send_to(tx: Tx, address: str) -> None:
    """Answers go there from now on, also after a 410; empty: nowhere."""
    options.put(tx, "hook.address", address)
    options.put(tx, "hook.off", "")


def switch_off(tx: Tx) -> None:
    """The address is gone for good."""
    options.put(tx, "hook.off", clock.now())
