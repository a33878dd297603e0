"""Signed URLs and signed cookies: what was written is signed, and nothing rewritten afterwards.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from cdn.errors import CookieError, PolicyError, UrlError
from cdn.signing import policies, urls
from cdn.signing.key_pairs import Signer
from cdn.signing.policies import Policy

SameSite = Literal["Strict", "Lax", "None"]


def sign_url(
    signer: Signer,
    url: str,
    *,
    expires_at_s: int,
    now_s: float,
    longest_s: int,
    resource: str | None = None,
    starts_at_s: int | None = None,
    source_ip: str | None = None,
) -> str:
    """
    Sign *url*, percent-encoded where it must be: what comes back is to be used to the letter.

    The policy is the canned one where that can say it, and else a custom one, which travels
    in the URL.

    Args:
        longest_s: How long from *now_s* on anything may be allowed.
        resource: What the policy covers, if more than the URL; see `Policy`.
        starts_at_s: See `Policy`, as for *source_ip*.

    Raises:
        UrlError: The URL is none that CloudFront serves, is too long, not covered by *resource*,
            or has a `*` or a second `?` raw, which a canned policy would take as wildcards.
        PolicyError: The expiry is past, too far or no time; or another field is wrong.
    """
    url = urls.encode(url)
    if resource is None and ("*" in url or url.count("?") > 1):
        raise UrlError(
            "path" if "*" in url.partition("?")[0] else "query",
            "has a raw * or ?, which would open other URLs too; write it %2A or %3F",
        )
    if resource is None and starts_at_s is None and source_ip is None:
        # Worth its own lines: a Policy and its checks cost a tenth of an ECDSA signature.
        _check_lifetime(expires_at_s, now_s, longest_s)
        signature = policies.encode(signer.sign(policies.canned(url, expires_at_s=expires_at_s)))
        algorithm = "" if signer.hash_algorithm == "SHA1" else "&Hash-Algorithm=SHA256"
        return _short_enough(
            f"{url}{'&' if '?' in url else '?'}Expires={expires_at_s}"
            f"&Signature={signature}&Key-Pair-Id={signer.key_id}{algorithm}"
        )
    policy = Policy(
        resource=url if resource is None else resource,
        expires_at_s=expires_at_s,
        starts_at_s=starts_at_s,
        source_ip=source_ip,
    )
    return sign(signer, policy, now_s=now_s, longest_s=longest_s).url(url)


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """
    One signature, good for every URL that its policy covers.

    Attributes:
        parameters: Expires or Policy, Signature, Key-Pair-Id, and Hash-Algorithm if not SHA1.
    """

    policy: Policy
    parameters: Mapping[str, str]
    _query: str
    _prefixes: tuple[str, ...]

    def url(self, url: str) -> str:
        """
        Open *url* with this signature; see `sign_url`.

        Raises:
            UrlError: The URL is not covered, or none that CloudFront serves, or too long.
        """
        url = urls.encode(url)
        if not url.startswith(self._prefixes):
            section = policies.mismatch(self.policy.resource, url)
            if section is not None:
                raise UrlError(section, "is not one that the policy's resource covers")
        return _short_enough(f"{url}{'&' if '?' in url else '?'}{self._query}")

    def cookies(self) -> dict[str, str]:
        """
        Name and write the cookies that open what this signature covers.

        >>> policy = Policy("https://d1.cloudfront.net/a/*", 1767290400)
        >>> signer = Signer("K2JCJMDEHXQW5F", "ECDSA-P256", "SHA256", lambda message: b"signed")
        >>> list(sign(signer, policy, now_s=1767290000, longest_s=3600).cookies())[1:3]
        ['CloudFront-Signature', 'CloudFront-Key-Pair-Id']
        """
        return {f"CloudFront-{name}": value for name, value in self.parameters.items()}


def sign(signer: Signer, policy: Policy, *, now_s: float, longest_s: int) -> SignedPolicy:
    """
    Sign *policy*, its resource percent-encoded where it must be, once for many URLs or cookies.

    It becomes a canned policy where that can say it. For URLs in one folder, this costs one
    signature in all; where each shall open by itself alone, use `sign_url`.

    Args:
        longest_s: How long from *now_s* on anything may be allowed.

    Raises:
        PolicyError: The expiry is past or too far, or the resource covers no URL.
        UrlError: The resource is one URL, and none that CloudFront serves.

    >>> signer = Signer("K2JCJMDEHXQW5F", "ECDSA-P256", "SHA256", lambda message: b"signed")
    >>> policy = Policy("https://d1.cloudfront.net/album/*", 1767290400)
    >>> album = sign(signer, policy, now_s=1767290000, longest_s=3600)
    >>> album.url("https://d1.cloudfront.net/album/1.jpg")[:49]
    'https://d1.cloudfront.net/album/1.jpg?Policy=eyJT'
    """
    _check_lifetime(policy.expires_at_s, now_s, longest_s)
    resource = policy.resource
    # With a ? it may be a wildcard or a query: a custom policy may have either.
    exact = not {"*", "?"} & set(resource)
    resource = urls.encode(resource) if exact else policies.encode_resource(resource)
    policy = replace(policy, resource=resource)
    if exact and policy.starts_at_s is None and policy.source_ip is None:
        message = policies.canned(resource, expires_at_s=policy.expires_at_s)
        allowed = {"Expires": f"{policy.expires_at_s}"}
    else:
        message = policies.custom(policy)
        allowed = {"Policy": policies.encode(message)}
    parameters = allowed | {
        "Signature": policies.encode(signer.sign(message)),
        "Key-Pair-Id": signer.key_id,
    }
    if signer.hash_algorithm != "SHA1":
        parameters["Hash-Algorithm"] = signer.hash_algorithm
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return SignedPolicy(policy, parameters, query, _prefixes(resource))


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


def _check_lifetime(expires_at_s: int, now_s: float, longest_s: int) -> None:
    if (
        type(expires_at_s) is int
        and now_s < expires_at_s <= now_s + longest_s <= policies.LAST_SECOND
    ):
        return
    policies.check_time("expires_at_s", expires_at_s)
    if expires_at_s <= now_s:
        raise PolicyError("expires_at_s", f"is {now_s - expires_at_s:.0f} s ago")
    if expires_at_s - now_s > longest_s:
        raise PolicyError("expires_at_s", f"is more than {longest_s} s ahead, the longest allowed")


def _short_enough(url: str) -> str:
    if len(url) > urls.LONGEST_URL:
        raise UrlError(
            "length", f"is {len(url)} bytes once signed; CloudFront takes {urls.LONGEST_URL}"
        )
    return url


def _prefixes(resource: str) -> tuple[str, ...]:
    """Find a text such that all URLs that begin with it are covered, to tell so quickly."""
    # Sound even with more wildcards before the last one: each of them also matches itself.
    return (resource.removesuffix("*"),) if resource.endswith("*") else ()
