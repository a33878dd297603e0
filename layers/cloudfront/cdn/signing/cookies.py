"""Signed cookies as Set-Cookie headers: to which requests a browser adds them, and for how long.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-cookies.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cdn.errors import CookieError
from cdn.signing import urls

SameSite = Literal["Strict", "Lax", "None"]


@dataclass(frozen=True, slots=True)
class Scope:
    """
    To which requests a browser adds the cookies. Script never sees them, plain HTTP neither.

    Attributes:
        path: A prefix of paths such as `/album/`. It knows no wildcards.
        domain: Also the hosts below this one; without it only the host that set the cookies.
        same_site: `None` where pages of other sites show what the cookies open.
        partitioned: Kept apart for each site that embeds it. Browsers store no other cookie
            across sites when they block third-party cookies.
        max_age_s: Kept so long; without it, until the browser closes, as AWS recommends.

    Raises:
        CookieError: No browser would keep, or send back, such a cookie.

    >>> Scope(path="/album/*")
    Traceback (most recent call last):
    cdn.errors.CookieError: Path knows no wildcards; it is a prefix, such as /album/
    """

    path: str = "/"
    domain: str | None = None
    same_site: SameSite = "Lax"
    partitioned: bool = False
    max_age_s: int | None = None

    def __post_init__(self) -> None:
        if "*" in self.path:
            raise CookieError("Path", "knows no wildcards; it is a prefix, such as /album/")
        if not re.fullmatch(r"/[!-:<-~]*", self.path):
            raise CookieError("Path", "must start with / and be written as in URLs, without ;")
        if self.domain is not None and not _DOMAIN.fullmatch(self.domain):
            raise CookieError("Domain", "must be a domain that you own, such as example.com")
        if self.domain is not None and self.domain.lower() == "cloudfront.net":
            raise CookieError("Domain", "cloudfront.net is everybody's, so browsers refuse it")
        if self.same_site not in {"Strict", "Lax", "None"}:
            raise CookieError("SameSite", "must be Strict, Lax or None")
        if self.max_age_s is not None and (type(self.max_age_s) is not int or self.max_age_s < 1):
            raise CookieError("Max-Age", "must be a whole number of seconds, and at least one")


_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
_COOKIES = tuple(f"CloudFront-{name}" for name in urls.PARAMETERS)
_GONE = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"


def set_cookies(cookies: Mapping[str, str], scope: Scope) -> list[str]:
    """
    Write a Set-Cookie header for each of *cookies* (`SignedPolicy.cookies`).

    Cookies of CloudFront's that this set does not have are cleared, since one left over from
    another set (a Hash-Algorithm, an Expires) would spoil this one.

    >>> set_cookies({"CloudFront-Key-Pair-Id": "K2JCJMDEHXQW5F"}, Scope(path="/album/"))[-2]
    'CloudFront-Key-Pair-Id=K2JCJMDEHXQW5F; Path=/album/; Secure; HttpOnly; SameSite=Lax'
    """
    lasting = "" if scope.max_age_s is None else f"; Max-Age={scope.max_age_s}"
    attributes = _attributes(scope)
    return [
        f"{name}={cookies[name]}{attributes}{lasting}"
        if name in cookies
        else f"{name}={attributes}{_GONE}"
        for name in _COOKIES
    ]


def clear_cookies(scope: Scope) -> list[str]:
    """
    Write the Set-Cookie headers that make a browser forget what `set_cookies` set for *scope*.

    >>> clear_cookies(Scope())[0]
    'CloudFront-Expires=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT'
    """  # noqa: E501  # a header is one line
    return set_cookies({}, scope)


def _attributes(scope: Scope) -> str:
    domain = "" if scope.domain is None else f"; Domain={scope.domain}"
    partitioned = "; Partitioned" if scope.partitioned else ""
    return f"; Path={scope.path}{domain}; Secure; HttpOnly; SameSite={scope.same_site}{partitioned}"
