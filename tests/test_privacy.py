"""What is kept of visitors, for how long, and how it goes: by the real server, over HTTP."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from contextlib import closing
from pathlib import Path

import dom
import httpx
import pytest
import websockets
from cast import Owner, Visitor
from feed import eventually
from harness import Server

from chat import channels, clock, files, messages, people, records
from chat.db import connect
from chat.keys import fingerprint
from chat.limits import shortened

pytestmark = pytest.mark.xdist_group("privacy-http")
SITE = "/inbox/sites/main/privacy"


def press(ann: Owner, path: str, on: str = SITE, **fields: str) -> httpx.Response:
    csrf = ann.page(on).first("input", name="csrf").attrs["value"]
    return ann.http.post(path, data={"csrf": csrf, **fields}, headers=ann.auth(), follow_redirects=True)


def test_the_owners_words_and_the_policy_stand_before_the_first_message(ann: Owner, nobody: httpx.Client) -> None:
    assert 'class="notice"' not in nobody.get("/w/main").text
    words, url = "We keep this <b>90 days</b>.", "https://shop.example/privacy?a=1&b=2"
    assert "Saved." in press(ann, SITE, text=words, url=url).text
    for path in ("/w/main", "/c/main", "/w/main/consent"):
        page = nobody.get(path).text
        assert (
            "We keep this &lt;b&gt;90 days&lt;/b&gt;." in page
            and 'href="https://shop.example/privacy?a=1&amp;b=2"' in page
        )
    press(ann, SITE)
    assert 'class="notice"' not in nobody.get("/w/main").text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "shop.example/privacy", "https://", "https://a.example/ b", "//x"]
)
def test_what_is_no_address_of_a_policy_is_named_and_changes_nothing(ann: Owner, url: str) -> None:
    answer = press(ann, SITE, text="kept as it was typed", url=url)
    assert answer.status_code == 200 and "This is no address on the web" in answer.text
    assert "kept as it was typed" in answer.text and "kept as it was typed" not in ann.page(SITE).text


def test_the_question_for_consent_makes_no_session_and_may_be_framed_where_the_chat_may(
    nobody: httpx.Client, server: Server
) -> None:
    answer = nobody.get("/w/main/consent")
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
    assert "token" not in answer.text and "Set-Cookie" not in answer.headers and "Agree" in answer.text
    assert nobody.get("/w/nope/consent").status_code == 404


# Your data.


def mine(visitor: Visitor, what: str = "", **fields: str) -> httpx.Response:
    """A form of the page "Your data", as a browser without a script sends it."""
    form = {"token": visitor.token, **fields}
    return visitor.http.post(f"/w/main/data{what}", data=form, headers={"Origin": visitor.url})


def with_everything(vera: Visitor, ann: Owner, server: Server, word: str) -> int:
    """A talk with that word in every place that takes a visitor's words; returns the conversation."""
    context = {"page_url": f"https://{word}.example/", "page_title": f"{word} title", "timezone": f"{word}/Zone"}
    for number in range(30):  # enough for several pages of the tables, and for what lies free between the rows
        vera.post(f"{word} says {number} {'x' * (number * 40)}", **context)
    thread = ann.conversation(f"{word} says 29")
    talk = int(thread.rpartition("/")[2])
    ann.reply(thread, f"an answer to {word}")
    vera.signal(page={"url": f"https://{word}.example/next", "title": f"{word} next"})
    with closing(connect(server.data / "chat.sqlite")) as db:
        db.execute("BEGIN IMMEDIATE")
        message = db.execute("SELECT max(id) FROM messages WHERE conversation_id = ?", [talk]).fetchone()[0]
        upload = files.keep(server.data, f"{word}.txt", f"{word} in a file".encode())
        files.attach(db, 1, talk, message, [upload])
        note = str(uuid.uuid4())
        messages.post(db, None, talk, "agent", f"a note about {word}", note, 1, audience="agents")
        channels.open_door(db, talk, "mail", f"{word}@mail.example")
        people.reachable_at(db, people.of_conversation(db, talk), f"{word}@mail.example")
        for about in (talk, None):
            letter = ["in", f"{word}-{about}@mail.example", about, "new", f"{word}@mail.example", f"{word} subject"]
            columns = "direction, message_id, conversation_id, kind, address, subject, created_at"
            db.execute(f"INSERT INTO mail_letters ({columns}) VALUES (?, ?, ?, ?, ?, ?, 'now')", letter)
        db.execute("COMMIT")
    return talk


