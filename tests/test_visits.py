"""Visits: the owner sees which pages are open now, whichever worker was told; and nobody else leaves a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from cast import Owner
from feed import eventually
from harness import Server

pytestmark = pytest.mark.xdist_group("visits")
PRIVACY, VISITS = "/inbox/sites/main/privacy", "/inbox/sites/main/visits"
SHOP = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain;charset=UTF-8"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers, and limits."""
    with Server(tmp_path_factory.mktemp("visits"), CHAT_LIMITS="on", CHAT_PROXY="1", WEB_CONCURRENCY="2") as running:
        yield running


@pytest.fixture(scope="module")
def ann(server: Server) -> Owner:
    return Owner(server.url).arrive()


@pytest.fixture(autouse=True)
def on(ann: Owner) -> None:
    """Switched on, for pages of shop.example alone."""
    press(ann, PRIVACY, visits="on")
    press(ann, "/inbox/sites/main", name="Chat", domains="shop.example")


def press(ann: Owner, path: str, **fields: str) -> None:
    csrf = ann.page(path).first("input", name="csrf").attrs["value"]
    assert ann.http.post(path, data={"csrf": csrf, **fields}, headers=ann.auth()).status_code in (302, 303)


def tell(server: Server, said: str, address: str = "198.51.100.1", **more: str) -> None:
    """By a connection of its own, so that either worker may get it. The answer says nothing, ever."""
    headers = SHOP | {"X-Forwarded-For": address} | {name.replace("_", "-"): value for name, value in more.items()}
    answer = httpx.post(f"{server.url}/visits/main", content=said, headers=headers, trust_env=False)
    assert (answer.status_code, answer.content) == (204, b"") and "set-cookie" not in answer.headers


def people(ann: Owner) -> int:
    found = re.search(r"(\d+) (?:person is|people are) on your site now", ann.http.get(VISITS).text)
    assert found
    return int(found[1])


def test_pages_are_counted_over_all_workers_until_they_are_left(server: Server, ann: Owner) -> None:
    for number in range(20):
        tell(server, f"0.1{number},,/lamps,https://search.example/results")
    tell(server, "0.2,,/checkout,https://shop.example/lamps")
    assert people(ann) == 21
    page = ann.page(VISITS).first(cls="devices").text
    assert re.search(r"/lamps from search\.example, since .* 20", page) and "/checkout, since" in page
    assert "results" not in page
    for number in range(20):
        tell(server, f"0.1{number},pagehide,/lamps,")
    assert people(ann) == 1
    tell(server, "0.2,pagehide,/checkout,")
    assert people(ann) == 0


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("0.3,,/a,", {"Origin": "https://elsewhere.example"}),
        ("0.3,,/a,", {"Origin": "null"}),
        ("0.3,,/a,", {"DNT": "1"}),
        ("0.3,,/a,", {"Sec_GPC": "1"}),
        ("0.3,,/a?q=secret,", {}),
        ("0.3,,/a,https://search.example/?q=secret", {}),
        ("0.3,,nowhere,", {}),
        ("vera,,/a,", {}),
        ("0.3", {}),
        ("", {}),
        ("0.3,,/" + "a" * 60_000 + ",", {}),
    ],
)
def test_what_is_not_a_pages_own_plain_word_is_not_listened_to(
    server: Server, ann: Owner, said: str, more: dict[str, str]
) -> None:
    tell(server, said, **more)
    assert people(ann) == 0


def test_nothing_is_counted_where_it_is_switched_off(server: Server, ann: Owner) -> None:
    assert "navigator.sendBeacon" in httpx.get(f"{server.url}/w/main.js", trust_env=False).text
    press(ann, PRIVACY)
    assert "sendBeacon" not in httpx.get(f"{server.url}/w/main.js", trust_env=False).text
    tell(server, "0.4,,/a,")
    assert "Switch it on under Privacy" in ann.http.get(VISITS).text
    press(ann, PRIVACY, visits="on")
    assert people(ann) == 0


def test_a_flood_of_made_up_pages_stays_small_and_is_drawn_as_text(server: Server, ann: Owner) -> None:
    with httpx.Client(base_url=server.url, headers=SHOP | {"X-Forwarded-For": "198.51.100.9"}, trust_env=False) as line:
        for number in range(700):
            assert line.post("/visits/main", content=f"0.5{number},,/<b>{number}</b>,").status_code == 204
    assert 0 < people(ann) < 600
    assert len(ann.page(VISITS).first(cls="devices").all("li")) == 10
    assert "<b>" not in ann.http.get(VISITS).text


def test_nothing_of_it_is_on_the_disk(server: Server, ann: Owner) -> None:
    tell(server, "0.6,,/a-page-that-nobody-else-has,https://a-place-of-its-own.example/")
    eventually(lambda: people(ann) > 0)
    for file in server.data.rglob("*"):
        if file.is_file():
            held = file.read_bytes()
            assert b"a-page-that-nobody-else" not in held and b"a-place-of-its-own" not in held, file.name
    assert "a-page-that-nobody" not in server.output
