"""The shape of requests and responses: API Gateway's payload 2.0, openapi.json, problem details.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import ipaddress
import json
from base64 import b64decode
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from cdn.access.cached import REFRESH_AFTER_S
from cdn.access.issuing import LAST_SECOND, SigningRequest
from cdn.errors import (
    AccessRefusedError,
    CookieUnreachableError,
    NoKeyYetError,
    RequestError,
    TokenError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cdn.access.grants import AccessMethod
    from cdn.access.issuing import SignedAccess
    from cdn.errors import CdnError

Response = dict[str, Any]

_MAX_URL_PATTERNS = 100
_MAX_CACHED = 4_096
_NO_KEY_RETRY_AFTER_S = 60
_OPTIONS = ("expires_in", "starts_at", "refresh")


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def authorization(event: Mapping[str, Any]) -> str:
    """Return the Authorization header, or nothing."""
    header: str = event["headers"].get("authorization", "")
    return header


def verified_claims(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the claims that the JWT authorizer hands over, every one of them as a text."""
    claims: Mapping[str, Any] | None = (
        event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims")
    )
    return claims


def comes_by_cloudfront(event: Mapping[str, Any]) -> bool:
    """
    Return whether a request came through CloudFront, which adds a header to each.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html

    >>> comes_by_cloudfront({"headers": {"x-amz-cf-id": "…"}})
    True
    """
    return "x-amz-cf-id" in event.get("headers", {})


def viewer_ip(event: Mapping[str, Any], *, trusted: str) -> str | None:
    """
    Return the viewer's IPv4 address, or None where it cannot be trusted.

    Args:
        trusted: `connection` where viewers reach the API themselves; `cloudfront` where they can
            only through CloudFront, which has their address in a header; else `none`.

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


class SigningBody(NamedTuple):
    """The body of a POST; *refresh* is whether it asks for a newer signing key."""

    request: SigningRequest
    refresh: bool


def read_body(event: Mapping[str, Any], method: AccessMethod) -> SigningBody:
    """
    Read the body of a POST.

    Raises:
        RequestError: It is not as openapi.json says.
    """
    field = "urls" if method == "url" else "url_patterns"
    text = event.get("body", "")
    try:
        body = json.loads(b64decode(text) if event["isBase64Encoded"] else text)
    except (ValueError, RecursionError):
        raise RequestError("the body must be JSON") from None
    if isinstance(body, dict) and body.keys() == {field}:
        return SigningBody(SigningRequest(_checked(field, body[field])), refresh=False)
    if not isinstance(body, dict) or not body.keys() <= {field, *_OPTIONS}:
        raise RequestError(
            f"the body must be an object with {field} and, if needed, expires_in, starts_at and "
            "refresh"
        )
    for name in ("expires_in", "starts_at"):
        number = body.get(name, 1)
        if type(number) is not int or not 0 < number <= LAST_SECOND:
            raise RequestError(f"{name} must be a whole number of seconds, at least 1")
    if type(body.get("refresh", False)) is not bool:
        raise RequestError("refresh must be true or false")
    request = SigningRequest(
        _checked(field, body.get(field)), body.get("expires_in"), body.get("starts_at")
    )
    return SigningBody(request, refresh=body.get("refresh", False))


def read_query(event: Mapping[str, Any]) -> list[str]:
    """
    Read the URL patterns of a DELETE.

    Raises:
        RequestError: It is not as openapi.json says.
    """
    # API Gateway joins what comes twice with commas, which a URL may have in it.
    parameters = parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True)
    if any(name != "url_pattern" for name, _ in parameters):
        raise RequestError(
            "the query must have url_pattern=…, once for each URL pattern, and nothing else"
        )
    return _checked("url_pattern", [value for _, value in parameters])


def _checked(field: str, texts: object) -> list[str]:
    if (
        not isinstance(texts, list)
        or not 1 <= len(texts) <= _MAX_URL_PATTERNS
        or not {str}.issuperset(map(type, texts))
    ):
        raise RequestError(f"{field} must be 1 to {_MAX_URL_PATTERNS} texts")
    return texts


@lru_cache(maxsize=_MAX_CACHED)
def _ipv4(text: str) -> str | None:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return None


# ── Responses ─────────────────────────────────────────────────────────────────────────────────────


def description(openapi: bytes) -> Response:
    """Return the API's description of itself."""
    return _response(200, json.dumps(json.loads(openapi)))


