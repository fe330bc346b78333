"""The inbox of letters: what each one becomes. In one transaction with the note that it has come, so that a letter
that is fetched twice, or again after a crash, makes no second message."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gevent

from chat import accounts, channels, conversations, files, messages, sites, text
from chat.channels import Incoming
from chat.db import Store, Tx
from chat.features.mail import letterbook, threads
from chat.features.mail.threads import Thread
from chat.files import Upload
from chat.letters.parsing import Letter
from chat.letters.reader import Reader

MOST_FILES = 20  # of one letter


class Taken(NamedTuple):
    """A letter with its files on the disk, ready to be stored."""

    letter: Letter
    uploads: tuple[Upload, ...]
    refused: tuple[str, ...]
    """Why some of its files were not kept, a sentence each."""


_reader = Reader()


def prepare(data: Path, letter: Letter) -> Taken:
    """Put the letter's files on the disk: takes its time, so run it in a thread. Raises OSError."""
    uploads, refused = [], []
    if letter.bounce is None and not letter.automatic:
        for name, content in letter.files[:MOST_FILES]:
            try:
                uploads.append(files.lay_down(data, name, content))
            except files.Refused as why:
                refused.append(str(why))
        if letter.whole.strip():
            uploads.append(files.lay_down(data, files.WHOLE, letter.whole.encode(), kind="text/plain"))
    if len(letter.files) > MOST_FILES:
        refused.append(f"{len(letter.files) - MOST_FILES} more files were not kept.")
    return Taken(letter, tuple(uploads), tuple(refused))


def take_in(
    store: Store,
    data: Path,
    raw: bytes,
    besides: Callable[[Tx], object] = lambda tx: None,
) -> str:
    """Read and store a letter, once, with what `besides` notes in the same transaction; returns what it became.
    Raises StorageError, OSError: then nothing was stored."""
    taken = gevent.get_hub().threadpool.apply(_prepared, (data, _reader.read(raw)))
    if isinstance(taken, OSError):
        raise taken
    assert isinstance(taken, Taken)

    def write(tx: Tx) -> str:
        besides(tx)
        return receive(tx, taken)

    outcome = store.write(write)
    if outcome not in ("answer", "new"):
        files.discard(data, taken.uploads)
    return outcome


def _prepared(data: Path, letter: Letter) -> Taken | OSError:
    try:
        return prepare(data, letter)
    except OSError as error:
        return error


def receive(tx: Tx, taken: Taken) -> str:
    """Store what the letter says; returns what it became: answer, new, automatic, bounce, refused or known."""
    letter = taken.letter
    if letterbook.known(tx, "in", letter.message_id):
        return "known"
    thread = threads.addressed(tx, letter.recipients) or threads.answered(tx, letter.parents)
    if letter.bounce:
        return _bounced(tx, letter, thread)
    if letter.automatic:
        return _note(
            tx, letter, "automatic", thread, note=f"This is {letter.automatic}, so it is not shown to anybody."
        )
    if thread and thread.agent_id:
        return _from_agent(tx, taken, thread, thread.agent_id)
    if thread is None and letterbook.is_answer_to_notice(tx, letter.parents):
        why = "It answers a list or a test that we sent. Answer the mail about one conversation instead."
        return _note(tx, letter, "refused", thread, note=why)
    thread = thread or _own_thread(tx, letter)
    if not letter.sender:
        return _note(tx, letter, "refused", thread, note="It does not say from whom it is.")
    return _from_visitor(tx, taken, thread)


def _own_thread(tx: Tx, letter: Letter) -> Thread | None:
    """The conversation that the same person's earlier letter began, if this one refers to it."""
    talk = letterbook.conversation_of(tx, letter.parents, letter.sender)
    return Thread("", talk, None) if talk else None


