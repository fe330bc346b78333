"""A stand-in for Telegram: an HTTP server after the published Bot API (core.telegram.org/bots/api), with people in it.

It keeps updates until they are confirmed by a higher offset, refuses a second poller with 409 and an unknown token with
401, holds to 4,096 UTF-16 units a message, knows forum topics, and can be told to fail, to be slow, or to hang up.
"""

from __future__ import annotations

import email.policy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOT, NAME = 7000000001, "lamp_bot"
TOKEN = f"{BOT}:AAE-a-token-that-only-tests-know_0123456789"
DAY = 1_790_000_000
WITHHELD = b"a file that Telegram does not give"


class Refusal(Exception):
    """An answer with ok: false."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Posted:
    """What the bot has sent."""

    method: str
    chat: int
    text: str
    thread: int | None
    message_id: int
    file: tuple[str, bytes] | None
    at: float = field(default_factory=time.monotonic)


@dataclass
class Chat:
    """A chat, with its topics: open or not."""

    id: int
    kind: str
    title: str
    forum: bool = False
    topics: dict[int, dict[str, Any]] = field(default_factory=dict)
    moved_to: int | None = None
    blocked: bool = False


class Telegram:
    """The server. A context manager; `url` is what CHAT_TELEGRAM_API takes."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.updates: list[dict[str, Any]] = []
        self.chats: dict[int, Chat] = {}
        self.posted: list[Posted] = []
        self.files: dict[str, bytes] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.offsets: list[int] = []
        self.failing: list[Callable[[str, dict[str, Any]], None]] = []
        self.after_updates: Callable[[], None] | None = None
        self._ids, self._update, self._poller = 1000, 500_000_000, 0
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Telegram:
        return self.open()

    def open(self) -> Telegram:
        """Listen, on the same port as before if there was one."""
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.telegram = self  # type: ignore[attr-defined]
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def close(self) -> None:
        """Gone from the network, as in an outage."""
        assert self._server
        with self.lock:
            self._poller += 1
            self.lock.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def __exit__(self, *about: object) -> None:
        self.close()

    # people

    def new_id(self) -> int:
        with self.lock:
            self._ids += 1
            return self._ids

    def person(self, first: str, last: str = "") -> Person:
        """Somebody with a private chat with the bot."""
        number = self.new_id()
        self.chats[number] = Chat(number, "private", first)
        return Person(self, number, first, last, number)

    def group(self, title: str, *, forum: bool) -> int:
        """A group in which the bot is; its id."""
        number = -(1_000_000_000_000 + self.new_id())
        self.chats[number] = Chat(number, "supergroup", title, forum)
        return number

    def push(self, **update: Any) -> None:
        """An update for the bot."""
        with self.lock:
            self._update += 1
            self.updates.append({"update_id": self._update, **update})
            self.lock.notify_all()

    def to(self, chat: int, thread: int | None = None) -> list[str]:
        """The texts that the bot has sent to that chat (and topic)."""
        with self.lock:
            return [each.text for each in self.posted if each.chat == chat and thread in (None, each.thread)]

    def topic(self, chat: int, name: str) -> int:
        """The topic of that name."""
        with self.lock:
            found = [number for number, topic in self.chats[chat].topics.items() if topic["name"] == name]
        assert found, f"no topic {name!r}"
        return found[-1]

    @contextmanager
    def fail(self, how: Callable[[str, dict[str, Any]], None]) -> Iterator[None]:
        """While this lasts, each call goes by `how` first, which may raise a Refusal or take its time."""
        self.failing.append(how)
        try:
            yield
        finally:
            self.failing.remove(how)

    # the API

    def answer(self, token: str, method: str, params: dict[str, Any], file: tuple[str, bytes] | None) -> Any:
        if token != TOKEN:
            raise Refusal(401, "Unauthorized")
        if method == "getUpdates":
            return self.get_updates(params)
        with self.lock:
            self.calls.append((method, params))
        for how in list(self.failing):
            how(method, params)
        handle = getattr(self, f"do_{method}", None)
        if handle is None:
            raise Refusal(404, "Not Found: method not found")
        with self.lock:
            return handle(params, file)

    def get_updates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        for how in list(self.failing):
            how("getUpdates", params)
        offset, until = int(params.get("offset", 0)), time.monotonic() + float(params.get("timeout", 0))
        with self.lock:
            self._poller += 1
            mine = self._poller
            self.offsets.append(offset)
            self.lock.notify_all()
            if offset:
                self.updates = [each for each in self.updates if each["update_id"] >= offset]
            allowed = params.get("allowed_updates") or []
            while not self.updates and (left := until - time.monotonic()) > 0:
                self.lock.wait(left)
                if self._poller != mine:
                    raise Refusal(
                        409,
                        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is"
                        " running",
                    )
            found = [each for each in self.updates if not allowed or set(each) & set(allowed)]
            found = found[: int(params.get("limit", 100))]
        return json.loads(json.dumps(found))

    def do_getMe(self, params: dict[str, Any], file: Any) -> Any:
        return {"id": BOT, "is_bot": True, "first_name": "The Lamp", "username": NAME}

    def _chat(self, params: dict[str, Any]) -> Chat:
        chat = self.chats.get(int(params["chat_id"]))
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found")
        if chat.moved_to:
            raise Refusal(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.moved_to
            )
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return chat

    def _post(self, method: str, params: dict[str, Any], text: str, file: Any) -> Any:
        chat = self._chat(params)
        thread = int(params["message_thread_id"]) if params.get("message_thread_id") else None
        if thread and thread not in chat.topics:
            raise Refusal(400, "Bad Request: message thread not found")
        if len(text.encode("utf-16-le")) // 2 > (4096 if method == "sendMessage" else 1024):
            raise Refusal(400, "Bad Request: message is too long")
        if method == "sendMessage" and not text.strip():
            raise Refusal(400, "Bad Request: message text is empty")
        number = self.new_id()
        self.posted.append(Posted(method, chat.id, text, thread, number, file))
        self.lock.notify_all()
        return {"message_id": number, "chat": {"id": chat.id, "type": chat.kind}, "date": DAY, "text": text}

    def do_sendMessage(self, params: dict[str, Any], file: Any) -> Any:
        assert "parse_mode" not in params or params["parse_mode"] in ("HTML", "MarkdownV2")
        return self._post("sendMessage", params, str(params["text"]), None)

    def do_sendDocument(self, params: dict[str, Any], file: Any) -> Any:
        return self._post("sendDocument", params, str(params.get("caption", "")), file)

    def do_sendPhoto(self, params: dict[str, Any], file: Any) -> Any:
        if file is None or not file[1].startswith((b"\x89PNG", b"\xff\xd8")):
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return self._post("sendPhoto", params, str(params.get("caption", "")), file)

    def do_createForumTopic(self, params: dict[str, Any], file: Any) -> Any:
        chat = self._chat(params)
        if not chat.forum:
            raise Refusal(400, "Bad Request: the chat is not a forum")
        if not 1 <= len(params["name"]) <= 128:
            raise Refusal(400, "Bad Request: TOPIC_TITLE_INVALID")
        number = self.new_id()
        chat.topics[number] = {"name": params["name"], "open": True}
        return {"message_thread_id": number, "name": params["name"], "icon_color": 7322096}

    def _turn(self, params: dict[str, Any], is_open: bool) -> bool:
        topic = self._chat(params).topics.get(int(params["message_thread_id"]))
        if topic is None:
            raise Refusal(400, "Bad Request: TOPIC_ID_INVALID")
        if topic["open"] == is_open:
            raise Refusal(400, "Bad Request: TOPIC_NOT_MODIFIED")
        topic["open"] = is_open
        return True

    def do_closeForumTopic(self, params: dict[str, Any], file: Any) -> Any:
        return self._turn(params, False)

    def do_reopenForumTopic(self, params: dict[str, Any], file: Any) -> Any:
        return self._turn(params, True)

    def do_getFile(self, params: dict[str, Any], file: Any) -> Any:
        content = self.files.get(params["file_id"])
        if content is None:
            raise Refusal(400, "Bad Request: invalid file_id")
        if len(content) > 20 * 1024 * 1024:
            raise Refusal(400, "Bad Request: file is too big")
        if content == WITHHELD:  # file_path is optional (core.telegram.org/bots/api#file)
            return {"file_id": params["file_id"], "file_unique_id": params["file_id"]}
        return {"file_id": params["file_id"], "file_size": len(content), "file_path": f"documents/{params['file_id']}"}


