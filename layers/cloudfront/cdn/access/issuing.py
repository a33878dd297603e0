"""What grants allow is signed for callers; what they do not allow is not."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from cdn.access import url_patterns
from cdn.access.grants import Allow, Deny
from cdn.errors import AccessRefusedError, Refusal, UrlError, UrlPatternError
from cdn.signing import cookies, policies, signing
from cdn.signing.policies import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cdn.access.cookie_rules import CookieRules
    from cdn.access.grants import AccessMethod, Grants
    from cdn.signing.key_pairs import Signer
    from cdn.signing.signing import SignedPolicy

# The clocks of edges and viewers differ by less.
SKEW_S = 60

# An expiry moves in steps of a tenth of the lifetime, so that equal requests within a step get
# the same URL, which browsers cache as one.
_STEPS = 10

_MAX_CACHED = 4_096

LAST_SECOND = policies.LAST_SECOND


class IssuingContext(NamedTuple):
    """What signing works with."""

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
        by_cloudfront: Whether the request came through CloudFront.
    """

    claims: Mapping[str, Any]
    ip: str | None
    by_cloudfront: bool


class SigningRequest(NamedTuple):
    """
    What a caller wants signed.

    Attributes:
        expires_in_s: For how long; None for as long as the grant allows.
        starts_at_s: Not before; earlier by a minute, for viewers' and edges' clocks.
    """

    url_patterns: Sequence[str]
    expires_in_s: int | None = None
    starts_at_s: int | None = None


class SignedAccess(NamedTuple):
    """
    One URL or URL pattern that was signed.

    Attributes:
        text: The signed URL; of a wildcard the query that opens each URL that it covers; of
            cookies their path.
    """

    url_pattern: str
    text: str
    expires_at_s: int
    grant: str
    headers: tuple[str, ...] = ()


class Signature(NamedTuple):
    """
    A signature that is allowed, and until when; what was signed before is used again.

    Attributes:
        starts_at_s: As in the policy.
        source_ip: As in the policy.
    """

    allow: Allow
    expires_at_s: int
    starts_at_s: int | None = None
    source_ip: str | None = None

    def url(self, signer: Signer, *, now_s: float) -> str:
        """
        Return the signed URL; of a wildcard the query.

        Raises:
            PolicyError: The expiry is past, or later than the grant allows.
        """
        self._check_lifetime(now_s)
        return _signed_url(
            signer,
            self.allow.url_pattern,
            self.expires_at_s,
            self.starts_at_s,
            self.source_ip,
        )

    def policy(self, signer: Signer, *, now_s: float) -> SignedPolicy:
        """
        Return the signed policy.

        Raises:
            PolicyError: The expiry is past, or later than the grant allows.
        """
        self._check_lifetime(now_s)
        return _signed_policy(
            signer,
            self.allow.url_pattern,
            self.expires_at_s,
            self.starts_at_s,
            self.source_ip,
        )

    def _check_lifetime(self, now_s: float) -> None:
        # Each time, since a cached signature may be older than the grant.
        signing.check_lifetime(
            self.expires_at_s, now_s=now_s, max_lifetime_s=self.allow.max_lifetime_s
        )


def sign_urls(
    context: IssuingContext, caller: Caller, request: SigningRequest
) -> list[SignedAccess]:
    """
    Sign each of the URLs, or none.

    Raises:
        AccessRefusedError: At least one may not be opened.
    """
    now_s = context.now()
    accesses, refusals = [], []
    signatures = _allowed(context, caller, request, method="url", now_s=now_s)
    for index, signature in enumerate(signatures):
        try:
            text = signature.url(context.signer, now_s=now_s)
        except UrlError as exc:
            # The caller's own URL was short enough; its signature makes it too long.
            refusals.append(Refusal(index, "too_long", f"the URL's {exc}", malformed=True))
            continue
        accesses.append(
            SignedAccess(
                signature.allow.url_pattern,
                text,
                signature.expires_at_s,
                signature.allow.grant,
            )
        )
    if refusals:
        raise AccessRefusedError(refusals)
    return accesses


def sign_cookies(
    context: IssuingContext, caller: Caller, request: SigningRequest
) -> list[SignedAccess]:
    """
    Write a set of cookies for each of the URL patterns, or for none.

    Raises:
        AccessRefusedError: At least one may not be opened, or two would overwrite one another.
        CookieUnreachableError: No cookie set here reaches the host of one.
    """
    now_s = context.now()
    signatures = _allowed(context, caller, request, method="cookies", now_s=now_s)
    scopes = context.cookies.scopes(
        [signature.allow.url_pattern for signature in signatures],
        by_cloudfront=caller.by_cloudfront,
    )
    return [
        SignedAccess(
            signature.allow.url_pattern,
            scope.path,
            signature.expires_at_s,
            signature.allow.grant,
            tuple(
                cookies.set_cookies(
                    signature.policy(context.signer, now_s=now_s).cookies(),
                    scope,
                )
            ),
        )
        for signature, scope in zip(signatures, scopes, strict=True)
    ]


