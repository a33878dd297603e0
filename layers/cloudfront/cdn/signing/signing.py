"""Signed URLs and signed policies: what was written is signed, and nothing rewritten afterwards.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cdn.errors import PolicyError, UrlError
from cdn.signing import policies, urls
from cdn.signing.key_pairs import Signer
from cdn.signing.policies import Policy


def sign_url(
    signer: Signer,
    url: str,
    *,
    expires_at_s: int,
    now_s: float,
    max_lifetime_s: int,
    resource: str | None = None,
    starts_at_s: int | None = None,
    source_ip: str | None = None,
) -> str:
    """
    Sign *url*, percent-encoded where it must be: what comes back is to be used to the letter.

    The policy is the canned one where that can say it, and else a custom one, which travels
    in the URL.

    Args:
        max_lifetime_s: How long from *now_s* on anything may be allowed.
        resource: What the policy covers, if more than the URL; see `Policy`.
        starts_at_s: See `Policy`, as for *source_ip*.

    Raises:
        UrlError: The URL is none that CloudFront serves, is too long, not covered by *resource*,
            or has a `*` or a second `?` raw, which a canned policy would take as wildcards.
        PolicyError: The expiry is past, too far or no time; or another field is wrong.
    """
    check_lifetime(expires_at_s, now_s=now_s, max_lifetime_s=max_lifetime_s)
    return sign_checked_url(
        signer,
        url,
        expires_at_s=expires_at_s,
        resource=resource,
        starts_at_s=starts_at_s,
        source_ip=source_ip,
    )


def sign_checked_url(
    signer: Signer,
    url: str,
    *,
    expires_at_s: int,
    resource: str | None = None,
    starts_at_s: int | None = None,
    source_ip: str | None = None,
) -> str:
    """Sign as `sign_url` does, for a caller that has called `check_lifetime` itself."""
    url = urls.encode(url)
    if resource is None and ("*" in url or url.count("?") > 1):
        raise UrlError(
            "path" if "*" in url.partition("?")[0] else "query",
            "has a raw * or ?, which would open other URLs too; write it %2A or %3F",
        )
    if resource is None and starts_at_s is None and source_ip is None:
        # Worth its own lines: a Policy and its checks cost a tenth of an ECDSA signature.
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
    return sign_checked(signer, policy).url(url)


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
        Return the names and values of the cookies that open what this signature covers.

        >>> policy = Policy("https://d1.cloudfront.net/a/*", 1767290400)
        >>> signer = Signer("K2JCJMDEHXQW5F", "ECDSA-P256", "SHA256", lambda message: b"signed")
        >>> list(sign(signer, policy, now_s=1767290000, max_lifetime_s=3600).cookies())[1:3]
        ['CloudFront-Signature', 'CloudFront-Key-Pair-Id']
        """
        return {f"CloudFront-{name}": value for name, value in self.parameters.items()}


def sign(signer: Signer, policy: Policy, *, now_s: float, max_lifetime_s: int) -> SignedPolicy:
    """
    Sign *policy*, its resource percent-encoded where it must be, once for many URLs or cookies.

    It becomes a canned policy where that can say it. For URLs in one folder, this costs one
    signature in all; where each shall open by itself alone, use `sign_url`.

    Args:
        max_lifetime_s: How long from *now_s* on anything may be allowed.

    Raises:
        PolicyError: The expiry is past or too far, or the resource covers no URL.
        UrlError: The resource is one URL, and none that CloudFront serves.

    >>> signer = Signer("K2JCJMDEHXQW5F", "ECDSA-P256", "SHA256", lambda message: b"signed")
    >>> policy = Policy("https://d1.cloudfront.net/album/*", 1767290400)
    >>> album = sign(signer, policy, now_s=1767290000, max_lifetime_s=3600)
    >>> album.url("https://d1.cloudfront.net/album/1.jpg")[:49]
    'https://d1.cloudfront.net/album/1.jpg?Policy=eyJT'
    """
    check_lifetime(policy.expires_at_s, now_s=now_s, max_lifetime_s=max_lifetime_s)
    return sign_checked(signer, policy)


def sign_checked(signer: Signer, policy: Policy) -> SignedPolicy:
    """Sign as `sign` does, for a caller that has called `check_lifetime` itself."""
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


def check_lifetime(expires_at_s: int, *, now_s: float, max_lifetime_s: int) -> None:
    """
    Check that *expires_at_s* is after *now_s*, and at most *max_lifetime_s* after it.

    Raises:
        PolicyError: It is past, too far or no time.

    >>> check_lifetime(1767290400, now_s=1767290400, max_lifetime_s=3600)
    Traceback (most recent call last):
    cdn.errors.PolicyError: expires_at_s is 0 s ago
    """
    if (
        type(expires_at_s) is int
        and now_s < expires_at_s <= now_s + max_lifetime_s <= policies.LAST_SECOND
    ):
        return
    policies.check_time("expires_at_s", expires_at_s)
    if expires_at_s <= now_s:
        raise PolicyError("expires_at_s", f"is {now_s - expires_at_s:.0f} s ago")
    if expires_at_s - now_s > max_lifetime_s:
        raise PolicyError(
            "expires_at_s", f"is more than {max_lifetime_s} s ahead, the longest allowed"
        )


def _short_enough(url: str) -> str:
    if len(url) > urls.MAX_URL_BYTES:
        raise UrlError(
            "length", f"is {len(url)} bytes once signed; CloudFront takes {urls.MAX_URL_BYTES}"
        )
    return url


def _prefixes(resource: str) -> tuple[str, ...]:
    """Return a text such that every URL that begins with it is covered, as a shortcut."""
    # Sound even with more wildcards before the last one: each of them also matches itself.
    return (resource.removesuffix("*"),) if resource.endswith("*") else ()
