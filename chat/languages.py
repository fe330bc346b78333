"""Languages: which one somebody reads, and every sentence in it.

Sentences stand in English where they are said, and in the other languages in catalogues below `chat/translations`.
Which language is spoken holds for the running greenlet: a request has one, and each reader of a stream.
"""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

FOLDER = Path(__file__).parent / "translations"
ENGLISH = "en"
NAMES = {
    "ar": "العربية",
    "bg": "Български",
    "bn": "বাংলা",
    "ca": "Català",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "id": "Bahasa Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "lt": "Lietuvių",
    "lv": "Latviešu",
    "nb": "Norsk",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sl": "Slovenščina",
    "sv": "Svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "ur": "اردو",
    "vi": "Tiếng Việt",
    "zh": "简体中文",
    "zh-Hant": "繁體中文",
}
"""Each language that visitors are spoken to in, by its own name."""
INBOX = ("en", "de", "es", "nl", "pl")
"""Those that owners are spoken to in as well."""
RIGHT_TO_LEFT = frozenset(("ar", "fa", "he", "ur"))
_OTHER_NAMES = {"no": "nb", "nn": "nb", "iw": "he", "in": "id"}
_TRADITIONAL = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
_spoken: ContextVar[str] = ContextVar("spoken", default=ENGLISH)


def find(*wanted: str, among: Container[str] = NAMES) -> str:
    """The first of these language tags that we speak, or its language without region (RFC 4647, 3.4: lookup); empty
    when we speak none of them."""
    for tag in wanted:
        low = tag.strip().replace("_", "-").lower()
        short = "zh-Hant" if low.startswith(_TRADITIONAL) else low.partition("-")[0]
        short = _OTHER_NAMES.get(short, short)
        if short in among:
            return short
    return ""


def spoken() -> str:
    """The language that is spoken here and now."""
    return _spoken.get() or ENGLISH


def direction() -> str:
    """In which direction it is written, as HTML says it."""
    return "rtl" if spoken() in RIGHT_TO_LEFT else "ltr"


def speak(language: str) -> None:
    """Speak it from here on in this greenlet; empty: none was found that the reader wants, and English stands in."""
    _spoken.set(language)


def is_chosen() -> bool:
    """Whether one was found that the reader wants."""
    return bool(_spoken.get())


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak it meanwhile; empty: English."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def _read(language: str, domain: str) -> NullTranslations:
    from babel.messages import mofile, pofile
    from babel.support import Translations

    with (FOLDER / language.replace("-", "_") / "LC_MESSAGES" / f"{domain}.po").open("rb") as source:
        catalogue = pofile.read_po(source, locale=language.replace("-", "_"))
    compiled = BytesIO()
    mofile.write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


class _Owners(NullTranslations):
    """What owners alone read, behind what visitors read: four times as much, so it is read when an owner comes."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self._inner = cache(lambda: _read(language, "inbox"))

    def gettext(self, message: str) -> str:
        return self._inner().gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._inner().ngettext(msgid1, msgid2, n)


@lru_cache(maxsize=len(NAMES))
def _catalogue(language: str) -> NullTranslations:
    """Read when somebody first reads that language."""
    if language == ENGLISH:
        return NullTranslations()
    catalogue = _read(language, "messages")
    if language in INBOX:
        catalogue.add_fallback(_Owners(language))
    return catalogue


def gettext(sentence: str) -> str:
    """The sentence in the language that is spoken; in English where it is not translated."""
    return _catalogue(spoken()).gettext(sentence) if sentence else ""  # to gettext, nothing is the catalogue's head


def ngettext(one: str, many: str, n: int) -> str:
    """The sentence in its form for that number."""
    return _catalogue(spoken()).ngettext(one, many, n)


def noop(sentence: str) -> str:
    """A sentence that is said later: only marks it for translation."""
    return sentence


def plurals(one: str, many: str) -> dict[str, str]:
    """All forms of a sentence by the plural's name in CLDR, as `Intl.PluralRules` of the browser chooses it."""
    if spoken() == ENGLISH:
        return {"one": one, "other": many}
    return {name: ngettext(one, many, sample) for name, sample in _samples(spoken()).items()}


@lru_cache(maxsize=len(NAMES))
def _samples(language: str) -> dict[str, int]:
    """A number for each of the language's plurals."""
    from babel import Locale

    rule = Locale.parse(language.replace("-", "_")).plural_form
    return {rule(number): number for number in reversed(range(200))}
