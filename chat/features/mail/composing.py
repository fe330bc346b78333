"""Composing: a mail out of the conversation, as plain text and as HTML by the thread's own fragments.

`EmailMessage` alone writes headers, so no name or subject can bring one of its own (it refuses line ends).
"""

from datetime import UTC, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from typing import Any

from markupsafe import Markup

from chat import dates, fragments, languages, text
from chat.events import Event
from chat.features.mail import threads
from chat.features.mail.account import Account
from chat.languages import gettext
from chat.letters import automatic

MOST = 50_000  # characters of HTML, before styles are written into it: Gmail cuts a mail off at 102 KB


def mail(
    account: Account,
    recipient: str,
    subject: str,
    *,
    name: str = "",
    token: str = "",
    message_id: str,
    parents: list[str],
    generated: bool = False,
    stop_url: str = "",
    **shown: Any,
) -> EmailMessage:
    """A mail ready to go. `name` is whose words it carries; `token` makes the reply address; `generated` is true for
    what no person wrote (RFC 3834); `stop_url` is where one click ends such mails (RFC 8058)."""
    made = EmailMessage(policy=SMTP)
    made["From"] = _sender(account, name)
    made["To"] = recipient
    made["Subject"] = text.line(subject, 200)
    made["Date"] = formatdate(localtime=False)
    made["Message-ID"] = f"<{message_id}>"
    made["Reply-To"] = threads.reply_address(account.mail_from, token) if token else account.address
    if parents:
        made["In-Reply-To"] = f"<{parents[-1]}>"
        made["References"] = " ".join(f"<{each}>" for each in parents)
    if generated:
        made["Auto-Submitted"] = "auto-generated"
    if stop_url:
        made["List-Unsubscribe"] = f"<{stop_url}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made[automatic.OWN] = "1"
    plain, html = body(subject=subject, stop_url=stop_url, **shown)
    made.set_content(plain)
    made.add_alternative(html, subtype="html")
    return made


def _sender(account: Account, name: str) -> Address:
    own = parseaddr(account.mail_from)[0]
    shown = f"{name} ({own})" if name and own else name or own
    local, _, domain = account.address.rpartition("@")
    return Address(text.line(shown, 100), local, domain)


def body(
    *,
    subject: str,
    title: str,
    url: str,
    audience: str = "all",
    words: tuple[str, ...] = (),
    fresh: list[Event] | None = None,
    before: list[Event] | None = None,
    button: tuple[str, str] | None = None,
    foot: str = "",
    stop_url: str = "",
    zone: tzinfo = UTC,
    waiting: list[dict[str, str]] | None = None,
) -> tuple[str, str]:
    """(plain text, HTML) of a letter; what came long before gives way when it grows too long."""
    old = [event for event in before or [] if event.kind in fragments.TEMPLATES]
    values: dict[str, Any] = {
        "subject": subject,
        "title": title,
        "url": url,
        "lang": languages.spoken(),
        "audience": audience,
        "at": lambda moment: dates.moment(moment, zone),
        "dir": languages.direction(),
        "words": words,
        "foot": foot,
        "waiting": waiting or [],
        "before_title": gettext("The conversation so far"),
        "button": {"words": button[0], "url": button[1]} if button else None,
        "stop": {"words": gettext("Stop these e-mails"), "url": stop_url} if stop_url else None,
    }
    drawn = [_drawn(event, audience, url, zone) for event in fresh or []]
    room, shown = MOST - sum(map(len, drawn)), []
    for event in reversed(old):  # the newest first, as far as they fit
        html = _drawn(event, audience, url, zone)
        room -= len(html)
        if room < 0:
            break
        shown.insert(0, html)
    kept = old[len(old) - len(shown) :]
    plain = fragments.partial("mail/letter.txt", **values, fresh_events=fresh or [], before_events=kept)
    page = fragments.partial("mail/letter.html", **values, fresh=drawn, before=shown)
    return str(plain).strip() + "\n", _inlined(str(page))


def _inlined(page: str) -> str:
    """The same with each element's style on itself, for mail programs that drop style sheets; the dark one stays."""
    from css_inline import CSSInliner

    return str(CSSInliner(keep_style_tags=True, load_remote_stylesheets=False).inline(page))


def _drawn(event: Event, audience: str, url: str, zone: tzinfo) -> Any:
    """The thread's own fragment, its addresses whole and its times the reader's."""
    html = str(fragments.event(event, audience, ""))  # Markup would escape what is put in
    said, here = dates.moment(event.created_at), dates.moment(event.created_at, zone)
    return Markup(html.replace('href="/files/', f'href="{url}/files/').replace(f">{said}<", f">{here}<"))
