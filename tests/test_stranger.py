"""The stranger: another visitor and nobody try all that is Vera's or Ann's, and get the same no."""

from __future__ import annotations

import json
import uuid

import dom
import httpx
import pytest
from cast import Owner, Visitor
from harness import Server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.xdist_group("stranger")

EVIL = "https://evil.example"
TOKEN_ROUTES = [
    ("GET", "/w/main/live?since=0&wait=0"),
    ("GET", "/w/main/messages?before=999999"),
    ("POST", "/w/main/messages"),
    ("POST", "/w/main/signals"),
]
INBOX_PAGES = ["/inbox", "/inbox/conversations/1", "/inbox/conversations/999999"]


def call(client: httpx.Client, method: str, path: str, **headers: str) -> httpx.Response:
    """The request as its rightful sender would make it, with these headers."""
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    if method == "GET":
        return client.get(path, headers=sent)
    if "signals" in path:
        return client.post(path, json={"typing": True, "seen": 1}, headers=sent)
    form = {"body": "I am not Vera", "client_id": str(uuid.uuid4()), "since": "0"}
    return client.post(path, data=form, headers=sent)


def wrong_tokens(vera: Visitor) -> list[str]:
    """Nothing, nonsense, and Vera's own with one character changed at each of some places."""
    token = vera.token
    bent = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(0, len(token) - 1, 7)]
    return ["", "x", "null", "x" * 4000, "\u00e9\u00ff", token[:-4], token + "x", *bent]


@pytest.mark.parametrize(("method", "path"), TOKEN_ROUTES)
def test_without_a_good_token_every_visitor_route_gives_the_same_401_or_404(
    vera: Visitor, nobody: httpx.Client, method: str, path: str
) -> None:
    vera.say("My secret")
    answers = [call(nobody, method, path)]
    answers += [call(nobody, method, path, Authorization=f"Bearer {token}".strip()) for token in wrong_tokens(vera)]
    answers += [
        call(nobody, method, path, Authorization=vera.token),
        call(nobody, method, f"{path}{'&' if '?' in path else '?'}token={vera.token}"),
    ]
    assert {answer.status_code for answer in answers} in ({401}, {404})
    assert not any("My secret" in answer.text for answer in answers)
    assert vera.again().catch_up().texts() == ["My secret"]


@pytest.mark.parametrize(("method", "path"), TOKEN_ROUTES)
def test_another_visitors_token_shows_and_changes_nothing(
    vera: Visitor, mallory: Visitor, ann: Owner, method: str, path: str
) -> None:
    vera.say("My secret")
    before = ann.catch_up().texts()
    answer = call(mallory.http, method, path, **mallory.auth())
    assert answer.status_code < 500 and "My secret" not in answer.text
    assert vera.again().catch_up().texts() == ["My secret"]
    assert "is typing" not in dom.parse(vera.poll(since=0).text).text
    gained = [text for text in ann.catch_up().texts() if text not in before]
    assert gained in ([], ["I am not Vera"])


def test_another_visitor_cannot_page_through_history_by_the_number_of_a_message(
    vera: Visitor, mallory: Visitor
) -> None:
    for i in range(4):
        vera.say(f"secret {i}")
    mallory.say("mine")
    last = max(mallory.log.messages)
    for n in [*vera.log.messages, last, last + 1]:
        answer = mallory.http.get("/w/main/messages", params={"before": n}, headers=mallory.auth())
        assert "secret" not in answer.text


@pytest.mark.parametrize("cursor", [0, 1, 10**9])
def test_another_visitors_socket_hears_nothing_of_vera(vera: Visitor, mallory: Visitor, cursor: int) -> None:
    vera.say("secret one")
    with mallory.socket(since=cursor) as ws:
        vera.say("secret two")
        mallory.say("mine")
        heard = ""
        while "mine" not in heard:
            heard += str(ws.recv(timeout=5))
    assert "secret" not in heard


@pytest.mark.parametrize(
    "frame", ['{"token": "x", "since": 0}', '{"since": 0}', "[]", "nonsense", "", '{"token": {"a": 1}}', "\u0000"]
)
def test_a_socket_that_cannot_say_who_it_is_is_closed_with_4401(server: Server, frame: str) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/w/main/socket", proxy=None) as ws:
        ws.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=5)
    assert closed.value.rcvd and closed.value.rcvd.code == 4401


def test_a_socket_whose_first_frame_is_huge_is_closed(server: Server) -> None:
    assert refusal(server, "/w/main/socket", {}, "x" * 2_000_000) in (1006, 1008, 1009)


def test_a_visitors_token_opens_nothing_of_the_inbox(vera: Visitor, nobody: httpx.Client) -> None:
    for path in INBOX_PAGES:
        assert nobody.get(path, headers=vera.auth()).status_code in (302, 303, 401, 403)
    assert nobody.get("/inbox/live?since=0", headers=vera.auth()).status_code in (302, 303, 401)


@pytest.mark.parametrize("path", INBOX_PAGES)
def test_signed_out_the_inbox_leads_to_the_login_whether_the_page_exists_or_not(
    nobody: httpx.Client, path: str
) -> None:
    answer = nobody.get(path)
    assert answer.status_code in (302, 303)
    assert answer.headers["Location"].partition("?")[0].endswith("/inbox/login")


