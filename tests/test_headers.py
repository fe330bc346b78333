"""The headers of every answer, whose word is taken for an address, and markup that must stay text."""

from __future__ import annotations

import re
import uuid

import dom
import httpx
import pytest
from cast import Owner, Visitor
from harness import Server

pytestmark = pytest.mark.xdist_group("headers")

EVERYTHING = """
/w/main.js /w/main /c/main /demo /up /favicon.ico /inbox/login /inbox /inbox/live?since=0 /w/main/live?since=0
/w/main/messages?before=1 /nothing/here /w/nope.js /w/main/session /inbox/socket
""".split()
PRIVATE = ["/inbox", "/inbox/live?since=0&wait=0", "/inbox/login", "/c/main", "/w/main/live?since=0"]
MARK = "xssmark"
PAYLOADS = [
    f"<img src=x onerror=alert(1) class={MARK}>",
    f'"><svg onload=alert(1) class={MARK}>',
    f"'><a href=javascript:alert(1) class={MARK}>x</a>",
    f"</textarea></title></script><script class={MARK}>alert(1)</script>",
    f'" class="{MARK}" autofocus onfocus="alert(1)',
    f"' class='{MARK}' onmouseover='alert(1)",
    f'<div hx-get="/inbox" hx-trigger="load" class="{MARK}"></div>',
    f'<hx-partial hx-target="body" class="{MARK}">gone</hx-partial><template class={MARK}></template>',
    f'<meta id="cursor" content="9999999" data-reset class="{MARK}">',
    f'<form action="/inbox/logout" class={MARK}><button>free money</button></form>',
    f'https://ok.example/"onmouseover="alert(1)"class="{MARK}',
    f"https://ok.example/<img/src=x/onerror=alert(1)/class={MARK}>",
    f"javascript:alert(1)//{MARK}",
    f"data:text/html,<script class={MARK}>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    "&lt;img&gt; &amp;amp; &#60;b&#62;",
    f"<!-- <b class={MARK}> --> ]]> <![CDATA[ <i class={MARK}>",
]


@pytest.mark.parametrize("path", EVERYTHING)
def test_every_answer_carries_the_headers_that_protect_it(nobody: httpx.Client, path: str) -> None:
    for answer in (nobody.get(path), nobody.post(path), nobody.request("OPTIONS", path)):
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe-" not in policy and ("default-src 'none'" in policy or "default-src 'self'" in policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        ancestors = re.search(r"frame-ancestors ([^;]+)", policy)
        assert ancestors and (path == "/w/main" or ancestors[1].strip() == "'none'")
        assert not re.search(r"\d|werkzeug|python", answer.headers.get("Server", ""), re.I), "tells its version"
        assert "X-Powered-By" not in answer.headers


def test_the_widget_document_may_be_framed_and_nothing_else_may(nobody: httpx.Client, ann: Owner) -> None:
    assert "frame-ancestors *" in nobody.get("/w/main").headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in nobody.get("/w/main").headers
    assert "frame-ancestors 'none'" in ann.http.get("/inbox").headers["Content-Security-Policy"]


def test_loader_and_widget_document_may_be_used_across_origins(nobody: httpx.Client) -> None:
    for path in ("/w/main.js", "/w/main"):
        assert nobody.get(path).headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_is_kept_by_no_cache(nobody: httpx.Client, ann: Owner, vera: Visitor, path: str) -> None:
    vera.say("private")
    for answer in (nobody.get(path), ann.http.get(path, headers=vera.auth())):
        assert "no-store" in answer.headers["Cache-Control"]
    assert "no-store" in nobody.post("/w/main/session").headers["Cache-Control"]


def test_the_inbox_is_isolated_from_other_windows(ann: Owner) -> None:
    assert ann.http.get("/inbox").headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert ann.http.get("/inbox").headers["Referrer-Policy"] in ("no-referrer", "same-origin", "strict-origin")


