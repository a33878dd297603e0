"""Tokens are verified as a JWT authorizer does, each claim by its rule."""

import base64
import json

import pytest
from hypothesis import given, strategies

from local.function import Authorizer
from local.http_api import tokens
from local.http_api.tokens import Issuers, UnauthorizedError
from local.identity import Identity

ISSUER = "https://identity.example"
NOW = 1_800_000_000.0
AUTHORIZER = Authorizer(
    issuer=ISSUER, audience=("site", "other"), identity_source="$request.header.Authorization"
)


@pytest.fixture
def verify(identity):
    def do(token, fetch=identity.document, now=NOW):
        issuers = Issuers(fetch, lambda: now)
        return tokens.verified(token, AUTHORIZER, issuers=issuers, now=now)

    return do


@pytest.fixture
def refused(verify):
    def do(token, reason, **about):
        with pytest.raises(UnauthorizedError) as error:
            verify(token, **about)
        assert error.value.reason == reason

    return do


class TestVerified:
    def test_claims(self, verify, identity):
        """
        A valid token gives its claims as they are.
        """
        claims = verify(identity.token("ada", aud="site", groups=["a", "b"]))

        assert claims["sub"] == "ada"
        assert claims["groups"] == ["a", "b"]

    @pytest.mark.parametrize(
        "claims", [{"aud": "site"}, {"aud": ["x", "other"]}, {"client_id": "site"}]
    )
    def test_audience(self, verify, identity, claims):
        """
        One of the audiences has to be the API's; without any, the client counts.
        """
        assert verify(identity.token("ada", **claims))

    @pytest.mark.parametrize(
        "claims",
        [{}, {"aud": "x"}, {"aud": []}, {"client_id": "x"}, {"aud": "x", "client_id": "site"}],
    )
    def test_wrong_audience(self, refused, identity, claims):
        """
        Nobody else's will do, and a client does not count beside an audience.
        """
        refused(identity.token("ada", **claims), "the token does not have a valid audience")

    @pytest.mark.parametrize("issuer", ["https://evil.example", f"{ISSUER}/", None])
    def test_wrong_issuer(self, refused, identity, issuer):
        """
        The issuer is compared exactly.
        """
        refused(identity.token("ada", aud="site", iss=issuer), "the token has an invalid issuer")

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({"exp": int(NOW)}, "the token has expired"),
            ({"exp": None}, "the token has expired"),
            ({"nbf": int(NOW) + 1}, "the token is not valid yet"),
            ({"iat": int(NOW) + 1}, "the token was issued in the future"),
            ({"exp": "tomorrow"}, "the token's exp is no number"),
        ],
    )
    def test_wrong_time(self, refused, identity, claims, reason):
        """
        A token is valid from its moment on, until just before its end, by the time that is given.
        """
        refused(identity.token("ada", aud="site", **claims), reason)

    def test_last_moment(self, verify, refused, identity):
        """
        No skew is allowed for.
        """
        token = identity.token("ada", aud="site", exp=int(NOW) + 60)

        assert verify(token, now=NOW + 59.9)
        refused(token, "the token has expired", now=NOW + 60)

    def test_other_key(self, refused, identity, stranger):
        """
        A token that another key has signed is refused, by its kid and by its signature.
        """
        token = stranger.token("ada", aud="site")
        refused(token, "no key of the issuer has the token's kid")

        stolen = {"keys": [identity.jwks()["keys"][0] | {"kid": stranger.jwks()["keys"][0]["kid"]}]}
        documents = iter([identity.configuration(), stolen])
        refused(token, "the token's signature is invalid", fetch=lambda _: next(documents))

    def test_tampered(self, refused, identity):
        """
        A token whose claims were changed is refused.
        """
        head, body, signature = identity.token("ada", aud="site").split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        forged = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "eve"}).encode())

        refused(
            f"{head}.{forged.decode().rstrip('=')}.{signature}", "the token's signature is invalid"
        )

    @given(data=strategies.data())
    def test_changed(self, identity, data):
        """
        A token in which any one character is another is refused.
        """
        token = identity.token("ada", aud="site")
        # The last one holds bits that are part of no byte.
        place = data.draw(strategies.integers(0, len(token) - 2))
        other = data.draw(strategies.sampled_from("Aaz09-_.").filter(token[place].__ne__))
        changed = token[:place] + other + token[place + 1 :]

        with pytest.raises(UnauthorizedError):
            tokens.verified(
                changed, AUTHORIZER, issuers=Issuers(identity.document, lambda: NOW), now=NOW
            )

    def test_unsigned(self, refused, identity):
        """
        A token that says it needs no signature is refused.
        """
        _, body, _ = identity.token("ada", aud="site").split(".")
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")

        refused(f"{head}.{body}.", "signing method none is invalid")

    def test_elliptic(self, refused):
        """
        API Gateway takes RSA only.
        """
        elliptic = Identity(ISSUER, now=lambda: NOW, algorithm="ES256")

        refused(
            elliptic.token("ada", aud="site"),
            "signing method ES256 is invalid",
            fetch=elliptic.document,
        )

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.b.c"])
    def test_no_token(self, refused, token):
        """
        What is no token is refused, whatever it is.
        """
        refused(token, "the token's signature is invalid")

    def test_unreachable(self, refused, identity):
        """
        Without the issuer's keys no token is valid.
        """
        refused(
            identity.token("ada", aud="site"),
            "the issuer's keys cannot be fetched",
            fetch=lambda _: None,
        )


class TestIssuers:
    def test_kept(self, identity):
        """
        Keys are fetched once in two hours.
        """
        asked, now = [], [NOW]

        def fetch(url):
            asked.append(url)
            return identity.document(url)

        issuers = Issuers(fetch, lambda: now[0])
        for moment in (NOW, NOW + 7199, NOW + 7200):
            now[0] = moment
            issuers.keys(ISSUER)

        once = [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/.well-known/jwks.json"]
        assert asked == once * 2

    def test_failure(self, identity):
        """
        A failure is not kept.
        """
        documents = iter([None, identity.configuration(), identity.jwks()])
        issuers = Issuers(lambda _: next(documents), lambda: NOW)
        with pytest.raises(UnauthorizedError):
            issuers.keys(ISSUER)

        assert issuers.keys(ISSUER) == identity.jwks()


class TestFlattened:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a", "a"),
            (1_800_000_000, "1800000000"),
            (True, "true"),
            (1.5, "1.5"),
            ([], "[]"),
            (["a"], "[a]"),
            (["a", "b c", 1], "[a b c 1]"),
            ({"a": ["b"]}, '{"a":["b"]}'),
        ],
    )
    def test_texts(self, value, text):
        """
        Each claim becomes a text; a list's items can no longer be distinguished.
        """
        assert tokens.flattened({"claim": value}) == {"claim": text}

    def test_null(self):
        """
        A claim of nothing is left out.
        """
        assert tokens.flattened({"claim": None}) == {}
