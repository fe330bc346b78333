"""Words: what customers of a small shop say and are answered, in the languages of `words.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

T = TypeVar("T")
LONGEST = 3700  # code points, and up to a sentence more: a person may send 4,000
_EMOJI = "🙂 👍 🙏 🎉 😊 😅 ❤️ 🥲 👩‍👩‍👧 🇮🇪 ☕ 📦".split()
_BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6"
    " Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
)
_REFERRERS = ("", "", "", "https://www.google.com/", "https://duckduckgo.com/", "https://blog.example/ten-lovely-shops")
SHOP = "https://shop.example"


@dataclass(frozen=True)
class Language:
    """One language's sentences; {thing}, {order} and {link} stand open in them."""

    share: int
    """Of a hundred customers, so many speak it."""
    locale: list[tuple[str, str]]
    """Language tag and time zone, as browsers tell them."""
    names: list[str]
    things: list[str]
    ask: list[str]
    more: list[str]
    answer: list[str]
    thanks: list[str]


def languages() -> list[Language]:
    """All that the shop's customers speak."""
    found = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    return [
        Language(**each | {"locale": list(zip(each["locale"][::2], each["locale"][1::2], strict=True))})
        for each in found.values()
    ]


class Words:
    """Chooses what is said, by one source of chance: the same seed says the same."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._languages = languages()
        self._shares = [language.share for language in self._languages]

    def one(self, things: list[T] | tuple[T, ...]) -> T:
        """Any of them; three times as fast as `Random.choice`, and called some million times."""
        return things[int(self._chance.random() * len(things))]

    def language(self) -> Language:
        """The language of the next customer."""
        return self._chance.choices(self._languages, self._shares)[0]

    def name(self, language: Language) -> str:
        """A name in that language; empty for the many who give none."""
        return self.one(language.names) if self._chance.random() < 0.4 else ""

    def context(self, language: Language) -> dict[str, str]:
        """What the customer's browser tells."""
        tag, zone = self.one(language.locale)
        thing = self.one(language.things)
        return {
            "user_agent": self.one(_BROWSERS),
            "language": tag,
            "timezone": zone,
            "page_url": self._link(),
            "page_title": f"{thing} · Lantern & Oak",
            "referrer": self.one(_REFERRERS),
        }

    def say(self, language: Language, sentences: list[str]) -> str:
        """One message: mostly a sentence, sometimes two or an emoji, now and then a long letter."""
        luck = self._chance.random()
        body = self._sentence(language, self.one(sentences))
        if luck < 0.12:
            return f"{body} {self.one(_EMOJI)}"
        if luck < 0.22:
            return f"{body} {self._sentence(language, self.one(language.more))}"
        if luck > 0.997:
            return self._letter(language, body)
        return body

    def _letter(self, language: Language, body: str) -> str:
        wanted = self._chance.randrange(400, LONGEST)
        while len(body) < wanted:
            sentence = self._sentence(language, self.one(language.ask + language.more))
            body += self.one(("\n\n", " ", " ", " ")) + sentence
        return body

    def _sentence(self, language: Language, sentence: str) -> str:
        if "{" not in sentence:
            return sentence
        order = 10_000 + int(self._chance.random() * 90_000)
        return sentence.format(thing=self.one(language.things), order=order, link=self._link())

    def _link(self) -> str:
        return f"{SHOP}/items/{100 + int(self._chance.random() * 900)}"
