"""What is asked before the first message: the owner's own fields, once; kept with the visitor, and worth something."""

from __future__ import annotations

from collections.abc import Iterator

import dom
import httpx
import pytest
from cast import Owner, Visitor
from harness import Server
from test_sites import press

from chat.features.forms import answers, form
from chat.features.forms.answers import Answer, BadAnswer
from chat.features.forms.form import BadForm, Field, Form, Rule

pytestmark = pytest.mark.xdist_group("forms")
XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) x='",
    "{{7*7}}",
    "</textarea><svg>",
]
EDITOR = "/inbox/sites/main/form"


def save(ann: Owner, site: str = "main", **said: str) -> httpx.Response:
    """Fields as `f1="email:required:Your address"`, rules as `r1="1:contains:shop:10"`, and the editor's own names."""
    sent = {"on": "1", "order": "", "rules": ""}
    for name, value in said.items():
        number = name[1:]
        if name[0] == "f" and number.isdigit():
            kind, required, label, *choices = value.split(":")
            sent |= {f"kind-{number}": kind, f"label-{number}": label, f"choices-{number}": "\n".join(choices)}
            sent |= {f"required-{number}": "1"} if required else {}
            sent["order"] += f"{number},"
        elif name[0] == "r" and number.isdigit():
            parts = zip(("about", "way", "value", "points"), value.split(":"), strict=True)
            sent |= {f"{part}-{number}": word for part, word in parts}
            sent["rules"] += f"{number},"
        else:
            sent[name] = value
    return press(ann, f"/inbox/sites/{site}/form", **sent)


def off(ann: Owner) -> None:
    assert "Saved" in press(ann, EDITOR, order="", rules="").text


@pytest.fixture
def asked(ann: Owner) -> Iterator[None]:
    """A form with one field of each kind."""
    fields = {"f1": "name::Your name", "f2": "email:1:Your e-mail", "f3": "phone::Your phone", "f4": "choice::Size:S:L"}
    fields |= {"f5": "consent:1:I agree to https://example.com/terms", "f6": "text::Company"}
    rules = {"r1": "2:filled::10", "r2": "4:equals:l:25", "r3": "0:contains:/pricing:5", "r4": "6:contains:acme:-3"}
    said = save(ann, **fields, **rules, country="at", intro="Hello there", topics="Sales\nSupport").text
    assert "Saved" in said, dom.parse(said).text
    yield
    off(ann)


GOOD = {"field-1": "Vera", "field-2": "vera@example.org", "field-3": "0660 1234567", "field-4": "L", "field-5": "1"}


def send(vera: Visitor, **said: str) -> dom.Node:
    answer = vera.http.post("/w/main/form", data=GOOD | said, headers=vera.auth())
    assert answer.status_code == 200, answer.text
    return dom.parse(answer.text)


# Asking and answering.


@pytest.mark.usefixtures("asked")
def test_it_is_asked_once_and_never_again(vera: Visitor, ann: Owner) -> None:
    def form_for(visitor: Visitor) -> list[dom.Node]:
        return dom.parse(visitor.http.get("/w/main/form", headers=visitor.auth()).text).all("form")

    assert form_for(vera)
    done = send(vera, topic="Sales", **{"field-6": "ACME & Sons"})
    assert not done.all("form") and "hidden" in done.first(id="prechat").attrs
    assert not form_for(vera)
    send(vera, **{"field-1": "Somebody else"})
    vera.say("now I write")
    about = ann.page(ann.conversation("now I write")).first(id="about").text
    for words in ("About Vera", "vera@example.org", "+43 660 1234567", "ACME & Sons", "Sales", "Yes", "Lead score: 32"):
        assert words in about, words
    assert "Your e-mail +10" in about and "Company -3" in about and "Somebody else" not in about


@pytest.mark.usefixtures("asked")
def test_whoever_has_talked_before_is_not_asked_and_the_wire_stays_as_it_is(vera: Visitor) -> None:
    vera.say("straight away")
    assert not dom.parse(vera.http.get("/w/main/form", headers=vera.auth()).text).all("form")


