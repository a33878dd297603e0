"""A front end asks, and what it gets really opens the object; what is not granted is refused."""

import json
from urllib.parse import quote

import pytest

from tests.local import signed

OWN = f"https://{signed.HOST}/users/42/a.jpg"
FOLDER = f"https://{signed.HOST}/users/42/*"
OTHERS = f"https://{signed.HOST}/users/43/a.jpg"
BOUND = f"https://{signed.HOST}/bound/a.jpg"


@pytest.fixture(scope="module")
def shared():
    """One stack, for the tests that change nothing in it."""
    with signed.running() as cloud:
        yield cloud


def reasons(answer):
    return [one["reason"] for one in answer.body["errors"]]


class TestUrls:
    def test_opens(self, shared):
        """
        A signed URL opens its object; without the signature nothing does.
        """
        (one,) = shared.urls(OWN).body["signed"]

        assert shared.fetch(one["url"]).body == b"users/42/a.jpg"
        assert shared.fetch(OWN).status == 403
        assert shared.fetch(one["url"].replace("/a.jpg", "/b.jpg")).status == 403

    def test_order(self, shared):
        """
        Many are answered in their order, each encoded as it was signed.
        """
        wanted = [f"https://{signed.HOST}/users/42/é b.jpg", OWN]

        opened = shared.urls(*wanted).body["signed"]

        assert [shared.fetch(one["url"]).body.decode() for one in opened] == [
            "users/42/é b.jpg",
            "users/42/a.jpg",
        ]

    def test_folder(self, shared):
        """
        A folder's query opens every file in it, and none beside it.
        """
        (one,) = shared.urls(FOLDER).body["signed"]

        assert one["url_pattern"] == FOLDER
        assert shared.fetch(f"{OWN}?{one['query']}").status == 200
        assert shared.fetch(f"{OTHERS}?{one['query']}").status == 403

    def test_equal(self, shared):
        """
        What is asked for again a moment later is the same URL, so that it is cached as one.
        """
        first = shared.urls(OWN, expires_in=600).body["signed"]
        shared.world.virtual_time.advance(1)

        assert shared.urls(OWN, expires_in=600).body["signed"] == first

    @pytest.mark.parametrize(
        ("url", "status", "reason"),
        [
            (OTHERS, 403, "path_not_granted"),
            (f"https://{signed.HOST}/users/42/../43/a.jpg", 400, "dot_segment"),
            ("https://evil.example/users/42/a.jpg", 403, "host_not_granted"),
            ("javascript:alert(1)", 400, "scheme"),
            (f"{OWN}?Expires=1", 400, "reserved_parameter"),
        ],
    )
    def test_refused(self, shared, url, status, reason):
        """
        If one is refused, none is signed, and the answer says which and why.
        """
        answer = shared.urls(OWN, url)

        assert answer.status == status
        assert answer.header("content-type") == "application/problem+json"
        assert [(one["index"], one["reason"]) for one in answer.body["errors"]] == [(1, reason)]

    def test_too_long(self, shared):
        """
        Nobody gets more time than the grant has.
        """
        assert reasons(shared.urls(OWN, expires_in=3_601)) == ["lifetime_not_granted"]

    def test_too_long_once_signed(self, shared):
        """
        A URL for whose signature there is no room is refused, as one that is too long itself.
        """
        answer = shared.urls(OWN, f"https://{signed.HOST}/users/42/{'a' * 8_100}")

        assert answer.status == 400
        assert [(one["index"], one["reason"]) for one in answer.body["errors"]] == [(1, "too_long")]

    def test_first_minute(self, shared):
        """
        A start in the first minute of 1970 is one that is over, not an error.
        """
        (one,) = shared.urls(OWN, starts_at=30).body["signed"]

        assert shared.fetch(one["url"]).status == 200

    def test_address_unknown(self, shared):
        """
        Where the address cannot be trusted, nothing is bound to it.
        """
        assert reasons(shared.urls(BOUND)) == ["address_unknown"]

    @pytest.mark.parametrize("claims", [{"token_use": "id"}, {"sub": "43"}, {"token_use": None}])
    def test_claims(self, shared, claims):
        """
        Another token gets nothing of this user's.
        """
        assert shared.urls(OWN, token=shared.token(**claims)).status == 403

    def test_no_token(self, shared):
        """
        Without a token, or with one for somebody else, nobody gets anything.
        """
        assert shared.urls(OWN, token="no.such.token").status == 401
        assert shared.urls(OWN, token=shared.token(aud="another")).status == 401


