"""Static files: minified, compressed and named by their content once, when first asked; kept in memory."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from mimetypes import guess_type
from pathlib import Path

import brotli
import rcssmin
import rjsmin
from flask import Blueprint, Flask, Response, abort, request

from chat.config import ROOT, Settings
from chat.web import security

STATIC = ROOT / "static"
FOREVER = "public, max-age=31536000, immutable"
BUNDLES = {
    "widget.css": ("tokens.css", "conversation.css", "widget.css"),
    "inbox.css": ("tokens.css", "conversation.css", "inbox.css"),
    "widget.js": ("vendor/htmx-4.0.1.min.js", "live.js", "log.js", "outbox.js", "widget.js"),
    "inbox.js": (
        *("vendor/htmx-4.0.1.min.js", "live.js", "log.js", "outbox.js"),
        *("own-words.js", "push.js", "alerts.js", "copying.js", "inbox.js"),
    ),
    "alerts-page.js": ("own-words.js", "times.js", "push.js", "alerts-page.js"),
    "appearance.js": ("vendor/htmx-4.0.1.min.js", "own-words.js", "appearance.js"),
    "sheet.js": ("vendor/htmx-4.0.1.min.js", "own-words.js", "times.js", "copying.js"),
}
"""One request each, instead of one a source file: at 500 bytes of headers a response that is 1.5 KB saved."""

assets = Blueprint("assets", __name__)


@dataclass(frozen=True)
class Asset:
    """A file as it goes out, in three encodings."""

    mimetype: str
    plain: bytes
    gzip: bytes
    brotli: bytes
    digest: str

    @classmethod
    def of(cls, content: bytes, mimetype: str) -> "Asset":
        """Compress as far as it goes: this happens once a start (brotli 11: 90 ms for 40 KB)."""
        digest = hashlib.sha256(content).hexdigest()[:12]
        return cls(mimetype, content, gzip.compress(content, 9, mtime=0), brotli.compress(content), digest)

    def response(self, cache_control: str) -> Response:
        """The smallest form that the reader takes, or 304."""
        accepted = request.accept_encodings
        encoding, content = "", self.plain
        if len(self.plain) > 500:
            if accepted["br"] > 0:
                encoding, content = "br", self.brotli
            elif accepted["gzip"] > 0:
                encoding, content = "gzip", self.gzip
        response = Response(content, mimetype=self.mimetype)
        if encoding:
            response.content_encoding = encoding
        response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = cache_control
        if cache_control == FOREVER:  # nobody asks again for it, so it needs no tag
            return response
        response.set_etag(f"{self.digest}{encoding}")
        return response.make_conditional(request)


def squeeze(response: Response) -> Response:
    """A page on which each byte counts, made smaller than what compresses the others would (brotli 10 instead of 8:
    1,790 bytes instead of 1,980 for the chat's document, in 2.5 ms)."""
    if request.accept_encodings["br"] > 0:
        response.set_data(brotli.compress(response.get_data(), quality=10, lgwin=16))
        response.content_encoding = "br"
        response.vary.add("Accept-Encoding")
    return response


def minify(source: str, name: str) -> str:
    """Without comments and spare space; vendored files come minified."""
    if name.startswith("vendor/"):
        return source
    if name.endswith(".js"):
        return str(rjsmin.jsmin(source))
    return str(rcssmin.cssmin(source)) if name.endswith(".css") else source


def source(name: str) -> str:
    """The minified text of one file in `static/`."""
    return minify((STATIC / name).read_text(), name)


FILES = frozenset(str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()) | BUNDLES.keys()
"""All that may be asked for: a name that is none of these costs nothing."""


@cache
def load(name: str) -> Asset:
    """A bundle or a single file, ready to go out. Raises FileNotFoundError."""
    if name not in FILES:
        raise FileNotFoundError(name)
    mimetype = guess_type(name)[0] or "application/octet-stream"
    if mimetype == "image/png":
        return Asset.of((STATIC / name).read_bytes(), mimetype)
    return Asset.of("\n".join(source(part) for part in BUNDLES.get(name, (name,))).encode(), mimetype)


_elsewhere: list[str] = []


def address(name: str) -> str:
    """Where a file is to be had, its content in its name: `/static/widget.3fa9c1d2e4b5.css`."""
    path = Path(name)
    return f"{''.join(_elsewhere)}/static/{path.with_suffix('')}.{load(name).digest}{path.suffix}"


@assets.get("/static/<path:name>")
def static_file(name: str) -> Response:
    """A file by its hashed name; an older hash gets today's content, unkept."""
    try:
        path = Path(name)
        plain, _, digest = str(path.with_suffix("")).rpartition(".")
        asset = load(f"{plain}{path.suffix}")
    except (FileNotFoundError, ValueError):
        abort(404)
    response = asset.response(FOREVER if digest == asset.digest else "no-cache")
    response.headers["Content-Security-Policy"] = security.NOTHING
    if _elsewhere:
        response.headers["Access-Control-Allow-Origin"] = "*"  # a module (calls.js) comes over origins only with it
    return response


@assets.get("/favicon.ico")
def favicon() -> Response:
    """Browsers ask for it by themselves."""
    return load("icon.svg").response("public, max-age=86400")


def init_app(app: Flask, settings: Settings) -> None:
    """Serve the files, and let templates ask for their addresses: here, or where the owner has a copy kept."""
    _elsewhere[:] = filter(None, [settings.chat_static_url])
    app.register_blueprint(assets)
    app.jinja_env.globals["asset"] = address
