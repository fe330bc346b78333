"""Letters are read as people meant them, whatever wrote them; no bytes are too strange to be read."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic
from typing import Any

import pytest
from harness import ROOT
from hypothesis import given, settings
from hypothesis import strategies as some
from letters import CASES, Case

from chat.letters import parsing, replies
from chat.letters.parsing import Letter
from chat.letters.reader import SECONDS, Reader


def differences(letter: Letter, found: dict[str, Any]) -> list[str]:
    """What is not as it should be."""
    names = [name for name, _ in letter.files]
    bounce = letter.bounce
    is_so = {
        "body": lambda want: letter.body == want,
        "whole": lambda want: letter.whole == want,
        "has_whole": lambda want: bool(letter.whole.strip()) == want,
        "holds": lambda want: all(part in letter.body for part in want),
        "length": lambda want: len(letter.body) <= want,
        "subject": lambda want: letter.subject == want,
        "sender": lambda want: letter.sender == want,
        "names": lambda want: names == want,
        "holds_name": lambda want: want in names,
        "id_ends": lambda want: letter.message_id.endswith(want),
        "parents": lambda want: letter.parents == want,
        "to": lambda want: set(letter.recipients) == set(want),
        "verdicts": lambda want: letter.verdicts == want,
        "one_line": lambda want: "\n" not in letter.name + letter.subject and "\r" not in letter.name + letter.subject,
        "automatic": lambda want: bool(letter.automatic) == want,
        "bounce": lambda want: bounce is not None and (bounce.address, bounce.reason, bounce.permanent) == want,
        "bounce_of": lambda want: bounce is not None and bounce.address == want,
    }
    return [f"{name}: {want!r}" for name, want in found.items() if not is_so[name](want)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_letter_is_read_as_it_was_meant(case: Case) -> None:
    letter = parsing.read(case.raw)
    assert not differences(letter, case.found), letter._replace(files=[])


def test_the_corpus_is_a_large_one() -> None:
    assert len(CASES) >= 60 and len({case.name for case in CASES}) == len(CASES)


@settings(max_examples=150, deadline=None)
@given(some.binary(max_size=3000))
def test_no_bytes_are_too_strange(raw: bytes) -> None:
    letter = parsing.read(raw)
    assert len(letter.body) <= 4000 and "\x00" not in letter.body


@settings(max_examples=150, deadline=None)
@given(some.text(min_size=1, max_size=300))
def test_no_word_is_lost_where_nothing_is_quoted(words: str) -> None:
    plain = " ".join(word for word in words.split() if word.isalnum())
    assert replies.newest(plain).split() == plain.split()


@pytest.mark.parametrize("words", ["On ", "\n", "Op ", "> \n", "Le x a écrit "])
def test_a_letter_that_costs_minutes_holds_nobody_up(words: str) -> None:
    head = b"From: Vera <vera@example.org>\nSubject: Long\nMessage-ID: <long@example.org>\n\n"
    began = monotonic()
    letter = Reader().read(head + (words * 60_000)[:60_000].encode() + b"\nthe end")
    assert (letter.sender, letter.subject, letter.message_id) == ("vera@example.org", "Long", "long@example.org")
    assert monotonic() - began < 3 * SECONDS


HURRIED = """
from gevent import monkey
monkey.patch_all()
from chat.letters import reader
reader.SECONDS = 0.001
raw = b"From: Vera <vera@example.org>\\nSubject: Hello\\nMessage-ID: <a@example.org>\\n\\nwords"
letter = reader.Reader().read(raw)
print(letter.sender, letter.subject, letter.files == [("letter.eml", raw)])
"""


def test_a_letter_that_cannot_be_read_in_time_is_kept_whole() -> None:
    said = subprocess.run([sys.executable, "-c", HURRIED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout.split() == ["vera@example.org", "Hello", "True"], said.stderr


def test_the_reader_reads_as_the_parser_does_and_goes_on_after_its_process_was_killed() -> None:
    reader = Reader()
    for case in CASES[:5]:
        assert reader.read(case.raw) == parsing.read(case.raw)
    reader._process.kill()  # type: ignore[union-attr]
    assert reader.read(CASES[5].raw) == parsing.read(CASES[5].raw)
