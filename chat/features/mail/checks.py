"""Checks: what the doctor looks at for e-mail, in words for somebody who never heard of SPF."""

from __future__ import annotations

import imaplib
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chat import deliveries, outbound
from chat.config import Settings
from chat.db import Tx
from chat.doctor import Check, Finding, Lines, ok, problem, warning
from chat.features.mail import account, fetching, records, smtp
from chat.features.mail.account import Account
from chat.features.mail.records import Records
from chat.outbox import Later

if TYPE_CHECKING:
    from dns.resolver import Resolver

SENDERS = {
    "gmail.com": "_spf.google.com",
    "google.com": "_spf.google.com",
    "office365.com": "spf.protection.outlook.com",
    "outlook.com": "spf.protection.outlook.com",
    "fastmail.com": "spf.messagingengine.com",
    "messagingengine.com": "spf.messagingengine.com",
    "mailgun.org": "mailgun.org",
    "sendgrid.net": "sendgrid.net",
    "amazonaws.com": "amazonses.com",
    "postmarkapp.com": "spf.mtasv.net",
    "mailbox.org": "mailbox.org",
    "protonmail.ch": "_spf.protonmail.ch",
    "infomaniak.com": "spf.infomaniak.ch",
}
"""What a domain has to include when it sends by these hosts, as their own manuals say."""
SHARED = ("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.net", "gmx.de")
"""Domains that belong to a provider: their records are none of the owner's business."""
SILENT = "No name server has answered, so this could not be looked up. Mail may work all the same."


def look(settings: Settings, rx: Tx, resolver: Resolver | None = None) -> list[Check]:
    """The checks of e-mail, one for each thing that can be wrong; a single word when it is not set up."""
    mine = account.of(settings, rx)
    if not (mine.smtp_url or mine.imap_url or mine.mail_from):
        unused = ok(
            "It is not set up, so visitors who leave are not written to. The page E-mail in the settings does it."
        )
        return [Check("E-mail", lambda: unused)]
    stuck = _queue(rx)
    found = [Check("E-mail out", partial(out, mine)), Check("E-mail queue", lambda: stuck)]
    if mine.imap_url:
        found.append(Check("E-mail in", partial(into, mine)))
    domain = mine.address.rpartition("@")[2].lower()
    if not domain or domain in SHARED or "." not in domain:
        return found
    host = urlsplit(mine.smtp_url).hostname or ""
    ask = cache(partial(_ask, domain, resolver))
    for name, judge in (("SPF", partial(spf, host)), ("DKIM", dkim), ("DMARC", dmarc), ("Answers", answers)):
        found.append(Check(name, partial(_of_domain, domain, ask, judge)))
    return found


def _queue(rx: Tx) -> Finding:
    failed = len(deliveries.latest(rx, "mail", "failed", limit=50))
    trying = [each for each in deliveries.latest(rx, "mail", "waiting", limit=50) if each.error]
    last = deliveries.last_success(rx, "mail")
    if not failed and not trying:
        return ok(
            f"Nothing is stuck. The last mail went out at {last[:16].replace('T', ' ')} UTC." if last else "Empty."
        )
    told = [f"{failed} could not be sent"] * bool(failed) + [f"{len(trying)} did not go out yet"] * bool(trying)
    why = trying[0].error if trying else "Each conversation says why."
    return warning(f"Of the mails, {' and '.join(told)}.", why, "The page E-mail in the settings lists them.")


def out(mine: Account) -> Finding:
    """Whether the outgoing server lets us in, by an encrypted line, and takes the sender. Sends nothing."""
    if not mine.sends:
        missing = "sender" if mine.smtp_url else "server for outgoing mail"
        return problem(f"No {missing} is set, so no mail goes out.", "", "Set it on the page E-mail in the settings.")
    host = urlsplit(mine.smtp_url).hostname or ""
    try:
        server = smtp.connect(mine.smtp_url)
    except Later as error:
        return problem(str(error), "No mail goes out until this is mended; what waits is kept.")
    try:
        encrypted = isinstance(server.sock, ssl.SSLSocket)
        server.ehlo_or_helo_if_needed()  # signing in says it, but not every server wants a password
        code, told = server.mail(mine.address)
    except (smtplib.SMTPException, OSError) as error:
        return problem(
            f"{host} broke off the talk: {outbound.reason(error)}.",
            "",
            "Look again; if it stays so, ask your provider.",
        )
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
    if code != 250:
        said = told.decode(errors="replace")
        return problem(f"{host} does not let {mine.address} send: {said}.", "", "Use an address of this account.")
    if not encrypted and not _is_here(host):
        why = "The password and all mails can be read on the way."
        return warning(f"{host} lets us in, but without encryption.", why, "Try smtps:// and port 465.")
    return ok(f"{host} lets us in and takes mail from {mine.address}.")


