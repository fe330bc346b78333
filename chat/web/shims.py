"""Shims: scripts that speak another product's API, so that a site changes over by one address."""

from functools import lru_cache

from flask import Blueprint, Response, abort

from chat import sites
from chat.web import assets, core, security

shims = Blueprint("shims", __name__)
PRODUCTS = frozenset(("chatwoot", "intercom", "crisp", "tawk"))


@lru_cache(maxsize=16)
def _asset(product: str, keys: str, server: str) -> assets.Asset:
    common = assets.source("shim/common.js").replace("__SITES__", keys).replace("__SERVER__", server)
    code = common + "\n" + assets.source(f"shim/{product}.js")
    return assets.Asset.of(code.encode(), "text/javascript")


@shims.get("/shim/<product>.js")
def script(product: str) -> Response:
    """That product's API over our own loader; it knows the keys of the sites, which stand in their pages anyway."""
    if product not in PRODUCTS:
        abort(404)
    with core().store.read() as rx:
        keys = " ".join(site.key for site in sites.every(rx))
    settings = core().settings
    server = settings.chat_url if settings.chat_static_url else ""
    response = _asset(product, keys, server).response(security.kept(300))
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Access-Control-Allow-Origin"] = "*"  # Tawk's own snippet asks with `crossorigin`
    return response
