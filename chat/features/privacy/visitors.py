"""What a visitor reads and does about privacy: the question before anything is kept, the line with the policy, and
"Your data": download everything, erase everything, forget this device. All of it works without a script."""

from flask import Blueprint, Response, abort, g, render_template, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from markupsafe import Markup

from chat import own_texts, people, records
from chat.db import Tx
from chat.features.privacy import archive, erasing, settings
from chat.own_texts import Text
from chat.people import Visitor
from chat.sites import Site
from chat.web import core, live, security
from chat.web.visitor import cookie_name, dressed, know_the_site

visitors = Blueprint("privacy_visitors", __name__)
visitors.before_request(know_the_site)
security.OPEN.add("privacy_visitors.consent")
SURE = 900  # seconds in which an erasure that was asked for can be confirmed


def notice(rx: Tx, site_id: int) -> Markup:
    """The owner's words and the link to their policy; empty when neither is set."""
    chosen, own = settings.of_site(rx, site_id), own_texts.spoken(rx, site_id)
    said = {"text": own.get(chosen.text, chosen.text), "url": _address(own.get(chosen.url, "")) or chosen.url}
    return Markup(render_template("privacy/_notice.html", **said).strip())


def _address(said: str) -> str:
    """That, if it is an address on the web."""
    return said if said.startswith(("https://", "http://")) else ""


def texts(rx: Tx, site: Site) -> list[Text]:
    """The notice and the policy's address, to be translated."""
    chosen = settings.of_site(rx, site.id)
    policy = Text(settings.ADDRESS, chosen.url, settings.LONGEST_ADDRESS)
    return [Text(settings.BEFORE, chosen.text, settings.LONGEST_TEXT), policy]


def draw(rx: Tx, who: Visitor, page: str, token: str) -> Markup:
    """The line under the conversation: the notice until the first message, from then on the way to one's data."""
    shown = {"notice": notice(rx, who.site.id), "site": who.site, "page": page, "token": token}
    return Markup(render_template("privacy/_line.html", **shown))


@visitors.get("/w/<key>/consent")
def consent(key: str) -> Response:
    """What stands in the frame until the visitor agrees. It makes no session and stores nothing."""
    with core().store.read() as rx:
        return dressed(rx, "privacy/consent.html", g.site, "w", notice=notice(rx, g.site.id))


def _who(rx: Tx) -> Visitor:
    """Whose data: by the token in the form, which is never in an address. Raises BadToken."""
    return core().tokens.identify(rx, g.site, security.bearer() or request.form.get("token", ""))


def _show(template: str, page: str, **values: object) -> Response:
    shown = {"page": page, "token": request.form.get("token"), **values}
    with core().store.read() as rx:
        return dressed(rx, f"privacy/{template}.html", g.site, page, **shown)


@visitors.post("/<any(w, c):page>/<key>/data")
def data(page: str, key: str) -> Response:
    """What is kept of this visitor, and what they can have done with it."""
    with core().store.read() as rx:
        who = _who(rx)
        counted = records.counts(rx, who.person_id) if who.person_id else (0, 0, 0)
        waits = records.asked(rx, who.person_id) if who.person_id else None
    return _show("data", page, counted=counted, waits=waits)


@visitors.post("/<any(w, c):page>/<key>/data/archive")
def download(page: str, key: str) -> Response:
    """Everything as one zip file, made while it is sent."""
    core().limits.wishes.take(live.address())
    with core().store.read() as rx:
        who = _who(rx)
    made = archive.stream(core().store, core().settings.chat_data, who.person_id or 0, notes=False)
    response = Response(made, mimetype="application/zip")
    response.headers["Content-Disposition"] = "attachment; filename=my-data.zip"
    return response


@visitors.post("/<any(w, c):page>/<key>/data/device")
def forget(page: str, key: str) -> Response:
    """This device's token opens nothing any more, here and in the browser; the conversation stays."""
    with core().store.read() as rx:
        who = _who(rx)
    core().store.write(lambda tx: people.revoke(tx, who))
    core().live.look_again()
    return _gone(_show("forgotten", page, forget=True), page)


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(core().secret, salt="privacy: erase everything")


@visitors.post("/<any(w, c):page>/<key>/data/erasure")
def erase(page: str, key: str) -> Response:
    """Two steps: the first says what would go, and hands out what confirms it; the second erases, with a receipt."""
    with core().store.read() as rx:
        who = _who(rx)
        counted = records.counts(rx, who.person_id) if who.person_id else (0, 0, 0)
    if who.person_id is None:
        return _show("data", page, counted=counted, waits=None)
    if not _is_sure(who):
        return _show("sure", page, counted=counted, sure=_signer().dumps(who.token_hash))
    number = erasing.erase(core(), g.site.id, who.person_id, "visitor")
    with core().store.read() as rx:
        receipt = records.receipt(rx, number)
    gone = bool(receipt and receipt.done_at)
    response = _show("erased", page, receipt=receipt, forget=gone)
    return _gone(response, page) if gone else response


def _is_sure(who: Visitor) -> bool:
    try:
        return bool(_signer().loads(request.form.get("sure", ""), max_age=SURE) == who.token_hash)
    except BadSignature:
        return False


def _gone(response: Response, page: str) -> Response:
    """The document's own cookie ends too."""
    response.delete_cookie(cookie_name(g.site, page), path=f"/{page}/{g.site.key}")
    return response


@visitors.get("/<any(w, c):page>/<key>/receipts/<number>.txt")
def receipt(page: str, key: str, number: str) -> Response:
    """The receipt, to keep. Its number is known to whom it was given, and tells of nobody."""
    with core().store.read() as rx:
        found = records.receipt(rx, number) or abort(404)
    if found.site_id != g.site.id:
        abort(404)
    response = Response(render_template("privacy/receipt.txt", site=g.site, receipt=found), mimetype="text/plain")
    response.headers["Content-Disposition"] = f"attachment; filename=receipt-{found.receipt}.txt"
    return response
