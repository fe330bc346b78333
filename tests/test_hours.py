"""Home or away: hours by the clock on the site's wall, the owner's switch, and what visitors read of both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dom
import httpx
import pytest
from cast import Owner, Visitor
from feed import eventually
from harness import Server
from push_service import Phone, PushService
from test_alerts import add
from test_sites import press

from app import create_app
from chat import clock, config, fragments, schema
from chat.db import Tx, connect
from chat.features.hours import away, paces
from chat.features.hours.schedule import DAYS, BadHours, Schedule, dumps, loads, ranges_as_typed, typed
from chat.porch import Light

pytestmark = pytest.mark.xdist_group("hours")
NEVER = [""] * 7


def week(zone: str, *said: str, holidays: str = "") -> Schedule:
    """Every day alike, or the days one by one."""
    return typed(zone, list(said) * 7 if len(said) == 1 else list(said), holidays)


def at(said: str, zone: str = "UTC", fold: int = 0) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=clock.zone(zone), fold=fold).astimezone(UTC)


# What is typed.


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("9-12, 13-17", "09:00-12:00, 13:00-17:00"),
        ("13:00 – 17:30; 9.15-12", "09:15-12:00, 13:00-17:30"),
        ("9am-5pm", "09:00-17:00"),
        ("12am - 12pm", "00:00-12:00"),
        ("22:00-02:00", "22:00-02:00"),
        ("0-24", "00:00-24:00"),
        ("9 to 12 and 13 to 17", "09:00-12:00, 13:00-17:00"),
        ("", ""),
    ],
)
def test_times_are_taken_as_people_type_them(said: str, shown: str) -> None:
    taken = week("Europe/Vienna", said)
    assert [ranges_as_typed(day) for day in taken.days] == [shown] * 7
    assert loads(dumps(taken)) == taken


@pytest.mark.parametrize(
    "said",
    [
        "nine",
        "9-9",
        "25-26",
        "9:60-10",
        "9-12, 11-13",
        "13pm-14pm",
        "0am-3",
        "24-25",
        "1-2,3-4,5-6,7-8,9-10,11-12,13-14",
        "-5",
        "<script>",
        "9" * 200,
    ],
)
def test_what_is_no_time_is_refused_at_its_day(said: str) -> None:
    with pytest.raises(BadHours) as refused:
        typed("UTC", ["9-17", "", said, "", "", "", ""], "")
    assert refused.value.field == "day-2"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/localtime", "\x00", "Europe", "x" * 300, ""])
def test_what_is_no_time_zone_is_refused_at_its_field(zone: str) -> None:
    with pytest.raises(BadHours) as refused:
        week(zone, "9-17")
    assert refused.value.field == "zone"


@pytest.mark.parametrize(
    "line", ["Christmas", "2026-02-30", "13-01", "2026-12-24..2026-12-01", "2026-12-24..12-26", "1-1"]
)
def test_what_is_no_holiday_is_refused_at_its_field(line: str) -> None:
    with pytest.raises(BadHours) as refused:
        week("UTC", "9-17", holidays=f"12-25 Christmas\n{line}")
    assert refused.value.field == "holidays" and line[:20] in str(refused.value)


# What follows from it.


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "is_open"),
    [
        ("9-17", "Europe/Vienna", at("2026-11-23T09:00", "Europe/Vienna"), True),
        ("9-17", "Europe/Vienna", at("2026-11-23T17:00", "Europe/Vienna"), False),
        ("9-17", "Pacific/Kiritimati", at("2026-11-22T19:30"), True),  # 14 hours ahead: Monday there
        ("9-17", "Pacific/Pago_Pago", at("2026-11-24T03:30"), True),  # 11 behind: Monday still
        ("22-2", "America/New_York", at("2026-11-24T01:59", "America/New_York"), True),
        ("22-2", "America/New_York", at("2026-11-24T02:00", "America/New_York"), False),
        ("0-24", "Asia/Kathmandu", at("2026-11-24T00:00", "Asia/Kathmandu"), True),
        # Summer time begins in Vienna on 2026-03-29 at 2, and ends on 2026-10-25 at 3.
        ("9-17", "Europe/Vienna", at("2026-03-28T08:30"), True),
        ("9-17", "Europe/Vienna", at("2026-03-29T07:00"), True),
        ("9-17", "Europe/Vienna", at("2026-03-29T06:59"), False),
        ("2:30-5", "Europe/Vienna", at("2026-03-29T01:00"), True),  # 3 o'clock, the first time that there is
        ("2:30-5", "Europe/Vienna", at("2026-03-29T00:59"), False),
        ("1-2:30", "Europe/Vienna", at("2026-10-25T00:15"), True),  # the first 2:15
        ("1-2:30", "Europe/Vienna", at("2026-10-25T01:15"), True),  # the second one
        ("1-2:30", "Europe/Vienna", at("2026-10-25T01:30"), False),
        # Lord Howe: half an hour, on 2026-10-04 at 2 and on 2026-04-05 at 2.
        ("2:15-4", "Australia/Lord_Howe", at("2026-10-03T15:29"), False),
        ("2:15-4", "Australia/Lord_Howe", at("2026-10-03T15:30"), True),
        ("9-17", "Australia/Lord_Howe", at("2026-10-03T22:00"), True),
        ("9-17", "Australia/Lord_Howe", at("2026-10-03T21:59"), False),
        ("1-1:45", "Australia/Lord_Howe", at("2026-04-04T15:10"), True),  # the second 1:40
        ("1-1:45", "Australia/Lord_Howe", at("2026-04-04T15:15"), False),
    ],
)
def test_hours_hold_by_the_clock_on_the_wall(hours: str, zone: str, moment: datetime, is_open: bool) -> None:
    assert week(zone, hours).is_open(moment) is is_open


def test_an_opening_is_where_being_open_begins_all_through_two_changes_of_the_clock() -> None:
    for zone, first in (("Europe/Vienna", "2026-03-27"), ("Australia/Lord_Howe", "2026-10-02"), ("UTC", "2026-01-01")):
        mine = week(zone, "2:10-2:40, 9-12, 23:30-1:15", holidays="2026-03-30\n2026-10-05")
        moment, before = at(first), True
        for _ in range(4 * 24 * 12):
            now = mine.is_open(moment)
            if now and not before:
                assert abs(mine.opens(moment - timedelta(minutes=5)) - moment) <= timedelta(minutes=5)
            moment, before = moment + timedelta(minutes=5), now


def test_back_is_after_the_holidays_and_never_where_there_are_no_hours_left() -> None:
    mine = week("Europe/Vienna", "9-17", "9-17", "9-17", "9-17", "9-17", "", "", holidays="12-24..01-06 Winter break")
    friday = at("2026-12-18T18:00", "Europe/Vienna")
    assert mine.opens(friday) == at("2026-12-21T09:00", "Europe/Vienna")
    assert mine.opens(at("2026-12-23T17:00", "Europe/Vienna")) == at("2027-01-07T09:00", "Europe/Vienna")
    assert week("UTC", "9-17", holidays="01-01..12-31").opens(friday) is None
    assert Schedule().is_open(friday) and Schedule().opens(friday) == friday


def test_a_night_that_began_before_a_holiday_goes_on_into_it_and_none_begins_on_it() -> None:
    mine = week("UTC", "22-2", holidays="2026-05-01 Labour Day")
    assert mine.is_open(at("2026-05-01T01:00")) and not mine.is_open(at("2026-05-01T23:00"))
    assert not mine.is_open(at("2026-05-02T01:00")) and mine.opens(at("2026-05-01T03:00")) == at("2026-05-02T22:00")


@pytest.mark.parametrize(
    ("choice", "zone", "ends"),
    [
        ("hour", "UTC", "2026-11-23T23:30:00.000Z"),
        ("today", "Europe/Vienna", "2026-11-24T08:00:00.000Z"),  # it is 23:30 there: Tuesday at 9
        ("today", "Asia/Tokyo", "2026-11-25T00:00:00.000Z"),  # it is Tuesday there: Wednesday at 9
        ("week", "America/New_York", "2026-11-30T14:00:00.000Z"),
        ("on", "UTC", "on"),
    ],
)
def test_being_away_ends_with_the_hours_of_that_day(choice: str, zone: str, ends: str) -> None:
    assert away.ends(choice, week(zone, "9-17"), at("2026-11-23T22:30")) == ends


# What the owner sets and visitors read.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One whose owner is called by mail, so that somebody is reached without any inbox open."""
    mail = {"CHAT_SMTP_URL": "smtp://127.0.0.1:9", "CHAT_MAIL_FROM": "Ann <ann@porch.example>"}
    with Server(tmp_path_factory.mktemp("server"), **mail) as running:
        yield running


