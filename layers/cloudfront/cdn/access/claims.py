"""The claims of a token that API Gateway has verified, as the JSON that they are in the token."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cdn.errors import TokenError

_TOKEN = re.compile(r"[Bb]earer +([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_MAX_CACHED = 1_024


def read(authorization: str, *, verified: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """
    Return the claims of the token in the Authorization header that the authorizer has verified.

    What the authorizer hands over itself cannot be used: it has a text for a list, so that
    `["a b"]` and `["a", "b"]` are one. Neither is the token believed without the authorizer.

    Args:
        verified: The claims that the authorizer hands over.

    Raises:
        TokenError: No authorizer has verified a token, or not the one that is here.
    """
    if not verified:
        raise TokenError("no authorizer has verified a token")
    claims, identity = _decode(authorization)
    if identity != _identity(verified):
        raise TokenError("the authorizer has verified another token than the one in the header")
    return claims


def _identity(claims: Mapping[str, Any]) -> tuple[object, ...]:
    """Return claims by which tokens differ, and which are texts even before API Gateway."""
    return claims.get("iss"), claims.get("sub"), claims.get("jti")


@lru_cache(maxsize=_MAX_CACHED)
def _decode(header: str) -> tuple[Mapping[str, Any], tuple[object, ...]]:
    match = _TOKEN.fullmatch(header)
    if match is None:
        raise TokenError("the Authorization header must be Bearer and one JWT")
    try:
        claims = json.loads(urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4)))
    except (ValueError, RecursionError):
        raise TokenError("the token's claims must be JSON") from None
    if not isinstance(claims, dict):
        raise TokenError("the token's claims must be a JSON object")
    return claims, _identity(claims)
