"""What people type is kept as they meant it, or refused in words."""

import pytest

from chat import text
from chat.text import BadText


def test_line_ends_become_lf_and_the_ends_are_trimmed() -> None:
    assert text.clean("  one\r\ntwo\rthree \n") == "one\ntwo\nthree"


def test_the_limit_counts_code_points() -> None:
    assert text.clean("😀" * 4000) == "😀" * 4000
    with pytest.raises(BadText, match="4,001"):
        text.clean("x" * 4001)


@pytest.mark.parametrize("raw", ["", "   ", "\r\n\t ", "\u202e"])
def test_nothing_is_no_message(raw: str) -> None:
    with pytest.raises(BadText, match="Write a message"):
        text.clean(raw)


@pytest.mark.parametrize("raw", ["a\x00b", "a\x07b", "a\x1bb", "a\x7fb", "a\ufffdb"])
def test_what_can_not_be_shown_is_refused(raw: str) -> None:
    with pytest.raises(BadText):
        text.clean(raw)


def test_overrides_are_neutralised_and_the_marks_of_arabic_and_hebrew_stay() -> None:
    assert text.clean("a\u202eb\u202cc") == "abc"
    assert text.clean("مرحبا\u200f! \u200eABC\u061c") == "مرحبا\u200f! \u200eABC\u061c"


def test_tabs_and_line_breaks_inside_stay() -> None:
    assert text.clean("a\n\n\tb") == "a\n\n\tb"


def test_a_label_is_one_line_and_never_an_error() -> None:
    assert text.line("  a\x00\n b\u202e ", 100) == "a b"
    assert text.line("x" * 50, 10) == "x" * 10
