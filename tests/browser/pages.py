"""The pages as people and screen readers find them: by role and accessible name."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness import EMAIL, PASSWORD
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

LOST = re.compile(r"connect|offline|network", re.I)


class Noise:
    """Listens to every console and every uncaught error."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def listen(self, context: BrowserContext) -> None:
        context.on("console", lambda message: self.heard.append(f"{message.type}: {message.text} ({message.location})"))
        context.on("weberror", lambda error: self.heard.append(f"uncaught: {error.error.stack or error.error}"))


class Chat:
    """The widget's document, wherever it stands: in a frame or as a page of its own."""

    def __init__(self, place: FrameLocator | Page) -> None:
        self.place = place
        self.log = place.get_by_role("log", name="Conversation", exact=True)
        self.box = place.get_by_role("textbox", name="Message", exact=True)
        self.button = place.get_by_role("button", name="Send", exact=True)
        self.close_button = place.get_by_role("button", name="Close chat", exact=True)
        self.status = place.get_by_role("status")

    def say(self, text: str) -> None:
        """Type and send; the composer is empty at once."""
        self.box.fill(text)
        self.button.click()
        expect(self.box).to_have_value("")

    def message(self, text: str) -> Locator:
        """The whole message with that text, its state included."""
        return whole(self.log, text)

    def texts(self) -> list[str]:
        return self.log.locator(".body").all_inner_texts()

    def lost(self) -> Locator:
        """The status that says that the connection is lost."""
        return self.status.filter(has_text=LOST)


class Shop(Chat):
    """A page of the shop with the tag on it."""

    def __init__(self, page: Page, url: str) -> None:
        super().__init__(page.frame_locator("iframe[title='Chat']"))
        self.page, self.url = page, url
        self.launcher = page.get_by_role("button", name=re.compile(r"^Open chat"))
        self.frame = page.locator("iframe[title='Chat']")

    def visit(self, path: str = "/demo") -> Shop:
        self.page.goto(self.url + path)
        expect(self.launcher).to_be_visible()
        return self

    def open(self) -> Shop:
        self.launcher.click()
        expect(self.box).to_be_visible()
        return self


class Inbox:
    """The owner's pages."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.list = page.get_by_role("list", name="Conversations", exact=True)
        self.log = page.get_by_role("log", name="Conversation", exact=True)
        self.box = page.get_by_role("textbox", name="Reply", exact=True)
        self.button = page.get_by_role("button", name="Send reply", exact=True)

    def sign_in(self) -> Inbox:
        self.page.goto(f"{self.url}/inbox")
        expect(self.page).to_have_url(re.compile(r"/inbox/login"))
        self.page.get_by_role("textbox", name="Email", exact=True).fill(EMAIL)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.list).to_be_attached()
        return self

    def line(self, text: str) -> Locator:
        """The conversation's link in the list."""
        return self.list.get_by_role("link").filter(has_text=text)

    def open(self, text: str) -> None:
        self.line(text).click()
        expect(self.message(text)).to_be_visible()

    def reply(self, text: str) -> None:
        self.box.fill(text)
        self.button.click()
        expect(self.box).to_have_value("")

    def message(self, text: str) -> Locator:
        return whole(self.log, text)

    def texts(self) -> list[str]:
        return self.log.locator(".body").all_inner_texts()


def whole(log: Locator, text: str) -> Locator:
    exactly = re.compile(rf"^\s*{re.escape(text)}\s*$")
    return log.locator("[data-by]").filter(has=log.page.locator(".body").filter(has_text=exactly))


def state(message: Locator, wanted: str) -> None:
    """The message has come that far, or farther: an inbox that is open elsewhere may be quicker than we look."""
    ways = ["Sent", "Delivered", "Seen"]
    farther = ways[ways.index(wanted) :] if wanted in ways else [wanted]
    expect(message.locator(".state")).to_have_text(re.compile("|".join(farther)))


class HostPages:
    """A customer's site: real pages from a real server on another port, with headers of their own."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[dict[str, str], str]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                headers, body = outer.pages.get(self.path.partition("?")[0], ({}, ""))
                known = self.path.partition("?")[0] in outer.pages
                self.send_response(200 if known else 204 if self.path == "/favicon.ico" else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                if known:
                    self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode() if known else b"")

            def log_message(self, *ignored: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def put(self, path: str, body: str, **headers: str) -> str:
        """Publish a page; returns its address."""
        head = "<!doctype html><html lang=en><head><meta charset=utf-8><title>A shop</title></head>"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (named, f"{head}<body>{body}</body></html>")
        return self.url + path

    def __enter__(self) -> HostPages:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