def places_of(word: str, data: Path) -> list[str]:
    """The files of the data folder in which that word stands, in any byte, name or case."""
    small, found = word.encode().lower(), []
    for path in data.rglob("*"):
        if path.is_file() and (small in path.read_bytes().lower() or word in path.name):
            found.append(str(path.relative_to(data)))
    return found


def test_everything_can_be_downloaded_as_one_archive(vera: Visitor, ann: Owner, server: Server) -> None:
    with_everything(vera, ann, server, "downloadable")
    answer = mine(vera, "/archive")
    assert answer.status_code == 200 and "attachment" in answer.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    told = json.loads(archive.read("data.json"))
    assert [row["body"] for row in told["messages"]][-1] == "an answer to downloadable"
    assert told["persons"][0]["email"] == "downloadable@mail.example" and told["doors"] and told["devices"]
    (name,) = [name for name in archive.namelist() if name.startswith("files/")]
    assert archive.read(name) == b"downloadable in a file"
    page = archive.read("conversation.html").decode()
    assert "downloadable says 3 " in page and name in page
    whole = answer.content + page.encode() + archive.read("data.json")
    assert b"a note about" not in whole and vera.token.encode() not in whole


def test_erasing_takes_two_steps_and_the_first_changes_nothing(vera: Visitor) -> None:
    vera.say("still here")
    for sure in ("", "made up", "WyJ4Il0.x.y"):
        answer = mine(vera, "/erasure", sure=sure)
        assert "Nothing has been erased yet" in answer.text
    assert vera.again().catch_up().texts() == ["still here"]


def test_another_visitors_confirmation_erases_nothing(vera: Visitor, mallory: Visitor) -> None:
    vera.say("mine to erase")
    mallory.say("mine alone")
    hers = dom.parse(mine(vera, "/erasure").text).first("input", name="sure").attrs["value"]
    assert "Nothing has been erased yet" in mine(mallory, "/erasure", sure=hers).text
    assert mallory.again().catch_up().texts() == ["mine alone"]


def test_after_an_erasure_no_byte_of_it_is_left_in_the_data_folder(vera: Visitor, ann: Owner, server: Server) -> None:
    word = "Xylophonist"
    talk = with_everything(vera, ann, server, word)
    name = ann.page(f"/inbox/conversations/{talk}").first("h1").text
    assert places_of(word, server.data)
    sure = dom.parse(mine(vera, "/erasure").text).first("input", name="sure").attrs["value"]
    page = dom.parse(mine(vera, "/erasure", sure=sure).text)
    assert "Everything is erased" in page.text and "Messages: 32. Files: 1." in page.text
    eventually(lambda: not places_of(word, server.data), 15, "the last byte")
    assert mine(vera).status_code == 401 and vera.post("again").status_code == 401
    thread = ann.page(f"/inbox/conversations/{talk}")
    assert "The visitor has erased this conversation" in thread.text and name not in thread.first(cls="thread").text
    receipt = vera.http.get(next(a.attrs["href"] for a in page.all("a") if "receipts" in a.attrs["href"]))
    assert "Messages: 32. Files: 1." in receipt.text and receipt.headers["Content-Type"].startswith("text/plain")
    server.restart()
    assert not places_of(word, server.data)


def test_every_reference_to_a_person_is_followed(server: Server) -> None:
    """What a new table keeps of a person is erased and handed out by its references: nobody has to remember it."""
    with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
        tables = {part.table for part in records.walk(db, "persons", [1])}
    assert {"messages", "files", "doors", "devices", "mail_letters", "events", "states"} <= tables


def test_a_device_is_forgotten_and_the_talk_stays(vera: Visitor, ann: Owner) -> None:
    vera.say("forget only this browser")
    with vera.socket() as hers:
        answer = mine(vera, "/device")
        assert "data-forget" in answer.text
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                hers.recv(timeout=10)
    assert closed.value.rcvd and closed.value.rcvd.code == 4401
    assert vera.post("again").status_code == 401
    assert ann.conversation("forget only this browser")


@pytest.mark.parametrize("what", ["", "/archive", "/erasure", "/device"])
def test_nobody_reaches_anothers_data(nobody: httpx.Client, what: str, server: Server) -> None:
    for token in ("", "x", "WyJtYWluIiwieCJd.aaaa.bbbb"):
        answer = nobody.post(f"/w/main/data{what}", data={"token": token}, headers={"Origin": server.url})
        assert answer.status_code == 401


