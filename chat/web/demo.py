"""A sample shop with the widget on it, to try everything on before there is a site."""

from flask import Blueprint, Response, abort, render_template, request

from chat.web import core, security
from chat.web.shelf import PRODUCTS

demo = Blueprint("demo", __name__, url_prefix="/demo")


def widget_origin() -> str:
    """Where the page loads the widget from: the other loopback name, so that the frame is truly cross-site."""
    name, _, port = request.host.partition(":")
    other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(name)
    if other:
        return f"{request.scheme}://{other}{':' + port if port else ''}"
    return core().settings.chat_url or security.origin()


def _page(template: str, **values: object) -> Response:
    widget = widget_origin()
    inbox = f"{widget if '127.0.0.1' not in widget else security.origin()}/inbox"
    response = Response(render_template(template, widget_src=f"{widget}/w/main.js", inbox_url=inbox, **values))
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src {widget}; frame-src {widget};"
        " require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    return response


@demo.get("")
def shop() -> Response:
    """The shop's front page."""
    return _page("demo/shop.html", here="shop", products=PRODUCTS)


@demo.get("/about")
def about() -> Response:
    """The shop's story: another page to go to with the chat open."""
    return _page("demo/about.html", here="about")


@demo.get("/<key>")
def product(key: str) -> Response:
    """One product."""
    found = next((each for each in PRODUCTS if each["key"] == key), None)
    return _page("demo/product.html", product=found or abort(404), products=PRODUCTS)
