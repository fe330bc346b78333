"""Alerts: the owner is called when somebody writes and nobody looks. By push to their browsers, then by mail, then
through a colleague; never in quiet hours, never a hundred at once."""

from functools import partial

from chat.features import Feature, Page
from chat.features.alerts import calls, digests, reach, web, worker
from chat.features.alerts.calls import Calls
from chat.features.alerts.courier import Courier
from chat.languages import noop
from chat.outbox import Handler, Sender
from chat.web import Core


def declare(core: Core) -> Feature:
    """The feature in this process."""
    courier = Courier(core.store, core.settings, core.secret)
    following = Calls(core.store, core.settings)
    return Feature(
        name="alerts",
        blueprints=(web.alerts, worker.worker),
        page=Page(
            noop("Alerts"),
            "/inbox/alerts",
            noop("How you are called when somebody writes, and whether it works."),
        ),
        handlers=(Handler("alerts", frozenset(("message.posted",)), following.heard),),
        senders=(
            Sender(calls.PUSH, courier.send, courier.sent, at_once=4),
            Sender(calls.STEP, following.step, following.stepped),
        ),
        reaches=lambda rx: reach.now(rx, core.settings),
        background=(partial(digests.run, core.store, core.settings),),
    )