def test_a_visitor_of_whom_nothing_is_kept_is_told_so(vera: Visitor) -> None:
    assert "Nothing is kept of you here yet" in mine(vera).text
    assert "Nothing is kept of you here yet" in mine(vera, "/erasure").text
    assert (
        json.loads(zipfile.ZipFile(io.BytesIO(mine(vera, "/archive").content)).read("data.json")).get("persons") == []
    )


# Kept for so long, and held.


def grow_old(server: Server, talk: int, days: int) -> None:
    with closing(connect(server.data / "chat.sqlite")) as db:
        past = clock.now(-days * 86400)
        db.execute("UPDATE events SET created_at = ? WHERE conversation_id = ?", [past, talk])
        db.execute("UPDATE conversations SET started_at = ? WHERE id = ?", [past, talk])


def number_of(ann: Owner, words: str) -> int:
    return int(ann.conversation(words).rpartition("/")[2])


def exists(ann: Owner, talk: int) -> bool:
    return ann.http.get(f"/inbox/conversations/{talk}").status_code == 200


def test_what_is_silent_for_longer_than_wanted_is_erased_and_what_is_held_is_kept(server: Server, ann: Owner) -> None:
    vera, hilda, young = (Visitor(server.url).arrive() for _ in range(3))
    old = with_everything(vera, ann, server, "Zuckerwatte")
    hilda.say("held by law")
    young.say("of yesterday")
    held, new = number_of(ann, "held by law"), number_of(ann, "of yesterday")
    press(ann, f"/inbox/privacy/conversations/{held}/hold", on=f"/inbox/conversations/{held}", why="a case at court")
    assert "a case at court" in ann.page(f"/inbox/conversations/{held}").text
    for talk, days in ((old, 31), (held, 400), (new, 1)):
        grow_old(server, talk, days)
    assert "Saved." in press(ann, SITE, days="30").text
    eventually(lambda: not exists(ann, old), 15, "the daily look")
    assert exists(ann, held) and exists(ann, new)
    said = "erased for their age: 1. Old enough, but kept by a legal hold: 1."
    eventually(lambda: said in ann.page(SITE).text, 10, "what the page says")
    eventually(lambda: not places_of("Zuckerwatte", server.data), 15, "the last byte")
    assert "By age" in ann.page(SITE).text
    vera.log.cursor = 0
    assert vera.post("back after a month").status_code == 200  # the same browser, a new talk
    assert vera.again().catch_up().texts() == ["back after a month"]
    press(ann, SITE)


def test_a_hold_puts_off_what_a_visitor_wants_erased_until_it_ends(vera: Visitor, ann: Owner, server: Server) -> None:
    vera.say("Querulant was here")
    talk = number_of(ann, "Querulant was here")
    thread = f"/inbox/conversations/{talk}"
    press(ann, f"/inbox/privacy{thread.removeprefix('/inbox')}/hold", on=thread, why="")
    sure = dom.parse(mine(vera, "/erasure").text).first("input", name="sure").attrs["value"]
    assert "Your wish is noted" in mine(vera, "/erasure", sure=sure).text
    assert "your wish waits" in mine(vera).text and vera.again().catch_up().texts() == ["Querulant was here"]
    page = ann.page(f"/inbox/privacy{thread.removeprefix('/inbox')}/erasure")
    assert "nothing can be erased" in page.text and not page.all(cls="danger")
    press(ann, f"/inbox/privacy{thread.removeprefix('/inbox')}/erasure", on=thread)
    assert "Querulant was here" in ann.page(thread).text
    press(ann, f"/inbox/privacy{thread.removeprefix('/inbox')}/hold", on=thread, end="1")
    eventually(lambda: not places_of("Querulant", server.data), 15, "what was put off")
    assert "has erased this conversation" in ann.page(thread).text


def test_an_agent_downloads_everything_with_the_notes_and_erases_it(vera: Visitor, ann: Owner, server: Server) -> None:
    talk = with_everything(vera, ann, server, "Butterblume")
    base, thread = f"/inbox/privacy/conversations/{talk}", f"/inbox/conversations/{talk}"
    archive = zipfile.ZipFile(io.BytesIO(ann.http.get(f"{base}/archive").content))
    assert "a note about Butterblume" in archive.read("conversation.html").decode()
    assert "Messages: 32." in ann.page(f"{base}/erasure").text
    press(ann, f"{base}/erasure", on=thread)
    assert " has erased this conversation" in ann.page(thread).text
    eventually(lambda: not places_of("Butterblume", server.data), 15, "the last byte")


@pytest.mark.parametrize("days", ["0", "-1", "4000", "ten", "1.5", "٣"])
def test_what_is_no_number_of_days_is_named(ann: Owner, days: str) -> None:
    assert "Write a number of days" in press(ann, SITE, days=days).text


