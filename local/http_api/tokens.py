"""
Who sends a request: JSON web tokens, verified as an HTTP API's JWT authorizer does.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from local.function import Authorizer

# API Gateway takes no others: "Currently, only RSA-based algorithms are supported."
_ALGORITHMS = ("RS256", "RS384", "RS512")
_KEYS_TTL_S = 7200

# Gives the JSON document at a URL, or None where there is none.
Fetch = Callable[[str], Mapping[str, Any] | None]
Claims = Mapping[str, Any]


class UnauthorizedError(Exception):
    """A request without a token, or with one that is not valid: then *reason* says why."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "there is no token")
        self.reason = reason


@dataclass(slots=True)
class Issuers:
    """The public keys of the tokens' issuers, by their URLs; cached for two hours."""

    fetch: Fetch
    now: Callable[[], float]
    _cached: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)

    def keys(self, issuer: str) -> Mapping[str, Any]:
        """
        Return the issuer's key set.

        Raises:
            UnauthorizedError: The issuer does not publish one.
        """
        fetched_at, keys = self._cached.get(issuer, (-_KEYS_TTL_S, {}))
        if self.now() - fetched_at < _KEYS_TTL_S:
            return keys
        about = self.fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        key_set = self.fetch(about["jwks_uri"]) if about else None
        if key_set is None:
            raise UnauthorizedError("the issuer's keys cannot be fetched")
        self._cached[issuer] = self.now(), key_set
        return key_set


def verified(token: str, authorizer: Authorizer, *, issuers: Issuers, now: float) -> Claims:
    """
    Return the claims of *token*.

    Raises:
        UnauthorizedError: It is none that *authorizer* takes at *now*.
    """
    claims = _signed(token, issuers.keys(authorizer.issuer))
    if claims.get("iss") != authorizer.issuer:
        raise UnauthorizedError("the token has an invalid issuer")
    # client_id counts only where there is no audience at all.
    audience = claims.get("aud", claims.get("client_id"))
    audiences = audience if isinstance(audience, list) else [audience]
    if not any(each in authorizer.audience for each in audiences):
        raise UnauthorizedError("the token does not have a valid audience")
    if not _moment(claims, "exp", missing=now) > now:
        raise UnauthorizedError("the token has expired")
    for name, early in (("nbf", "is not valid yet"), ("iat", "was issued in the future")):
        if _moment(claims, name, missing=now) > now:
            raise UnauthorizedError(f"the token {early}")
    return claims


def _signed(token: str, keys: Mapping[str, Any]) -> Claims:
    try:
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS:
            raise UnauthorizedError(f"signing method {algorithm} is invalid")
        candidates = [key for key in keys.get("keys", []) if kid and key.get("kid") == kid]
        if not candidates:
            raise UnauthorizedError("no key of the issuer has the token's kid")
        # Time, audience and issuer are checked by other rules than PyJWT's.
        claims: Claims = jwt.decode(
            token,
            jwt.PyJWK(candidates[0], algorithm=algorithm).key,
            algorithms=[algorithm],
            options={
                "verify_aud": False,
                "verify_exp": False,
                "verify_iat": False,
                "verify_iss": False,
                "verify_jti": False,
                "verify_nbf": False,
                "verify_sub": False,
            },
        )
    except jwt.PyJWTError as error:
        raise UnauthorizedError("the token's signature is invalid") from error
    return claims


def _moment(claims: Claims, name: str, *, missing: float) -> float:
    value = claims.get(name, missing)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnauthorizedError(f"the token's {name} is no number")
    return value


def scopes(claims: Claims) -> list[str]:
    """
    List what a token is good for.

    >>> scopes({"scope": "read write"}), scopes({"scp": ["read"]}), scopes({})
    (['read', 'write'], ['read'], [])
    """
    value = claims.get("scope", claims.get("scp", ""))
    return [str(scope) for scope in value] if isinstance(value, list) else str(value).split()


def flattened(claims: Claims) -> dict[str, str]:
    """
    Turn claims into the texts that a function is given, in which a list is ambiguous.

    >>> flattened({"groups": ["a b", "c"], "exp": 17, "admin": True, "name": None})
    {'groups': '[a b c]', 'exp': '17', 'admin': 'true'}
    """
    return {name: _text(value) for name, value in claims.items() if value is not None}


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
