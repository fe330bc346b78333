"""Links in mails: signed, each good for one thing at one conversation, and for a time. GET on them changes nothing."""

from itsdangerous import BadData, URLSafeTimedSerializer

DAYS = {"continue": 14, "stop": 400}
"""How long each kind is good."""


def sign(secret: bytes, kind: str, conversation_id: int) -> str:
    """The token of a link of that kind."""
    return str(URLSafeTimedSerializer(secret, salt=f"mail {kind}").dumps(conversation_id))


def read(secret: bytes, kind: str, token: str) -> int | None:
    """The conversation that the link is about; None when it is mangled, of another kind, or too old."""
    try:
        found = URLSafeTimedSerializer(secret, salt=f"mail {kind}").loads(token, max_age=DAYS[kind] * 86400)
    except BadData:
        return None
    return found if isinstance(found, int) else None
