"""SMTP: one connection to the owner's mail server, kept while there is more to send (RFC 5321, 3207, 4954)."""

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import parseaddr
from time import monotonic
from urllib.parse import unquote, urlsplit

import gevent

from chat import outbound
from chat.letters import bounces
from chat.outbox import Later, Permanent

WAIT = 20.0  # seconds for each step of the talk with the server
IN_ALL = 180.0  # seconds for one mail, its attachments' bytes included: one who drips holds nobody up for longer
REST = 10.0  # seconds that the connection is kept for the next mail


class Line:
    """The connection, made when it is needed."""

    def __init__(self) -> None:
        self._server: smtplib.SMTP | None = None
        self._url, self._used = "", 0.0

    def send(self, url: str, mail: EmailMessage, recipient: str) -> None:
        """Hand the mail over. Raises Permanent when it will never be taken, Later for all that may pass; in words."""
        sender = parseaddr(str(mail["From"]))[1]
        try:
            with gevent.Timeout(IN_ALL, TimeoutError("it took too long")):
                self._ready(url).send_message(mail, sender, [recipient])
            self._used = monotonic()
        except smtplib.SMTPRecipientsRefused as error:
            code, told = next(iter(error.recipients.values()))
            self._hang_up()
            raise _told(code, told) from None
        except smtplib.SMTPSenderRefused as error:
            self._hang_up()
            raise Later(f"The mail server does not let {sender} send: {_text(error.smtp_error)}") from None
        except smtplib.SMTPResponseException as error:
            self._hang_up()
            raise _told(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError) as error:
            self._hang_up()
            raise Later(f"The connection to the mail server broke: {outbound.reason(error)}") from None

    def _ready(self, url: str) -> smtplib.SMTP:
        if self._server and (url != self._url or monotonic() - self._used > REST or not self._alive()):
            self._hang_up()
        if self._server is None:
            self._server, self._url = connect(url), url
        return self._server

    def _alive(self) -> bool:
        try:
            return bool(self._server and self._server.noop()[0] == 250)
        except (smtplib.SMTPException, OSError):
            return False

    def _hang_up(self) -> None:
        server, self._server = self._server, None
        if server:
            with suppress(smtplib.SMTPException, OSError):
                server.close()


def connect(url: str) -> smtplib.SMTP:
    """A connection that is signed in. Raises Later, with what to mend in words."""
    parts = urlsplit(url)
    host, tls = parts.hostname or "", ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if parts.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=WAIT, context=tls)
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=WAIT)
            if server.ehlo() and server.has_extn("starttls"):
                server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        return server
    except ssl.SSLCertVerificationError as error:
        raise Later(f"The certificate of {host} can't be trusted: {error.verify_message}.") from None
    except smtplib.SMTPAuthenticationError as error:
        raise Later(f"{host} refused the user name or the password: {_text(error.smtp_error)}") from None
    except smtplib.SMTPNotSupportedError:
        raise Later(f"{host} takes no user name and password on this connection. Try smtps://.") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Later(f"{host} could not be reached: {outbound.reason(error)}") from None


def _told(code: int, said: bytes | str) -> Permanent | Later:
    """5xx is for good (RFC 5321, 4.2.1), but for what the owner can mend at their own server."""
    told = _text(said)
    why = f"{bounces.reason(told.partition(' ')[0], told)} ({code} {told})"[:300]
    return Permanent(why) if 500 <= code < 600 and code not in (530, 535) else Later(why)


def _text(said: bytes | str) -> str:
    told = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(told.split())[:200]
