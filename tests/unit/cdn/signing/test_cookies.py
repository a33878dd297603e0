"""The Set-Cookie headers of signed cookies are what browsers keep and send back."""

import pytest

from cdn.errors import CookieError
from cdn.signing import cookies
from cdn.signing.cookies import Scope

COOKIES = {"CloudFront-Policy": "p", "CloudFront-Signature": "s", "CloudFront-Key-Pair-Id": "K1"}


class TestSetCookies:
    @pytest.mark.parametrize(
        ("scope", "attributes"),
        [
            (Scope(), "Path=/; Secure; HttpOnly; SameSite=Lax"),
            (
                Scope(path="/a/", domain="example.com", same_site="Strict"),
                "Path=/a/; Domain=example.com; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                Scope(same_site="None", partitioned=True, max_age_s=60),
                "Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=60",
            ),
        ],
    )
    def test_attributes(self, scope, attributes):
        """
        Every cookie has every attribute; without Max-Age it ends with the browser's session.
        """
        headers = cookies.set_cookies(COOKIES, scope)

        assert headers[1:4] == [
            f"CloudFront-Policy=p; {attributes}",
            f"CloudFront-Signature=s; {attributes}",
            f"CloudFront-Key-Pair-Id=K1; {attributes}",
        ]

    @pytest.mark.parametrize("scope", [Scope(), Scope("/a/", "example.com", "None", True, 60)])
    def test_others_cleared(self, scope):
        """
        What another set has left behind goes, for it would spoil this one.
        """
        headers = cookies.set_cookies(COOKIES, scope)

        assert [headers[0], headers[4]] == [
            cookies.clear_cookies(scope)[0],
            cookies.clear_cookies(scope)[4],
        ]

    @pytest.mark.parametrize(
        ("changes", "attribute"),
        [
            ({"path": "/images/*"}, "Path"),
            ({"path": "images/"}, "Path"),
            ({"path": ""}, "Path"),
            ({"path": "/a;Domain=evil.example"}, "Path"),
            ({"path": "/a\r\nX: y"}, "Path"),
            ({"path": "/ü"}, "Path"),
            ({"domain": "cloudfront.net"}, "Domain"),
            ({"domain": "com"}, "Domain"),
            ({"domain": ""}, "Domain"),
            ({"domain": "example.com; Path=/"}, "Domain"),
            ({"domain": "https://example.com"}, "Domain"),
            ({"same_site": "none"}, "SameSite"),
            ({"max_age_s": 0}, "Max-Age"),
            ({"max_age_s": 1.5}, "Max-Age"),
        ],
    )
    def test_scope_refused(self, changes, attribute):
        """
        An attribute with which no browser keeps or sends a cookie is refused.
        """
        with pytest.raises(CookieError) as refusal:
            Scope(**changes)

        assert attribute == refusal.value.what


class TestClearCookies:
    def test_same_attributes(self):
        """
        All five cookies are cleared with the attributes that they were set with, but Max-Age.
        """
        headers = cookies.clear_cookies(Scope("/a/", "example.com", "None", True, 60))

        names = ["Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"]
        assert headers == [
            f"CloudFront-{name}=; Path=/a/; Domain=example.com; Secure; HttpOnly; SameSite=None; "
            "Partitioned; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
            for name in names
        ]
