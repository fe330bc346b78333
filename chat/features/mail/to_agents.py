"""To agents: what mails to those who answer say around the conversation itself."""

from typing import Any

from chat import text
from chat.features.mail.plans import Plan
from chat.languages import gettext, ngettext


def transcript(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    """The conversation that the agent asked for."""
    assert plan.conversation is not None
    return {
        "subject": gettext("Your conversation with %(name)s") % {"name": plan.conversation.name},
        "title": gettext("Your conversation with %(name)s") % {"name": plan.conversation.name},
        "audience": "agents",
        "button": (gettext("Open it in the inbox"), f"{url}/inbox/conversations/{plan.conversation.id}"),
        "foot": gettext("What you answer to this e-mail goes to the visitor."),
    }


def alert(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    """A visitor has waited too long."""
    talk = plan.conversation
    assert talk is not None
    said = text.line(plan.fresh[-1].body or "", 60) if plan.fresh else ""
    waits = gettext("A visitor waits for an answer")
    if plan.fresh:
        waits = gettext("%(name)s wrote, and waits for an answer:") % {"name": talk.name}
    return {
        "subject": f"{talk.name}: {said}" if said else gettext("New message"),
        "title": waits,
        "audience": "agents",
        "button": (gettext("Answer in the inbox"), f"{url}/inbox/conversations/{talk.id}"),
        "foot": gettext("You can also answer this e-mail: what you write goes to the visitor."),
    }


def digest(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    """All who wait, once a day."""
    count = len(plan.waiting)
    waits = ngettext("%(n)s conversation waiting for an answer", "%(n)s conversations waiting for an answer", count)
    waiting = [
        {"name": each.name, "last": text.line(each.last_body or "", 120), "url": f"{url}/inbox/conversations/{each.id}"}
        for each in plan.waiting
    ]
    return {
        "subject": waits % {"n": count},
        "title": gettext("These wait for an answer"),
        "waiting": [] if plan.brief else waiting,
        "button": (gettext("Open the inbox"), f"{url}/inbox"),
    }


def test(plan: Plan, url: str, secret: bytes) -> dict[str, Any]:
    """That mail goes out at all."""
    return {
        "subject": gettext("E-mail works"),
        "title": gettext("E-mail works"),
        "words": (
            gettext("This is the test mail that you asked for. Answers to visitors will come from this address."),
        ),
        "button": (gettext("Back to the inbox"), f"{url}/inbox"),
    }