def test_where_nothing_is_asked_nothing_stands_there(vera: Visitor, ann: Owner, nobody: httpx.Client) -> None:
    before = len(ann.page().all(cls="row"))
    assert 'id="prechat"' not in nobody.get("/c/main").text
    assert vera.http.get("/w/main/form", headers=vera.auth()).text == ""
    assert nobody.get("/w/nowhere/form").status_code == 404
    assert vera.http.post("/w/main/form", data=GOOD, headers=vera.auth()).text == ""
    assert len(ann.page().all(cls="row")) == before, "who is not asked answers nothing"


@pytest.mark.usefixtures("asked")
def test_what_cannot_be_taken_is_said_at_its_field_and_nothing_is_stored(vera: Visitor, ann: Owner) -> None:
    before = len(ann.page().all(cls="row"))
    wrong = {"field-2": "vera@", "field-3": "12", "field-4": "XL", "field-6": "x" * 230, "field-5": ""}
    page = send(vera, **wrong, topic="Support")
    for number in (2, 3, 4, 5, 6):
        field = next(node for node in page.walk() if node.attrs.get("name") == f"field-{number}")
        assert field.attrs["aria-invalid"] == "true"
        assert page.first(id=field.attrs["aria-describedby"]).text
    assert page.first("input", id="field-1").attrs["value"] == "Vera"
    assert page.first("input", id="field-2").attrs["value"] == "vera@"
    assert "selected" in next(node for node in page.all("option") if node.text == "Support").attrs
    assert len(ann.page().all(cls="row")) == before


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("token", ["", "nonsense"])
def test_nobody_answers_without_a_token(token: str, nobody: httpx.Client, vera: Visitor) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert nobody.post("/w/main/form", data=GOOD, headers=headers).status_code == 401
    foreign = {"Origin": "https://evil.example"} | vera.auth()
    assert nobody.post("/w/main/form", data=GOOD, headers=foreign).status_code == 403


@pytest.mark.usefixtures("asked")
def test_without_javascript_the_form_comes_first_and_the_composer_after_it(server: Server, ann: Owner) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as vera:
        first = dom.parse(vera.get("/c/main").text).first("form", id="prechat-form")
        again = dom.parse(vera.post("/w/main/form", data=dom.fields(first) | {"field-1": "No script"}).text)
        assert again.all(id="wrong-field-2") and again.all(id="composer")
        kept = dom.fields(again.first("form", id="prechat-form"))
        assert kept["field-1"] == "No script"
        page = dom.parse(vera.post("/w/main/form", data=kept | GOOD).text)
        assert not page.all(id="prechat-form")
        written = dom.fields(page.first("form", id="composer")) | {"body": "from a page without a script"}
        assert "from a page without a script" in vera.post("/c/main", data=written).text
    thread = ann.page(ann.conversation("from a page without a script"))
    assert "About Vera" in thread.text and "+43 660 1234567" in thread.text


@pytest.mark.usefixtures("asked")
def test_answers_go_to_the_address_that_was_left(vera: Visitor, ann: Owner) -> None:
    send(vera)
    vera.say("reach me there")
    assert "vera@example.org" in ann.page(ann.conversation("reach me there")).first("dl").text


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("typed", XSS)
def test_what_visitors_type_is_text_in_every_view(vera: Visitor, ann: Owner, typed: str) -> None:
    said = {"field-1": typed, "field-6": typed}
    wrong = send(vera, **said, **{"field-2": typed, "field-3": typed, "field-4": typed}, topic=typed)
    send(vera, **said, page_url="https://shop.example/pricing?" + typed, page_title=typed)
    vera.say(f"written by {typed}"[:60])
    ann_sees = ann.page(ann.conversation(f"written by {typed}"[:60]))
    assert typed in ann_sees.first(id="about").text
    for page in (wrong, ann_sees, ann.page()):
        assert not [node for node in page.walk() if node.tag in ("script", "img") and "src" not in node.attrs]
        assert not [name for node in page.walk() for name in node.attrs if name.startswith("on")]
        assert not [node for node in page.all("img") if node.attrs.get("src") == "x"] and "49" not in wrong.text


