"""Masking: numbers of cards and of persons' papers, hidden before what a visitor wrote is stored.

Only what proves itself by its checksum or its unmistakable shape is hidden, so that order numbers and telephone numbers
stay readable; the checks are python-stdnum's. What this can't see: numbers in words, in pictures and in files.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

HIDDEN = "•"
_ISSUED = re.compile(
    r"4(\d{12}|\d{15}|\d{18})|5\d{15}|2[2-7]\d{14}(\d{3})?|3[47]\d{13}|3[0689]\d{12}|35\d{14,17}|6\d{15,18}"
)
"""Lengths and beginnings of payment cards (ISO/IEC 7812, as the issuers publish them)."""


class Kind(NamedTuple):
    """One kind of number."""

    shape: re.Pattern[str]
    proves: Callable[[str], bool]
    """Whether it is one, separators included."""
    shown: int
    """How many of its last characters stay readable."""


def _card(found: str) -> bool:
    from stdnum import luhn

    digits = re.sub(r"\D", "", found)
    return bool(_ISSUED.fullmatch(digits)) and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def _iban(found: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(found, check_country=False))


def _paper(found: str) -> bool:
    """A number of a person, of one of the countries whose numbers can't be mistaken for others."""
    from importlib import import_module

    return any(
        re.fullmatch(shape, found, re.I) and import_module(f"stdnum.{module}").is_valid(found)
        for module, shape in _PAPERS.items()
    )


_PAPERS = {
    "us.ssn": r"\d{3}-\d{2}-\d{4}",
    "br.cpf": r"\d{3}\.\d{3}\.\d{3}-\d{2}",
    "in_.aadhaar": r"\d{4}[ -]\d{4}[ -]\d{4}",
    "fr.nir": r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}",
    "it.codicefiscale": r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]",
    "es.dni": r"\d{8}-?[A-Z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
    "de.idnr": r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
    "pl.pesel": r"\d{11}",
    "mx.curp": r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d",
}
"""Of the United States, Brazil, India, France, Italy, Spain (two), Germany, Poland, Mexico: as they are written."""


def _as_a_word(shape: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-])(?:{shape})(?!\w)", re.I)


_KINDS = (
    Kind(_as_a_word(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"), _iban, 4),
    Kind(
        _as_a_word(r"\d{4}([ .-])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}[ .-]\d{6}[ .-]\d{4,5}|\d{13,19}"), _card, 4
    ),
    Kind(_as_a_word("|".join(_PAPERS.values())), _paper, 0),
)


def mask(body: str) -> str:
    """The text, with such numbers hidden but for the last four characters of cards and accounts. As long as before."""
    plain = body if body.isascii() else "".join(_latin(mark) for mark in body)
    for kind in _KINDS:
        for found in kind.shape.finditer(plain):
            end = _end(kind, found.group())
            if end:
                hidden = _hide(body[found.start() : found.start() + end], kind.shown)
                body = body[: found.start()] + hidden + body[found.start() + end :]
                plain = plain[: found.start()] + hidden + plain[found.start() + end :]
    return body


def _latin(mark: str) -> str:
    """Digits of any script as 0-9."""
    return str(unicodedata.decimal(mark)) if mark.isdecimal() else mark


def _end(kind: Kind, found: str) -> int:
    """Where the number ends: the shape may have taken in a word or a date that stands behind it. 0: it is none."""
    while found:
        if kind.proves(found):
            return len(found)
        found = re.sub(r"[ .-]?[^ .-]*$", "", found) if re.search(r"[ .-]", found) else ""
    return 0


def _hide(number: str, shown: int) -> str:
    marks = [at for at, mark in enumerate(number) if mark.isalnum()]
    hidden = set(marks[: len(marks) - shown])
    return "".join(HIDDEN if at in hidden else mark for at, mark in enumerate(number))