def _from_visitor(tx: Tx, taken: Taken, thread: Thread | None) -> str:
    letter = taken.letter
    said, address = _words(taken), letter.answers_to or letter.sender
    site_id = conversations.site_of(tx, thread.conversation_id) if thread else sites.first(tx).id
    if thread:
        door = channels.door(tx, thread.conversation_id, "mail")
        if accounts.is_address(tx, letter.sender) and (door is None or door.address != letter.sender):
            why = "It went to the visitor's address of this conversation, but came from somebody who answers here."
            return _note(tx, letter, "refused", thread, note=why)
        if door and door.address not in (
            letter.sender,
            letter.answers_to,
        ):  # somebody who was forwarded the mail: answers go where they went
            address, said = door.address, f"({letter.sender})\n{said}"
    incoming = Incoming(
        "mail", address, letter.name, said, letter.message_id, letter.subject, taken.uploads, fresh=thread is None
    )
    try:
        talk, message = channels.receive(tx, site_id, incoming, thread.conversation_id if thread else None)
    except files.Refused as why:
        lighter = incoming._replace(files=(), body=f"{said}\n\n[{why}]".strip()[: text.LIMIT])
        talk, message = channels.receive(tx, site_id, lighter, thread.conversation_id if thread else None)
    return _note(tx, letter, "answer" if thread else "new", thread, conversation_id=talk, message=message)


def _from_agent(tx: Tx, taken: Taken, thread: Thread, agent_id: int) -> str:
    """An agent answers from their own mailbox: the secret address, their own address in From, and no word of the
    receiving server that it is forged."""
    letter = taken.letter
    own = accounts.email_of(tx, agent_id) or ""
    if letter.sender != own.lower():
        why = f"It went to the address that only {own} answers from, but came from {letter.sender or 'nobody'}."
        return _note(tx, letter, "refused", thread, note=why)
    forged = [f"{method}: {found}" for method, found in letter.verdicts.items() if found in ("fail", "softfail")]
    if forged and letter.verdicts.get("dmarc") != "pass":
        why = f"The mail server could not verify that it came from {own} ({', '.join(forged)})."
        return _note(tx, letter, "refused", thread, note=why)
    site_id = conversations.site_of(tx, thread.conversation_id)
    client_id = channels.client_id("mail", letter.message_id)
    said = _words(taken._replace(refused=()))  # what we have to say about files is for the agent alone
    message = messages.post(tx, site_id, thread.conversation_id, "agent", said, client_id, agent_id, channel="mail")
    refused = taken.refused
    try:
        files.attach(tx, site_id, thread.conversation_id, message, list(taken.uploads))
    except files.Refused as why:
        refused = (*refused, str(why))
    return _note(tx, letter, "answer", thread, message=message, note=" ".join(refused))


def _words(taken: Taken) -> str:
    said = [taken.letter.body, *(f"[{why}]" for why in taken.refused)]
    whole = "\n\n".join(part for part in said if part)
    return (whole or ("" if taken.uploads else "(This e-mail was empty.)"))[: text.LIMIT]


def _bounced(tx: Tx, letter: Letter, thread: Thread | None) -> str:
    """One of ours came back: the message that it carried says so to the agents."""
    bounce = letter.bounce
    assert bounce is not None
    ours = threads.mentioned(bounce.text)
    sent = next((found for each in ours if (found := letterbook.sent_message(tx, each))), None)
    if sent and bounce.permanent and sent.kind == "answer" and sent.message and sent.conversation_id:
        site_id = conversations.site_of(tx, sent.conversation_id)
        messages.undelivered(tx, site_id, sent.conversation_id, sent.message, bounce.reason)
    talk = sent.conversation_id if sent else None
    return _note(tx, letter, "bounce", thread, conversation_id=talk, note=f"{bounce.address} {bounce.reason}".strip())


def _note(
    tx: Tx,
    letter: Letter,
    kind: str,
    thread: Thread | None,
    *,
    conversation_id: int | None = None,
    message: int | None = None,
    note: str = "",
) -> str:
    talk = conversation_id or (thread.conversation_id if thread else None)
    letterbook.enter(
        tx,
        "in",
        letter.message_id,
        kind,
        letter.sender,
        letter.subject,
        conversation_id=talk,
        message=message,
        note=note,
    )
    return kind
