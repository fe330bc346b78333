"""Plans: how each agent wants to be called, and when they want to be left alone. No row: the defaults."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chat.accounts import NO_PASSWORD
from chat.db import Tx
from chat.languages import gettext

MAIL_AFTER = (1, 5, 15, 60)  # minutes unseen; None: no mail
NEXT_AFTER = (5, 15, 30, 60)  # minutes unseen until the colleague is called


class BadPlan(ValueError):
    """A choice that can't be; the text says why, `field` where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class Plan(NamedTuple):
    """One agent's choices."""

    agent_id: int
    name: str
    email: str
    first: bool = True
    """Called at once; else only when a colleague's time is over."""
    show_text: bool = True
    sound: bool = True
    mail_after: int | None = 5
    next_agent_id: int | None = None
    next_after: int = 15
    quiet_from: str = ""
    quiet_to: str = ""
    timezone: str = ""
    digest: str = ""
    digested_on: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """Their time zone."""
        return zone(self.timezone)

    def quiet_until(self, moment: datetime) -> datetime | None:
        """When the quiet hours end that hold then; None outside of them."""
        if not self.quiet_from or self.quiet_from == self.quiet_to:
            return None
        there = moment.astimezone(self.zone)
        begin, end, now = clock_time(self.quiet_from), clock_time(self.quiet_to), there.time()
        inside = begin <= now < end if begin < end else now >= begin or now < end
        if not inside:
            return None
        day = there.date() + timedelta(days=now >= end)
        return datetime.combine(day, end, self.zone).astimezone(UTC)

    def held(self, seconds: float) -> float:
        """How many seconds from now an alert goes out that is due in so many: not before quiet hours are over."""
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        end = self.quiet_until(due)
        return seconds if end is None else seconds + (end - due).total_seconds()

    def digest_due(self, moment: datetime) -> bool:
        """Whether today's list of what waits is to go out, and has not yet."""
        there = moment.astimezone(self.zone)
        return bool(self.digest) and there.time() >= clock_time(self.digest) and self.digested_on != f"{there:%F}"


def zone(name: str) -> ZoneInfo:
    """The time zone of that name, UTC for none or one that is not known any more."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, LookupError):
        return ZoneInfo("UTC")


def clock_time(text: str) -> time:
    """22:30 as a time of day. Raises ValueError."""
    if not re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", text):
        raise ValueError("no time of day")
    return time.fromisoformat(text)


def check(plan: Plan) -> Plan:
    """The plan, if it can be kept. Raises BadPlan."""
    for field, what in (("quiet_from", plan.quiet_from), ("quiet_to", plan.quiet_to), ("digest", plan.digest)):
        try:
            clock_time(what or "00:00")
        except ValueError:
            raise BadPlan(field, gettext("Write the time as hours and minutes, such as 22:00.")) from None
    if bool(plan.quiet_from) != bool(plan.quiet_to):
        raise BadPlan("quiet_from", gettext("Quiet hours need a beginning and an end. Leave both empty to have none."))
    if plan.quiet_from and plan.quiet_from == plan.quiet_to:
        raise BadPlan(
            "quiet_from", gettext("These quiet hours begin and end at the same time. Leave both empty to have none.")
        )
    if plan.timezone and zone(plan.timezone).key != plan.timezone:
        raise BadPlan(
            "timezone", gettext("This time zone is not known. It looks like Europe/Vienna or America/New_York.")
        )
    return plan


_SELECT = (
    "SELECT a.id, a.name, a.email, coalesce(p.first, 1), coalesce(p.show_text, 1), coalesce(p.sound, 1),"
    " CASE WHEN p.agent_id IS NULL THEN 5 ELSE p.mail_after END, p.next_agent_id, coalesce(p.next_after, 15),"
    " coalesce(p.quiet_from, ''), coalesce(p.quiet_to, ''), coalesce(p.timezone, ''), coalesce(p.digest, ''),"
    " coalesce(p.digested_on, '') FROM agents a LEFT JOIN alert_plans p ON p.agent_id = a.id"
    " WHERE a.password_hash <> ?"
)


def every(rx: Tx) -> list[Plan]:
    """The plans of all who may answer."""
    return [Plan(*row) for row in rx.execute(_SELECT, [NO_PASSWORD]).fetchall()]


def of(rx: Tx, agent_id: int) -> Plan | None:
    """That agent's plan; None when they may not answer (any more)."""
    return next((plan for plan in every(rx) if plan.agent_id == agent_id), None)


def put(tx: Tx, plan: Plan) -> None:
    """Keep it. A digest whose hour has passed today begins tomorrow."""
    now = datetime.now(UTC)
    today = f"{now.astimezone(plan.zone):%F}" if plan._replace(digested_on="").digest_due(now) else plan.digested_on
    tx.execute(
        "INSERT OR REPLACE INTO alert_plans (agent_id, first, show_text, sound, mail_after, next_agent_id, next_after,"
        " quiet_from, quiet_to, timezone, digest, digested_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [plan.agent_id, *plan[3:-1], today],
    )


def digested(tx: Tx, plan: Plan, moment: datetime) -> None:
    """Today's list of that agent is done."""
    day = f"{moment.astimezone(plan.zone):%F}"
    tx.execute("UPDATE alert_plans SET digested_on = ? WHERE agent_id = ?", [day, plan.agent_id])
