"""Tickets for the probe: only who holds the installation's key can ask what the server sees, and not for long."""

from itsdangerous import BadData, URLSafeTimedSerializer

VALID = 60  # seconds


def issue(secret: bytes) -> str:
    """A ticket for one question."""
    return str(URLSafeTimedSerializer(secret, salt="probe").dumps("look"))


def is_good(secret: bytes, ticket: str) -> bool:
    """Whether we issued it, and lately."""
    try:
        URLSafeTimedSerializer(secret, salt="probe").loads(ticket, max_age=VALID)
    except BadData:
        return False
    return True