@dataclass
class Person:
    """Somebody on Telegram, in their private chat with the bot or in a group."""

    telegram: Telegram
    id: int
    first: str
    last: str
    chat: int

    def into(self, group: int) -> Person:
        """The same person, in that group."""
        return Person(self.telegram, self.id, self.first, self.last, group)

    def message(self, **more: Any) -> dict[str, Any]:
        chat = self.telegram.chats[self.chat]
        where: dict[str, Any] = {"id": chat.id, "type": chat.kind}
        where |= {"first_name": self.first} if chat.kind == "private" else {"title": chat.title}
        if chat.forum:
            where["is_forum"] = True
        sender = {"id": self.id, "is_bot": False, "first_name": self.first, "last_name": self.last}
        told: dict[str, Any] = {"message_id": self.telegram.new_id(), "date": DAY, "chat": where, "from": sender}
        if thread := more.pop("thread", None):
            told |= {"message_thread_id": thread, "is_topic_message": True}
        if to := more.pop("to", None):
            bot = {"id": BOT, "is_bot": True, "first_name": "The Lamp", "username": NAME}
            told["reply_to_message"] = {"message_id": to.message_id, "from": bot, "chat": where, "date": DAY} | (
                {"text": to.text} if to.method == "sendMessage" else {"caption": to.text}
            )
        return told | more

    def say(self, text: str, **more: Any) -> None:
        """Write to the bot."""
        self.telegram.push(message=self.message(text=text, **more))

    def send(self, kind: str, content: bytes, name: str = "", **more: Any) -> None:
        """Send a file of that kind: photo, document, voice, video."""
        key = f"file{self.telegram.new_id()}"
        self.telegram.files[key] = content
        file: Any = {"file_id": key, "file_unique_id": key, "file_size": len(content)}
        file |= {"file_name": name} if name else {}
        if kind == "photo":
            file = [file | {"width": 90, "height": 60, "file_id": "a-thumbnail"}, file | {"width": 1280, "height": 960}]
        self.telegram.push(message=self.message(**{kind: file}, **more))

    def heard(self) -> list[str]:
        """What the bot has said in this chat."""
        return self.telegram.to(self.chat)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        telegram: Telegram = self.server.telegram  # type: ignore[attr-defined]
        content = telegram.files.get(self.path.rpartition("/")[2])
        if content is None or f"/file/bot{TOKEN}/" not in self.path:
            return self._give(404, b'{"ok":false,"error_code":404,"description":"Not Found"}')
        for how in list(telegram.failing):
            try:
                how("download", {})
            except Refusal as refusal:
                return self._give(refusal.code, b"")
        self._give(200, content, "application/octet-stream")

    def do_POST(self) -> None:
        telegram: Telegram = self.server.telegram  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token, _, method = self.path.removeprefix("/bot").partition("/")
        params, file = _read(self.headers.get("Content-Type", ""), body)
        try:
            result = telegram.answer(token, method, params, file)
            status, told = 200, {"ok": True, "result": result}
        except Refusal as refusal:
            status, told = refusal.code, {"ok": False, "error_code": refusal.code, "description": refusal.description}
            if refusal.parameters:
                told["parameters"] = refusal.parameters
        except ConnectionAbortedError:
            self.close_connection = True
            return
        self._give(status, json.dumps(told).encode())
        if method == "getUpdates" and told.get("result") and telegram.after_updates:
            telegram.after_updates()

    def _give(self, status: int, body: bytes, kind: str = "application/json") -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


def _read(kind: str, body: bytes) -> tuple[dict[str, Any], tuple[str, bytes] | None]:
    """The parameters, and the file among them."""
    if kind.startswith("application/json"):
        return json.loads(body or b"{}"), None
    whole = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
    params, file = {}, None
    for part in BytesParser(policy=email.policy.HTTP).parsebytes(whole).iter_parts():
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        if part.get_filename():
            file = (part.get_filename(), content)
        else:
            params[name] = content.decode()
    return params, file
