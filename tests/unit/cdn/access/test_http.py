"""Requests are read as API Gateway hands them over; responses are as openapi.json says."""

import json

import pytest

from cdn.access import http
from cdn.access.issuing import SignedAccess
from cdn.errors import RequestError


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

        assert http.viewer_ip(event, trusted=trusted) == expected


class TestSignedUrls:
    @pytest.mark.parametrize(
        ("url_pattern", "name"),
        [("https://m.example/a.jpg", "url"), ("https://m.example/a/*", "query")],
    )
    def test_signed(self, url_pattern, name):
        """
        What is written by hand is, to the letter, what json would write.
        """
        odd = 'https://m.example/"\\\n\u2028é'
        expected = {"url_pattern": url_pattern} if name == "query" else {}

        access = SignedAccess(url_pattern, odd, 1_790_000_000, "own")
        response = http.signed_urls([access], now_s=1_789_999_000.5)

        signed = [expected | {name: odd, "expires_at": 1_790_000_000}]
        assert response["body"] == json.dumps({"now": 1_789_999_000, "signed": signed})


class TestBody:
    def test_options(self):
        """
        A newer key is looked for only where the caller asks for it.
        """
        body = {"url_patterns": ["https://m.example/*"], "expires_in": 60, "refresh": True}

        request, refresh = http.read_body(
            {"body": json.dumps(body), "isBase64Encoded": False}, "cookies"
        )

        assert request == (["https://m.example/*"], 60, None)
        assert refresh is True

    @pytest.mark.parametrize("query", ["", "url_pattern=a&b=c", "resource=a"])
    def test_query(self, query):
        """
        A query of anything but URL patterns is refused.
        """
        with pytest.raises(RequestError):
            http.read_query({"rawQueryString": query})