# Masked.


def test_numbers_are_masked_before_they_are_stored_if_the_owner_wants_it(ann: Owner, server: Server) -> None:
    press(ann, SITE, mask="on")
    vera = Visitor(server.url).arrive()
    said = {"body": "card 4111 1111 1111 1111, iban DE89 3704 0044 0532 0130 00"}
    form = said | {"client_id": str(uuid.uuid4()), "since": "0"}
    answer = vera.http.post("/w/main/messages", data=form, headers=vera.auth())
    assert "card •••• •••• •••• 1111, iban •••• •••• •••• •••• ••30 00" in answer.text
    assert not places_of("4111 1111 1111 1111", server.data) and not places_of("0532 0130", server.data)
    thread = ann.conversation("card ••••")
    ann.reply(thread, "ours is DE89 3704 0044 0532 0130 00")  # what the owner writes stays
    assert "ours is DE89 3704 0044 0532 0130 00" in vera.catch_up().texts()
    press(ann, SITE)
    vera.say("now 4111 1111 1111 1111 stays")


# Who has read what, and who does nothing.


def test_who_has_read_what_is_noted_only_when_switched_on(vera: Visitor, ann: Owner) -> None:
    vera.say("read by somebody")
    talk = number_of(ann, "read by somebody")
    ann.page(f"/inbox/conversations/{talk}")
    listed = f"/inbox/privacy/reads?conversation={talk}"
    assert "Nothing is noted just now" in ann.page(listed).text and not ann.page(listed).all("li")
    press(ann, "/inbox/privacy", on="/inbox/privacy", reads="on")
    for _ in range(3):
        ann.page(f"/inbox/conversations/{talk}")
    ann.http.get(f"/inbox/privacy/conversations/{talk}/archive")
    eventually(lambda: len(ann.page(listed).all("li")) == 2, 5, "the two notes")
    rows = [row.text for row in ann.page(listed).all("li")]
    assert f"downloaded all of conversation {talk}" in rows[0] and f"opened conversation {talk}" in rows[1]
    assert not ann.page(f"/inbox/privacy/reads?conversation={talk + 1000}").all("li")
    assert ann.page("/inbox/privacy/reads?agent=1").all("li") and not ann.page("/inbox/privacy/reads?agent=99").all(
        "li"
    )
    table = ann.http.get(f"/inbox/privacy/reads.csv?conversation={talk}")
    assert table.text.splitlines()[0] == "when,agent,email,conversation,what" and len(table.text.splitlines()) == 3
    press(ann, "/inbox/privacy", on="/inbox/privacy")


def test_an_agent_who_does_nothing_is_signed_off_and_an_open_inbox_is_nothing(server: Server) -> None:
    ann, bob = Owner(server.url).arrive(), Owner(server.url).arrive()
    press(ann, "/inbox/privacy", on="/inbox/privacy", idle="5")
    with bob.socket() as his:
        with closing(connect(server.data / "chat.sqlite")) as db:
            change = "UPDATE sessions SET used_at = '', created_at = ? WHERE token_hash = ?"
            db.execute(change, [clock.now(-400), fingerprint(bob.http.cookies["porchlight"])])
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            for _ in range(100):
                his.recv(timeout=25)
    assert closed.value.rcvd and closed.value.rcvd.code == 4401
    assert bob.http.get("/inbox").status_code == 302 and ann.http.get("/inbox").status_code == 200
    press(ann, "/inbox/privacy", on="/inbox/privacy")


# Addresses.


def test_nothing_of_an_address_is_kept_unless_the_owner_wants_its_network(server: Server, ann: Owner) -> None:
    def networks() -> set[str]:
        with closing(connect(server.data / "chat.sqlite", readonly=True)) as db:
            return {row[0] for row in db.execute("SELECT address FROM devices")}

    Visitor(server.url).arrive().say("without an address")
    assert networks() == {""}
    press(ann, "/inbox/privacy", on="/inbox/privacy", addresses="short")
    vera = Visitor(server.url).arrive()
    vera.say("with a network")
    assert networks() == {"", "127.0.0.0/24"} and "127.0.0.0/24" in ann.page(ann.conversation("with a network")).text
    press(ann, "/inbox/privacy", on="/inbox/privacy")
    assert networks() == {""}


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("unix", ""),
    ],
)
def test_an_address_is_shortened_beyond_the_household(address: str, kept: str) -> None:
    assert shortened(address) == kept
