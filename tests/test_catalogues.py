"""The catalogues: every sentence in every language, whole, with its gaps and its plurals."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from babel import Locale
from babel.messages import pofile
from babel.messages.catalog import Catalog, Message

from chat import languages

pytestmark = pytest.mark.xdist_group("catalogues")
ROOT = Path(__file__).resolve().parent.parent
TRANSLATED = sorted(set(languages.NAMES) - {languages.ENGLISH})
MAPS = {"messages": "pyproject.toml", "inbox": "chat/translations/inbox.toml"}
"""Where the sentences of each domain stand: what visitors read, and what owners read as well."""
CATALOGUES = [
    *((language, "messages") for language in TRANSLATED),
    *((language, "inbox") for language in languages.INBOX if language != languages.ENGLISH),
]
each_catalogue = pytest.mark.parametrize(("language", "domain"), CATALOGUES)
GAPS = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w[^>]*>")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Catalog]:
    """Every sentence that the code and the templates say, by domain, found as `make catalogues` finds them."""
    return {domain: extract(places, tmp_path_factory.mktemp(domain) / "said.pot") for domain, places in MAPS.items()}


def extract(places: str, found: Path) -> Catalog:
    options = ["-F", places, "-k", "noop", "-k", "plurals:1,2", "-o", str(found)]
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", "-q", "extract", *options, "."], cwd=ROOT, check=True
    )
    with found.open("rb") as source:
        return pofile.read_po(source)


@cache
def catalogue(language: str, domain: str) -> Catalog:
    place = languages.FOLDER / language.replace("-", "_") / "LC_MESSAGES" / f"{domain}.po"
    with place.open("rb") as source:
        return pofile.read_po(source, abort_invalid=True)


def entries(language: str, domain: str) -> list[Message]:
    return [message for message in catalogue(language, domain) if message.id]


def forms(message: Message) -> list[tuple[str, str]]:
    """(English, translation) of each form."""
    if not message.pluralizable:
        return [(str(message.id), str(message.string))]
    return [(message.id[1], form) for form in message.string]


def test_there_are_forty_languages_and_each_names_itself() -> None:
    assert len(languages.NAMES) == 40 and {"ar", "fa", "he", "ur"} == languages.RIGHT_TO_LEFT
    for language, name in languages.NAMES.items():
        own = Locale.parse(language.replace("-", "_")).get_display_name() or ""
        assert own.casefold()[:3] in name.casefold() or name in ("繁體中文", "简体中文", "Norsk"), (language, own)
    assert {place.name for place in languages.FOLDER.iterdir() if place.is_dir()} == {
        each.replace("-", "_") for each in TRANSLATED
    }


def test_the_two_domains_divide_the_files_between_them() -> None:
    ours = tomllib.loads((ROOT / MAPS["messages"]).read_text())["tool"]["babel"]["mappings"]
    theirs = tomllib.loads((ROOT / MAPS["inbox"]).read_text())["mappings"]
    assert ours[0]["method"] == "ignore"
    assert sorted(ours[0]["pattern"]) == sorted(place for mapping in theirs for place in mapping["pattern"])


@each_catalogue
def test_every_sentence_is_there_and_none_that_nobody_says(
    language: str, domain: str, said: dict[str, Catalog]
) -> None:
    wanted = {message.id for message in said[domain] if message.id}
    have = {message.id for message in entries(language, domain)}
    assert len(wanted) > 150
    assert wanted - have == set() and have - wanted == set()


@each_catalogue
def test_every_sentence_is_whole(language: str, domain: str) -> None:
    for message in entries(language, domain):
        assert not message.fuzzy, message.id
        for english, form in forms(message):
            assert form.strip() and form == form.strip(), message.id
            gaps, given = sorted(GAPS.findall(english)), sorted(GAPS.findall(form))
            assert given == gaps or (message.pluralizable and set(given) <= set(gaps)), (message.id, form)
            assert not re.search(r"%(?!\(\w+\)s)", form), form
            entities = sorted(re.findall(r"&\w+;", form))
            assert "<" not in GAPS.sub("", form) and entities == sorted(re.findall(r"&\w+;", english)), form
            assert form.count("&") == len(entities), form


@each_catalogue
def test_plurals_have_the_forms_of_the_language(language: str, domain: str) -> None:
    held, rule = catalogue(language, domain), Locale.parse(language.replace("-", "_")).plural_form
    for message in entries(language, domain):
        if message.pluralizable:
            assert len(message.string) == held.num_plurals, message.id
    with languages.speaking(language):
        for number in range(130):
            said = languages.ngettext("{n} character left", "{n} characters left", number)
            by_browser = languages.plurals("{n} character left", "{n} characters left")[rule(number)]
            assert said == by_browser, f"{number} ({rule(number)}): the catalogue and CLDR choose different forms"


@each_catalogue
def test_a_form_that_names_no_number_is_used_for_one_number_alone(language: str, domain: str) -> None:
    rule = Locale.parse(language.replace("-", "_")).plural_form
    for message in entries(language, domain):
        if not message.pluralizable:
            continue
        with languages.speaking(language):
            chosen = {}
            for number in range(130):
                chosen.setdefault(languages.ngettext(*message.id, number), set()).add(number)
        for form, numbers in chosen.items():
            assert len(numbers) == 1 or GAPS.findall(form), (message.id, form, sorted(numbers)[:9], rule)


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_launcher_is_named_alike_with_and_without_news(language: str) -> None:
    with languages.speaking(language):
        alone = languages.gettext("Open chat")
        for form in languages.plurals("Open chat, {n} new message", "Open chat, {n} new messages").values():
            assert form.startswith(alone) and form != alone


def test_what_is_asked_for_is_found_by_its_language() -> None:
    found = {tag: languages.find(tag) for tag in ("de-AT", "DE", "pt-BR", "zh-CN", "zh-TW", "zh-Hant-HK", "no", "iw")}
    wanted = {"de-AT": "de", "DE": "de", "pt-BR": "pt", "zh-CN": "zh", "zh-TW": "zh-Hant", "zh-Hant-HK": "zh-Hant"}
    assert found == wanted | {"no": "nb", "iw": "he"}
    assert (
        languages.find("tlh", "", "*", "fr;q=0.9"[:2], "de") == "fr" and languages.find("xx", "../../etc", "\x00") == ""
    )
