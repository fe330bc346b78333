"""The inbox of letters: what each one becomes. In one transaction with the note that it has come, so that a letter
that is fetched twice, or again after a crash, makes no second message."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chat import accounts, channels, conversations, files, messages, sites, text
from chat.channels import Incoming
from chat.db import Store, Tx
from chat.features.mail import letterbook, threads
from chat.features.mail.threads import Thread
from chat.files import Upload
from chat.letters.parsing import Letter
from chat.letters.reader import Reader
from chat.limits import Buckets

MOST_FILES = 20  # of one letter


class Taken(NamedTuple):
    """A letter with its files on the disk, ready to be stored."""

    letter: Letter
    uploads: list[Upload]
    refused: list[str]
    """Why some of its files were not kept, a sentence each."""


_reader = Reader()


def take_in(
    store: Store,
    data: Path,
    raw: bytes,
    limit: Buckets,
    besides: Callable[[Tx], object] = lambda tx: None,
) -> str:
    """Read and store a letter, once, with what `besides` notes in the same transaction; returns what it became.
    Raises StorageError, OSError, and TooMany for an address that floods us: then nothing was stored."""
    taken = Taken(_reader.read(raw), [], [])
    limit.take(f"mail {taken.letter.answers_to or taken.letter.sender}")

    def write(tx: Tx) -> str:
        besides(tx)
        return receive(tx, taken)

    try:
        _lay_down(data, taken)
        return store.write(write)
    finally:
        files.settle(store, data, [upload.token for upload in taken.uploads])


def _lay_down(data: Path, taken: Taken) -> None:
    letter = taken.letter
    if letter.bounce is not None or letter.automatic:
        return
    for name, content in letter.files[:MOST_FILES]:
        _keep(data, taken, name, content)
    if letter.whole.strip():
        _keep(data, taken, files.WHOLE, letter.whole.encode(), made=True)
    if len(letter.files) > MOST_FILES:
        taken.refused.append(f"{len(letter.files) - MOST_FILES} more files were not kept.")


def _keep(data: Path, taken: Taken, name: str, content: bytes, made: bool = False) -> None:
    try:
        taken.uploads.append(files.keep(data, name, content, made=made))
    except files.Refused as why:
        taken.refused.append(str(why))


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
    """The conversation that the same person's earlier letter began, if this one refers to it. A letter that may be
    forged, or wants its answers elsewhere than theirs went so far, begins one of its own: else whoever knows a letter's
    Message-ID would be sent the talk."""
    talk = None if _forged(letter) else letterbook.conversation_of(tx, letter.parents, letter.sender)
    door = channels.door(tx, talk, "mail") if talk else None
    meant = door is not None and (letter.answers_to or letter.sender) == door.address
    return Thread("", talk, None) if talk and meant else None


def _forged(letter: Letter) -> str:
    """What our own mail server found wrong with its sender; empty when nothing, or when DMARC holds."""
    wrong = [f"{method}: {found}" for method, found in letter.verdicts.items() if found in ("fail", "softfail")]
    return ", ".join(wrong) if letter.verdicts.get("dmarc") != "pass" else ""


def _from_visitor(tx: Tx, taken: Taken, thread: Thread | None) -> str:
    """A visitor's words. In a known conversation answers go on where they went, whatever this letter asks for; words
    that came from another address, or with a forged one, say so."""
    letter = taken.letter
    said, address, opens = _words(taken), letter.answers_to or letter.sender, True
    site_id = conversations.site_of(tx, thread.conversation_id) if thread else sites.first(tx).id
    if thread:
        door = channels.door(tx, thread.conversation_id, "mail")
        if accounts.is_address(tx, letter.sender) and (door is None or door.address != letter.sender):
            why = "It went to the visitor's address of this conversation, but came from somebody who answers here."
            return _note(tx, letter, "refused", thread, note=why)
        address = door.address if door else letterbook.written_to(tx, thread.conversation_id)
        if letter.sender != address or _forged(letter):
            said, opens = f"({letter.sender})\n{said}", False
    told = (letter.name, said, letter.message_id, letter.subject, tuple(taken.uploads))
    incoming = Incoming("mail", address, *told, fresh=thread is None, opens=opens)
    stored = channels.receive(tx, site_id, incoming, thread.conversation_id if thread else None)
    kind = "answer" if thread else "new"
    return _note(tx, letter, kind, thread, conversation_id=stored.conversation_id, message=stored.message_id)


def _from_agent(tx: Tx, taken: Taken, thread: Thread, agent_id: int) -> str:
    """An agent answers from their own mailbox: the secret address, their own address in From, and no word of the
    receiving server that it is forged."""
    letter = taken.letter
    own = accounts.email_of(tx, agent_id) or ""
    if letter.sender != own.lower():
        why = f"It went to the address that only {own} answers from, but came from {letter.sender or 'nobody'}."
        return _note(tx, letter, "refused", thread, note=why)
    if forged := _forged(letter):
        why = f"The mail server could not verify that it came from {own} ({forged})."
        return _note(tx, letter, "refused", thread, note=why)
    site_id = conversations.site_of(tx, thread.conversation_id)
    client_id = channels.client_id("mail", letter.message_id)
    said = _words(taken._replace(refused=[]))  # what we have to say about files is for the agent alone
    message = messages.post(tx, site_id, thread.conversation_id, "agent", said, client_id, agent_id, channel="mail")
    refused = [*taken.refused, files.lack_of_room(tx, site_id, thread.conversation_id, taken.uploads)]
    if not refused[-1]:
        files.attach(tx, site_id, thread.conversation_id, message, taken.uploads)
    return _note(tx, letter, "answer", thread, message=message, note=" ".join(refused).strip())


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
