"""The identity provider's tokens are proven by its documents."""

import jwt
import pytest

from local.identity import Identity

ISSUER = "https://identity.example"
NOW = 1_800_000_000.7


class TestIdentity:
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
    def test_token(self, algorithm):
        """
        A token verifies with the published key that it names, and says who, since when, how long.
        """
        identity = Identity(ISSUER, now=lambda: NOW, algorithm=algorithm)
        token = identity.token("ada", aud="site", groups=["a", "b"])

        (key,) = identity.jwks()["keys"]
        assert jwt.get_unverified_header(token)["kid"] == key["kid"]
        claims = jwt.decode(
            token,
            jwt.PyJWK(key),
            [algorithm],
            audience="site",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert claims == {
            "iss": ISSUER,
            "sub": "ada",
            "iat": 1_800_000_000,
            "exp": 1_800_003_600,
            "aud": "site",
            "groups": ["a", "b"],
        }

    def test_claims(self):
        """
        Claims may replace the usual ones, or leave them out.
        """
        identity = Identity(ISSUER, now=lambda: NOW, algorithm="ES256")

        token = identity.token("ada", exp=5, iat=None)

        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims == {"iss": ISSUER, "sub": "ada", "exp": 5}

    def test_documents(self):
        """
        The documents are where OpenID Connect says, hold no private key, and there are no others.
        """
        identity = Identity(ISSUER, now=lambda: NOW, algorithm="ES256")

        about = identity.document(f"{ISSUER}/.well-known/openid-configuration")

        assert about is not None
        assert about["issuer"] == ISSUER
        keys = identity.document(about["jwks_uri"])
        assert keys is not None
        assert keys["keys"][0].keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert identity.document(f"{ISSUER}/other") is None
