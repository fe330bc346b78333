"""Proof: the site's server signs who its visitor is (JWT, RFC 7519; HS256), with a secret of that site alone."""

import secrets
import time
from typing import NamedTuple

from chat import clock, sites, text
from chat.db import Tx

LONGEST = 86400  # seconds from now until a token may expire: one that leaks is of use for a day at most
SKEW = 60  # seconds by which the site's clock may be wrong
OVERLAP = 86400  # seconds in which the secret before still holds, after a new one was made
_SECRET, _BEFORE = "identity.secret", "identity.before"


class BadProof(ValueError):
    """The token proves nothing; the text says why, to who programs the site."""


class Claims(NamedTuple):
    """What the token says."""

    id: str
    name: str
    email: str


def secret(rx: Tx, site_id: int) -> str:
    """The site's secret; empty when none was made."""
    return sites.options(rx, site_id).get(_SECRET, "")


def renew(tx: Tx, site_id: int) -> None:
    """Make a secret. The one before holds for OVERLAP seconds, so that a site can change over without a gap."""
    if old := secret(tx, site_id):
        sites.put(tx, site_id, _BEFORE, f"{clock.now(OVERLAP)} {old}")
    sites.put(tx, site_id, _SECRET, secrets.token_urlsafe(32))


def end(tx: Tx, site_id: int) -> None:
    """No token proves anything any more."""
    for name in (_SECRET, _BEFORE):
        sites.put(tx, site_id, name, "")


def _secrets(rx: Tx, site_id: int) -> list[str]:
    known = sites.options(rx, site_id)
    until, _, before = known.get(_BEFORE, "").partition(" ")
    return [each for each in (known.get(_SECRET, ""), before if until > clock.now() else "") if each]


def read(rx: Tx, site: sites.Site, token: str) -> Claims:
    """What a token says, once it is proven. Raises BadProof."""
    import jwt

    known = _secrets(rx, site.id)
    if not known:
        raise BadProof("No secret was made for this site. Make one in the inbox: Settings, Sites, Identity.")
    told, why = None, ""
    for each in known:
        try:
            told = jwt.decode(token, each, ["HS256"], {"require": ["exp", "sub"], "verify_aud": False}, leeway=SKEW)
            break
        except jwt.InvalidTokenError as error:
            why = why or str(error)
    if told is None:
        raise BadProof(f"The token does not hold: {why}. It is a JWT, signed with HS256 and this site's secret.")
    if told["exp"] > time.time() + LONGEST + SKEW:
        raise BadProof("The token is valid for too long. Let it expire (exp) within a day; some minutes are enough.")
    if told.get("aud", site.key) != site.key:
        raise BadProof(f"The token was made for another site (aud); this one is {site.key}.")
    claims = Claims(text.line(told["sub"], 200), _string(told, "name", 80), _string(told, "email", 200))
    if not claims.id or claims.id != told["sub"]:
        raise BadProof("The token's sub must be a string of 1 to 200 characters, in one line.")
    return claims


def _string(told: dict[str, object], name: str, most: int) -> str:
    value = told.get(name)
    return text.line(value, most) if isinstance(value, str) else ""
