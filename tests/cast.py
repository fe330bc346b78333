"""The people, as programs: Vera writes on a customer's site, Ann answers from the inbox."""

from __future__ import annotations

import uuid

import dom
import httpx
from feed import Reader, keep_trying
from harness import EMAIL, PASSWORD


class Visitor(Reader):
    """Somebody on a customer's site."""

    def __init__(self, url: str, *, site: str = "main", token: str = "", **more: object) -> None:
        super().__init__(url, **more)  # type: ignore[arg-type]
        self.base = f"/w/{site}"
        self.live, self.socket_path = f"{self.base}/live", f"{self.base}/socket"
        self.token = token

    def arrive(self) -> Visitor:
        """Get a token, as the widget does when it opens."""
        answer = self.http.post(f"{self.base}/session")
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:300]}"
        self.token = answer.json()["token"]
        return self

    def again(self, url: str | None = None) -> Visitor:
        """The same visitor in a fresh tab: an empty log."""
        return Visitor(url or self.url, token=self.token, address=self._address, headers=self.extra)

    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def first_frame(self, since: int) -> dict[str, object]:
        return {"token": self.token, "since": since}

    def post(self, body: str, client_id: str | None = None, **more: str) -> httpx.Response:
        """Post a message once; a batch in the answer is applied."""
        form = {"body": body, "client_id": client_id or str(uuid.uuid4()), "since": str(self.log.cursor)} | more
        answer = self.http.post(f"{self.base}/messages", data=form, headers=self.auth())
        if answer.status_code == 200 and "since" not in more:
            self.log.apply(answer.text)
        return answer

    def say(self, body: str) -> None:
        """Post until it is acknowledged, always with the same id: what the widget does when the wire breaks."""
        client_id = str(uuid.uuid4())
        keep_trying(lambda: self.post(body, client_id))
        assert body in self.log.texts(), f"the answer to {body!r} did not hold it"

    def signal(self, **told: object) -> httpx.Response:
        return self.http.post(f"{self.base}/signals", json=told, headers=self.auth())


class Owner(Reader):
    """Ann, signed in through the login form as a browser would."""

    live, socket_path = "/inbox/live", "/inbox/socket"

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> httpx.Response:
        page = dom.parse(self.http.get("/inbox/login").text)
        secret = page.first("input", type="password")
        form = next(node for node in secret.up() if node.tag == "form")
        name = next(
            i for i in form.all("input") if i.attrs.get("type") == "email" or "email" in i.attrs.get("name", "")
        )
        sent = dom.fields(form) | {name.attrs["name"]: email, secret.attrs["name"]: password}
        action = form.attrs.get("action") or "/inbox/login"
        return self.http.post(action, data=sent, headers=self.auth())

    def arrive(self) -> Owner:
        """Sign in and see the inbox."""
        answer = self.sign_in()
        assert answer.status_code in (302, 303), f"{answer.status_code}: {answer.text[:500]}"
        assert self.http.get("/inbox").status_code == 200
        return self

    def again(self, url: str | None = None) -> Owner:
        """The same session in a fresh tab."""
        other = Owner(url or self.url, address=self._address, headers=self.extra)
        other.http.cookies = self.http.cookies
        return other

    def auth(self) -> dict[str, str]:
        return {"Origin": self.url}

    def socket_headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)
        return self.extra | {"Origin": self.url} | ({"Cookie": cookies} if cookies else {})

    def first_frame(self, since: int) -> dict[str, object]:
        return {"since": since}

    def page(self, path: str = "/inbox") -> dom.Node:
        answer = self.http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return dom.parse(answer.text)

    def conversation(self, last_line: str) -> str:
        """The address of the conversation whose line in the list holds that text."""
        for link in self.page().all("a"):
            if "/inbox/conversations/" in link.attrs.get("href", "") and last_line in link.text:
                return link.attrs["href"].partition("?")[0]
        raise AssertionError(f"no conversation in the list ends with {last_line!r}")

    def reply_form(self, conversation: str) -> dom.Node:
        """The form with which the thread is answered."""
        area = self.page(conversation).first("textarea")
        return next(node for node in area.up() if node.tag == "form")

    def reply(self, conversation: str, body: str, form: dom.Node | None = None) -> None:
        """Answer until it is acknowledged, always with the same id."""
        form = form or self.reply_form(conversation)
        sent = dom.fields(form) | {form.first("textarea").attrs["name"]: body, "client_id": str(uuid.uuid4())}
        action = form.attrs.get("action") or form.attrs["hx-post"]
        keep_trying(lambda: self.http.post(action, data=sent, headers=self.auth()))
