"""An identity provider for demos and tests: tokens, and the documents that prove them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


class Identity:
    """
    Issues tokens that are signed with a key of its own, made at the start.

    API Gateway takes tokens of RS256 only; those of ES256 show that it refuses others.
    """

    def __init__(
        self,
        issuer: str,
        *,
        now: Callable[[], float],
        algorithm: Literal["RS256", "ES256"] = "RS256",
        lifetime_s: int = 3600,
    ) -> None:
        self.issuer = issuer
        self._now = now
        self._algorithm = algorithm
        self._lifetime_s = lifetime_s
        self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            self._key = rsa.generate_private_key(65537, 2048)
            public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._kid = hashlib.sha256(json.dumps(public).encode()).hexdigest()[:16]
        self._public = {**public, "kid": self._kid, "alg": algorithm, "use": "sig"}

    def token(self, subject: str, **claims: Any) -> str:
        """
        Sign a token that says who *subject* is, with *claims* beside or in place of the usual ones.

        A claim of None is left out.
        """
        now = int(self._now())
        usual = {"iss": self.issuer, "sub": subject, "iat": now, "exp": now + self._lifetime_s}
        payload = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(payload, self._key, algorithm=self._algorithm, headers={"kid": self._kid})

    def jwks(self) -> Mapping[str, Any]:
        """Return the public keys, as RFC 7517 has them."""
        return {"keys": [self._public]}

    def configuration(self) -> Mapping[str, Any]:
        """Return what OpenID Connect Discovery publishes, as far as it is needed here."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": [self._algorithm],
        }

    def document(self, url: str) -> Mapping[str, Any] | None:
        """Return the document at *url*; None where this provider has none."""
        return {
            f"{self.issuer}/.well-known/openid-configuration": self.configuration(),
            f"{self.issuer}/.well-known/jwks.json": self.jwks(),
        }.get(url)
