"""Health: one row that proves the database can be read and written."""

from chat import clock
from chat.db import Tx


def last_checked(rx: Tx) -> str:
    """When the database was last written to for this purpose."""
    return str(rx.execute("SELECT checked_at FROM health").fetchone()["checked_at"])


def check(tx: Tx) -> None:
    """Write that it can be written."""
    tx.execute("UPDATE health SET checked_at = ?", [clock.now()])


def newest_moment(rx: Tx) -> str:
    """When this database was last written to, as far as its rows say."""
    event = "SELECT created_at FROM events WHERE id = (SELECT max(id) FROM events)"
    both = f"SELECT checked_at AS at FROM health UNION ALL {event}"
    return str(rx.execute(f"SELECT max(strftime('%Y-%m-%dT%H:%M:%fZ', at)) FROM ({both})").fetchone()[0])