class TestRequests:
    @pytest.mark.parametrize(
        "body",
        [
            "no json",
            "[]",
            "{}",
            {"urls": []},
            {"urls": [1]},
            {"urls": OWN},
            {"urls": [OWN] * 101},
            {"urls": [OWN], "expires_in": 0},
            {"urls": [OWN], "expires_in": True},
            {"urls": [OWN], "expires_in": 1.5},
            {"urls": [OWN], "starts_at": "now"},
            {"urls": [OWN], "refresh": 1},
            {"urls": [OWN], "url_pattern": OWN},
            "[" * 100_000,
        ],
    )
    def test_malformed(self, shared, body):
        """
        A body that is not as described is refused with what would be right.
        """
        answer = shared.ask("POST", "/signed-urls", body)

        assert answer.status == 400
        assert answer.body["type"] == "urn:cloudfront-autopilot:malformed"
        assert answer.body["detail"]

    def test_now(self, shared):
        """
        Every answer tells the server's time, and is stored by nobody.
        """
        for answer in (shared.urls(OWN), shared.urls(OTHERS), shared.ask("POST", "/signed-urls")):
            assert answer.body["now"] == int(shared.world.virtual_time.now())
            assert answer.header("cache-control") == "no-store"

    def test_description(self, shared):
        """
        Anybody may read the description.
        """
        answer = shared.ask("GET", "/openapi.json", token="none")

        assert answer.status == 200
        assert answer.body["openapi"] == "3.1.0"

    def test_cors(self, shared):
        """
        Pages of the allowed origin may read the answers with credentials, others may not.
        """
        for origin, allowed in ((signed.ORIGIN, signed.ORIGIN), ("https://evil.example", None)):
            answer = shared.ask(
                "POST", "/signed-urls", {"urls": [OWN]}, headers=[("origin", origin)]
            )
            assert answer.header("access-control-allow-origin") == allowed
        assert answer.header("access-control-allow-credentials") is None


class TestCookies:
    def test_opens(self, shared):
        """
        Signed cookies open a folder, and none beside it.
        """
        answer = shared.cookies(FOLDER)

        assert answer.body["cookies"][0]["path"] == "/users/42/"
        assert shared.fetch(OWN, cookies=answer.sent_back("/users/42/a.jpg")).status == 200
        assert answer.sent_back("/users/43/a.jpg") == []
        stolen = answer.sent_back("/users/42/")
        assert shared.fetch(OTHERS, cookies=stolen).status == 403

    def test_attributes(self, shared):
        """
        They are for this host alone, over https alone, and for no script.
        """
        for one in shared.cookies(FOLDER).set_cookies:
            assert "Domain=" not in one
            assert one.split("; ")[1:5] == ["Path=/users/42/", "Secure", "HttpOnly", "SameSite=Lax"]

    def test_cleared(self, shared):
        """
        Signing out clears exactly what signing in has set.
        """

        def scopes(answer):
            return [tuple(one.split("; ")[1:5]) for one in answer.set_cookies]

        kept, cleared = shared.cookies(FOLDER), shared.clear(FOLDER)

        assert scopes(cleared) == scopes(kept)
        assert all("Max-Age=0" in one for one in cleared.set_cookies)
        assert cleared.body["cleared"] == [{"url_pattern": FOLDER, "path": "/users/42/"}]

    def test_overlapping(self, shared):
        """
        Folders of which one is inside the other are refused: a browser would send both sets.
        """
        answer = shared.cookies(FOLDER, f"https://{signed.HOST}/users/42/album/*")

        assert (answer.status, reasons(answer)) == (400, ["overlapping_paths"])
        assert answer.set_cookies == []

    def test_unreachable(self, shared):
        """
        A host that no cookie from here would reach is a conflict, and the answer says why.
        """
        answer = shared.cookies("https://media.example.org/users/42/*")

        assert answer.status == 409
        assert "media.example.org" in answer.body["detail"]
        assert answer.set_cookies == []

    def test_past_cloudfront(self, shared):
        """
        Where a browser asks past CloudFront, no cookie would be for the distribution's host.
        """
        answer = shared.cookies(FOLDER, by_cloudfront=False)

        assert (answer.status, answer.set_cookies) == (409, [])

    @pytest.mark.parametrize(
        "query", ["", "url_pattern=", "resource=a", "other=1", f"url_pattern={quote(OWN)}&x=1"]
    )
    def test_clear_malformed(self, shared, query):
        """
        Clearing something else than a URL pattern is refused.
        """
        assert shared.ask("DELETE", f"/signed-cookies?{query}").status == 400


class TestAudit:
    @pytest.fixture
    def lines(self, shared):
        """Give the lines that the function writes while a test runs."""
        said = shared.world.logs("sign_access")
        known = len(said)
        return lambda: [
            json.loads(line) for one in said[known:] for line in one.splitlines() if line
        ]

    def test_granted(self, shared, lines):
        """
        Each grant is a line: who, what, by which grant and key, until when.
        """
        (one,) = shared.urls(OWN).body["signed"]

        granted, metrics = lines()
        assert granted == {
            "level": "INFO",
            "message": "access granted",
            "subject": "42",
            "method": "url",
            "url": OWN,
            "grant": "own-files",
            "key_id": shared.key_ids[0],
            "expires_at": one["expires_at"],
        }
        assert (metrics["Granted"], metrics["Refused"]) == (1, 0)
        assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "autopilot"

    def test_refused(self, shared, lines):
        """
        Each refusal is one too, and says why.
        """
        shared.urls(OTHERS, f"{OWN}?Signature=stolen")

        first, second, metrics = lines()
        assert (first["reason"], first["url"]) == ("path_not_granted", OTHERS)
        assert (second["reason"], second["url"]) == ("reserved_parameter", OWN)
        assert (metrics["Granted"], metrics["Refused"]) == (0, 2)
