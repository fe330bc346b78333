"""Options: what the owner set on a page, by name. A setting of the environment goes before the option of its name."""

from chat.db import Tx


def every(rx: Tx) -> dict[str, str]:
    """All that is set; a name that is not in here was never set."""
    return {row["name"]: row["value"] for row in rx.execute("SELECT name, value FROM options").fetchall()}


def get(rx: Tx, name: str, default: str = "") -> str:
    """The option's value, or the default."""
    row = rx.execute("SELECT value FROM options WHERE name = ?", [name]).fetchone()
    return str(row["value"]) if row else default


def put(tx: Tx, name: str, value: str) -> None:
    """Set it; an empty value takes it away."""
    tx.execute("DELETE FROM options WHERE name = ?", [name])
    if value:
        tx.execute("INSERT INTO options (name, value) VALUES (?, ?)", [name, value])
