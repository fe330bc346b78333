"""E-mail, both ways: the conversation goes on where the visitor reads their mail."""

from chat.features import Feature, Page
from chat.features.mail import visitors
from chat.features.mail.checks import look as look
from chat.features.mail.door import door
from chat.features.mail.fetching import Mailbox
from chat.features.mail.page import page
from chat.features.mail.sending import Post
from chat.languages import noop
from chat.web import Core


def declare(core: Core) -> Feature:
    """What mail brings."""
    post = Post(core.settings, core.store, core.secret)
    return Feature(
        "mail",
        blueprints=(page, door, visitors.visitors),
        page=Page("E-mail", "/inbox/mail", noop("Answers reach visitors who have left, and theirs come in.")),
        handlers=(post.handler,),
        senders=(post.sender,),
        widget=visitors.draw,
        aside=visitors.aside,
        background=(Mailbox(core.settings, core.store, core.limits.doors).watch,),
    )