# Topics.


def test_the_inbox_shows_and_filters_by_topic(ann: Owner, server: Server) -> None:
    assert "Saved" in save(ann, topics="Sales & more\nSupport").text
    for topic, words in (("Sales & more", "about a price"), ("Support", "it is broken"), ("Nonsense", "about nothing")):
        visitor = Visitor(server.url).arrive()
        visitor.http.post("/w/main/form", data={"topic": topic}, headers=visitor.auth())
        visitor.say(words)
    rows = {row.first(cls="last").text: row.attrs.get("data-topic") for row in ann.page().all(cls="row")}
    assert rows["Sales & more: about a price"] == "Sales & more" and rows["about nothing"] is None
    link = next(node for node in ann.page().first("nav", cls="topics").all("a") if node.text == "Sales & more")
    filtered = ann.page(link.attrs["href"])
    assert [row.first(cls="last").text for row in filtered.all(cls="row")] == ["Sales & more: about a price"]
    assert filtered.first(id="conversations").attrs["data-topic"] == "Sales & more"
    assert not ann.page(link.attrs["href"] + "&show=closed").all(cls="row")
    off(ann)


# The editor.


def test_a_question_is_added_moved_and_removed_without_a_script(ann: Owner) -> None:
    save(ann, f1="text::First", f2="email::Second", r1="1:filled::5")
    page = ann.page(EDITOR)

    def labels(shown: dom.Node) -> list[str]:
        return [node.attrs["value"] for node in shown.all("input") if node.attrs.get("name", "").startswith("label-")]

    def push(shown: dom.Node, what: str) -> dom.Node:
        sent = dom.fields(shown.first("form", cls="fields")) | chosen(shown) | {"act": what}
        return dom.parse(press(ann, EDITOR, **sent).text)

    page = push(page, "down:1")
    assert labels(page) == ["Second", "First"] and "Moved: it is question 2 now" in page.text
    assert "autofocus" in page.first("input", name="label-1").attrs
    page = push(page, "add")
    assert labels(page) == ["Second", "First", ""]
    page = push(page, "add-rule")
    assert len(page.all(cls="rule")) == 2
    page = push(page, "remove:1")
    assert labels(page) == ["Second", ""] and len(page.all(cls="rule")) == 1
    page = push(push(page, "remove-rule:1"), "remove:3")
    assert labels(page) == ["Second"] and not page.all(cls="rule")
    assert push(page, "add").all(id="label-4"), "no number is given twice"
    assert labels(ann.page(EDITOR)) == ["First", "Second"], "nothing is kept before it is saved"
    for nonsense in ("up:99", "fly:1", "remove:", "add:x" * 50, "down:٣"):
        assert labels(push(ann.page(EDITOR), nonsense))[:2] in (["First", "Second"],)
    off(ann)


def chosen(shown: dom.Node) -> dict[str, str]:
    return {
        select.attrs["name"]: next(
            (node.attrs["value"] for node in select.all("option") if "selected" in node.attrs), "0"
        )
        for select in shown.all("select")
    }


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "on"),
        ({"f1": "text::"}, "label-1"),
        ({"f1": "choice::Which:only one"}, "choices-1"),
        ({"f1": "text::A", "country": "ZZ"}, "country"),
        ({"f1": "text::A", "r1": "7:filled::5"}, "about-1"),
        ({"f1": "text::A", "r1": "1:equals::5"}, "value-1"),
        ({"f1": "text::A", "r1": "1:filled::many"}, "points-1"),
        ({"f1": "text::A", "r1": "1:filled::1001"}, "points-1"),
    ],
)
def test_what_cannot_be_asked_is_said_at_its_field_and_all_that_was_typed_stays(
    ann: Owner, said: dict[str, str], field: str
) -> None:
    page = dom.parse(save(ann, **said, intro="kept").text)
    assert page.first("p", id=f"wrong-{field}").text and "kept" in page.first("textarea", id="intro").text
    assert next(node for node in page.walk() if node.attrs.get("name") == field).attrs["aria-invalid"] == "true"
    assert not ann.page(EDITOR).all(cls="error")


