"""Claims are read from the token that the authorizer has verified, and from no other."""

import json
from base64 import urlsafe_b64encode

import pytest

from cdn.access import claims
from cdn.errors import TokenError

CLAIMS = {"iss": "https://a.example", "sub": "42", "scope": "a b", "cognito:groups": ["x y", "z"]}


def token(claims):
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return f"h.{urlsafe_b64encode(body).decode().rstrip('=')}.s"


def read(header, verified=None):
    default = {"iss": CLAIMS["iss"], "sub": "42"}
    return claims.read(header, verified=default if verified is None else verified)


class TestClaims:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    def test_as_they_are(self, scheme):
        """
        Lists stay lists, which API Gateway's own strings do not tell.
        """
        assert read(f"{scheme} {token(CLAIMS)}") == CLAIMS

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Basic a.b.c",
            "Bearer a.b",
            "Bearer a.b.c.d",
            f"Bearer {token(CLAIMS)}, Bearer {token(CLAIMS | {'sub': '43'})}",
            f"Bearer {token([1])}",
            f"Bearer {token(b'no json')}",
            f"Bearer {token(b'[' * 100_000)}",
            f"Bearer h.{chr(0xE9)}.s",
        ],
    )
    def test_malformed(self, header):
        """
        Whatever is no single JWT is refused.
        """
        with pytest.raises(TokenError):
            read(header)

    @pytest.mark.parametrize("verified", [{}, {"iss": "https://a.example", "sub": "43"}])
    def test_not_verified(self, verified):
        """
        A token that the authorizer has not verified counts for nothing.
        """
        with pytest.raises(TokenError):
            read(f"Bearer {token(CLAIMS)}", verified)

    def test_no_authorizer(self):
        """
        Where no authorizer was, nobody is believed.
        """
        with pytest.raises(TokenError):
            claims.read(f"Bearer {token(CLAIMS)}", verified=None)
