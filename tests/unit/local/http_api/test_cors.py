"""Other origins hear what the API's configuration says, and nothing else."""

import pytest

from local.function import Cors
from local.http_api import cors

SITE = "https://www.example.org"
CORS = Cors(
    allow_origins=(SITE,),
    allow_methods=("GET", "POST"),
    allow_headers=("authorization", "content-type"),
    expose_headers=("date",),
    allow_credentials=True,
    max_age_s=600,
)


class TestPreflight:
    def test_allowed(self):
        """
        An allowed origin learns all that is allowed.
        """
        assert dict(cors.preflight(CORS, origin=SITE)) == {
            "access-control-allow-origin": SITE,
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET,POST",
            "access-control-allow-headers": "authorization,content-type",
            "access-control-max-age": "600",
        }

    @pytest.mark.parametrize(
        "origin",
        ["https://example.org", "http://www.example.org", f"{SITE}.evil.example", f"{SITE}:8443"],
    )
    def test_exact(self, origin):
        """
        An origin that is not named exactly learns nothing.
        """
        assert cors.preflight(CORS, origin=origin) == ()

    @pytest.mark.parametrize(
        ("pattern", "origin", "shown"),
        [
            ("*", "http://a", "*"),
            ("https://*", "https://a", "https://a"),
            ("https://*", "http://a", None),
        ],
    )
    def test_wildcard(self, pattern, origin, shown):
        """
        All origins, or all of one scheme, may be allowed.
        """
        answer = dict(cors.preflight(Cors(allow_origins=(pattern,)), origin=origin))

        assert answer == ({"access-control-allow-origin": shown} if shown else {})

    @pytest.mark.parametrize(
        ("method", "headers", "is_one"),
        [
            ("OPTIONS", {"origin": SITE, "access-control-request-method": "GET"}, True),
            ("OPTIONS", {"origin": SITE}, False),
            ("OPTIONS", {"access-control-request-method": "GET"}, False),
            ("GET", {"origin": SITE, "access-control-request-method": "GET"}, False),
        ],
    )
    def test_recognised(self, method, headers, is_one):
        """
        A preflight names the origin and the method to come.
        """
        assert cors.is_preflight(method, headers) == is_one


class TestAnswer:
    OWN = (("access-control-allow-origin", "*"), ("x-own", "1"))

    def test_allowed(self):
        """
        The API's own headers take the place of the function's.
        """
        answer = cors.answer(CORS, origin=SITE, headers=self.OWN)

        assert dict(answer) == {
            "x-own": "1",
            "access-control-allow-origin": SITE,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "date",
        }

    @pytest.mark.parametrize("origin", [None, "https://evil.example"])
    def test_not_allowed(self, origin):
        """
        Without an allowed origin there are none at all.
        """
        assert cors.answer(CORS, origin=origin, headers=self.OWN) == (("x-own", "1"),)

    def test_unconfigured(self):
        """
        Where the API says nothing of origins, the function's headers stay.
        """
        assert cors.answer(None, origin=SITE, headers=self.OWN) == self.OWN
