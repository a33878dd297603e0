"""The claims of a token that API Gateway has verified, as the JSON that they are in the token."""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cdn.errors import TokenError

_TOKEN = re.compile(r"[Bb]earer +([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
_REMEMBERED = 1_024


def claims(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Read the claims of the token in the header that the authorizer has verified.

    What the authorizer hands over itself cannot be used: it has a text for a list, so that
    `["a b"]` and `["a", "b"]` are one. Neither is the token believed without the authorizer.

    Args:
        event: A request in API Gateway's payload format 2.0.

    Raises:
        TokenError: No authorizer has verified a token, or not the one that is here.
    """
    verified = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims")
    if not verified:
        raise TokenError("no authorizer has verified a token")
    found, marks = _claims(event["headers"].get("authorization", ""))
    if marks != _marks(verified):
        raise TokenError("the authorizer has verified another token than the one that came")
    return found


def _marks(claims: Mapping[str, Any]) -> tuple[object, ...]:
    """Tell tokens apart by what is a text anyway: API Gateway makes one of every claim."""
    return claims.get("iss"), claims.get("sub"), claims.get("jti")


@lru_cache(maxsize=_REMEMBERED)
def _claims(header: str) -> tuple[Mapping[str, Any], tuple[object, ...]]:
    match = _TOKEN.fullmatch(header)
    if match is None:
        raise TokenError("the Authorization header must be Bearer and one JWT")
    try:
        found = json.loads(urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4)))
    except (ValueError, RecursionError):
        raise TokenError("the token's claims are no JSON") from None
    if not isinstance(found, dict):
        raise TokenError("the token's claims are no JSON object")
    return found, _marks(found)