def hours(ann: Owner, zone: str = "UTC", days: list[str] | None = None, **more: str) -> httpx.Response:
    said = {f"day-{number}": text for number, text in enumerate(days or NEVER)}
    return press(ann, "/inbox/sites/main/hours", zone=zone, **said, **{"holidays": "", **more})


def switch(ann: Owner, until: str, site: str = "") -> None:
    assert press(ann, "/inbox/away", until=until, site=site).status_code == 200


def line(url: str, site: str = "main") -> dom.Node:
    return dom.parse(httpx.get(f"{url}/c/{site}", trust_env=False).text).first("p", id="presence")


@pytest.fixture(autouse=True)
def _home(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "ann" in request.fixturenames:
        ann = request.getfixturevalue("ann")
        switch(ann, "")
        assert "Saved" in hours(ann).text


def closed_now() -> list[str]:
    """Hours of a week in which it is closed now, and open from the day after tomorrow on."""
    days = ["9-17"] * 7
    for ahead in (-1, 0, 1):
        days[(datetime.now(UTC) + timedelta(ahead)).weekday()] = ""
    return days


def test_without_hours_somebody_is_home_who_can_be_called(ann: Owner, server: Server) -> None:
    said = line(server.url)
    assert "data-home" in said.attrs and "Your message calls us" in said.text


def test_nobody_is_home_where_nobody_can_be_called(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ann = Owner(server.url).arrive()
        assert hours(ann, days=["0-24"] * 7).status_code == 200
        said = line(server.url)
        assert "data-home" not in said.attrs and "data-away" not in said.attrs and "Nobody is here" in said.text
        assert "Turn on alerts" in ann.page().first(id="porch").text
        with ann.following("socket"):
            eventually(lambda: " is here and" in line(server.url).text, what="the light")


def test_somebody_is_home_who_is_called_on_a_device_and_not_in_their_quiet_hours(tmp_path: Path) -> None:
    def plan(ann: Owner, begin: str = "", end: str = "") -> None:
        said = {"mail_after": "", "quiet_from": begin, "quiet_to": end, "timezone": "UTC"}
        assert "saved" in press(ann, "/inbox/alerts", **said).text

    with PushService() as service, Server(tmp_path, CHAT_PRIVATE_HOSTS="127.0.0.1") as server:
        ann = Owner(server.url).arrive()
        assert "Nobody is here" in line(server.url).text
        assert add(ann, Phone(service).subscription).status_code == 201
        eventually(lambda: "Your message calls us" in line(server.url).text, 5, "the light")
        before, after = (f"{datetime.now(UTC) + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
        plan(ann, before, after)
        eventually(lambda: "Nobody is here" in line(server.url).text, 5, "the quiet")
        plan(ann, after, before)
        eventually(lambda: "Your message calls us" in line(server.url).text, 5, "the end of the quiet")
        ann.http.post("/inbox/logout", data=csrf(ann) | {"everywhere": "1"}, headers=ann.auth())
        eventually(lambda: "Nobody is here" in line(server.url).text, 5, "the device's going")


def csrf(ann: Owner) -> dict[str, str]:
    return {"csrf": ann.page("/inbox/sites").first("input", name="csrf").attrs["value"]}


def test_outside_of_the_hours_visitors_read_when_somebody_is_back(ann: Owner, server: Server) -> None:
    hours(ann, zone="Europe/Vienna", days=closed_now())
    said = line(server.url)
    assert "data-away" in said.attrs and "data-home" not in said.attrs
    back = clock.parse(said.first(cls="back").attrs["data-at"]).astimezone(clock.zone("Europe/Vienna"))
    assert f"Back on {DAYS[back.weekday()]} at 09:00 (Europe/Vienna)." in said.text
    with ann.following("socket"):
        assert "Back on" in line(server.url).text, "an open inbox opens no shop"


def test_the_switch_is_read_at_once_in_a_talk_that_goes_on(ann: Owner, vera: Visitor) -> None:
    vera.say("are you there?")
    with vera.following("poll"):
        for until, words in (("on", "We are away just now"), ("hour", "Back on"), ("", "data-home")):
            switch(ann, until)
            eventually(lambda words=words: words in vera.log.html.rpartition('id="presence"')[2], 5, words)


def test_the_switch_says_how_it_stands(ann: Owner) -> None:
    assert "Home" in ann.page().first(id="porch-standing").text
    switch(ann, "on")
    page = ann.page()
    assert "Away" in page.first(id="porch-standing").text and "I am back" in page.first(id="porch").text
    assert "Away" in dom.parse(ann.http.get("/inbox/away").text).text


def test_one_site_may_be_away_alone_and_back_everywhere_is_back_at_each(ann: Owner, server: Server) -> None:
    press(ann, "/inbox/sites", name="Garden", key="garden")
    switch(ann, "on", "garden")
    assert "We are away" in line(server.url, "garden").text and "data-home" in line(server.url).attrs
    switch(ann, "")
    assert "data-home" in line(server.url, "garden").attrs
    press(ann, "/inbox/sites/garden", remove="1")


def test_what_has_ended_by_itself_is_over(ann: Owner) -> None:
    now = clock.now()
    assert away.until({"away": clock.now(-1)}, now) == "" and away.until({"away": "on"}, now) == "on"
    assert away.latest("on", "2999") == "on" and away.latest("", "2999") == "2999"


def test_a_wrong_time_is_said_at_its_day_and_all_that_was_typed_stays(ann: Owner) -> None:
    hours(ann, days=["9-17", *[""] * 6])
    page = dom.parse(hours(ann, zone="UTC", days=["10-16", "nonsense", *[""] * 5], holidays="12-25 X").text)
    field = page.first("input", name="day-1")
    assert field.attrs["aria-invalid"] and field.attrs["aria-describedby"].split()[0] == "wrong-day-1"
    assert "nonsense" in page.first("p", id="wrong-day-1").text
    assert page.first("input", name="day-0").attrs["value"] == "10-16" and "12-25 X" in page.first("textarea").text
    assert ann.page("/inbox/sites/main/hours").first("input", name="day-0").attrs["value"] == "09:00-17:00"


def test_a_day_is_copied_to_those_below_it_and_kept_when_it_is_saved(ann: Owner) -> None:
    page = dom.parse(hours(ann, days=["", "9-12", "", "", "", "", ""], copy="1").text)
    form = page.first("form", cls="fields")
    shown = [form.first("input", name=f"day-{number}").attrs["value"] for number in range(7)]
    assert shown == ["", *["9-12"] * 6] and "Save to keep it" in page.text
    assert ann.page("/inbox/sites/main/hours").first("input", name="day-3").attrs["value"] == ""
    press(ann, "/inbox/sites/main/hours", **dom.fields(form))
    assert ann.page("/inbox/sites/main/hours").first("input", name="day-6").attrs["value"] == "09:00-12:00"


def test_the_loader_knows_the_hours_and_costs_250_bytes_at_most(ann: Owner, server: Server) -> None:
    def loader() -> httpx.Response:
        return httpx.get(f"{server.url}/w/main.js", headers={"Accept-Encoding": "br"}, trust_env=False)

    without = int(loader().headers["Content-Length"])
    tomorrow = datetime.now(UTC) + timedelta(1)
    hours(
        ann, "Europe/Vienna", ["9-12, 13-17"] * 5 + ["", ""], holidays=f"{tomorrow:%m-%d} A holiday\n2031-01-01 Later"
    )
    told = loader()
    assert '"hours":["Europe/Vienna",[["12345",540,720],["12345",780,1020]],' in told.text
    assert f'["{tomorrow:%m-%d}"]' in told.text and "Later" not in told.text and "01-01" not in told.text
    assert int(told.headers["Content-Length"]) - without < 100, "60 to 90 by the date; the name says the most"


def test_who_writes_while_we_are_away_is_asked_where_the_answer_goes(ann: Owner, server: Server) -> None:
    switch(ann, "on")
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as vera:
        written = dom.fields(dom.parse(vera.get("/c/main").text).first("form", id="composer")) | {"body": "anybody?"}
        way = dom.parse(vera.post("/c/main", data=written).text).first("details", id="address")
        assert "open" in way.attrs and "Leave your e-mail address and we answer there." in way.text
        left = dom.fields(way.first("form")) | {"email": "vera@example.org"}
        way = dom.parse(vera.post("/w/main/address", data=left).text).first("details", id="address")
        assert "open" not in way.attrs and "Answers also go to vera@example.org" in way.text
    assert "vera@example.org" in ann.page(ann.conversation("anybody?")).first(id="about").text


# How long answers take, and who is before whom.


def test_how_long_answers_take_is_said_once_enough_is_known(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        vera, ann = Visitor(server.url).arrive(), Owner(server.url).arrive()
        vera.say("question 0")
        thread = ann.conversation("question 0")
        form = ann.reply_form(thread)
        with ann.following("socket"):
            eventually(lambda: " is here and answers you" in line(server.url).text, what="the light")
            for number in range(1, paces.KEPT + 10):
                ann.reply(thread, f"answer {number}", form)
                ann.reply(thread, f"and more of it {number}", form)
                if number == paces.ENOUGH - 1:
                    assert "Usually" not in line(server.url).text
                vera.say(f"question {number}")
            eventually(lambda: "is here. Usually answers within a minute." in line(server.url).text, what="the pace")
        switch(ann, "on")
        assert "Usually" not in line(server.url).text, "nobody promises what nobody is there to keep"
    with closing(sqlite3.connect(server.data / "chat.sqlite")) as db:
        assert 20 <= db.execute("SELECT sum(answers) FROM reply_times").fetchone()[0] <= paces.KEPT


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Tx]:
    """An empty database."""
    schema.prepare(tmp_path / "chat.sqlite")
    with closing(connect(tmp_path / "chat.sqlite")) as db:
        yield db


def test_the_median_is_that_of_the_hour_or_its_neighbours_or_other_days(book: Tx) -> None:
    def told(hour: int, *minutes: int) -> None:
        for each in minutes:
            paces.note(book, 1, hour, each)

    told(34, 1, 1, 5, 5, 5, 5, 60, 60)
    assert paces.usual(book, 1, 34) == 5 and paces.usual(book, 1, 35) == 5, "its neighbour has enough"
    assert paces.usual(book, 1, 36) == 0 and paces.usual(book, 1, 34 + 48) == 5, "the same hour of another day"
    told(35, *[60] * 20)
    assert paces.usual(book, 1, 35) == 60 and paces.usual(book, 1, 34) == 5
    told(100, *[paces.LATER] * 20)
    assert paces.usual(book, 1, 100) == 0, "a week is no promise"
    told(0, *[10] * 8)
    assert paces.usual(book, 1, 167) == 10, "Sunday's last hour is beside Monday's first"
    for _ in range(300):
        told(50, 1)
    told(50, *[30] * 41)
    assert paces.usual(book, 1, 50) == 30, "what was long ago fades"


@pytest.mark.parametrize(
    ("light", "words"),
    [
        (Light(True, "Ann", pace=1), "Ann is here. Usually answers within a minute."),
        (Light(True, "Ann", pace=5), "Ann is here. Usually answers in about 5 minutes."),
        (Light(True, pace=60), "Your message calls us: we come and answer here. Usually answers in about an hour."),
        (Light(True, "Ann", pace=240), "Ann is here. Usually answers in about 4 hours."),
        (Light(True, "Ann", pace=1440), "Ann is here. Usually answers within a day."),
        (Light(True, "Ann", ahead=1), "Ann is here and answers you in this window. 1 person is before you."),
        (Light(True, "Ann", ahead=3), "Ann is here and answers you in this window. 3 people are before you."),
        (Light(False, away=True), "We are away just now. Leave a message: the answer will wait here for you."),
        (Light(False), "Nobody is here just now. Leave a message: the answer will wait here for you."),
    ],
)
def test_each_light_has_its_words(light: Light, words: str, tmp_path: Path) -> None:
    schema.prepare(tmp_path / "chat.sqlite")
    create_app(config.load({"CHAT_DATA": str(tmp_path)}))
    assert dom.parse(fragments.presence(light)).text == words


def test_at_a_peak_each_is_told_the_place_and_moves_up_live(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ann = Owner(server.url).arrive()
        people = [Visitor(server.url).arrive() for _ in range(5)]

        def said(number: int) -> str:
            return people[number].log.html.rpartition('id="presence"')[2].partition("</p>")[0]

        with ann.following("socket"), people[4].following("socket"):
            eventually(lambda: "is here" in line(server.url).text, what="the light")
            for number, visitor in enumerate(people[:3]):
                visitor.say(f"number {number}")
            people[4].say("number 4")
            eventually(lambda: "3 people are before you" in said(4), what="the place")
            people[3].say("number 3")
            assert "before you" not in line(server.url).text, "who does not wait has no place"
            ann.reply(ann.conversation("number 1"), "here you are")
            eventually(lambda: "2 people are before you" in said(4), what="moving up")
            ann.reply(ann.conversation("number 0"), "here you are")
            eventually(lambda: "before you" not in said(4), what="no queue any more: three are few")


XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}",
    "</textarea><svg onload=x>",
]


@pytest.mark.parametrize("typed_in", XSS)
def test_what_is_typed_is_text_in_every_view(ann: Owner, typed_in: str) -> None:
    for field in ("zone", "day-0", "holidays"):
        page = press(ann, "/inbox/sites/main/hours", **{"zone": "UTC", "day-0": "9-17", field: typed_in})
        assert not [
            node
            for node in dom.parse(page.text).all()
            if node.tag in ("script", "img", "svg")
            and not node.attrs.get("src", "/static/").startswith("/static/")
            and "onload" in node.attrs
        ]
        assert typed_in not in page.text or typed_in in ("{{7*7}}",)
    hours(ann, days=["9-17", *[""] * 6], holidays=f"12-25 {typed_in}")
    assert f"12-25 {typed_in}" in ann.page("/inbox/sites/main/hours").first("textarea").text
    assert json.dumps(typed_in) not in httpx.get(f"{ann.url}/w/main.js", trust_env=False).text
