"""Card and identity numbers are hidden, and nothing else is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chat.masking import HIDDEN, mask

HIDDEN_NUMBERS = {
    "my card is 4111 1111 1111 1111 12/27": "my card is •••• •••• •••• 1111 12/27",
    "4111111111111111.": "••••••••••••1111.",
    "5555-5555-5555-4444 ok": "••••-••••-••••-4444 ok",
    "amex 3782 822463 10005": "amex •••• •••••• •0005",
    "arabic ٤١١١ ١١١١ ١١١١ ١١١١": "arabic •••• •••• •••• ١١١١",
    "two: 4111111111111111, 5105105105105100": "two: ••••••••••••1111, ••••••••••••5100",
    "DE89 3704 0044 0532 0130 00 thanks": "•••• •••• •••• •••• ••30 00 thanks",
    "pay to gb29nwbk60161331926819!": "pay to ••••••••••••••••••6819!",
    "BE68 5390 0754 7034 next week": "•••• •••• •••• 7034 next week",
    "ssn 536-90-4399": "ssn •••-••-••••",
    "cpf 390.533.447-05": "cpf •••.•••.•••-••",
    "12345678Z is my dni": "••••••••• is my dni",
    "RCCMNL83S18D969H": "••••••••••••••••",
    "steuer 36 574 261 809": "steuer •• ••• ••• •••",
}
LEFT_ALONE = [
    "order 4111111111111112",  # the checksum is wrong
    "order 20261123-000184",
    "call +49 30 901820 or (555) 010-9999",
    "0000 0000 0000 0000",
    "https://shop.example/p/4111111111111112?x=1",
    "at 10:30 on 2026-11-23, 1.000.000,00 EUR",
    "tracking 1Z999AA10123456784",
    "DE89 3704 0044 0532 0130 01",
    "not 536 90 4399, written apart",
    "👍 🙂 hello\nthere",
    "",
]


@pytest.mark.parametrize(("said", "kept"), HIDDEN_NUMBERS.items())
def test_a_number_is_hidden_but_for_its_end(said: str, kept: str) -> None:
    assert mask(said) == kept


@pytest.mark.parametrize("said", LEFT_ALONE)
def test_what_is_no_such_number_stays(said: str) -> None:
    assert mask(said) == said


@given(some.text(alphabet="0123456789 -.ABXZ\n•٤", max_size=300))
def test_any_text_is_as_long_as_before_and_loses_nothing_but_letters_and_digits(said: str) -> None:
    kept = mask(said)
    assert len(kept) == len(said)
    assert all(new == old or (new == HIDDEN and old.isalnum()) for new, old in zip(kept, said, strict=True))
    assert mask(kept) == kept


@pytest.mark.parametrize(
    "piece", ["4111 ", "1", "4111-1111-1111-1112 ", "DE89 ", "A1 ", "536-90-4398 ", "X1234567L", "- . "]
)
def test_no_text_takes_long(piece: str) -> None:
    mask("warm up 4111111111111111 DE89 3704 0044 0532 0130 00 536-90-4399")
    began = time.perf_counter()
    mask((piece * 4000)[:4000])
    assert time.perf_counter() - began < 0.05
