"""Pictures: a logo, a face, what stands on the launcher. Made anew from what was sent, small, named by their content.

Only what Pillow reads as PNG, JPEG, WebP or GIF comes in, whatever it calls itself (OWASP ASVS 5.2.2), and only pixels
go out: places, camera names and anything hidden in the file stay behind.
"""

import hashlib
import re
from io import BytesIO

from chat import clock
from chat.db import Tx
from chat.languages import gettext

LARGEST = 8 * 1024 * 1024  # bytes that are taken in
PIXELS = 16_000_000  # of a picture that has to be unpacked whole; a JPEG can be unpacked smaller
SIZES = {"logo": (320, 96), "face": (112, 112)}
"""In pixels, twice what is shown: a logo fits into it, a face fills it."""
KEPT_FOR = 86_400  # seconds that a picture which nothing shows is kept: somebody may be about to choose it


class BadPicture(ValueError):
    """It is not taken; the text says why, to whom sent it."""


def remake(content: bytes, kind: str) -> bytes | BadPicture:
    """The picture in the size of its kind, as WebP; or why not. Takes up to a second: run it in a thread (which is why
    the error is a value)."""
    from PIL import Image, ImageOps

    if len(content) > LARGEST:
        return BadPicture(gettext("This picture is larger than 8 MB. Choose a smaller one."))
    wide, high = SIZES[kind]
    try:
        with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP", "GIF")) as picture:
            picture.draft("RGB", (wide * 2, high * 2))
            if picture.width * picture.height > PIXELS:
                return BadPicture(gettext("This picture has more than 16 million pixels. Make it smaller first."))
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
        fit = ImageOps.fit if kind == "face" else ImageOps.contain
        if kind == "face" or upright.width > wide or upright.height > high:
            upright = fit(upright, (wide, high), Image.Resampling.LANCZOS)
        made = BytesIO()
        Image.frombytes("RGBA", upright.size, upright.tobytes()).save(made, "WEBP", quality=86, method=6)
        return made.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, MemoryError):
        return BadPicture(gettext("This is no picture that can be read. PNG, JPEG, WebP and GIF can."))


def put(tx: Tx, made: bytes) -> str:
    """Keep it; the same one again is the same. Its digest, which is its name."""
    digest = hashlib.sha256(made).hexdigest()[:32]
    row = [digest, made, clock.now()]
    tx.execute("INSERT OR REPLACE INTO pictures (digest, content, created_at) VALUES (?, ?, ?)", row)
    return digest


def find(rx: Tx, digest: str) -> bytes | None:
    """The picture of that name."""
    if not re.fullmatch(r"[0-9a-f]{32}", digest):
        return None
    row = rx.execute("SELECT content FROM pictures WHERE digest = ?", [digest]).fetchone()
    return bytes(row["content"]) if row else None


def sweep(tx: Tx) -> None:
    """Take away what nothing shows any more."""
    shown = "SELECT value FROM site_options WHERE name IN ('look_logo', 'look_picture', 'look_before')"
    values = " ".join(str(row["value"]) for row in tx.execute(shown).fetchall())
    values += " ".join(row["picture"] for row in tx.execute("SELECT picture FROM agents").fetchall())
    old = tx.execute("SELECT digest FROM pictures WHERE created_at < ?", [clock.now(-KEPT_FOR)]).fetchall()
    for row in old:
        if row["digest"] not in values:
            tx.execute("DELETE FROM pictures WHERE digest = ?", [row["digest"]])
