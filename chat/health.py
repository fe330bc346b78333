"""Health: one row that proves the database can be read and written."""

from chat import clock
from chat.db import Tx


def last_checked(rx: Tx) -> str:
    """When the database was last written to for this purpose."""
    return str(rx.execute("SELECT checked_at FROM health").fetchone()["checked_at"])


def check(tx: Tx) -> None:
    """Write that it can be written."""
    tx.execute("UPDATE health SET checked_at = ?", [clock.now()])