@pytest.mark.parametrize("typed", XSS)
def test_what_the_owner_types_is_text_in_every_view(ann: Owner, nobody: httpx.Client, typed: str) -> None:
    fields = {"f1": f"text::{typed}".replace("https://", ""), "f2": f"choice::B:{typed}:C", "f3": f"consent::{typed}"}
    assert "Saved" in save(ann, **fields, r1=f"1:contains:{typed}:5", topics=typed, intro=typed).text
    for page in (ann.page(EDITOR), dom.parse(nobody.get("/c/main").text), ann.page()):
        assert typed in page.text or page.all("input", value=typed) or page.all("nav")
        assert not [name for node in page.walk() for name in node.attrs if name.startswith("on")]
        assert not [node for node in page.all("img") if node.attrs.get("src") == "x"]
    assert "49" not in dom.parse(nobody.get("/c/main").text).first(id="prechat").text
    off(ann)


# Answers and scores.


@pytest.mark.parametrize(
    ("kind", "said", "kept"),
    [
        ("phone", "+43 (0) 660 / 123 45 67", "+43 660 1234567"),
        ("phone", "0660 1234567", "+43 660 1234567"),
        ("phone", "+1 650 253 0000", "+1 650-253-0000"),
        ("email", " Vera.X@Example.org ", "Vera.X@Example.org"),
        ("text", " two\r\nlines\x00 ", "two lines"),
        ("consent", "on", "Yes"),
        ("consent", "", ""),
    ],
)
def test_answers_are_kept_in_one_form(kind: str, said: str, kept: str) -> None:
    assert answers.read(Field(1, kind, "?"), said, "AT") == kept


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("phone", "12"),
        ("phone", "x" * 200),
        ("phone", "+999 123456789"),
        ("phone", "<b>"),
        ("email", "a@b"),
        ("email", "a b@c.de"),
        ("email", "a@b.c\nBcc: x@y.zz"),
        ("choice", "other"),
        ("text", "x" * 201),
    ],
)
def test_what_is_none_is_refused(kind: str, said: str) -> None:
    with pytest.raises(BadAnswer):
        answers.read(Field(1, kind, "?", choices=("one", "two")), said, "AT")


def test_a_number_without_its_country_needs_the_owners_word_for_it() -> None:
    with pytest.raises(BadAnswer):
        answers.read(Field(1, "phone", "?"), "0660 1234567", "")


def test_a_form_comes_back_as_it_was_kept() -> None:
    whole = Form(
        True, "Hi", "AT", ("a", "b"), (Field(3, "choice", "?", True, ("x", "y")),), (Rule(3, "equals", "x", "-5"),), 7
    )
    assert form.loads(form.dumps(whole)) == whole and form.loads("") == Form()
    with pytest.raises(BadForm):
        form.check(whole._replace(rules=(Rule(4, "filled", "", "1"),)))


def test_points_add_up_by_the_rules_that_hold() -> None:
    rules = (Rule(1, "filled", "", "10"), Rule(2, "equals", "Big", "20"), Rule(0, "contains", "/Pricing", "5"))
    asks = Form(True, fields=(Field(1, "text", "A"), Field(2, "text", "B")), rules=rules)
    given = [Answer(1, "text", "A", "x"), Answer(2, "text", "B", "BIG")]
    assert answers.score(asks, given, "https://shop.example/pricing?x") == (35, [("A", 10), ("B", 20), ("Page", 5)])
    assert answers.score(asks, [], "") == (0, [])
