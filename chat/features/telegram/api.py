"""The Bot API over HTTPS: calls, files, and refusals as what they mean. Its addresses hold the token: never log one."""

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from chat import outbound
from chat.config import Settings

LARGEST = 20 * 1024 * 1024  # bytes of a file that a bot may fetch (getFile)
UPLOAD_WAIT = 30.0  # seconds for a step of bringing a file up


class Wrong(Exception):
    """Telegram refused it. `retry_after` and `moved_to` (a group that became a supergroup) where it told them."""

    def __init__(self, code: int, why: str, retry_after: float | None = None, moved_to: str = "") -> None:
        super().__init__(why)
        self.code, self.retry_after, self.moved_to = code, retry_after, moved_to


class Bot(NamedTuple):
    """One bot, by its token."""

    token: str
    base: str
    private_hosts: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The bot's own user id, with which its token begins."""
        return self.token.partition(":")[0]

    def call(self, method: str, wait: float = outbound.WAIT, **params: Any) -> Any:
        """The call's result. Raises Wrong, and outbound's Failed and Refused."""
        body = json.dumps(params).encode()
        return self._result(method, body, {"Content-Type": "application/json"}, wait)

    def upload(self, method: str, field: str, name: str, content: bytes, **params: Any) -> Any:
        """The same with a file among the parameters (multipart/form-data)."""
        from urllib3 import encode_multipart_formdata

        fields = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
        body, kind = encode_multipart_formdata({**fields, field: (name, content, "application/octet-stream")})
        return self._result(method, body, {"Content-Type": kind}, UPLOAD_WAIT)

    def download(self, file_id: str) -> bytes:
        """A file that somebody sent. Raises what `call` does; Failed too when it came only in part."""
        told = self.call("getFile", file_id=file_id)
        if not isinstance(told, dict) or not told.get("file_path"):  # optional: none for what can't be had
            raise Wrong(400, "there is no such file any more")
        url = f"{self.base}/file/bot{self.token}/{quote(str(told['file_path']))}"
        answer = outbound.ask("GET", url, private_hosts=self.private_hosts, most=LARGEST + 1)
        if answer.status != 200 or len(answer.body) != told.get("file_size", len(answer.body)):
            raise outbound.Failed("Telegram did not give the file")
        return answer.body

    def _result(self, method: str, body: bytes, headers: dict[str, str], wait: float) -> Any:
        url = f"{self.base}/bot{self.token}/{method}"
        answer = outbound.ask("POST", url, body=body, headers=headers, private_hosts=self.private_hosts, wait=wait)
        try:
            told = json.loads(answer.body)
            good = told["ok"]
        except (ValueError, TypeError, KeyError):
            raise outbound.Failed(
                f"Telegram answered with {answer.status} and nothing that it says by itself"
            ) from None
        if good:
            return told["result"]
        more = told.get("parameters") or {}
        moved_to = str(more.get("migrate_to_chat_id", ""))
        raise Wrong(answer.status, str(told.get("description", ""))[:300], more.get("retry_after"), moved_to)


def bot(settings: Settings, told: dict[str, str]) -> Bot | None:
    """The bot that is set, by the environment or else on the page (`told`: the options); None without one."""
    token = settings.telegram_token or told.get("telegram.token", "")
    return Bot(token, settings.telegram_api, settings.private_hosts) if token else None
