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


def of(rx: Tx, settings: Settings, plan: Plan, devices: list[Device]) -> Standing:
    """How it stands for this agent with these devices."""
    mailed = deliveries.last_success(rx, notices.SENDER, plan.agent_id)
    mails = "off" if plan.mail_after is None else "on" if account.of(settings, rx).sends else "absent"
    reached = max((device for device in devices if device.success_at), key=lambda each: each.success_at, default=None)
    good = [device for device in devices if not device.error]
    bad = next((device for device in devices if device.error), None)
    if reached and not reached.error:
        return Standing("works", reached.name, reached.success_at, "", mails, mailed)
    if good:
        return Standing("unproven", good[0].name, None, "", mails, mailed)
    if bad:
        return Standing("fails", bad.name, bad.success_at, bad.error, mails, mailed)
    return Standing("absent", "", deliveries.last_success(rx, "push", plan.agent_id), "", mails, mailed)
