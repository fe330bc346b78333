"""How a site's chat looks: what an owner sets goes out to visitors and nowhere else, and nothing wrong gets in."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from io import BytesIO
from typing import Any
from urllib.parse import unquote

import brotli
import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from PIL import Image, PngImagePlugin

from chat import colours, looks, own_css, pictures
from chat.looks import Look
from chat.pictures import BadPicture
from chat.sites import Site
from chat.web import dress, loader

pytestmark = pytest.mark.xdist_group("look")
PAGE = "/inbox/sites/main/appearance"
SCRIPTS = (
    "<script>alert(1)</script>",
    "</title></textarea></style><img src=x onerror=alert(1)>",
    '" onmouseover=alert(1) x="',
    "' autofocus onfocus='alert(1)",
    "`${alert(1)}`",
    '\\"};alert(1);//',
    "{{ 7*7 }}{% x %}",
    "]]>--><svg/onload=alert(1)>",
    "*/}body{background:url(//evil.example)}/*",
    "\u202eevil\x00\u2028",
)
PICTURE = ("logo", "picture")


def set_up(ann: Owner, how: str = "", files: Any = None, **typed: str) -> httpx.Response:
    """Send the form as it stands, with these values in it."""
    page = next(form for form in ann.page(PAGE).all("form") if form.attrs.get("id") == "look")
    sent = {}
    for field in (*page.all("input"), *page.all("textarea")):
        name, kind = field.attrs.get("name", ""), field.attrs.get("type", "")
        if kind == "file" or (kind in ("radio", "checkbox") and "checked" not in field.attrs):
            continue
        sent[name] = field.text if field.tag == "textarea" else field.attrs.get("value", "")
    return ann.http.post(PAGE + how, data=sent | typed, files=files, headers=ann.auth(), follow_redirects=True)


def press(ann: Owner, button: str) -> httpx.Response:
    return set_up(ann, **{button: "1"})


@pytest.fixture(autouse=True)
def _as_it_came(request: pytest.FixtureRequest) -> Any:
    """Each test begins with the default look."""
    yield
    if "ann" in request.fixturenames and "field" not in request.fixturenames:
        press(request.getfixturevalue("ann"), "default")


def sheet_of(client: httpx.Client, site: str = "main") -> str:
    """The style sheet that the document asks for; empty when it asks for none."""
    links = [link.attrs["href"] for link in dom.parse(client.get(f"/w/{site}").text).all("link", rel="stylesheet")]
    return unquote(links[1].partition("utf-8,")[2]) if len(links) > 1 else ""


def drawing(content: str = "PNG", size: tuple[int, int] = (300, 200), **how: Any) -> bytes:
    made = BytesIO()
    Image.new("RGBA" if content == "PNG" else "RGB", size, (20, 120, 80)).save(made, content, **how)
    return made.getvalue()


# Colours.


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#0000ff", "#ffffff", 8.59),
        ("#00ff00", "#ffffff", 1.37),
        ("#b45309", "#ffffff", 5.02),
    ],
)
def test_contrast_is_what_wcag_says(one: str, other: str, ratio: float) -> None:
    assert colours.contrast(one, other) == colours.contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_text_is_read_on_every_colour_and_links_on_every_ground() -> None:
    tones = range(0, 256, 17)
    every = [f"#{red:02x}{green:02x}{blue:02x}" for red in tones for green in tones for blue in tones]
    for colour in every[::7]:
        assert colours.contrast(colours.text_on(colour), colour) >= 4.5
        for ground in (looks.PAPER, looks.PAPER_DARK):
            assert colours.contrast(colours.apart(colour, ground, 4.5), ground) >= 4.5
    assert colours.apart("#b45309", "#ffffff", 4.5) == "#b45309"


# What goes out.


def test_a_look_that_was_never_changed_costs_nothing(nobody: httpx.Client) -> None:
    assert sheet_of(nobody) == "" and "#b45309" in nobody.get("/w/main.js").text
    assert "Porchlight." not in dom.parse(nobody.get("/c/main").text).text


def test_what_is_set_goes_out_on_every_door(ann: Owner, nobody: httpx.Client) -> None:
    answer = set_up(
        ann,
        **{"colour": "#F2D024", "theme": "dark", "corner": "start", "side": "33", "bottom": "44", "icon": "smile"},
        **{"label": "Ask us", "title": "The Garden", "greeting": "Good day.", "placeholder": "Your question"},
        **{"news": "Something new", "radius": "4", "font": "Inter, Helvetica Neue", "credit": "1"},
        css=".head { letter-spacing: 1px }",
    )
    assert "Saved." in answer.text
    for door in "wc":
        page = dom.parse(nobody.get(f"/{door}/main").text)
        assert page.first("h1").text == "The Garden" and page.first(cls="greeting").text == "Good day."
        assert page.first("textarea").attrs["placeholder"] == "Your question"
        assert page.first("meta", name="color-scheme").attrs["content"] == "dark"
        assert "made with Porchlight" in page.text and page.first("button", id="pill").text == "Something new"
    sheet = sheet_of(nobody)
    for part in (
        "--accent:#f2d024",
        "--on-accent:#1f1d1a",
        "color-scheme:dark",
        "--bend:4px",
        '"Inter","Helvetica Neue"',
    ):
        assert part in sheet, part
    assert "letter-spacing: 1px" in sheet and "--canvas: #131211" in sheet.replace(":#", ": #")
    tag = nobody.get("/w/main.js").text
    for part in (
        "#f2d024",
        "inset-inline-start:calc(33px",
        "bottom:calc(44px",
        "bottom:calc(112px",
        '"label":"Ask us"',
    ):
        assert part in tag, part
    assert "__" not in re.sub(r"__proto__", "", tag) and "letter-spacing" not in tag


def test_the_sheet_costs_no_request_and_the_policy_allows_no_more_than_it(ann: Owner, nobody: httpx.Client) -> None:
    plain = nobody.get("/w/main").headers["Content-Security-Policy"]
    assert "style-src 'self';" in plain
    set_up(ann, colour="#0b6e4f")
    for door in "wc":
        policy = nobody.get(f"/{door}/main").headers["Content-Security-Policy"]
        assert "style-src 'self' data:;" in policy and policy.count("data:") == 2 and "unsafe" not in policy


def test_one_sites_look_is_not_anothers(ann: Owner, nobody: httpx.Client) -> None:
    csrf = ann.page("/inbox/sites").first("input", name="csrf").attrs["value"]
    ann.http.post("/inbox/sites", data={"csrf": csrf, "name": "Other", "key": "other"}, headers=ann.auth())
    set_up(ann, colour="#0b6e4f", title="The first")
    assert sheet_of(nobody, "other") == "" and "The first" not in nobody.get("/w/other").text


def test_the_loader_stays_small_and_one_request() -> None:
    site = Site(1, "main", "Chat", ())
    most = Look(
        **{"colour": "#0b6e4f", "theme": "light", "corner": "start", "side": 33, "bottom": 44, "icon": "question"},
        **{"label": "Ask the garden shop now", "picture": "0123456789abcdef" * 2, "radius": 4, "font": "Inter, Gill"},
    )
    plain, dressed = (len(loader.asset(site, look).brotli) for look in (looks.DEFAULT, most))
    assert dressed - plain < 200 and dressed < 4500, (plain, dressed)


def test_the_sheet_is_small() -> None:
    look = Look(colour="#0b6e4f", theme="dark", radius=4, font="Inter, Gill", label="x")
    assert len(brotli.compress(dress.address(look).encode())) < 350


# What does not get in.


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        *[("colour", value) for value in ("red", "#12345", "#0b6e4f;}", "url(//x)", "expression(1)", "#gggggg")],
        *[("side", value) for value in ("-1", "121", "1e2", "20px", "", "٣", "2;0")],
        *[("radius", value) for value in ("29", "x", "1}")],
        *[("theme", value) for value in ("sepia", "dark}", "")],
        *[("corner", "middle"), ("icon", "../../etc/passwd"), ("icon", "x"), ("on_colour", "#ff0000")],
        *[("font", value) for value in ("a;b", 'x"}', "url(x)", "a\\b", "<b>", "a,b,c,d,e,f,g", "x" * 60)],
        *[("title", "x" * 61), ("greeting", "x" * 401), ("label", "x" * 25), ("logo", "f" * 32), ("picture", "../x")],
        *[("css", value) for value in ("a{b:url(//evil.example)}", "@import 'x';", "a{b}")],
    ],
)
def test_a_wrong_value_says_so_at_its_field_and_changes_nothing(
    ann: Owner, nobody: httpx.Client, field: str, typed: str
) -> None:
    before = nobody.get("/w/main.js").text
    answer = set_up(ann, **{"title": "Something else", field: typed})
    page = dom.parse(answer.text)
    assert answer.status_code == 200 and "Nothing was changed" in page.text
    assert [
        alert.text
        for alert in page.all("p", role="alert")
        if alert.attrs.get("id", f"wrong-{field}") == f"wrong-{field}"
    ]
    assert page.first("input", name="title").attrs["value"] in ("Something else", typed)
    assert nobody.get("/w/main.js").text == before and "Something else" not in nobody.get("/w/main").text


@pytest.mark.parametrize("payload", SCRIPTS, ids=range(len(SCRIPTS)))
def test_nothing_typed_becomes_markup_or_code_anywhere(ann: Owner, nobody: httpx.Client, payload: str) -> None:
    texts = {name: payload[: looks.LENGTHS[name]] for name in looks.LENGTHS}
    assert "Saved." in set_up(ann, **texts).text
    views = [nobody.get("/w/main"), nobody.get("/c/main"), ann.http.get(PAGE), ann.http.get("/inbox/sites/main")]
    views.append(set_up(ann, "/preview", **texts))
    inner = httpx.Response(200, text=dom.parse(views[-1].text).first("iframe").attrs["srcdoc"])
    for view in (*views, inner):
        assert not hostile(dom.parse(view.text)), (view, payload)
    tag = nobody.get("/w/main.js").text
    begin = tag.index("const config=") + len("const config=")
    told, end = json.JSONDecoder().raw_decode(tag[begin:])
    assert told["site"] == "main" and told.keys() <= {"site", "words"}
    assert tag[begin + end] == ";" and "alert(1)" not in tag[:begin] + tag[begin + end :]


def hostile(page: dom.Node) -> list[str]:
    """Elements and attributes that no template of ours has."""
    found = [node.tag for tag in ("svg", "img", "script") for node in page.all(tag) if "onload" in node.attrs]
    found += [node.tag for node in page.all("script") if "src" not in node.attrs]
    found += [
        name
        for tag in ("input", "textarea", "h1", "p", "button", "img", "iframe", "span")
        for node in page.all(tag)
        for name in node.attrs
        if name.startswith("on") or name == "autofocus"
    ]
    return found


CSS = {
    "another place": "a { background: url(https://evil.example/x) }",
    "another place, hidden": "a { background: u\\72 l(//evil.example) }",
    "a string as one": "a { background: image-set('//evil.example' 1x) }",
    "src": "a { background: src('//evil.example') }",
    "in a custom property": ":root { --x: url(//evil.example) }",
    "deep inside": "a { background: linear-gradient(var(--x, url(//evil.example)), red) }",
    "a broken one": "a { background: url(//evil.example ' }",
    "import": "@import '//evil.example';",
    "import, in capitals": "@IMPORT url(//evil.example);",
    "import, hidden": "@\\69mport '//evil.example';",
    "fonts": "@font-face { font-family: x; src: url(//evil.example) }",
    "namespace": "@namespace url(//evil.example);",
    "in media": "@media print { a { cursor: url(//evil.example), auto } }",
    "in a frame": "@keyframes x { from { background: url(//evil.example) } }",
    "in supports": "@supports (background: url(//evil.example)) { a { color: red } }",
    "nested": "a { b { background: url(//evil.example) } }",
    "nested media": "a { @media all { background: url(//evil.example) } }",
    "expression": "a { width: expression(alert(1)) }",
    "attr": "a { background: attr(href) }",
    "element": "a { background: element(#x) }",
    "old": "a { -moz-binding: url(x) }",
    "older": "a { behavior: none }",
    "fixed": "a { position: fixed }",
    "fixed, in turn": ":root { --p: fixed } a { position: var(--p) }",
    "sticky, important": "a { POSITION: Sticky !important }",
    "no end": "a { color: red",
    "an end too much": "a { color: red } }",
    "no value": "a { color }",
    "deep": "a { b: " + "(" * 4000,
    "long": "a{}" * 4000,
}


@pytest.mark.parametrize("typed", CSS.values(), ids=CSS)
def test_css_that_is_not_safe_or_not_css_is_refused(typed: str) -> None:
    good, wrong = own_css.check(typed)
    if typed == CSS["no end"]:  # a browser closes it too
        assert not wrong and good == "a { color: red}"
        return
    assert wrong and "evil" not in good and "fixed" not in good.replace("--p: fixed", "") and wrong[0].line == 1


def test_css_errors_name_their_line(ann: Owner) -> None:
    answer = set_up(ann, css="a { color: red }\n\n.x {\n  top: 0;\n  background: url(x);\n}\n@import 'y';")
    said = dom.parse(answer.text).first("p", id="wrong-css").text
    assert "Line 5: Nothing can be loaded" in said and "Line 7: @import" in said
    assert "background: url(x)" in dom.parse(answer.text).first("textarea").text


def test_css_that_is_safe_goes_out_and_closes_nothing(ann: Owner, nobody: httpx.Client) -> None:
    css = """.head { background: linear-gradient(rgb(1 2 3), #fff); inset: 0 }
:root { --accent: teal } a:not(.x):hover::before { content: "</style><script>" }
@media (width < 400px) { .head { padding: calc(1px + env(safe-area-inset-top)) } }
@keyframes x { from { opacity: 0 } 50% { opacity: 1 } }"""
    assert own_css.check(css)[1] == ()
    set_up(ann, css=css)
    assert all(part in sheet_of(nobody) for part in ("linear-gradient", "--accent: teal", "width < 400px", "50%"))
    preview = set_up(ann, "/preview", css=css)
    assert "<script" not in preview.text and "</style" not in preview.text
    assert not dom.parse(dom.parse(preview.text).first("iframe").attrs["srcdoc"]).all("script")


# Pictures.


@pytest.mark.parametrize("content", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_made_anew_small_and_shown(ann: Owner, nobody: httpx.Client, content: str) -> None:
    sent = {"logo_file": ("x.exe", drawing(content, (1600, 800)), "text/html"), "picture_file": ("y", drawing(content))}
    assert "Saved." in set_up(ann, files=sent).text
    source = dom.parse(nobody.get("/c/main").text).first("img").attrs["src"]
    answer = nobody.get(source)
    assert answer.headers["Content-Type"] == "image/webp" and "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert Image.open(BytesIO(answer.content)).size == (192, 96) and len(answer.content) < 3000
    face = re.search(r'"picture":"([0-9a-f]{32})"', nobody.get("/w/main.js").text)
    assert face and Image.open(BytesIO(nobody.get(f"/pictures/{face[1]}.webp").content)).size == (112, 112)
    assert "Saved." in set_up(ann, no_logo="1").text
    assert "img" not in {node.tag for node in dom.parse(nobody.get("/c/main").text).all("img")}
    assert face[1] in nobody.get("/w/main.js").text, "the other one stays"


def bomb() -> bytes:
    made = BytesIO()
    Image.new("1", (12_000, 12_000)).save(made, "PNG")
    return made.getvalue()


def secretive() -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("place", "48.85, 2.35 secret")
    return drawing(pnginfo=words) + b"<script>secret</script>"


NOT_PICTURES = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<html>",
    "nothing but a beginning": drawing()[:60],
    "bmp": drawing("BMP"),
    "tiff": drawing("TIFF"),
    "bomb": bomb(),
    "large": drawing() + b"x" * pictures.LARGEST,
}


@pytest.mark.parametrize("name", NOT_PICTURES)
def test_what_is_no_picture_is_refused_at_its_field(ann: Owner, nobody: httpx.Client, name: str) -> None:
    answer = set_up(ann, files={"logo_file": ("logo.png", NOT_PICTURES[name], "image/png")})
    assert dom.parse(answer.text).first("p", id="wrong-logo").text
    assert not dom.parse(nobody.get("/c/main").text).all("img")


def test_only_pixels_are_kept() -> None:
    made = pictures.remake(secretive(), "logo")
    assert not isinstance(made, BadPicture) and b"secret" not in made and b"script" not in made
    turned = drawing("JPEG", (400, 200), exif=exif(6))
    upright = pictures.remake(turned, "logo")
    assert not isinstance(upright, BadPicture) and Image.open(BytesIO(upright)).size == (48, 96)


def exif(orientation: int) -> bytes:
    told = Image.Exif()
    told[0x0112], told[0x8825] = orientation, {1: "N"}
    return told.tobytes()


def test_a_picture_goes_up_before_the_form_is_saved(ann: Owner, nobody: httpx.Client) -> None:
    csrf = ann.page(PAGE).first("input", name="csrf").attrs["value"]
    up = {"data": {"csrf": csrf}, "headers": ann.auth()}
    answer = ann.http.post(f"{PAGE}/pictures/logo", files={"logo_file": ("x", drawing())}, **up).json()
    assert nobody.get(f"/pictures/{answer['digest']}.webp").status_code == 200
    assert answer["digest"] not in nobody.get("/c/main").text
    assert "Saved." in set_up(ann, logo=answer["digest"]).text and answer["digest"] in nobody.get("/c/main").text
    refused = ann.http.post(f"{PAGE}/pictures/logo", files={"logo_file": ("x", b"GIF89a")}, **up).json()
    assert "no picture" in refused["error"]
    assert ann.http.post(f"{PAGE}/pictures/css", files={"css_file": ("x", drawing())}, **up).status_code == 404
    for name in ("0" * 32, "x", "..", "%2e%2e%2fchat.sqlite"):
        assert nobody.get(f"/pictures/{name}.webp").status_code == 404


def test_a_picture_that_nothing_shows_any_more_is_gone_after_a_day(
    ann: Owner, server: Server, nobody: httpx.Client
) -> None:
    def shown() -> str:
        return dom.parse(nobody.get("/c/main").text).first("img").attrs["src"]

    set_up(ann, files={"logo_file": ("a", drawing(size=(90, 90)))})
    first = shown()
    set_up(ann, files={"logo_file": ("b", drawing(size=(91, 90)))})
    second = shown()
    set_up(ann, files={"logo_file": ("c", drawing(size=(92, 90)))})
    with closing(sqlite3.connect(server.data / "chat.sqlite", timeout=10)) as db, db:
        db.execute("UPDATE pictures SET created_at = '2020-01-01T00:00:00.000Z'")
    set_up(ann, title="Swept")
    assert nobody.get(first).status_code == nobody.get(second).status_code == 404
    assert nobody.get(shown()).status_code == 200


# The page.


def test_the_preview_is_drawn_from_what_is_not_saved(ann: Owner, nobody: httpx.Client) -> None:
    answer = set_up(ann, "/preview", colour="#0b6e4f", title="Not saved", label="Ask", light="light", show="talk")
    stage = dom.parse(answer.text)
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"] and "script" not in answer.text
    assert "X-Frame-Options" not in answer.headers and "Ask" in stage.text
    inner = dom.parse(stage.first("iframe").attrs["srcdoc"])
    assert inner.first("h1").text == "Not saved" and len(inner.all("article")) == 2 and not inner.all("script")
    sheet = inner.all("link", rel="stylesheet")[1].attrs["href"]
    assert "--accent:#0b6e4f" in unquote(sheet)
    assert "Not saved" not in nobody.get("/w/main").text


def test_contrast_that_fails_is_told_with_its_ratio(ann: Owner) -> None:
    assert "1.5 to 1" in set_up(ann, "/notes", colour="#f2d024").text
    assert "hard to read: 1.5 to 1" in set_up(ann, "/notes", colour="#f2d024", on_colour="#ffffff").text
    assert "to 1" not in set_up(ann, "/notes", colour="#0b6e4f").text
    assert "Colour" in set_up(ann, "/notes", colour="green").text
    assert "1.5 to 1" in set_up(ann, colour="#f2d024").text


def test_the_default_look_and_the_one_before_are_one_press_away(ann: Owner, nobody: httpx.Client) -> None:
    set_up(ann, colour="#0b6e4f", title="Before")
    assert "default look now" in press(ann, "default").text
    assert sheet_of(nobody) == "" and "Before" not in nobody.get("/w/main").text
    assert "look from before" in press(ann, "undo").text
    assert "Before</bdi></h1>" in nobody.get("/w/main").text and "#0b6e4f" in sheet_of(nobody)
    press(ann, "undo")
    assert sheet_of(nobody) == ""


def test_a_talk_goes_on_under_any_look(ann: Owner, vera: Visitor, server: Server) -> None:
    vera.say("before the look")
    set_up(ann, colour="#0b6e4f", css=".message { color: red }")
    vera.say("after it")
    assert vera.log.texts() == ["before the look", "after it"]


# Who answers.


def introduce(ann: Owner, files: Any = None, **typed: str) -> httpx.Response:
    csrf = ann.page("/inbox/profile").first("input", name="csrf").attrs["value"]
    sent = {"csrf": csrf, "name": "Ann"} | typed
    return ann.http.post("/inbox/profile", data=sent, files=files, headers=ann.auth(), follow_redirects=True)


def test_who_answers_has_a_name_and_a_picture(ann: Owner, vera: Visitor, nobody: httpx.Client) -> None:
    assert "Saved." in introduce(ann, {"picture": ("me.png", drawing())}, name="Ann <b>Ö</b>").text
    vera.say("who is there?")
    ann.conversation("who is there?")
    ann.catch_up()
    eventually(lambda: "is here" in nobody.get("/c/main").text, what="that she is here")
    shown = dom.parse(nobody.get("/c/main").text)
    face = shown.first("p", id="presence").first("img").attrs["src"]
    assert nobody.get(face).headers["Content-Type"] == "image/webp"
    assert "Ann <b>Ö</b> is here" in shown.first("p", id="presence").text
    assert "Saved." in introduce(ann, name="Ann <b>Ö</b>").text, "a picture stays until it is taken away"
    assert dom.parse(nobody.get("/c/main").text).first("p", id="presence").all("img")
    assert "Saved." in introduce(ann, no_picture="1").text
    assert not dom.parse(nobody.get("/c/main").text).first("p", id="presence").all("img")
    introduce(ann)


def test_a_name_or_a_picture_that_cannot_be_is_refused_at_its_field(ann: Owner) -> None:
    assert "Write a name" in introduce(ann, name=" \u202e ").text
    assert "no picture" in introduce(ann, {"picture": ("x.png", b"<svg/>")}, name="Other").text
    assert ann.page("/inbox/profile").first("input", name="name").attrs["value"] == "Ann"


def test_the_documents_around_the_chat_wear_the_look_too(ann: Owner, nobody: httpx.Client) -> None:
    set_up(ann, colour="#0b6e4f", title="The Lamp Shop")
    consent = nobody.get("/w/main/consent")
    assert "%230b6e4f" in consent.text and "The Lamp Shop" in consent.text
    assert "style-src 'self' data:" in consent.headers["Content-Security-Policy"]
