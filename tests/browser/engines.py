"""Firefox and WebKit, driven by the W3C's own protocols: BiDi over its WebSocket, and classic WebDriver over HTTP.

Elements are named by a JavaScript expression, and `inside` means in the first frame of the page that shows the chat.
Playwright has engines of its own for these, patched; here are the browsers that Debian ships.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx
from harness import free_port
from websockets.sync.client import connect

LAUNCHER = "document.querySelector('porchlight-chat').shadowRoot.querySelector('button')"
FRAME = "document.querySelector('porchlight-chat').shadowRoot.querySelector('iframe')"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}
PATIENCE = 45.0  # seconds
PREFERENCES = """
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""


class Engine:
    """A browser with one window. A context manager; subclasses say how it is started and spoken to."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frame = FRAME

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def goto(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        raise NotImplementedError

    def ask(self, expression: str, inside: bool = False) -> Any:
        """What a JavaScript expression gives; None where there is no frame yet."""
        raise NotImplementedError

    def _act(self, actions: dict[str, Any], inside: bool) -> None:
        raise NotImplementedError

    def _origin(self, element: str, inside: bool) -> Any:
        raise NotImplementedError

    def click(self, element: str, inside: bool = False) -> None:
        """Press the mouse on its middle, as a person would, once it is to be seen."""
        self.until(f"innerHeight > 0 && {element}?.getBoundingClientRect().height > 0", inside)
        down, up = ({"type": f"pointer{way}", "button": 0} for way in ("Down", "Up"))
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": self._origin(element, inside)}
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._act({**mouse, "actions": [move, down, up]}, inside)

    def type(self, text: str, inside: bool = False) -> None:
        """Type into what has the focus."""
        keys = [{"type": way, "value": key} for key in text for way in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": keys}, inside)

    def press(self, key: str, inside: bool = False) -> None:
        """Press Enter, Escape or Tab."""
        self.type(KEYS[key], inside)

    def until(self, expression: str, inside: bool = False) -> None:
        """Wait until it holds."""
        self.until_it(lambda: self.ask(expression, inside), expression)

    def until_it(self, check: Callable[[], object], what: str) -> None:
        """The same of anything."""
        end = time.monotonic() + PATIENCE
        while not check():
            assert time.monotonic() < end, f"{self.name}: not in {PATIENCE:.0f} s: {what}"
            time.sleep(0.05)

    def shoot(self, path: Path) -> None:
        """Keep a picture of the page."""
        path.write_bytes(base64.b64decode(self._picture()))

    def _picture(self) -> str:
        raise NotImplementedError

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError


class Firefox(Engine):
    """By WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi), which Firefox speaks by itself."""

    name = "firefox"

    def _start(self) -> None:
        program = shutil.which("firefox-esr") or shutil.which("firefox")
        assert program, "Firefox is not installed; `make test` says how to get it"
        (self.folder / "profile").mkdir()
        (self.folder / "profile" / "user.js").write_text(PREFERENCES)
        said = self.folder / "firefox.log"
        flags = ["--headless", "--no-remote", "--profile", str(self.folder / "profile"), "--remote-debugging-port=0"]
        with said.open("wb") as log:
            self._process = subprocess.Popen([program, *flags], stdout=log, stderr=log)
        self.until_it(lambda: "listening on ws://" in said.read_text(), "Firefox listens")
        address = re.search(r"listening on (ws://\S+)", said.read_text())
        assert address
        self._line = connect(f"{address[1]}/session", max_size=None, proxy=None, ping_interval=None, legacy=True)
        self._number = 0
        self._call("session.new", capabilities={})

    def _stop(self) -> None:
        try:
            self._call("browser.close")
            self._process.wait(10)
        finally:
            self._process.kill()

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._line.recv(timeout=60))
            if answer.get("id") == self._number:
                if answer["type"] == "error":
                    raise LookupError(f"{method}: {answer['error']}: {answer['message']}")
                return answer["result"]

    def _place(self, inside: bool) -> str | None:
        page = self._call("browsingContext.getTree")["contexts"][0]
        if not inside:
            return str(page["context"])
        return next((child["context"] for child in page["children"] if child["url"].startswith("http")), None)

    def goto(self, url: str) -> None:
        self._call("browsingContext.navigate", context=self._place(False), url=url, wait="complete")

    def _evaluate(self, expression: str, inside: bool) -> Any:
        place = self._place(inside)
        if place is None:
            return None
        told = self._call("script.evaluate", expression=expression, target={"context": place}, awaitPromise=True)
        return told.get("result")

    def ask(self, expression: str, inside: bool = False) -> Any:
        try:
            found = self._evaluate(f"JSON.stringify(({expression}) ?? null)", inside)
        except LookupError:  # the frame is being replaced just now
            return None
        return json.loads(found["value"]) if found and found["type"] == "string" else None

    def _origin(self, element: str, inside: bool) -> Any:
        return {"type": "element", "element": {"sharedId": self._evaluate(element, inside)["sharedId"]}}

    def _picture(self) -> str:
        return str(self._call("browsingContext.captureScreenshot", context=self._place(False))["data"])

    def _act(self, actions: dict[str, Any], inside: bool) -> None:
        self._call("input.performActions", context=self._place(inside), actions=[actions])


class WebKit(Engine):
    """WebKitGTK's MiniBrowser on a screen of its own, by WebDriver (https://www.w3.org/TR/webdriver2)."""

    name = "webkit"

    def _start(self) -> None:
        screen, port = f":{free_port() % 50000 + 1000}", free_port()
        for program in ("Xvfb", "WebKitWebDriver"):
            assert shutil.which(program), f"{program} is not installed; `make test` says how to get it"
        with (self.folder / "webkit.log").open("wb") as log:
            see = [screen, "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
            self._screen = subprocess.Popen(["Xvfb", *see], stdout=log, stderr=log)
            self.until_it(lambda: Path(f"/tmp/.X11-unix/X{screen[1:]}").exists(), "the screen")
            # bubblewrap, its sandbox, can't be set up inside of most containers.
            own = {"DISPLAY": screen, "HOME": str(self.folder), "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
            own |= {"GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1", "LIBGL_ALWAYS_SOFTWARE": "1"}
            flags = [f"--port={port}", "--host=127.0.0.1"]
            self._driver = subprocess.Popen(
                ["WebKitWebDriver", *flags], env=os.environ | own, stdout=log, stderr=log, start_new_session=True
            )
        self._line = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
        self.until_it(self._listens, "WebKitWebDriver listens")
        session = self._line.post("/session", json={"capabilities": {"alwaysMatch": {}}}).json()["value"]["sessionId"]
        self._base = f"/session/{session}"

    def _listens(self) -> bool:
        try:
            return self._line.get("/status").status_code == 200
        except httpx.TransportError:
            return False

    def _stop(self) -> None:
        try:
            self._line.delete(self._base)
        finally:
            for process in (self._driver, self._screen):
                process.terminate()
                process.wait(10)

    def _call(self, what: str, **told: Any) -> Any:
        answer = self._line.post(f"{self._base}/{what}", json=told)
        if answer.status_code != 200:
            raise LookupError(f"{what}: {answer.text[:300]}")
        return answer.json()["value"]

    def _enter(self, inside: bool) -> bool:
        """Stand in the page, or in the chat's frame; False where there is none yet."""
        self._call("frame", id=None)
        if inside:
            frame = self._call("execute/sync", script=f"try {{ return {self.frame} }} catch {{ return null }}", args=[])
            if not frame:
                return False
            self._call("frame", id=frame)
        return True

    def goto(self, url: str) -> None:
        self._call("url", url=url)

    def ask(self, expression: str, inside: bool = False) -> Any:
        try:
            if not self._enter(inside):
                return None
            return self._call("execute/sync", script=f"return ({expression}) ?? null", args=[])
        except LookupError:
            return None

    def _origin(self, element: str, inside: bool) -> Any:
        self._enter(inside)
        return self._call("execute/sync", script=f"return {element}", args=[])

    def _picture(self) -> str:
        return str(self._line.get(f"{self._base}/screenshot").json()["value"])

    def _act(self, actions: dict[str, Any], inside: bool) -> None:
        self._enter(inside)
        self._call("actions", actions=[actions])
