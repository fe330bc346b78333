"""Intake: fetches what was written to the bot, and stores it once.

What an update brings and "that update is taken in" are one transaction; Telegram gives an update again until it is
asked for a later one. So a crash at any moment loses nothing and doubles nothing.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent

from chat import channels, conversations, files, messages, options, outbound, sites
from chat.channels import Incoming
from chat.config import Settings
from chat.db import StorageError, Store, Tx
from chat.features.telegram import api, links, place, pocket, topics, updates, visitors
from chat.features.telegram.api import Bot, Wrong
from chat.features.telegram.place import Place
from chat.features.telegram.topics import Topic
from chat.features.telegram.updates import Said, Sent
from chat.files import Upload
from chat.limits import Buckets, TooMany

POLL = 25  # seconds that Telegram keeps the question when there is nothing
LOOK = 1.0  # seconds between two looks for a bot where none is set
PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries when Telegram does not answer: doubled each time
FILE_WAIT = 40.0  # seconds for one file, all tries together: everybody else waits behind it
TRIES = 8  # with an update whose storing fails for no reason of the disk's; then it is skipped, and the log says so
log = logging.getLogger("porchlight.telegram")


class Intake:
    """The loop that asks for updates; one process of all runs it."""

    def __init__(self, settings: Settings, store: Store, secret: bytes, limit: Buckets) -> None:
        self._settings, self._store, self._secret, self._limit = settings, store, secret, limit

    def run(self) -> None:
        """For ever; whatever goes wrong is told on the page and tried again."""
        pause = PAUSE
        while True:
            try:
                self._round()
                pause = PAUSE
                continue
            except (Wrong, outbound.Failed, outbound.Refused, StorageError) as error:
                self._note(_explain(error))
                pause = float(getattr(error, "retry_after", None) or pause)
            except Exception:
                log.exception("What was written to the bot could not be taken in")
            self._rest(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _rest(self, seconds: float) -> None:
        """Until they are over, or the owner has set another token."""
        until, before = monotonic() + seconds, self._token()
        while (left := until - monotonic()) > 0 and self._token() == before:
            gevent.sleep(min(LOOK, left))

    def _token(self) -> str:
        try:
            with self._store.read() as rx:
                bot = api.bot(self._settings, options.every(rx))
        except StorageError:
            return ""
        return bot.token if bot else ""

    def _round(self) -> None:
        with self._store.read() as rx:
            bot = api.bot(self._settings, options.every(rx))
            start = place.next_update(rx, bot.id) if bot else 0
            known = bool(bot) and bool(place.profile(rx, bot.id))
        if bot is None:
            return gevent.sleep(LOOK)
        if not known:
            told = bot.call("getMe")
            self._store.write(lambda tx: place.introduce(tx, bot.id, told))
        asked: dict[str, Any] = {"timeout": POLL, "limit": 100, "allowed_updates": updates.KINDS}
        found = bot.call("getUpdates", wait=POLL + outbound.WAIT, **asked | ({"offset": start} if start else {}))
        self._note("")
        for update in found:
            self._take(bot, update)

    def _note(self, trouble: str) -> None:
        """Keep what is wrong for the page to show, when it has changed."""
        try:
            with self._store.read() as rx:
                known = options.get(rx, "telegram.trouble")
            if known != trouble:
                self._store.write(lambda tx: options.put(tx, "telegram.trouble", trouble))
        except StorageError as error:
            log.warning("How it goes with Telegram could not be noted: %s", error)

    def _take(self, bot: Bot, update: dict[str, Any]) -> None:
        """Take in one update, however long the disk refuses; one that is beyond us is skipped."""
        number = int(update["update_id"])
        try:
            said = updates.read(update, bot.id)
        except (KeyError, TypeError, ValueError):
            log.warning("An update of Telegram's could not be understood, and was left out")
            said = None
        if said and said.private and self._is_too_much(said):
            said, flooding = None, said
            self._store.write(lambda tx: visitors.remark(tx, flooding, "too-much"))
        uploads, missing = self._fetch(bot, said) if said else ([], False)
        try:
            self._insist(
                lambda tx, tries: self._store_it(tx, bot, number, said if tries < TRIES else None, uploads, missing)
            )
        finally:
            files.settle(self._store, self._settings.chat_data, [upload.token for upload in uploads])

    def _insist(self, write: Callable[[Tx, int], None]) -> None:
        tries = 0
        while True:
            try:
                return self._store.write(lambda tx, tries=tries: write(tx, tries))  # type: ignore[misc]
            except StorageError as error:
                log.warning("What was written to the bot could not be stored yet: %s", error)
            except Exception:
                log.exception("What was written to the bot could not be stored")
                tries += 1
            gevent.sleep(PAUSE * (1 + tries))

    def _is_too_much(self, said: Said) -> bool:
        with self._store.read() as rx:
            where = place.find(rx)
        try:
            if not _is_owner(where, said):
                self._limit.take(f"telegram {said.chat}")
        except TooMany:
            return True
        return False

    def _fetch(self, bot: Bot, said: Said) -> tuple[list[Upload], bool]:
        """The files, laid down, from those alone whose words we take; and whether one could not be."""
        with self._store.read() as rx:
            where = place.find(rx)
        if said.edited or said.bot or not (said.private or _is_owner(where, said)):
            return [], False
        fetched = [self._fetch_one(bot, file) for file in said.files]
        return [upload for upload in fetched if upload], None in fetched

    def _fetch_one(self, bot: Bot, file: Sent) -> Upload | None:
        """None for one that can't be had: too large, gone, not in time, or of a kind that we don't keep."""
        if file.size > api.LARGEST:
            return None
        with gevent.Timeout(FILE_WAIT, False):
            for pause in (1.0, 4.0, 0.0):
                try:
                    return files.keep(self._settings.chat_data, file.name, bot.download(file.file_id))
                except files.Refused:
                    return None
                except (outbound.Failed, Wrong) as error:
                    if isinstance(error, Wrong) and error.code == 400:
                        return None
                    gevent.sleep(float(getattr(error, "retry_after", None) or pause))
                except OSError as error:
                    raise StorageError(str(error)) from None
        return None

    def _store_it(self, tx: Tx, bot: Bot, number: int, said: Said | None, uploads: list[Upload], missing: bool) -> None:
        now = api.bot(self._settings, options.every(tx))
        if now is None or now.id != bot.id or number < place.next_update(tx, bot.id):
            return
        place.advance(tx, bot.id, number)
        if said is None or (said.bot and said.user != updates.ANONYMOUS):
            return
        where = place.find(tx)
        if said.service == "moved":
            return pocket.move(tx, said.chat, said.moved_to)
        if self._connect(tx, said):
            return
        if missing and (said.private or _is_owner(where, said)):
            visitors.remark(tx, said, "file")
        external = f"{bot.id} {said.chat} {said.message_id}"
        if _is_owner(where, said):
            _from_owner(tx, said, where, uploads, external, missing)  # type: ignore[arg-type]
        elif said.private and where and said.user in where.people:
            visitors.remark(tx, said, "elsewhere")
        elif said.private:
            self._from_visitor(tx, said, uploads, external, missing)

    def _connect(self, tx: Tx, said: Said) -> bool:
        """Whether it was a code from the page, by which its sender becomes the owner here."""
        code = said.argument
        if said.edited or len(code) != place.CODE or not code.isalnum():
            return False
        if said.user == updates.ANONYMOUS:
            visitors.remark(tx, said, "anonymous")
            return True
        agent_id = place.redeem(tx, code)
        if agent_id is None:
            return False
        here = Place(said.chat, said.title, said.forum, said.private, {})
        place.connect(tx, here, said.user, agent_id)
        visitors.remark(tx, said, "connected-forum" if said.forum else "connected")
        return True

    def _from_visitor(self, tx: Tx, said: Said, uploads: list[Upload], external: str, missing: bool) -> None:
        if said.service:
            return
        if said.edited:
            return visitors.remark(tx, said, "edited")
        site = sites.first(tx)
        if said.command == "/start":
            return self._welcome(tx, said)
        if not said.text and not uploads:
            return None if missing else visitors.remark(tx, said, "not-passed")
        incoming = Incoming(visitors.CHANNEL, said.chat, said.name, said.text, external, files=tuple(uploads))
        if channels.receive(tx, site.id, incoming).not_kept:
            visitors.remark(tx, said, "file")

    def _welcome(self, tx: Tx, said: Said) -> None:
        """Somebody has opened the chat with the bot: by a link from the site they go on in their conversation."""
        conversation_id = links.read(self._secret, said.argument)
        if conversation_id:
            channels.turn_to(tx, conversation_id, visitors.CHANNEL, said.chat)
            visitors.remark(tx, said, "goes-on")
        else:
            visitors.remark(tx, said, "expired" if said.argument.count("-") == 2 else "hello")


def _is_owner(where: Place | None, said: Said) -> bool:
    return bool(where and said.chat == where.chat and said.user in where.people)


def _from_owner(tx: Tx, said: Said, where: Place, uploads: list[Upload], external: str, missing: bool) -> None:
    """An answer, or a word about the conversation, by the agent who connected as that user."""
    agent_id = where.people[said.user]
    topic = topics.at(tx, where.chat, said.thread) if said.thread else topics.of(tx, said.about, where.chat)
    if topic is None:
        if where.private and not said.service:
            visitors.remark(tx, said, "reply")
        return
    if said.edited:
        visitors.remark(tx, said, "edited")
    elif said.command == "/close" or said.service == "close":
        if not conversations.close(tx, topic.conversation_id, agent_id) and not said.service:
            visitors.remark(tx, said, "not-close")
    elif said.service == "reopen":
        conversations.reopen(tx, topic.conversation_id, "agent", agent_id)
    elif said.text or uploads:
        _answer(tx, said, topic, agent_id, uploads, external)
    elif not missing:
        visitors.remark(tx, said, "not-passed")


def _answer(tx: Tx, said: Said, topic: Topic, agent_id: int, uploads: list[Upload], external: str) -> None:
    client_id = channels.client_id(visitors.CHANNEL, external)
    message_id = messages.post(
        tx, topic.site_id, topic.conversation_id, "agent", said.text, client_id, agent_id, channel=visitors.CHANNEL
    )
    if files.lack_of_room(tx, topic.site_id, topic.conversation_id, uploads):
        return visitors.remark(tx, said, "file")
    files.attach(tx, topic.site_id, topic.conversation_id, message_id, uploads)


def _explain(error: Exception) -> str:
    """What is wrong, and what to do, for the page; empty for what is no trouble of Telegram's."""
    if isinstance(error, StorageError):
        return ""
    code = error.code if isinstance(error, Wrong) else 0
    if code in (401, 404):
        return "Telegram does not know this token (any more). Ask BotFather for it with /token, and put it in here."
    if code == 409 and "webhook" in str(error).lower():
        return "This bot sends its messages to another program's address (a webhook). Make a bot for Porchlight alone."
    if code == 409:
        return "Another program fetches this bot's messages, so each gets only some. Stop it, or make a bot of its own."
    if code:
        return f"Telegram refused to give us the bot's messages: {error}"
    return f"Telegram can't be reached, so messages from there wait. We try again by ourselves. ({error})"
