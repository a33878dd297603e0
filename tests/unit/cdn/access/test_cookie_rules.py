"""Cookies go to the hosts and paths that they open, or it is said that they cannot."""

import pytest

from cdn.access.cookie_rules import CookieRules
from cdn.errors import AccessRefusedError, CookieUnreachableError


class TestCookieRules:
    @pytest.mark.parametrize(
        ("host", "domain", "asked", "expected"),
        [
            ("media.example.com", None, "media.example.com", None),
            ("media.example.com", "example.com", "media.example.com", None),
            (None, "example.com", "media.example.com", "example.com"),
            (None, "example.com", "example.com", "example.com"),
            ("media.example.com", "example.com", "other.example.com", "example.com"),
        ],
    )
    def test_reached(self, host, domain, asked, expected):
        """
        The API's own distribution gets host-only cookies, others those of the shared domain.
        """
        scope = CookieRules(host, domain, cross_site=False).scope(
            f"https://{asked}/a/*", by_cloudfront=True
        )

        assert (scope.path, scope.domain) == ("/a/", expected)

    @pytest.mark.parametrize(
        ("host", "domain", "asked"),
        [
            (None, None, "media.example.com"),
            ("media.example.com", None, "other.example.com"),
            (None, "example.com", "badexample.com"),
            (None, "example.com", "example.com.evil.net"),
        ],
    )
    def test_unreachable(self, host, domain, asked):
        """
        Whatever no cookie from here would reach is said to be so.
        """
        with pytest.raises(CookieUnreachableError):
            CookieRules(host, domain, cross_site=False).scope(
                f"https://{asked}/a/*", by_cloudfront=True
            )

    def test_past_cloudfront(self):
        """
        Asked past CloudFront, the API cannot set cookies for the distribution's host.
        """
        with pytest.raises(CookieUnreachableError):
            CookieRules("media.example.com", None, cross_site=False).scope(
                "https://media.example.com/a/*", by_cloudfront=False
            )

    def test_overlap(self):
        """
        Of two sets that a browser would send together the second is refused.
        """
        rules = CookieRules("media.example.com", None, cross_site=False)
        patterns = ["https://media.example.com/a/*", "https://media.example.com/a/b/*"]

        with pytest.raises(AccessRefusedError) as caught:
            rules.scopes(patterns, by_cloudfront=True)

        (refusal,) = caught.value.refusals
        assert (refusal.index, refusal.reason) == (1, "overlapping_paths")
