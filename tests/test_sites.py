"""Several sites in one installation: each with its key, name and domains; the inbox shows those of all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server

from chat.db import connect
from chat.features.alerts import unseen
from chat.sites import BadSite, Site, allows, sources

pytestmark = pytest.mark.xdist_group("sites")


def press(ann: Owner, path: str, **fields: str) -> httpx.Response:
    csrf = ann.page("/inbox/sites").first("input", name="csrf").attrs["value"]
    return ann.http.post(path, data={"csrf": csrf, **fields}, headers=ann.auth(), follow_redirects=True)


@pytest.fixture(scope="module")
def garden(ann: Owner) -> str:
    """A second site's key."""
    assert press(ann, "/inbox/sites", name="The Garden Shop").status_code == 200
    return "the-garden-shop"


@pytest.fixture
def gina(server: Server, garden: str) -> Visitor:
    """A visitor of the second site."""
    return Visitor(server.url, site=garden).arrive()


def test_conversations_of_every_site_are_in_the_one_inbox(vera: Visitor, gina: Visitor, ann: Owner) -> None:
    vera.say("from the first site")
    gina.say("from the second site")
    rows = {row.first(cls="last").text: row for row in ann.page().all(cls="row")}
    assert "The Garden Shop: from the second site" in rows and "Chat: from the first site" in rows
    thread = ann.conversation("from the second site")
    ann.reply(thread, "hello to the garden")
    assert gina.catch_up().texts() == ["from the second site", "hello to the garden"]
    assert "hello to the garden" not in vera.catch_up().texts()


def test_an_open_inbox_hears_every_site(gina: Visitor, ann: Owner) -> None:
    ann.catch_up()
    gina.say("heard at once")
    assert "heard at once" in ann.catch_up().texts()


def test_what_agents_are_told_elsewhere_names_the_site(server: Server, gina: Visitor, ann: Owner) -> None:
    gina.say("which shop is this?")
    number = int(ann.conversation("which shop is this?").rpartition("/")[2])
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as rx:
        told = unseen.of(rx, number)
    assert told and told.name.endswith(" · The Garden Shop")


def test_a_token_opens_its_own_site_alone(vera: Visitor, gina: Visitor, garden: str, nobody: httpx.Client) -> None:
    gina.say("mine alone")
    for visitor, site in ((gina, "main"), (vera, garden)):
        answer = nobody.get(f"/w/{site}/messages", headers=visitor.auth())
        assert answer.status_code in (401, 403), answer.text
        assert "mine alone" not in answer.text


def test_the_domains_are_who_may_frame_the_chat(ann: Owner, garden: str, nobody: httpx.Client) -> None:
    assert "frame-ancestors *" in nobody.get(f"/w/{garden}").headers["Content-Security-Policy"]
    press(ann, f"/inbox/sites/{garden}", name="The Garden", domains="garden.example\nhttps://www.bücher.example/page")
    policy = nobody.get(f"/w/{garden}").headers["Content-Security-Policy"]
    frames = "https://garden.example http://garden.example https://www.xn--bcher-kva.example"
    assert policy.endswith(f"frame-ancestors {frames}")
    assert "garden.example" in nobody.get(f"/w/{garden}.js").text and "garden" not in nobody.get("/w/main.js").text
    assert "The Garden</bdi></h1>" in nobody.get(f"/c/{garden}").text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " ", "key": "x"}, "name"),
        ({"name": "Another", "key": "main"}, "key"),
        ({"name": "Another", "key": "../w"}, "key"),
        ({"name": "Another", "key": "a.js"}, "key"),
        ({"name": "Another", "key": "-a"}, "key"),
    ],
)
def test_a_site_that_cannot_be_is_refused_beside_its_field(ann: Owner, fields: dict[str, str], field: str) -> None:
    before = len(ann.page("/inbox/sites").all("code"))
    answer = dom.parse(press(ann, "/inbox/sites", **fields).text)
    assert answer.first("p", id=f"wrong-{field}").text
    assert answer.first("input", name="name").attrs["value"] == fields["name"]
    assert len(ann.page("/inbox/sites").all("code")) == before


def test_a_removed_site_is_off_and_comes_back_as_it_was(ann: Owner, server: Server, nobody: httpx.Client) -> None:
    press(ann, "/inbox/sites", name="Soon gone", key="gone")
    gus = Visitor(server.url, site="gone").arrive()
    gus.say("before the end")
    press(ann, "/inbox/sites/gone", remove="1")
    assert [nobody.get(f"/{door}/gone").status_code for door in "wc"] == [404, 404]
    assert gus.post("after it").status_code == 404
    tag = nobody.get("/w/gone.js")
    assert tag.status_code == 200 and "was removed" in tag.text and len(tag.content) < 300
    assert "before the end" in ann.page().text
    press(ann, "/inbox/sites/gone", bring_back="1")
    gus.say("back again")
    assert gus.catch_up().texts() == ["before the end", "back again"]


