"""Standing: whether alerts reach an agent, said honestly, and why not."""

from typing import NamedTuple

from chat import deliveries
from chat.config import Settings
from chat.db import Tx
from chat.features.alerts.devices import Device
from chat.features.alerts.plans import Plan
from chat.features.mail import account, notices


class Standing(NamedTuple):
    """What the page says on top, and of mail."""

    state: str
    """works, unproven, fails or absent."""
    device: str
    """The name of the one that was reached last, or that fails."""
    pushed_at: str | None
    why: str
    """What the push service said."""
    mail: str
    """off, absent or on."""
    mailed_at: str | None
    mail_error: str = ""
    """Why what is to be mailed has not gone out yet."""


def of(rx: Tx, settings: Settings, plan: Plan, devices: list[Device]) -> Standing:
    """How it stands for this agent with these devices."""
    mails = "off" if plan.mail_after is None else "on" if account.of(settings, rx).sends else "absent"
    trying = deliveries.latest(rx, notices.SENDER, "waiting", limit=20) if mails == "on" else []
    state, device, pushed_at, why = _by_push(rx, plan, devices)
    return Standing(
        state,
        device,
        pushed_at,
        why,
        mail=mails,
        mailed_at=deliveries.last_success(rx, notices.SENDER, plan.agent_id),
        mail_error=next((each.error for each in trying if each.error), ""),
    )


def _by_push(rx: Tx, plan: Plan, devices: list[Device]) -> tuple[str, str, str | None, str]:
    reached = max((device for device in devices if device.success_at), key=lambda each: each.success_at, default=None)
    good = [device for device in devices if not device.error]
    bad = next((device for device in devices if device.error), None)
    if reached and not reached.error:
        return "works", reached.name, reached.success_at, ""
    if good:
        return "unproven", good[0].name, None, ""
    if bad:
        return "fails", bad.name, bad.success_at, bad.error
    return "absent", "", deliveries.last_success(rx, "push", plan.agent_id), ""