def _is_here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def into(mine: Account) -> Finding:
    """Whether the mailbox can be read, and how soon a new letter is noticed."""
    host, folder = urlsplit(mine.imap_url).hostname, fetching.folder_of(mine.imap_url)
    try:
        client = fetching.connect(mine.imap_url)
        try:
            client.select_folder(folder, readonly=True)
            soon = "at once" if client.has_capability("IDLE") else f"within {fetching.POLL:.0f} seconds"
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                client.logout()
    except (imaplib.IMAP4.error, OSError) as error:
        return problem(fetching.explained(mine.imap_url, error), "Answers by mail do not arrive until this is mended.")
    return ok(f"{host} lets us read {folder}; a new letter is noticed {soon}.")


def _ask(domain: str, resolver: Resolver | None) -> Records | None:
    try:
        return records.ask(domain, resolver)
    except records.Unreachable:
        return None


def _of_domain(domain: str, ask: Callable[[], Records | None], judge: Callable[[str, Records], Finding]) -> Finding:
    told = ask()
    if told is None:
        return warning(SILENT)
    if not told.exists:
        return problem(f"There is no domain {domain}.", "Mail from it is refused.", "Is the sender spelt right?")
    return judge(domain, told)


def _record(name: str, text: str, instead_of: str = "") -> Lines:
    """What to enter. A second record beside one of the same kind would make both void, so it is told which one goes."""
    which = f"Instead of the {instead_of} record that is there" if instead_of else "A new record"
    return Lines(f"{which}: type TXT, at your domain's provider, for {name}", text)


def spf(host: str, domain: str, told: Records) -> Finding:
    """Whether the domain says who may send for it (RFC 7208)."""
    include = next((value for ending, value in SENDERS.items() if host == ending or host.endswith(f".{ending}")), "")
    allowed = f"include:{include}" if include else f"mx a:{host}" if host else "mx"
    if not told.spf:
        why = "Without such a record (SPF), other mail servers can't tell your mails from forgeries: they land in spam."
        return warning(
            f"{domain} does not say who may send its mail.", why, "", _record(domain, f"v=spf1 {allowed} ~all")
        )
    if len(told.spf) > 1:
        why = "Then receivers ignore all of them (RFC 7208, 4.5)."
        return problem(f"{domain} has {len(told.spf)} SPF records.", why, "Make one of them: keep what each allows.")
    words = told.spf[0].split()
    if [word.lower() for word in words[1:]] in (["-all"], ["~all"]):
        why = "That is right for a domain without mail; from this one, other mail servers refuse it or call it spam."
        lines = _record(domain, f"v=spf1 {allowed} ~all", instead_of="SPF")
        return problem(f"The SPF record of {domain} lets nobody send: `{told.spf[0]}`.", why, "", lines)
    if words[-1].lower() in ("+all", "all"):
        why = "Anybody can send in your name."
        return warning(f"The SPF record of {domain} allows everybody.", why, "End it with `~all` instead.")
    if include and not any(include in word for word in words) and not any("redirect=" in word for word in words):
        why = f"Your mail goes out by {host}, which is not allowed by name: mails may land in spam."
        new = " ".join([words[0], allowed, *words[1:]])
        lines = _record(domain, new, instead_of="SPF")
        return warning(f"The SPF record of {domain} does not name your provider.", why, "", lines)
    return ok(f"{domain} says who may send its mail: `{told.spf[0]}`.")


def dkim(domain: str, told: Records) -> Finding:
    """Whether a key for signatures is published (RFC 6376): under which name is known to the mails alone."""
    if told.keys is None:
        return warning(SILENT)
    if told.keys:
        return ok(f"A key for signatures is published under {told.keys[0]}._domainkey.{domain}.")
    why = "That proves nothing, since the name stands in the mails only. But unsigned mails land in spam more often."
    do = "Send yourself the test mail and look for `dkim=pass` in its source. If it is missing, switch DKIM on there."
    return warning(f"No key for signatures (DKIM) was found for {domain} under the usual names.", why, do)


def dmarc(domain: str, told: Records) -> Finding:
    """Whether the domain says what to do with forgeries (RFC 7489)."""
    if told.dmarc is None:
        return warning(SILENT)
    if not told.dmarc:
        why = "Large providers ask for such a record (DMARC) from everybody who sends."
        return warning(
            f"{domain} does not say what to do with forgeries.",
            why,
            "",
            _record(f"_dmarc.{domain}", "v=DMARC1; p=none"),
        )
    policy = records.tags(told.dmarc[0]).get("p", "").lower()
    if len(told.dmarc) > 1 or policy not in ("none", "quarantine", "reject"):
        why = "Receivers treat it as if it were missing (RFC 7489, 6.6.3)."
        return problem(
            f"The DMARC record of {domain} can't be read: {' and '.join(told.dmarc)}.",
            why,
            "",
            _record(f"_dmarc.{domain}", "v=DMARC1; p=none", instead_of="DMARC"),
        )
    return ok(f"{domain} says what to do with forgeries: `p={policy}`.")


def answers(domain: str, told: Records) -> Finding:
    """Whether mail can reach the sender's domain."""
    if told.mail_servers is None:
        return warning(SILENT)
    if not told.mail_servers or told.mail_servers == [""]:
        why = "What visitors answer comes back to them as undeliverable."
        return problem(
            f"{domain} has no mail server.", why, "Use a sender whose mailbox you read, or add an MX record."
        )
    return ok(f"Answers to {domain} go to {told.mail_servers[0]}.")