def signed_urls(accesses: Sequence[SignedAccess], *, now_s: float) -> Response:
    """Return the signed URLs and queries."""
    signed = ", ".join([_signed_url(access) for access in accesses])
    return _response(200, f'{{"now": {int(now_s)}, "signed": [{signed}]}}')


def signed_cookies(accesses: Sequence[SignedAccess], *, now_s: float) -> Response:
    """Set the cookies, and return which they are."""
    cookies = [
        {
            "url_pattern": access.url_pattern,
            "path": access.text,
            "expires_at": access.expires_at_s,
        }
        for access in accesses
    ]
    return _response(200, json.dumps({"now": int(now_s), "cookies": cookies}), accesses=accesses)


def cleared_cookies(accesses: Sequence[SignedAccess], *, now_s: float) -> Response:
    """Clear the cookies, and return which they are."""
    cleared = [{"url_pattern": access.url_pattern, "path": access.text} for access in accesses]
    return _response(200, json.dumps({"now": int(now_s), "cleared": cleared}), accesses=accesses)


def problem(error: CdnError, *, now_s: float) -> Response:
    """Return *error* as problem details: https://www.rfc-editor.org/rfc/rfc9457."""
    match error:
        case AccessRefusedError():
            return _refused(error, now_s)
        case CookieUnreachableError():
            return _problem(
                409,
                "urn:cloudfront-autopilot:cookies-unreachable",
                "Cookies cannot reach that host",
                f"{error}; serve this API as a behavior of that host's distribution, or from a "
                "host that shares a parent domain with it, or ask for signed URLs",
                now_s,
            )
        case TokenError():
            return _problem(
                401,
                "urn:cloudfront-autopilot:unauthorized",
                "Sign in first",
                error.reason,
                now_s,
            )
        case RequestError():
            return _problem(
                400,
                "urn:cloudfront-autopilot:malformed",
                "The request cannot be read",
                error.reason,
                now_s,
            )
    no_key = isinstance(error, NoKeyYetError)
    unavailable = _problem(
        503,
        "urn:cloudfront-autopilot:unavailable",
        "Nothing can be signed now",
        "there is no signing key yet" if no_key else "try again in a few seconds",
        now_s,
    )
    retry_after_s = _NO_KEY_RETRY_AFTER_S if no_key else REFRESH_AFTER_S
    unavailable["headers"]["retry-after"] = str(retry_after_s)
    return unavailable


def _refused(error: AccessRefusedError, now_s: float) -> Response:
    malformed = any(refusal.malformed for refusal in error.refusals)
    return _problem(
        400 if malformed else 403,
        "urn:cloudfront-autopilot:malformed" if malformed else "urn:cloudfront-autopilot:refused",
        "This cannot be signed" if malformed else "This may not be opened",
        error.refusals[0].detail,
        now_s,
        errors=[
            {"index": refusal.index, "reason": refusal.reason, "detail": refusal.detail}
            for refusal in error.refusals
        ],
    )


def _signed_url(access: SignedAccess) -> str:
    # By hand, since json takes as long as a tenth of a signature.
    text = encode_basestring_ascii(access.text)
    expires_at = f'"expires_at": {access.expires_at_s}'
    if access.url_pattern.endswith("*"):
        url_pattern = encode_basestring_ascii(access.url_pattern)
        return f'{{"url_pattern": {url_pattern}, "query": {text}, {expires_at}}}'
    return f'{{"url": {text}, {expires_at}}}'


def _problem(
    status: int, problem_type: str, title: str, detail: str, now_s: float, **more: object
) -> Response:
    body = {
        "type": problem_type,
        "title": title,
        "status": status,
        "detail": detail,
        "now": int(now_s),
        **more,
    }
    return _response(status, json.dumps(body), "application/problem+json")


def _response(
    status: int,
    body: str,
    content_type: str = "application/json",
    *,
    accesses: Iterable[SignedAccess] = (),
) -> Response:
    return {
        "statusCode": status,
        "headers": {"content-type": content_type, "cache-control": "no-store"},
        "cookies": [header for access in accesses for header in access.headers],
        "body": body,
    }