def clear_cookies(
    rules: CookieRules, texts: Sequence[str], *, by_cloudfront: bool
) -> list[SignedAccess]:
    """
    Write headers that make browsers forget the cookies of these URL patterns; it needs no grant.

    Raises:
        AccessRefusedError: One is no URL pattern.
        CookieUnreachableError: No cookie set here reaches the host of one.
    """
    patterns, refusals = [], []
    for index, text in enumerate(texts):
        try:
            url_pattern = url_patterns.read(text)
            url_patterns.check_for_cookies(url_pattern)
            patterns.append(url_pattern.text)
        except UrlPatternError as exc:
            refusals.append(Refusal(index, exc.reason, exc.detail, malformed=True))
    if refusals:
        raise AccessRefusedError(refusals)
    return [
        SignedAccess(pattern, scope.path, 0, "", tuple(cookies.clear_cookies(scope)))
        for pattern, scope in zip(
            patterns, rules.scopes(patterns, by_cloudfront=by_cloudfront), strict=True
        )
    ]


def expiry(now_s: float, lifetime_s: int) -> int:
    """
    Return when *lifetime_s* ends, rounded down to a step, so that it is never later than allowed.

    >>> expiry(1_000.5, 600), expiry(1_019.9, 600), expiry(1_020, 600)
    (1560, 1560, 1620)
    """
    step_s = max(1, lifetime_s // _STEPS)
    return int(now_s + lifetime_s) // step_s * step_s


def _allowed(
    context: IssuingContext,
    caller: Caller,
    request: SigningRequest,
    *,
    method: AccessMethod,
    now_s: float,
) -> list[Signature]:
    signatures, refusals = [], []
    effective = context.grants.effective_for(caller.claims)
    starts_at_s = None if request.starts_at_s is None else max(0, request.starts_at_s - SKEW_S)
    for index, url_pattern in enumerate(request.url_patterns):
        decision = effective.decide(url_pattern, method=method, lifetime_s=request.expires_in_s)
        if isinstance(decision, Deny):
            refusals.append(
                Refusal(index, decision.reason, decision.detail, malformed=decision.malformed)
            )
            continue
        signature = Signature(
            decision,
            expiry(now_s, request.expires_in_s or decision.max_lifetime_s),
            starts_at_s,
            caller.ip if decision.bind_ip else None,
        )
        refusal = _refusal(index, signature)
        if refusal is not None:
            refusals.append(refusal)
        signatures.append(signature)
    if refusals:
        raise AccessRefusedError(refusals)
    return signatures


def _refusal(index: int, signature: Signature) -> Refusal | None:
    if signature.allow.bind_ip and signature.source_ip is None:
        return Refusal(
            index,
            "address_unknown",
            "this is signed only for your own IPv4 address, which is not known here",
        )
    if signature.starts_at_s is not None and signature.starts_at_s >= signature.expires_at_s:
        return Refusal(
            index,
            "start_too_late",
            "it would expire before it starts; ask again later",
            malformed=True,
        )
    return None


@lru_cache(maxsize=_MAX_CACHED)
def _signed_url(
    signer: Signer,
    url_pattern: str,
    expires_at_s: int,
    starts_at_s: int | None,
    source_ip: str | None,
) -> str:
    if url_pattern.endswith("*"):
        policy = _signed_policy(signer, url_pattern, expires_at_s, starts_at_s, source_ip)
        return "&".join(f"{name}={value}" for name, value in policy.parameters.items())
    return signing.sign_checked_url(
        signer,
        url_pattern,
        expires_at_s=expires_at_s,
        starts_at_s=starts_at_s,
        source_ip=source_ip,
    )


@lru_cache(maxsize=_MAX_CACHED)
def _signed_policy(
    signer: Signer,
    url_pattern: str,
    expires_at_s: int,
    starts_at_s: int | None,
    source_ip: str | None,
) -> SignedPolicy:
    policy = Policy(
        resource=url_pattern,
        expires_at_s=expires_at_s,
        starts_at_s=starts_at_s,
        source_ip=source_ip,
    )
    return signing.sign_checked(signer, policy)
