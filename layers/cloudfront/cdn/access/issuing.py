"""What callers may open is signed for them; what the grants refuse is not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cdn.access import url_patterns
from cdn.access.grants import Allowed, Refused
from cdn.errors import AccessRefusedError, CookieUnreachableError, Refusal, UrlPatternError
from cdn.signing import policies, signing
from cdn.signing.policies import Policy
from cdn.signing.signing import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cdn.access.grants import Grants, Way
    from cdn.signing.key_pairs import Signer
    from cdn.signing.signing import SignedPolicy

# Clocks of edges and viewers differ by less.
SKEW_S = 60

# An expiry moves in steps of a tenth of the lifetime, so that what is asked for twice in a step
# is the same URL, and cached as one.
_STEPS = 10

_REMEMBERED = 4_096

LAST_SECOND = policies.LAST_SECOND


@dataclass(frozen=True, slots=True)
class CookieRules:
    """
    How cookies reach browsers; see `settings.SignAccessSettings`.

    Attributes:
        cross_site: Whether pages of other sites show what the cookies open.
    """

    host: str | None
    domain: str | None
    cross_site: bool

    def scope(self, resource: str, *, by_cloudfront: bool) -> Scope:
        """
        Decide which attributes the cookies for *resource* have.

        Args:
            by_cloudfront: Whether the request came through CloudFront: only then is the answer
                one of `host`, whose cookies are for it alone.

        Raises:
            CookieUnreachableError: No cookie set here reaches that host.

        >>> CookieRules("media.example.com", None, cross_site=False).scope(
        ...     "https://media.example.com/users/42/*", by_cloudfront=True
        ... )
        Scope(path='/users/42/', domain=None, same_site='Lax', partitioned=False, max_age_s=None)
        """
        host = resource.split("/")[2]
        domain = None
        if host != self.host or not by_cloudfront:
            domain = self.domain
            if domain is None or not f".{host}".endswith(f".{domain}"):
                raise CookieUnreachableError(host)
        return Scope(
            path=url_patterns.cookie_path(resource),
            domain=domain,
            # Browsers store a cookie across sites only so: https://developer.mozilla.org/docs/Web/Privacy/Guides/Privacy_sandbox/Partitioned_cookies
            same_site="None" if self.cross_site else "Lax",
            partitioned=self.cross_site,
        )


class Desk(NamedTuple):
    """All that signing works with."""

    grants: Grants
    signer: Signer
    cookies: CookieRules
    now: Callable[[], float]


class Caller(NamedTuple):
    """
    Who asks.

    Attributes:
        claims: As JSON in the verified token itself.
        ip: The viewer's IPv4 address, where it can be trusted.
        by_cloudfront: Whether the request came through CloudFront; see `comes_by_cloudfront`.
    """

    claims: Mapping[str, Any]
    ip: str | None
    by_cloudfront: bool


class Wanted(NamedTuple):
    """
    What is asked for.

    Attributes:
        expires_in_s: For how long; None for as long as the grant allows.
        starts_at_s: Not before; earlier by a minute, for viewers' and edges' clocks.
    """

    resources: Sequence[str]
    expires_in_s: int | None = None
    starts_at_s: int | None = None


class Opened(NamedTuple):
    """
    One resource that was opened.

    Attributes:
        text: The signed URL; of a wildcard the query that opens each URL that it covers; of
            cookies their path.
    """

    resource: str
    text: str
    expires_at_s: int
    grant: str
    headers: tuple[str, ...] = ()


def sign_urls(desk: Desk, caller: Caller, wanted: Wanted) -> list[Opened]:
    """
    Sign each of the URLs, or none.

    Raises:
        AccessRefusedError: At least one may not be opened.
    """
    opened = []
    for allowed, expires_at_s in _allowed(desk, caller, wanted, by="url"):
        text = _signed(
            desk.signer,
            allowed.resource,
            expires_at_s,
            allowed.longest_s,
            wanted.starts_at_s,
            caller.ip if allowed.bind_ip else None,
        )
        opened.append(Opened(allowed.resource, text, expires_at_s, allowed.grant))
    return opened


def sign_cookies(desk: Desk, caller: Caller, wanted: Wanted) -> list[Opened]:
    """
    Write a set of cookies for each of the resources, or for none.

    Raises:
        AccessRefusedError: At least one may not be opened, or two would overwrite one another.
        CookieUnreachableError: No cookie set here reaches the host of one.
    """
    found = _allowed(desk, caller, wanted, by="cookies")
    opened = [allowed.resource for allowed, _ in found]
    scopes = _scopes(desk.cookies, opened, by_cloudfront=caller.by_cloudfront)
    return [
        Opened(
            allowed.resource,
            scope.path,
            expires_at_s,
            allowed.grant,
            tuple(
                signing.set_cookies(
                    _policy(
                        desk.signer,
                        allowed.resource,
                        expires_at_s,
                        allowed.longest_s,
                        wanted.starts_at_s,
                        caller.ip if allowed.bind_ip else None,
                    ).cookies(),
                    scope,
                )
            ),
        )
        for (allowed, expires_at_s), scope in zip(found, scopes, strict=True)
    ]


def clear_cookies(
    rules: CookieRules, wanted: Sequence[str], *, by_cloudfront: bool
) -> list[Opened]:
    """
    Write what makes browsers forget the cookies of *wanted*; it opens nothing, so needs no grant.

    Raises:
        AccessRefusedError: One is no resource.
        CookieUnreachableError: No cookie set here reaches the host of one.
    """
    read, refused = [], []
    for index, text in enumerate(wanted):
        try:
            resource = url_patterns.read(text)
            url_patterns.check_for_cookies(resource)
            read.append(resource.text)
        except UrlPatternError as exc:
            refused.append(Refusal(index, exc.reason, exc.detail, malformed=True))
    if refused:
        raise AccessRefusedError(refused)
    return [
        Opened(resource, scope.path, 0, "", tuple(signing.clear_cookies(scope)))
        for resource, scope in zip(
            read, _scopes(rules, read, by_cloudfront=by_cloudfront), strict=True
        )
    ]


def expiry(now_s: float, lifetime_s: int) -> int:
    """
    Round an expiry down to a step, so that it is never later than allowed.

    >>> expiry(1_000.5, 600), expiry(1_019.9, 600), expiry(1_020, 600)
    (1560, 1560, 1620)
    """
    step_s = max(1, lifetime_s // _STEPS)
    return int(now_s + lifetime_s) // step_s * step_s


def comes_by_cloudfront(event: Mapping[str, Any]) -> bool:
    """
    Tell whether a request came through CloudFront, which adds a header to each.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html

    >>> comes_by_cloudfront({"headers": {"x-amz-cf-id": "…"}})
    True
    """
    return "x-amz-cf-id" in event.get("headers", {})


def viewer_ip(event: Mapping[str, Any], *, trusted: str) -> str | None:
    """
    Tell the viewer's IPv4 address from a request, or None where it cannot be trusted.

    Args:
        trusted: `connection` where viewers reach the API themselves; `cloudfront` where they can
            only through CloudFront, which tells their address in a header; else `none`.

    >>> request = {"headers": {}, "requestContext": {"http": {"sourceIp": "192.0.2.1"}}}
    >>> viewer_ip(request, trusted="connection"), viewer_ip(request, trusted="none")
    ('192.0.2.1', None)
    """
    headers = event.get("headers", {})
    if trusted == "none":
        return None
    text = ""
    if trusted == "cloudfront":
        # With the port: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
        text = headers.get("cloudfront-viewer-address", "").rpartition(":")[0]
    elif trusted == "connection" and not comes_by_cloudfront(event):
        # Else the connection is CloudFront's, and the address an edge's.
        text = event["requestContext"]["http"]["sourceIp"]
    return _ipv4(text)


@lru_cache(maxsize=_REMEMBERED)
def _ipv4(text: str) -> str | None:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None


def _allowed(desk: Desk, caller: Caller, wanted: Wanted, *, by: Way) -> list[tuple[Allowed, int]]:
    found, refused = [], []
    now_s = desk.now()
    held = desk.grants.held_by(caller.claims)
    for index, resource in enumerate(wanted.resources):
        answer = held.decide(resource, by=by, wanted_s=wanted.expires_in_s)
        if isinstance(answer, Refused):
            told: Refusal | None = Refusal(
                index, answer.reason, answer.detail, malformed=answer.malformed
            )
        else:
            expires_at_s = expiry(now_s, wanted.expires_in_s or answer.longest_s)
            told = _refusal(index, answer, caller, wanted, expires_at_s)
            found.append((answer, expires_at_s))
        if told is not None:
            refused.append(told)
    if refused:
        raise AccessRefusedError(refused)
    return found


def _refusal(
    index: int, answer: Allowed, caller: Caller, wanted: Wanted, expires_at_s: int
) -> Refusal | None:
    if answer.bind_ip and caller.ip is None:
        return Refusal(
            index,
            "address_unknown",
            "this opens only for your own IPv4 address, which cannot be told here",
        )
    if wanted.starts_at_s is not None and wanted.starts_at_s - SKEW_S >= expires_at_s:
        return Refusal(
            index, "start_too_late", "it would end before it starts; ask later", malformed=True
        )
    return None


def _scopes(rules: CookieRules, opened: Sequence[str], *, by_cloudfront: bool) -> list[Scope]:
    overlap = url_patterns.overlapping(opened, any_host=rules.domain is not None)
    if overlap:
        first, second = overlap
        raise AccessRefusedError(
            [
                Refusal(
                    opened.index(second),
                    "overlapping_paths",
                    f"a browser would send these cookies and those of {first} together; ask for "
                    "one of them",
                    malformed=True,
                )
            ]
        )
    return [rules.scope(resource, by_cloudfront=by_cloudfront) for resource in opened]


@lru_cache(maxsize=_REMEMBERED)
def _signed(
    signer: Signer,
    resource: str,
    expires_at_s: int,
    longest_s: int,
    starts_at_s: int | None,
    ip: str | None,
) -> str:
    if resource.endswith("*"):
        policy = _policy(signer, resource, expires_at_s, longest_s, starts_at_s, ip)
        return "&".join(f"{name}={value}" for name, value in policy.parameters.items())
    return signing.sign_url(
        signer,
        resource,
        expires_at_s=expires_at_s,
        # As it was rounded, it is in time.
        now_s=expires_at_s - longest_s,
        longest_s=longest_s,
        starts_at_s=None if starts_at_s is None else starts_at_s - SKEW_S,
        source_ip=ip,
    )


@lru_cache(maxsize=_REMEMBERED)
def _policy(
    signer: Signer,
    resource: str,
    expires_at_s: int,
    longest_s: int,
    starts_at_s: int | None,
    ip: str | None,
) -> SignedPolicy:
    policy = Policy(
        resource=resource,
        expires_at_s=expires_at_s,
        starts_at_s=None if starts_at_s is None else starts_at_s - SKEW_S,
        source_ip=ip,
    )
    return signing.sign(signer, policy, now_s=expires_at_s - longest_s, longest_s=longest_s)
