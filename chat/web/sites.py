"""Sites in the owner's settings: the list, one site's name and domains, and how its tag gets onto a page."""

from typing import Any, cast

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from chat import sites as known
from chat.languages import gettext
from chat.sites import BadSite, Site
from chat.web import accounts, core, security
from chat.web.accounts import agent

sites = Blueprint("sites", __name__, url_prefix="/inbox/sites")


def require_site() -> AnyResponse | None:
    """Only agents come here, and only to a site that there is: for every page below /inbox/sites/<key>."""
    refused = accounts.require()
    key = (request.view_args or {}).get("key")
    if refused is None and key is not None:
        with core().store.read() as rx:
            g.site = known.find(rx, key, removed=True) or abort(404)
    return refused


sites.before_request(require_site)


def chosen() -> Site:
    """The site that this request's address names."""
    return cast(Site, g.site)


def show(template: str, status: int = 200, **values: Any) -> Response:
    """A page of the settings, with the token for its forms."""
    csrf = security.csrf_token(agent().session_hash)
    return Response(render_template(template, csrf=csrf, site=g.get("site"), **values), status)


@sites.get("")
def index(wrong: BadSite | None = None) -> Response:
    """All sites, and the form for one more."""
    with core().store.read() as rx:
        every = known.every(rx, removed=True)
    return show("sites/sites.html", sites=every, wrong=wrong, typed=request.form)


@sites.post("")
def add() -> AnyResponse:
    """One more site."""
    name, key = request.form.get("name", ""), request.form.get("key", "")
    try:
        key = core().store.write(lambda tx: known.add(tx, name, key))
    except BadSite as wrong:
        return index(wrong)
    return redirect(url_for("sites.install", key=key), 303)


@sites.get("/<key>")
def one(key: str, wrong: BadSite | None = None, done: str = "") -> Response:
    """What can be set for that site."""
    pages = [feature.site_page for feature in core().features if feature.site_page]
    with core().store.read() as rx:
        last = len(known.every(rx)) < 2
    done = done or (gettext("Saved.") if request.args.get("saved") else "")
    return show("sites/site.html", pages=pages, last=last, wrong=wrong, done=done, typed=request.form)


@sites.post("/<key>")
def change(key: str) -> AnyResponse:
    """Another name, other domains; removed, or brought back."""
    site, form = chosen(), request.form
    name, domains = form.get("name", ""), form.get("domains", "")
    try:
        if "remove" in form:
            core().store.write(lambda tx: known.remove(tx, site))
            return redirect(url_for("sites.index"), 303)
        if "bring_back" in form:
            core().store.write(lambda tx: known.bring_back(tx, site))
        else:
            core().store.write(lambda tx: known.change(tx, site, name, domains))
    except BadSite as wrong:
        return one(key, wrong)
    return redirect(url_for("sites.one", key=key, saved=1), 303)


@sites.get("/<key>/install")
def install(key: str) -> Response:
    """The tag to copy, guides, and whether it was seen."""
    return show("sites/install.html", url=security.public_url(), static=security.static_url(), **_seen())


@sites.get("/<key>/seen")
def seen(key: str) -> str:
    """Where the tag was seen by now, for a page that is open meanwhile."""
    return render_template("sites/_seen.html", site=chosen(), **_seen())


def _seen() -> dict[str, Any]:
    with core().store.read() as rx:
        return {"pages": known.pages(rx, chosen())}
