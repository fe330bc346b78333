"""A real mail account: Dovecot for IMAP, aiosmtpd for SMTP, both on the loopback, with one mailbox."""

from __future__ import annotations

import email
import email.policy
import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from feed import eventually
from harness import free_port
from imapclient import IMAPClient

ADDRESS, PASSWORD = "chat@shop.example", "s3cret"


class Dovecot:
    """The real IMAP server, with one user; a context manager that can be killed and started again."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="porchlight-imap-"))  # not pytest's: its user changes, and must get there
        self.folder.chmod(0o755)
        self.port = free_port()
        self.url = f"imap://chat:{PASSWORD}@127.0.0.1:{self.port}/INBOX"
        self.process: subprocess.Popen[bytes] | None = None

    def _configuration(self) -> str:
        root = os.geteuid() == 0
        login, internal = ("dovenull", "dovecot") if root else (getpass.getuser(),) * 2
        owner = "uid=8 gid=8" if root else f"uid={os.getuid()} gid={os.getgid()}"
        home = self.folder
        return f"""
base_dir = {home}/run
state_dir = {home}/lib
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {internal}
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{home}/mail/%u
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = {owner} home={home}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

    def start(self) -> Dovecot:
        for name in ("run", "lib", "mail"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "mail").chmod(0o777)
        (self.folder / "dovecot.conf").write_text(self._configuration())
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        with (self.folder / "output").open("ab") as output:
            command = [program, "-F", "-c", str(self.folder / "dovecot.conf")]
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        eventually(self._answers, what="the IMAP server")
        return self

    def _answers(self) -> bool:
        try:
            self.client().logout()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> Dovecot:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self) -> IMAPClient:
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10)
        client.login("chat", PASSWORD)
        return client

    def drop(self, *letters: EmailMessage | bytes) -> None:
        """Letters arrive in the mailbox."""
        client = self.client()
        for letter in letters:
            client.append("INBOX", letter if isinstance(letter, bytes) else letter.as_bytes())
        client.logout()

    def unread(self) -> int:
        client = self.client()
        client.select_folder("INBOX", readonly=True)
        count = len(client.search(["UNSEEN"]))
        client.logout()
        return count


class Smtp:
    """A real SMTP server that keeps what it gets; `say` makes it refuse recipients, `slow` makes it wait."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Any] = []
        self.say: dict[str, str] = {}
        self.answer = ""
        self.then: Callable[[], object] | None = None
        """Done once, when a mail is here and its sender does not know yet; False: the line is cut before it does."""
        self.port = free_port()
        self.url = f"smtp://chat:{PASSWORD}@127.0.0.1:{self.port}"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.say:
            return self.say[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer:
            return self.answer
        self.envelopes.append(envelope)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        then, self.then = self.then, None
        if then and then() is False:
            server.transport.abort()
        return "250 OK"

    def start(self) -> Smtp:
        def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
            good = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
            return AuthResult(success=good, handled=False)

        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, authenticator=check, auth_require_tls=False
        )
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop()

    def __enter__(self) -> Smtp:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for(self, count: int, seconds: float = 20.0) -> EmailMessage:
        """The mail with that number, once it is here."""
        eventually(lambda: len(self.mails) >= count, seconds, f"mail number {count}")
        return self.mails[count - 1]


def letter(sender: str, to: str, body: str, subject: str = "A question", **headers: str) -> EmailMessage:
    """A mail as a person's program would write it."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Message-ID"] = make_msgid(domain="example.org")
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(body)
    return made


def reply_to(mail: EmailMessage, sender: str, body: str, **headers: str) -> EmailMessage:
    """An answer to a mail, with its words quoted below, as most programs do."""
    quoted = "\n".join(f"> {line}" for line in mail.get_body(("plain",)).get_content().splitlines())  # type: ignore[union-attr]
    text = f"{body}\n\nOn Mon, 23 Nov 2026 at 10:00, Shop <{ADDRESS}> wrote:\n\n{quoted}\n"
    threading = {"In-Reply-To": mail["Message-ID"], "References": mail["Message-ID"]}
    return letter(sender, str(mail["Reply-To"]), text, f"Re: {mail['Subject']}", **(threading | headers))


def pause(seconds: float) -> None:
    """For what must not happen meanwhile."""
    time.sleep(seconds)
