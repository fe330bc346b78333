"""Languages in the owner's settings: the one that a site speaks first, and the owner's own texts in the others."""

from typing import Any, NamedTuple

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat import languages as all_languages
from chat import looks, own_texts, text
from chat import sites as known
from chat.db import Tx
from chat.languages import gettext
from chat.own_texts import Text
from chat.sites import Site
from chat.web import core
from chat.web.sites import chosen, require_site, show

languages = Blueprint("languages", __name__, url_prefix="/inbox/sites/<key>/languages")
languages.before_request(require_site)


class Box(NamedTuple):
    """A text to translate, its number on the form, and what it is in that language."""

    number: int
    text: Text
    said: str


def written(rx: Tx, site: Site) -> list[Text]:
    """Everything that the owner wrote for visitors of that site, each once."""
    found = looks.texts(looks.of(rx, site))
    found += [each for feature in core().features if feature.texts for each in feature.texts(rx, site)]
    return list({each.words: each for each in found if each.words}.values())


def _asked() -> str:
    """The language whose texts are to be shown; empty for none, or one that we don't speak."""
    tag = request.args.get("for", "")
    return tag if tag in all_languages.NAMES else ""


@languages.get("")
def page(key: str) -> Response:
    """Both."""
    return _show()


def _show(typed: dict[int, str] | None = None, wrong: dict[int, str] | None = None) -> Response:
    site, language = chosen(), _asked()
    with core().store.read() as rx:
        texts, said = written(rx, site), own_texts.of(rx, site.id, language)
        shown: dict[str, Any] = {"first": known.language(rx, site.id), "has": own_texts.known(rx, site.id)}
    boxes = [Box(at, each, (typed or {}).get(at, said.get(each.words, ""))) for at, each in enumerate(texts)]
    shown |= {"names": all_languages.NAMES, "language": language, "boxes": boxes, "wrong": wrong or {}}
    done = gettext("Saved.") if request.args.get("done") else ""
    return show("sites/languages.html", right_to_left=all_languages.RIGHT_TO_LEFT, done=done, **shown)


@languages.post("")
def save(key: str) -> AnyResponse:
    """The first language, or the texts in one; what is too long is said at its field, and nothing changes."""
    site, language = chosen(), _asked()
    if not language:
        first = request.form.get("first", "")
        if first in all_languages.NAMES:
            kept = "" if first == all_languages.ENGLISH else first
            core().store.write(lambda tx: known.put(tx, site.id, "language", kept))
        return redirect(url_for("languages.page", key=key, done="saved"), 303)
    with core().store.read() as rx:
        texts = written(rx, site)
    typed = {at: text.scrub(request.form.get(f"text-{at}", "")).strip() for at in range(len(texts))}
    wrong = {at: _too_long(each) for at, each in enumerate(texts) if len(typed[at]) > each.most}
    same = all(request.form.get(f"of-{at}") == each.words for at, each in enumerate(texts))
    if not same:  # something was changed meanwhile on another page: no text may land under another one
        wrong = {0: gettext("Your texts were changed meanwhile. Look at them again, then save.")}
    if wrong:
        return _show(typed, wrong)
    said = {each.words: typed[at] for at, each in enumerate(texts)}
    core().store.write(lambda tx: own_texts.put(tx, site.id, language, said))
    return redirect(url_for("languages.page", key=key, done="saved") + f"&for={language}", 303)


def _too_long(each: Text) -> str:
    return gettext("This is too long: %(most)s characters at most.") % {"most": each.most}
