"""Tests of local.edge.cors."""

import pytest

from local.edge import cors

PAGE = "https://app.example.com"


def policy(*origins, **changes):
    config = {
        "AccessControlAllowOrigins": {"Quantity": len(origins), "Items": list(origins)},
        "AccessControlAllowHeaders": {"Quantity": 2, "Items": ["Range", "X-A"]},
        "AccessControlAllowMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
        "AccessControlAllowCredentials": True,
        "AccessControlExposeHeaders": {"Quantity": 1, "Items": ["ETag"]},
        "AccessControlMaxAgeSec": 60,
        "OriginOverride": True,
    }
    return {"Name": "pages", "CorsConfig": config | changes}


class TestAdd:
    def test_get(self):
        """
        A page that is named may read the answer with the viewer's cookies.
        """
        added = cors.add(policy(PAGE), "GET", {"origin": PAGE}, {"etag": '"1"'})

        assert added == {
            "etag": '"1"',
            "access-control-allow-origin": PAGE,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "ETag",
        }

    def test_preflight(self):
        """
        A preflight learns methods, headers, and for how long to remember them.
        """
        asked = {"origin": PAGE, "access-control-request-method": "GET"}

        added = cors.add(policy(PAGE), "OPTIONS", asked, {})

        assert added == {
            "access-control-allow-origin": PAGE,
            "access-control-allow-credentials": "true",
            "access-control-allow-methods": "GET, HEAD",
            "access-control-allow-headers": "Range, X-A",
            "access-control-max-age": "60",
        }

    def test_all_methods(self):
        """
        ALL stands for the seven methods that CloudFront knows.
        """
        asked = {"origin": PAGE, "access-control-request-method": "GET"}
        methods = {"Quantity": 1, "Items": ["ALL"]}

        added = cors.add(policy(PAGE, AccessControlAllowMethods=methods), "OPTIONS", asked, {})

        assert len(added["access-control-allow-methods"].split(", ")) == 7

    def test_any_origin(self):
        """
        A star answers with a star.
        """
        added = cors.add(
            policy("*", AccessControlAllowCredentials=False), "GET", {"origin": PAGE}, {}
        )

        assert added["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in added

    @pytest.mark.parametrize("asked", [{}, {"origin": "https://evil.example.com"}])
    def test_not_asked(self, asked):
        """
        Without an origin, or for one that is not named, nothing is added.
        """
        assert cors.add(policy(PAGE), "GET", asked, {"etag": "1"}) == {"etag": "1"}

    def test_no_cors(self):
        """
        A policy may say nothing of CORS.
        """
        assert cors.add({"Name": "none"}, "GET", {"origin": PAGE}, {}) == {}

    @pytest.mark.parametrize(("override", "kept"), [(True, PAGE), (False, "*")])
    def test_override(self, override, kept):
        """
        The origin's own headers give way, or keep all of the policy's away.
        """
        answer = {"access-control-allow-origin": "*"}

        added = cors.add(policy(PAGE, OriginOverride=override), "GET", {"origin": PAGE}, answer)

        assert added["access-control-allow-origin"] == kept
        assert ("access-control-allow-credentials" in added) is override


class TestIsOrigin:
    @pytest.mark.parametrize(
        ("pattern", "origins", "others"),
        [
            (
                "http://*.example.org",
                ["http://www.example.org", "http://test.example.org"],
                ["https://test.example.org", "http://test.example.org:123"],
            ),
            (
                "*.example.org",
                ["http://test.test.example.org", "https://test.example.org"],
                ["http://test.example.org:123", "https://example.org"],
            ),
            (
                "example.org",
                ["http://example.org", "https://example.org"],
                ["https://www.example.org"],
            ),
            (
                "http://example.org",
                ["http://example.org"],
                ["https://example.org", "http://example.org:123"],
            ),
            ("http://example.org:*", ["http://example.org:123", "http://example.org"], []),
            (
                "http://example.org:1*3",
                ["http://example.org:123", "http://example.org:1893", "http://example.org:13"],
                ["http://example.org:12"],
            ),
            ("*.example.org:1*", ["https://test.example.org:123"], ["https://test.example.org"]),
            ("https://a.example", ["https://a.example"], ["https://axexample"]),
            ("", [], ["https://a.example", ""]),
        ],
    )
    def test_guide(self, pattern, origins, others):
        """
        Patterns match as the table of CloudFront's guide has it.
        """
        assert all(cors.is_origin(pattern, origin) for origin in origins)
        assert not any(cors.is_origin(pattern, origin) for origin in others)
