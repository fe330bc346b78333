"""Who the site says its visitor is: told by its code, or proven by its signed token; a proof alone merges anybody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cast import Owner, Visitor
from harness import Server
from test_sites import press

pytestmark = pytest.mark.xdist_group("identity")
PAGE = "/inbox/sites/main/identity"
XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "\u202eevil",
    "a\x00b\r\nSet-Cookie: x",
]
Sign = Callable[..., str]


def secret_of(ann: Owner) -> str:
    return ann.page(PAGE).first("pre", id="secret").text.strip()


@pytest.fixture
def sign(ann: Owner) -> Sign:
    """The site's server: makes a token for somebody."""
    if "Make a secret" in ann.page(PAGE).text:
        press(ann, PAGE)
    secret = secret_of(ann)

    def make(sub: Any = "42", *, key: str = secret, alg: str = "HS256", **claims: Any) -> str:
        told = {"sub": sub, "exp": int(time.time()) + 600} | claims
        return jwt.encode({name: value for name, value in told.items() if value is not None}, key, alg)

    return make


def tell(visitor: Visitor, *calls: list[Any]) -> httpx.Response:
    return visitor.http.post(f"{visitor.base}/facts", data={"calls": json.dumps(calls)}, headers=visitor.auth())


def prove(visitor: Visitor, token: str) -> dict[str, Any]:
    answer = tell(visitor, ["setUser", "42", {"token": token}])
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def arrive(server: Server) -> Visitor:
    return Visitor(server.url).arrive()


def texts(visitor: Visitor) -> list[str]:
    return visitor.again().catch_up().texts()


def test_what_the_page_tells_stands_beside_the_thread_and_is_called_unproven(server: Server, ann: Owner) -> None:
    vera = arrive(server)
    assert tell(vera, ["setUser", 7, {"name": "Vera"}]).json() == {"stored": False, "changed": False}, "not acted yet"
    vera.say("who am I?")
    about = {"name": "Vera", "email": "vera@shop.example", "hash": "never kept"}
    calls = [
        ["setUser", 7, about],
        ["setAttributes", {"plan": "gold", "carts": 3, "gone": 1}],
        ["addTags", ["vip", "b2b"]],
    ]
    calls += [["setAttributes", {"gone": None}], ["removeTags", ["b2b"]], ["track", "checkout", {"total": 12}]]
    assert tell(vera, *calls).json() == {"stored": True, "changed": False}
    known = ann.page(ann.conversation("who am I?")).first(cls="known").text
    for words in (
        "Says to be",
        "7",
        "vera@shop.example",
        "not proven",
        "gold",
        "carts",
        "vip",
        "checkout",
        '"total": 12',
    ):
        assert words in known, words
    assert "gone" not in known and "b2b" not in known and "never kept" not in known


def test_who_is_proven_finds_their_talk_on_another_device(server: Server, ann: Owner, sign: Sign) -> None:
    phone, desk = arrive(server), arrive(server)
    phone.say("from the phone")
    assert prove(phone, sign("finder", name="Vera Finder", email="finder@example.org")) == {
        "stored": True,
        "changed": False,
    }
    ann.reply(ann.conversation("from the phone"), "answered there")
    assert prove(desk, sign("finder")) == {"stored": True, "changed": True}, "it has said nothing yet, and is let in"
    assert texts(desk) == ["from the phone", "answered there"]
    desk.say("from the desk")
    assert texts(phone) == ["from the phone", "answered there", "from the desk"]
    page = ann.page(ann.conversation("from the desk"))
    assert all(words in page.text for words in ("Vera Finder", "finder@example.org", "proven by your site"))


def test_a_stranger_to_us_who_only_opens_the_chat_is_not_stored(server: Server, sign: Sign) -> None:
    newcomer = arrive(server)
    assert prove(newcomer, sign("never-acted")) == {"stored": False, "changed": False}
    newcomer.say("now I act")
    assert prove(newcomer, sign("never-acted")) == {"stored": True, "changed": False}