def test_the_loader_is_compressed_tagged_and_fresh_for_a_short_time(nobody: httpx.Client) -> None:
    answer = nobody.get("/w/main.js", headers={"Accept-Encoding": "br, gzip"})
    assert answer.headers["Content-Encoding"] in ("br", "gzip") and "Accept-Encoding" in answer.headers["Vary"]
    control = answer.headers["Cache-Control"]
    assert 0 < int(re.findall(r"max-age=(\d+)", control)[0]) <= 3600 and "stale-while-revalidate" in control
    again = nobody.get("/w/main.js", headers={"Accept-Encoding": "br, gzip", "If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    print(f"loader: {answer.headers.get('Content-Length')} bytes as {answer.headers['Content-Encoding']}")


def test_the_owners_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server) -> None:
    cookie = Owner(server.url).sign_in().headers["Set-Cookie"].lower()
    assert "httponly" in cookie and ("samesite=lax" in cookie or "samesite=strict" in cookie) and "secure" not in cookie


def test_forwarded_headers_are_ignored_with_one_warning_when_no_proxy_is_named(server: Server) -> None:
    lies = {f"X-Forwarded-{name}": "evil.example" for name in ("For", "Host", "Prefix", "Port", "Server")}
    lies |= {"X-Forwarded-Proto": "https", "Forwarded": "for=203.0.113.9;host=evil.example;proto=https"}
    liar = Owner(server.url, headers=lies)
    assert "secure" not in liar.sign_in().headers["Set-Cookie"].lower()
    for path in ("/demo", "/c/main", "/w/main.js", "/inbox"):
        answer = liar.http.get(path)
        assert "evil" not in answer.text and "Strict-Transport-Security" not in answer.headers
    answer = httpx.post(
        f"{server.url}/w/main/session", headers=lies | {"Origin": "https://evil.example"}, trust_env=False
    )
    assert answer.status_code == 403
    assert len([line for line in server.output.splitlines() if "forwarded" in line.lower()]) == 1


def test_behind_a_named_proxy_that_speaks_tls_cookies_are_secure(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("tls"), CHAT_PROXY="1") as server:
        proxied = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example"}
        ann = Owner(server.url, headers=proxied)
        ann.auth = lambda: {"Origin": "https://chat.example"}  # type: ignore[method-assign]
        answer = ann.sign_in()
        assert answer.status_code in (302, 303) and "; secure" in answer.headers["Set-Cookie"].lower()
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        own = httpx.post(f"{server.url}/w/main/session", headers=proxied | {"Origin": server.url}, trust_env=False)
        assert own.status_code == 403, "the public origin is chat.example now"


def assert_inert(html: str) -> None:
    """No element, handler or address was made of a payload."""
    for node in dom.parse(html).walk():
        assert MARK not in node.classes, f"a payload became <{node.tag}>"
        assert not [name for name in node.attrs if name.startswith("on")], f"<{node.tag}> has a handler: {node.attrs}"
        for name in ("href", "src", "action", "formaction"):
            assert not re.match(r"\s*(javascript|data:text|vbscript)", node.attrs.get(name, ""), re.I), node.attrs


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_in_any_field_stays_text_in_every_view(server: Server, ann: Owner, payload: str) -> None:
    ascii_line = payload.replace("\n", " ")
    vera = Visitor(
        server.url, headers={"User-Agent": ascii_line, "Referer": ascii_line, "Accept-Language": ascii_line}
    ).arrive()
    told = (
        "page_url",
        "page_title",
        "referrer",
        "timezone",
        "page",
        "url",
        "title",
        "name",
        "email",
        "language",
        "state",
        "keep",
    )
    fields = dict.fromkeys(told, payload) | {
        "page_url": f"https://shop.example/{payload}",
        "referrer": f"https://r.example/{payload}",
    }
    assert vera.post(payload, str(uuid.uuid4()), **fields).status_code == 200
    vera.signal(typing=True, page={"url": f"https://shop.example/{payload}", "title": payload}, name=payload)
    assert vera.log.texts() == [payload], "the text itself must stay as typed"
    conversation = max(
        (link.attrs["href"] for link in ann.page().all("a") if "/conversations/" in link.attrs.get("href", "")),
        key=number,
    )
    views = [
        "/inbox",
        conversation,
        "/inbox/live?since=0&wait=0",
        f"/inbox?q={payload}",
        f"/inbox/login?next={payload}",
    ]
    for view in views:
        answer = ann.http.get(view)
        assert answer.status_code < 500
        assert_inert(answer.text)
    assert_inert(ann.http.get(conversation, headers={"HX-Request": "true"}).text)
    for answer in (vera.poll(since=0), vera.http.get("/w/main/messages?before=99999999", headers=vera.auth())):
        assert_inert(answer.text)
    shown = [body.text for body in ann.page(conversation).all(cls="body")]
    assert payload in shown


def number(address: str) -> int:
    return int(re.findall(r"\d+", address)[0])
