"""Languages over the wire: each visitor reads their own, live as on a reload, whoever else reads the same talk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import Log, eventually
from harness import Server
from mailer import ADDRESS, Smtp
from test_mail import due, waiting
from test_sites import press

from chat import languages

pytestmark = pytest.mark.xdist_group("languages")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def smtp() -> Iterator[Smtp]:
    with Smtp() as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, smtp: Smtp) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("server"), CHAT_SMTP_URL=smtp.url, CHAT_MAIL_FROM=f"Shop <{ADDRESS}>"
    ) as running:
        yield running


class German(Visitor):
    """A visitor whose page is in German."""

    def auth(self) -> dict[str, str]:
        return super().auth() | {"Accept-Language": "de"}

    def first_frame(self, since: int) -> dict[str, object]:
        return super().first_frame(since) | {"lang": "de"}


def document(nobody: httpx.Client, path: str = "/w/main", wanted: str = "") -> dom.Node:
    answer = nobody.get(path, headers={"Accept-Language": wanted} if wanted else {})
    assert answer.status_code == 200
    return dom.parse(answer.text)


def spoken(page: dom.Node) -> tuple[str, str]:
    root = page.first("html")
    return root.attrs["lang"], root.attrs.get("dir", "ltr")


def words(page: dom.Node) -> dict[str, object]:
    return json.loads(page.first(id="words").attrs["content"])


@pytest.mark.parametrize(
    ("path", "wanted", "lang"),
    [
        ("/w/main", "", "en"),
        ("/w/main", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("/c/main", "tlh, fr;q=0.8, de;q=0.2", "fr"),
        ("/w/main?lang=ar", "de", "ar"),
        ("/w/main?lang=zh-TW", "de", "zh-Hant"),
        ("/w/main?lang=tlh", "he", "he"),
        ("/w/main?lang=../../etc/passwd", "x-y-z", "en"),
        ("/w/main/consent?lang=de", "", "de"),
        ("/nothing-here?lang=de", "", "de"),
    ],
)
def test_the_page_comes_first_then_the_browser(nobody: httpx.Client, path: str, wanted: str, lang: str) -> None:
    answer = nobody.get(path, headers={"Accept-Language": wanted} if wanted else {"Accept-Language": ""})
    right_to_left = lang in languages.RIGHT_TO_LEFT
    assert spoken(dom.parse(answer.text)) == (lang, "rtl" if right_to_left else "ltr")


@pytest.mark.parametrize("lang", sorted(languages.NAMES))
def test_the_document_is_drawn_in_every_language(nobody: httpx.Client, lang: str) -> None:
    page = document(nobody, f"/w/main?lang={lang}")
    with languages.speaking(lang):
        assert page.first(id="pill").text == languages.gettext("New messages")
        assert page.first(cls="send").attrs["aria-label"] == languages.gettext("Send")
        assert words(page)["states"] == [languages.gettext(each) for each in ("Sending", "Sent", "Delivered", "Seen")]
    assert nobody.get(f"/w/main/consent?lang={lang}").status_code == 200


def test_hostile_tags_draw_nothing_of_themselves(nobody: httpx.Client) -> None:
    answer = nobody.get("/w/main", params={"lang": HOSTILE}, headers={"Accept-Language": "<b>,;q=;;,*"})
    assert answer.status_code == 200 and "onerror" not in answer.text and "alert(" not in answer.text


def test_each_reader_of_one_talk_reads_it_in_their_own_language(server: Server, ann: Owner) -> None:
    german = German(server.url).arrive()
    german.say("Guten Tag, gibt es die Lampe?")
    english = german.again()
    english.catch_up()
    thread = ann.conversation("Guten Tag, gibt es")
    with german.socket() as first, english.socket() as second:
        ann.http.post(f"{thread}/closure", data=csrf(ann, thread), headers=ann.auth())
        assert "hat dieses Gespräch geschlossen" in german.hear(first, "geschlossen")
        assert "closed this conversation. Write to open it again." in english.hear(second, "closed")
    german.say("Und in Blau?")
    assert (
        "Sie haben dieses Gespräch wieder geöffnet" in german.http.get("/w/main/messages", headers=german.auth()).text
    )
    assert "You opened this conversation again" in english.poll().text
    assert "Ann hat" not in ann.page(thread).text and "opened this conversation again" in ann.page(thread).text


def csrf(ann: Owner, thread: str) -> dict[str, str]:
    page = dom.parse(ann.http.get(thread).text)
    return {"csrf": page.first("input", name="csrf").attrs["value"]}


def test_a_poll_reads_as_its_socket_and_a_reload(server: Server, ann: Owner) -> None:
    vera = German(server.url).arrive()
    vera.say("Bin ich hier richtig?")
    ann.reply(ann.conversation("Bin ich hier richtig?"), "Ja.")
    vera.catch_up()
    fresh = Log()
    fresh.apply(vera.http.get("/w/main/live?since=0&wait=0", headers=vera.auth()).text)
    assert fresh.texts() == vera.log.texts()
    page = dom.parse(vera.http.get("/w/main/messages", headers=vera.auth()).text)
    assert page.first(cls="author").text == "Sie"
    assert page.first(cls="state").text in ("Gesendet", "Zugestellt", "Gelesen")


def test_what_goes_wrong_is_said_in_the_visitors_language(server: Server) -> None:
    vera = German(server.url).arrive()
    refused = vera.post("x" * 4001)
    assert refused.status_code == 422 and "4,001 Zeichen lang" in refused.text
    assert "Schreiben Sie zuerst" in vera.post("  ").text
    gone = httpx.get(f"{server.url}/w/none", headers={"Accept-Language": "de"}, trust_env=False)
    assert gone.status_code == 404 and "Unter dieser Adresse gibt es nichts" in gone.text


def test_without_a_script_the_language_that_was_asked_for_goes_on(nobody: httpx.Client) -> None:
    page = document(nobody, "/c/main?lang=de", "fr")
    form = page.first(id="composer")
    assert form.attrs["action"] == "/c/main?lang=de"
    sent = dom.fields(form) | {"body": "Ohne Skript"}
    answer = nobody.post(form.attrs["action"], data=sent)
    assert answer.status_code == 303 and answer.headers["Location"] == "/c/main?lang=de"
    assert document(nobody, "/c/main", "fr").first("form", cls="data").attrs["action"] == "/c/main/data"


def test_owners_read_the_language_of_their_browser_or_else_english(ann: Owner) -> None:
    read = {tag: ann.http.get("/inbox", headers={"Accept-Language": tag}).text for tag in ("de-AT", "th, de", "th")}
    assert {tag: spoken(dom.parse(page))[0] for tag, page in read.items()} == {
        "de-AT": "de",
        "th, de": "de",
        "th": "en",
    }
    assert "Abmelden" in read["de-AT"] and "Sign out" in read["th"]


def test_an_owner_chooses_the_language_of_pages_stream_and_worker(server: Server, ann: Owner) -> None:
    try:
        assert "Gespeichert." in press(ann, "/inbox/profile", name="Ann", language="de").text
        german = ann.http.get("/inbox", headers={"Accept-Language": "en"}).text
        assert spoken(dom.parse(german)) == ("de", "ltr") and "Posteingang" in german
        assert "Öffnen Sie den Posteingang" in ann.http.get("/inbox/alerts/worker.js").text
        refused = press(ann, "/inbox/sites/main", name="")
        assert "Geben Sie der Website einen Namen" in refused.text, "what the writer refuses too"
        Visitor(server.url).arrive().say("Guten Tag")
        assert '<span class="away"> neu</span>' in ann.poll(since=0).text
        assert press(ann, "/inbox/profile", name="Ann", language="tlh").status_code == 200
        assert "Sign out" in ann.http.get("/inbox").text, "an unknown one is none"
    finally:
        press(ann, "/inbox/profile", name="Ann", language="")


def test_an_owner_sets_the_first_language(server: Server, ann: Owner, nobody: httpx.Client) -> None:
    page = "/inbox/sites/main/languages"
    assert press(ann, page, first="he").status_code == 200
    assert spoken(document(nobody, "/w/main", "tlh")) == ("he", "rtl")
    assert spoken(document(nobody, "/w/main", "en")) == ("en", "ltr")
    with languages.speaking("he"):
        assert json.dumps(languages.gettext("Open chat")) in nobody.get("/w/main.js").text
    assert press(ann, page, first="tlh").status_code == 200
    assert press(ann, page, first="en").status_code == 200
    assert "Open chat" in nobody.get("/w/main.js").text


def translate(ann: Owner, page: str, **said: str) -> httpx.Response:
    """Fill the form of own texts in, and send it."""
    form = next(each for each in ann.page(page).all("form") if each.all("textarea"))
    return ann.http.post(page, data=dom.fields(form) | said, headers=ann.auth(), follow_redirects=True)


def test_owners_translate_their_own_texts(server: Server, ann: Owner, nobody: httpx.Client) -> None:
    languages_page = "/inbox/sites/main/languages"
    assert "You have written none yet" in ann.http.get(languages_page).text
    press(ann, "/inbox/sites/main/appearance", greeting="Welcome in!", label="Ask us")
    shown = dom.parse(ann.http.get(f"{languages_page}?for=de").text)
    boxes = shown.all("textarea")
    assert [shown.first(id=box.attrs["aria-describedby"]).text for box in boxes] == ["Ask us", "Welcome in!"]
    saved = translate(ann, f"{languages_page}?for=de", **{"text-0": "Fragen?", "text-1": HOSTILE})
    assert "Saved." in saved.text and HOSTILE in [each.text for each in dom.parse(saved.text).all("textarea")]
    german, french = document(nobody, "/w/main?lang=de"), document(nobody, "/w/main?lang=fr")
    assert german.first(cls="greeting").text == HOSTILE and french.first(cls="greeting").text == "Welcome in!"
    script = nobody.get("/w/main.js").text
    told = json.loads(re.search(r'"words":(\{.*?\}\})', script)[1])  # type: ignore[index]
    assert told["de"] == {"open": "Chat öffnen", "label": "Fragen?"} and told["en"]["label"] == "Ask us"
    press(ann, "/inbox/sites/main/appearance", greeting="Welcome again!")
    assert document(nobody, "/w/main?lang=de").first(cls="greeting").text == "Welcome again!"
    press(ann, "/inbox/sites/main/appearance", default="1")


def test_a_text_that_is_too_long_or_of_another_time_changes_nothing(ann: Owner, nobody: httpx.Client) -> None:
    page = "/inbox/sites/main/languages?for=de"
    press(ann, "/inbox/sites/main/appearance", title="Shop talk")
    assert "60 characters at most" in translate(ann, page, **{"text-0": "x" * 61}).text
    old = translate(ann, page, **{"text-0": "Plauderei", "of-0": "Another title"})
    assert "changed meanwhile" in old.text and "Plauderei" in old.text
    assert document(nobody, "/w/main?lang=de").first("h1").text == "Shop talk"
    press(ann, "/inbox/sites/main/appearance", default="1")


def test_mails_speak_the_visitors_language(server: Server, smtp: Smtp, ann: Owner) -> None:
    vera = Visitor(server.url).arrive()
    vera.post("Wann ist sie da?", language="de-AT", timezone="Europe/Vienna")
    vera.http.post("/w/main/address", data={"email": "vera@example.org"}, headers=vera.auth())
    count = len(smtp.mails)
    thread = ann.conversation("Wann ist sie da?")
    ann.reply(thread, "Morgen.")
    eventually(lambda: waiting(server, thread) == 1, what="the mail that waits")
    due(server, thread)
    mail = smtp.wait_for(count + 1)
    plain = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    page = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert mail["Subject"].endswith("hat Ihnen geantwortet") and "Gespräch fortsetzen" in plain
    assert '<html lang="de" dir="ltr">' in page and "Diese E-Mails abbestellen" in page


def test_the_first_owners_language_is_the_sites(tmp_path_factory: pytest.TempPathFactory) -> None:
    alone = {"CHAT_OWNER_EMAIL": None, "CHAT_OWNER_PASSWORD": None}
    with Server(tmp_path_factory.mktemp("fresh"), **alone) as fresh:
        link = re.findall(r"/inbox/setup/\S+", fresh.output)[-1]
        form = {"name": "Uta", "email": "uta@shop.example", "password": "drei kleine Lampen"}
        with httpx.Client(base_url=fresh.url, trust_env=False) as uta:
            page = dom.parse(uta.get(link).text)
            sent = dom.fields(page.first("form")) | form
            answer = uta.post(link, data=sent, headers={"Accept-Language": "de-CH, en", "Origin": fresh.url})
            assert answer.status_code == 303
            assert spoken(dom.parse(uta.get("/w/main", headers={"Accept-Language": "tlh"}).text))[0] == "de"