def test_the_login_sends_nobody_to_another_site(ann: Owner) -> None:
    for target in (
        EVIL,
        "//evil.example",
        "/\\evil.example",
        "/inbox/../..//evil.example",
        "javascript:alert(1)",
        "\t//evil.example",
    ):
        answer = ann.http.get("/inbox/login", params={"next": target})
        there = httpx.URL(ann.url).join(answer.headers.get("Location", "/").replace("\\", "/").strip())
        assert (there.scheme, there.host) == ("http", "127.0.0.1"), there


def test_the_inbox_feed_and_socket_are_closed_to_nobody(server: Server, nobody: httpx.Client) -> None:
    assert nobody.get("/inbox/live?since=0&wait=0").status_code in (302, 303, 401)
    for headers in ({}, {"Cookie": "porchlight=x"}, {"Origin": server.url}):
        assert refusal(server, "/inbox/socket", headers) in (302, 303, 401, 403, 4401)


def test_signing_out_closes_the_open_socket_and_the_session(server: Server) -> None:
    ann = Owner(server.url).arrive()
    form = next(
        form
        for form in ann.page().all("form")
        if "logout" in form.attrs.get("action", "") + form.attrs.get("hx-post", "")
    )
    with ann.socket() as ws:
        ws.recv(timeout=5)
        ann.http.post(form.attrs.get("action") or form.attrs["hx-post"], data=dom.fields(form), headers=ann.auth())
        with pytest.raises(ConnectionClosed) as closed:
            ann.hear(ws, "this is never said")
    assert closed.value.rcvd and closed.value.rcvd.code == 4401
    assert ann.http.get("/inbox").status_code in (302, 303)


def refusal(server: Server, path: str, headers: dict[str, str], first: str = "{}") -> int:
    """How a handshake, or the socket right after it, is refused: its status or close code. 0: not at all."""
    try:
        with connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=headers, proxy=None) as ws:
            ws.send(first)
            ws.recv(timeout=5)
            return 0
    except InvalidStatus as refused:
        return refused.response.status_code
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "http://127.0.0.1.evil.example", "http://localhost:1", "https://127.0.0.1"]
)
def test_a_foreign_origin_is_refused_on_every_token_route_and_on_the_handshakes(
    server: Server, vera: Visitor, ann: Owner, origin: str
) -> None:
    vera.say("hello")
    for method, path in [*TOKEN_ROUTES, ("POST", "/w/main/session")]:
        assert call(vera.http, method, path, Origin=origin, **vera.auth()).status_code == 403, path
    assert refusal(server, "/w/main/socket", {"Origin": origin}, json.dumps(vera.first_frame(0))) == 403
    assert refusal(server, "/inbox/socket", ann.socket_headers() | {"Origin": origin}, '{"since": 0}') == 403
    assert vera.again().catch_up().texts() == ["hello"]


def test_a_missing_origin_and_our_own_are_allowed_on_token_routes(server: Server, vera: Visitor) -> None:
    for headers in ({}, {"Origin": server.url}, {"Origin": server.url, "Sec-Fetch-Site": "same-origin"}):
        for method, path in [*TOKEN_ROUTES, ("POST", "/w/main/session")]:
            assert call(vera.http, method, path, **headers, **vera.auth()).status_code in (200, 204), (path, headers)
        with vera.socket(since=0, **headers) as ws:
            assert "I am not Vera" in str(ws.recv(timeout=5))


def test_inbox_writes_without_the_token_or_from_another_site_change_nothing(vera: Visitor, ann: Owner) -> None:
    vera.say("Will you answer?")
    conversation = ann.conversation("Will you answer?")
    forms = [
        form
        for form in ann.page(conversation).all("form")
        if form.attrs.get("method", "").lower() == "post" or "hx-post" in form.attrs
    ]
    assert len(forms) >= 2, "a reply form and a close form at least"
    for form in forms:
        action = form.attrs.get("action") or form.attrs["hx-post"]
        good = dom.fields(form) | {"body": "forged", "client_id": str(uuid.uuid4())}
        secrets = [name for name in good if "csrf" in name.lower() or "token" in name.lower()]
        assert secrets, f"{action} carries no token"
        bare = {name: value for name, value in good.items() if name not in secrets}
        wrong = bare | {name: "0" * len(good[name]) for name in secrets}
        for form_sent, headers in (
            (bare, ann.auth()),
            (wrong, ann.auth()),
            (bare, {}),
            (good, {"Origin": EVIL}),
            (good, {"Origin": "null"}),
            (good, {"Sec-Fetch-Site": "cross-site"}),
            (good, {"Sec-Fetch-Site": "same-site"}),
            (bare, ann.auth() | {"HX-Request": "true"}),
        ):
            assert ann.http.post(action, data=form_sent, headers=headers).status_code in (400, 403), (action, headers)
        assert ann.http.get(action, params=good).status_code != 303
    assert ann.page(conversation) and ann.http.get("/inbox").status_code == 200, "still signed in"
    assert vera.again().catch_up().texts() == ["Will you answer?"]


def test_the_login_from_another_site_is_refused(server: Server) -> None:
    ann = Owner(server.url, headers={"Origin": EVIL})
    ann.auth = lambda: {"Origin": EVIL}  # type: ignore[method-assign]
    assert ann.sign_in().status_code in (400, 403)
    assert not ann.http.cookies
