"""What is signed is never wider, longer or elsewhere than what was allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.access import grants, issuing, url_patterns
from cdn.access.issuing import CookieRules
from cdn.errors import CookieUnreachableError, UrlPatternError
from cdn.signing import urls


class TestExpiry:
    @given(st.floats(1e9, 4e9), st.integers(1, grants.LONGEST_S))
    def test_bounds(self, now_s, lifetime_s):
        """
        An expiry lies in the future, is never later than allowed, and hardly earlier.
        """
        expires_at_s = issuing.expiry(now_s, lifetime_s)

        assert now_s < expires_at_s <= now_s + lifetime_s
        assert expires_at_s >= int(now_s + lifetime_s - lifetime_s / 10 - 1)


class TestEncoding:
    @given(st.text("ab/%2.é +&=?;'\"(~*", max_size=20))
    def test_agree(self, text):
        """
        What the grants check is, to the letter, what is signed.
        """
        try:
            resource = url_patterns.read(f"https://media.example.com/{text}")
        except UrlPatternError:
            return

        assert urls.encode(resource.text) == resource.text


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


class TestViewerIp:
    @pytest.mark.parametrize(
        ("trusted", "source", "headers", "expected"),
        [
            ("none", "192.0.2.1", {}, None),
            ("connection", "192.0.2.1", {}, "192.0.2.1"),
            ("connection", "2001:db8::1", {}, None),
            ("connection", "192.0.2.1", {"x-amz-cf-id": "edge"}, None),
            (
                "connection",
                "192.0.2.1",
                {"cloudfront-viewer-address": "198.51.100.1:4711"},
                "192.0.2.1",
            ),
            (
                "cloudfront",
                "192.0.2.1",
                {"cloudfront-viewer-address": "198.51.100.1:4711"},
                "198.51.100.1",
            ),
            ("cloudfront", "192.0.2.1", {"cloudfront-viewer-address": "2001:db8::1:4711"}, None),
            ("cloudfront", "192.0.2.1", {}, None),
        ],
    )
    def test_trusted(self, trusted, source, headers, expected):
        """
        Only the address that the setting trusts counts, and only if it is IPv4.
        """
        event = {"headers": headers, "requestContext": {"http": {"sourceIp": source}}}

        assert issuing.viewer_ip(event, trusted=trusted) == expected
