"""Reach: whether somebody would be called now if a visitor wrote, by a device that can be reached or by mail."""

from datetime import UTC, datetime

from chat.config import Settings
from chat.db import Tx
from chat.features.alerts import devices, plans
from chat.features.mail import account


def now(rx: Tx, settings: Settings) -> bool:
    """Whether anybody can be. Nobody is in their quiet hours; whoever is called for a colleague counts."""
    moment = datetime.now(UTC)
    awake = [plan for plan in plans.every(rx) if plan.quiet_until(moment) is None]
    if any(plan.mail_after is not None for plan in awake) and account.of(settings, rx).sends:
        return True
    return any(not device.error for plan in awake for device in devices.of_agent(rx, plan.agent_id))