def test_the_last_site_cannot_be_removed(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ann = Owner(server.url).arrive()
        assert "only site" in press(ann, "/inbox/sites/main", remove="1").text
        assert httpx.get(f"{server.url}/w/main").status_code == 200


def test_the_page_says_where_the_tag_was_seen(ann: Owner, nobody: httpx.Client) -> None:
    assert "Not seen yet" in ann.page("/inbox/sites/main/seen").text
    nobody.get("/w/main.js", headers={"Referer": "https://lamps.example/shop?secret=1"})
    nobody.get("/w/main.js", headers={"Referer": "about:blank"})
    eventually(lambda: "https://lamps.example" in ann.page("/inbox/sites/main/seen").text, what="the address")
    seen = ann.page("/inbox/sites/main/seen").text
    assert "The tag works" in seen and "secret" not in seen and "about" not in seen
    press(ann, "/inbox/sites/main", name="Chat", domains="other.example")
    assert "not among the allowed domains" in ann.page("/inbox/sites/main/seen").text
    press(ann, "/inbox/sites/main", name="Chat", domains="")


def test_made_up_referrers_fill_nothing(ann: Owner, garden: str, nobody: httpx.Client) -> None:
    for number in range(60):
        nobody.get(f"/w/{garden}.js", headers={"Referer": f"https://made-up-{number}.example/"})
    eventually(lambda: "made-up-59" in ann.page(f"/inbox/sites/{garden}/seen").text, what="the last one")
    assert len(ann.page(f"/inbox/sites/{garden}/seen").all(cls="finding")) == 20


@pytest.mark.parametrize("path", ["/inbox/sites", "/inbox/sites/main", "/inbox/sites/main/install"])
def test_nobody_else_comes_to_the_pages_of_sites(nobody: httpx.Client, path: str) -> None:
    assert nobody.get(path).headers["Location"].startswith("/inbox/login")
    assert nobody.post(path.removesuffix("/install"), data={"name": "x"}).status_code in (302, 303, 403)


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("shop.example", "https://shop.example http://shop.example"),
        ("HTTPS://Shop.Example:8443/path?x#y", "https://shop.example:8443"),
        ("*.shop.example, http://127.0.0.1:8000", "https://*.shop.example http://*.shop.example http://127.0.0.1:8000"),
        ("http://[::1]:3000\r\n", "http://[::1]:3000"),
        ("shop.example shop.example", "https://shop.example http://shop.example"),
        ("", ""),
    ],
)
def test_domains_are_taken_as_people_type_them(typed: str, taken: str) -> None:
    assert " ".join(sources(typed)) == taken


@pytest.mark.parametrize(
    "typed",
    ["'self'", "*", "https://", "javascript:alert(1)", "a'b.example", "shop.example:99999", "data:", "x.*.y", "a" * 99],
)
def test_what_is_no_domain_is_refused(typed: str) -> None:
    if typed == "a" * 99:
        typed = " ".join(f"a{number}.example" for number in range(40))
    with pytest.raises(BadSite):
        sources(typed)


def test_a_semicolon_adds_nothing_to_the_policy() -> None:
    with pytest.raises(BadSite):
        sources("shop.example; script-src *")


@pytest.mark.parametrize(
    ("domains", "origin", "may"),
    [
        ((), "https://any.example", True),
        (("https://shop.example",), "https://shop.example", True),
        (("https://shop.example",), "http://shop.example", False),
        (("http://shop.example",), "https://shop.example", True),
        (("https://shop.example",), "https://shop.example.evil.example", False),
        (("https://*.shop.example",), "https://www.shop.example", True),
        (("https://*.shop.example",), "https://shop.example", False),
        (("https://*.shop.example",), "https://evilshop.example", False),
        (("http://127.0.0.1:8000",), "http://127.0.0.1:9000", False),
    ],
)
def test_an_origin_is_allowed_as_browsers_read_the_policy(domains: tuple[str, ...], origin: str, may: bool) -> None:
    assert allows(Site(1, "main", "Chat", domains), origin) is may


@pytest.mark.parametrize(
    ("name", "key"),
    [("Ann's Wholesale – für Händler", "anns-wholesale-fur-handler"), ("متجر", "site"), ("Café  42!", "cafe-42")],
)
def test_a_key_is_made_from_the_name_as_one_would_write_it(ann: Owner, name: str, key: str) -> None:
    form = {"csrf": ann.page("/inbox/sites").first("input", name="csrf").attrs["value"], "name": name, "key": ""}
    answer = ann.http.post("/inbox/sites", data=form, headers=ann.auth())
    assert answer.headers["Location"] == f"/inbox/sites/{key}/install", "and its tag is what comes next"
    press(ann, f"/inbox/sites/{key}", remove="1")
