"""Security of every response and request: headers, origins, and whose word is taken for the client's address."""

import hmac
import logging
import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import gevent
from flask import Flask, Response, abort, g, request
from gevent.lock import BoundedSemaphore
from gunicorn.http.errors import ParseException
from werkzeug.middleware.proxy_fix import ProxyFix

from chat.config import Settings
from chat.languages import noop
from chat.web import core

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors {ancestors}",
    )
)
NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""For scripts, styles and pictures, on which a policy has no bearing: 155 bytes less a file."""
LARGEST_BODY = 64 * 1024  # 4,000 code points of four bytes, form-encoded, are 48,000
SLOWEST_BODY = 15.0  # seconds for 64 KB
LARGER: dict[str, tuple[int, float]] = {}
"""Endpoints that take more: bytes, and seconds for them."""
BEFORE_BODY: list[Callable[[], None]] = []
"""What looks at a request before its body is read, and aborts: who has no key need not send 35 MB to hear it."""
GIANT = 5 * 1024 * 1024  # bytes from which a body counts as one
_giants = BoundedSemaphore(3)  # bodies of such endpoints in memory at a time: a dozen of 49 MB held 600 MB
SAFE = ("GET", "HEAD", "OPTIONS")
log = logging.getLogger("porchlight.proxy")


_FORWARDED = {"HTTP_FORWARDED", *(f"HTTP_X_FORWARDED_{name}" for name in ("FOR", "PROTO", "HOST"))}


class Forwarded:
    """Takes the word of as many proxies as the owner named, and of nobody else.

    An untrusted forwarded header is ignored, with one warning: it usually means that CHAT_PROXY is missing.
    """

    def __init__(self, wsgi: object, settings: Settings) -> None:
        count = settings.proxies
        self._fly = settings.chat_proxy == "fly"
        host = 0 if self._fly else count  # Fly sets no X-Forwarded-Host, so a client could
        self._wsgi = ProxyFix(wsgi, x_for=count, x_proto=count, x_host=host) if count else wsgi  # type: ignore[arg-type]
        self._silent = bool(count)

    def __call__(self, environ: dict[str, Any], start_response: object) -> object:
        if not self._silent and not _FORWARDED.isdisjoint(environ):
            self._silent = True
            log.warning(
                "A proxy adds forwarded headers, but CHAT_PROXY is `none`, so they are ignored and all visitors seem to"
                " come from one address. If the proxy is yours, set CHAT_PROXY=1; `python app.py check` says more."
            )
        if self._fly and "HTTP_FLY_CLIENT_IP" in environ:
            environ["HTTP_X_FORWARDED_FOR"] = environ["HTTP_FLY_CLIENT_IP"]
        return self._wsgi(environ, start_response)  # type: ignore[operator]


def bearer() -> str:
    """The token of the Authorization header; empty when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def origin() -> str:
    """Our own origin, as the reader sees it."""
    return f"{request.scheme}://{request.host}"


def public_url() -> str:
    """The address for tags and links: the owner's setting, else where the reader is."""
    return core().settings.chat_url or origin()


def static_url() -> str:
    """The origin that the loader comes from: the server's own, or where the owner has a copy kept (a CDN)."""
    return core().settings.chat_static_url or public_url()


def kept(seconds: int) -> str:
    """How long browsers keep what anybody may read under a fixed name; a CDN in between looks again every minute."""
    shared = ", s-maxage=60" if core().settings.chat_static_url else ""
    return f"public, max-age={seconds}{shared}, stale-while-revalidate=86400"


def policy(ancestors: str, of: str = CSP) -> str:
    """The policy of a page that these may frame."""
    elsewhere = core().settings.chat_static_url
    return (re.sub("(script|style|img)-src 'self'", rf"\g<0> {elsewhere}", of) if elsewhere else of).format(
        ancestors=ancestors
    )


def is_ours(claimed: str) -> bool:
    """Whether an Origin header names this server."""
    return bool(claimed) and claimed in (origin(), core().settings.chat_url)


OPEN = {
    "visitor.script",
    "shims.script",
    "visitor.chat",
    "assets.static_file",
    "assets.favicon",
    "up.check",
    "accounts.login",
}
"""What other sites' pages may load: the loader, the document that they frame, and what anybody may have."""
FROM_PAGES: set[str] = set()
"""Endpoints to which other sites' pages may post: each looks by itself which, and acts in nobody's name."""


def _refuse_foreign() -> None:
    """Abort with 403 when another site's page makes the request; one without such headers is no page.

    A page's links and frames send no Origin, so for reading only an Origin counts.
    """
    reading = request.method in SAFE
    if request.endpoint in (OPEN if reading else FROM_PAGES):
        return
    claimed = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    foreign = not is_ours(claimed) if claimed is not None else not reading and site not in ("same-origin", "none")
    if foreign:
        abort(403, noop("This request came from another site's page, so it was refused."))


def csrf_token(session_hash: str, salt: str = "") -> str:
    """The token that every form of this session carries. Salted anew for each page: a compressed page that also
    shows a stranger's words must not repeat a secret (BREACH)."""
    salt = salt or secrets.token_hex(8)
    return f"{salt}-{hmac.new(core().secret, f'csrf {salt} {session_hash}'.encode(), sha256).hexdigest()}"


def refuse_forged(session_hash: str) -> None:
    """Abort with 403 unless the form (or htmx's header) carries this session's token."""
    given = request.headers.get("X-CSRF") or request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode(), csrf_token(session_hash, given.partition("-")[0]).encode()):
        abort(403, noop("This form is too old. Reload the page and try again."))


def _refuse_half_bodies() -> None:
    """gunicorn hands on a body that was cut off in the middle, and Werkzeug trusts it (`wsgi.input_terminated`):
    half a message would be stored as if it were whole."""
    if request.method in SAFE:
        return
    for look in BEFORE_BODY:
        look()
    largest, seconds = LARGER.get(request.endpoint or "", (LARGEST_BODY, SLOWEST_BODY))
    request.max_content_length = largest
    if largest > GIANT:
        g.giant = _giants.acquire(blocking=False) or abort(503)
    try:
        with gevent.Timeout(seconds, TimeoutError()):
            size = len(request.get_data())
    except TimeoutError:
        abort(408)
    except (ParseException, OSError):
        abort(400, noop("This request could not be read. Send it again."))
    if size > largest:
        abort(413)
    if request.content_length and size != request.content_length:
        abort(400, noop("Only a part of this arrived. Send it again."))


def _finish(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", policy("'none'"))
    headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        headers.setdefault("Referrer-Policy", "same-origin")
    if headers["Content-Security-Policy"] != NOTHING:  # what anybody may read needs no wall, and each costs 44 bytes
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Cache-Control", "no-store")
    if (
        response.mimetype == "text/html"
        and "'none'" in headers["Content-Security-Policy"].rpartition("frame-ancestors")[2]
    ):
        headers["X-Frame-Options"] = "DENY"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def ancestors(domains: tuple[str, ...]) -> str:
    """Who may frame a site's widget: its domains, or everybody when it lists none."""
    return " ".join(domains) or "*"


def init_app(app: Flask, settings: Settings) -> None:
    """Guard every request and response of the application."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["MAX_FORM_PARTS"] = 50
    app.wsgi_app = Forwarded(app.wsgi_app, settings)  # type: ignore[method-assign, assignment]
    app.before_request(_refuse_foreign)
    app.before_request(_refuse_half_bodies)
    app.after_request(_finish)
    app.teardown_request(lambda error: _giants.release() if g.pop("giant", None) else None)