def test_what_was_said_before_signing_in_joins_the_persons_talks(server: Server, ann: Owner, sign: Sign) -> None:
    first, second = arrive(server), arrive(server)
    first.say("signed in")
    prove(first, sign("joiner", name="Jo Joiner"))
    second.say("not signed in yet")
    tell(second, ["setAttributes", {"basket": "full"}])
    assert prove(second, sign("joiner"))["stored"]
    assert texts(second) == ["not signed in yet"] == texts(first), "the newest talk is the one that goes on"
    for words in ("signed in", "not signed in yet"):
        assert "Jo Joiner" in ann.page(ann.conversation(words)).text
    assert "basket" in ann.page(ann.conversation("not signed in yet")).first(cls="known").text
    again = first.catch_up()
    assert "not signed in yet" in again.texts(), "a page that was open is taken along"


def test_another_person_on_the_same_device_begins_afresh(server: Server, ann: Owner, sign: Sign) -> None:
    shared = arrive(server)
    shared.say("Ada's secret")
    prove(shared, sign("ada"))
    assert prove(shared, sign("bob")) == {"stored": True, "changed": True}
    assert texts(shared) == []
    shared.say("Bob here")
    assert texts(shared) == ["Bob here"]
    other = arrive(server)
    prove(other, sign("ada"))
    assert texts(other) == ["Ada's secret"]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": int(time.time()) - 600}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": int(time.time()) + 10 * 86400}, "within a day"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "1 to 200"),
        ({"sub": "x" * 300}, "1 to 200"),
        ({"sub": "two\nlines"}, "1 to 200"),
        ({"sub": 42}, "string"),
        ({"aud": "another-site"}, "another site"),
        ({"key": "guessed" * 8}, "Signature verification failed"),
        ({"alg": "HS512"}, "alg"),
        ({"alg": "none", "key": ""}, "alg"),
    ],
)
def test_what_proves_nothing_is_refused_in_words_and_changes_nothing(
    server: Server, sign: Sign, claims: dict[str, Any], words: str
) -> None:
    mallory = arrive(server)
    mallory.say("let me be 42")
    answer = tell(mallory, ["setUser", "42", {"token": sign(**claims)}], ["setAttributes", {"left": "behind"}])
    assert answer.status_code == 422 and words in answer.json()["error"], answer.text
    assert texts(mallory) == ["let me be 42"]


@pytest.mark.parametrize("calls", ["", "{}", "[1]", "[" * 5000, json.dumps([["track", "x"]] * 101), '"' + "x" * 20_001])
def test_what_is_no_list_of_calls_is_refused(server: Server, calls: str) -> None:
    vera = arrive(server)
    answer = vera.http.post(f"{vera.base}/facts", data={"calls": calls}, headers=vera.auth())
    assert answer.status_code == 422 and "could not be understood" in answer.text


def test_calls_that_make_no_sense_are_left_out(server: Server) -> None:
    vera = arrive(server)
    vera.say("odd page")
    odd = [
        [],
        ["setUser"],
        ["setUser", {"a": 1}],
        ["setAttributes", "x"],
        ["addTags", "x"],
        ["track"],
        ["track", 1],
        ["x", 1],
    ]
    assert tell(vera, *odd).json()["stored"] is True


def test_markup_in_whatever_is_told_stays_text(server: Server, ann: Owner) -> None:
    vera = arrive(server)
    vera.say("markup told")
    for each in XSS:
        told = [["setUser", each, {"name": each, "email": each}], ["setAttributes", {each: each}], ["addTags", [each]]]
        assert tell(vera, *told, ["track", each, {each: each}]).json()["stored"]
    page = ann.http.get(ann.conversation("markup told")).text
    assert "<script>alert" not in page and "<img src=x" not in page and "\u202e" not in page


def test_so_much_is_kept_and_no_more(server: Server, ann: Owner) -> None:
    vera = arrive(server)
    vera.say("a talkative page")
    assert tell(vera, ["setAttributes", {f"a{number}": number for number in range(200)}]).json()["stored"]
    for _ in range(2):
        assert tell(vera, *[["track", f"act {number}", {}] for number in range(80)]).json()["stored"]
    known = ann.page(ann.conversation("a talkative page")).first(cls="known")
    assert len(known.all("dt")) == 50 and len(known.all("li")) == 10


def test_a_new_secret_holds_beside_the_old_one_until_both_end(server: Server, ann: Owner, sign: Sign) -> None:
    vera, old = arrive(server), sign("rotator")
    vera.say("rotation")
    press(ann, PAGE)
    assert prove(vera, old)["stored"] and prove(vera, sign("rotator", key=secret_of(ann)))["stored"]
    press(ann, PAGE, end="1")
    answer = tell(vera, ["setUser", "42", {"token": old}])
    assert answer.status_code == 422 and "No secret was made" in answer.json()["error"]


