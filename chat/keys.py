"""The installation's secret and what it signs: one random key in the data folder, made at first start."""

import hashlib
import os
import secrets
from pathlib import Path


def secret(folder: Path) -> bytes:
    """The 256-bit key in `secret.key`, made when missing, readable by its owner alone."""
    path = folder / "secret.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()


def fingerprint(token: str) -> str:
    """What is stored of a token with 128 random bits or more: enough to know it again, useless to a thief."""
    return hashlib.sha256(token.encode()).hexdigest()
