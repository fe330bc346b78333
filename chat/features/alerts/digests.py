"""Digests: once a day, at the hour that an agent chose, a list of what waits."""

import logging
from datetime import UTC, datetime

import gevent

from chat.config import Settings
from chat.db import StorageError, Store, Tx
from chat.features.alerts import plans, unseen
from chat.features.mail import account, notices

LOOK = 5.0  # seconds between two looks at the clock
log = logging.getLogger("porchlight.alerts")


def run(store: Store, settings: Settings) -> None:
    """Look at the clock for ever."""
    while True:
        try:
            send_due(store, settings, datetime.now(UTC))
        except StorageError as error:
            log.warning("Whether a digest is due could not be looked at: %s", error)
        gevent.sleep(LOOK)


def send_due(store: Store, settings: Settings, now: datetime) -> int:
    """Have every digest sent whose hour has come, once a day; returns how many agents were looked at."""
    with store.read() as rx:
        due = [plan.agent_id for plan in plans.every(rx) if plan.digest_due(now)]
    for agent_id in due:
        store.write(lambda tx, agent_id=agent_id: _send(tx, settings, agent_id, now))  # type: ignore[misc]
    return len(due)


def _send(tx: Tx, settings: Settings, agent_id: int, now: datetime) -> None:
    plan = plans.of(tx, agent_id)
    if plan is None or not plan.digest_due(now):
        return
    if unseen.waiting(tx) and account.of(settings, tx).sends:
        notices.digest(tx, agent_id, brief=not plan.show_text)
    plans.digested(tx, plan, now)