def test_another_sites_secret_opens_nothing_here(server: Server, ann: Owner, sign: Sign) -> None:
    press(ann, "/inbox/sites", name="Second Shop")
    press(ann, "/inbox/sites/second-shop/identity")
    foreign = ann.page("/inbox/sites/second-shop/identity").first("pre", id="secret").text.strip()
    vera = arrive(server)
    vera.say("which site?")
    assert tell(vera, ["setUser", "42", {"token": sign(key=foreign)}]).status_code == 422


def test_two_devices_that_prove_the_same_person_at_once_make_one(server: Server, ann: Owner, sign: Sign) -> None:
    devices = [arrive(server) for _ in range(6)]
    for number, device in enumerate(devices):
        device.say(f"race {number}")
    token = sign("racer", name="Only Racer")
    with ThreadPoolExecutor(6) as pool:
        assert all(answer["stored"] for answer in pool.map(lambda device: prove(device, token), devices))
    assert {tuple(texts(device)) for device in devices} == {("race 5",)}
    assert sum("Only Racer" in row.text for row in ann.page().all(cls="row")) == 6


def press_aside(ann: Owner, thread: str, button: str) -> None:
    form = next(form for form in ann.page(thread).all("form") if button in form.text)
    fields = {each.attrs["name"]: each.attrs.get("value", "") for each in form.all("input") if each.attrs.get("name")}
    assert ann.http.post(form.attrs["action"], data=fields, headers=ann.auth()).status_code in (200, 303)


def test_who_is_blocked_stays_blocked_on_every_device(server: Server, ann: Owner, sign: Sign) -> None:
    rude, elsewhere, anonymous = arrive(server), arrive(server), arrive(server)
    rude.say("rude words")
    prove(rude, sign("rude"))
    press_aside(ann, ann.conversation("rude words"), "Block this visitor")
    assert tell(elsewhere, ["setUser", "x", {"token": sign("rude")}]).status_code == 403
    anonymous.say("rude without a name")
    press_aside(ann, ann.conversation("rude without a name"), "Block this visitor")
    assert tell(anonymous, ["setUser", "x", {"token": sign("polite")}]).status_code == 403


def test_a_hold_goes_along_when_two_become_one(server: Server, ann: Owner, sign: Sign) -> None:
    known, unknown = arrive(server), arrive(server)
    known.say("known words")
    prove(known, sign("held"))
    unknown.say("words to be kept")
    press_aside(ann, ann.conversation("words to be kept"), "Hold")
    prove(unknown, sign("held"))
    assert "Erase everything" not in ann.page(ann.conversation("words to be kept")).text


def test_nobody_tells_anything_without_a_token_of_this_site(server: Server, nobody: httpx.Client) -> None:
    assert nobody.post("/w/main/facts", data={"calls": "[]"}).status_code == 401
    vera = arrive(server)
    headers = vera.auth() | {"Origin": "https://evil.example"}
    assert nobody.post("/w/main/facts", data={"calls": "[]"}, headers=headers).status_code == 403
    assert nobody.post("/w/nowhere/facts", data={"calls": "[]"}, headers=vera.auth()).status_code == 404


def test_the_programs_of_the_docs_make_tokens_that_hold(server: Server, sign: Sign, ann: Owner) -> None:
    page = (Path(__file__).parent.parent / "docs/identity.md").read_text()
    python, node = (re.search(rf"```{kind}\n(.*?)```", page, re.S)[1] for kind in ("python", "js"))  # type: ignore[index]
    press(ann, PAGE)
    secret, names = secret_of(ann), {}
    exec(python, names)
    tokens = [names["token_for"]("docs-1", "Ä Name", secret)]
    if shutil.which("node"):
        told = f"console.log(tokenFor('docs-2', 'Ä Name', '{secret}'))"
        tokens.append(
            subprocess.run(["node", "-e", node + told], capture_output=True, text=True, check=True).stdout.strip()
        )
    for token in tokens:
        vera = arrive(server)
        vera.say("by the docs")
        assert prove(vera, token)["stored"]
    assert "Ä Name" in ann.page().text
