"""A front end asks for what a viewer may open: signed URLs, or signed cookies."""

import json
import sys
import time
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cdn import settings
from cdn.access import audit, claims, grants, issuing
from cdn.access.cached import REFRESH_AFTER_S, Kept
from cdn.access.grants import Grants
from cdn.access.issuing import Caller, CookieRules, Desk, Opened, Wanted
from cdn.access.parameters_extension import Extension
from cdn.errors import (
    AccessRefusedError,
    CdnError,
    CookieUnreachableError,
    GrantsError,
    KeyMaterialError,
    NoKeyYetError,
    RequestError,
    TokenError,
    UnavailableError,
)
from cdn.settings import SignAccessSettings
from cdn.signing import signing_secret
from cdn.signing.key_pairs import Kind, Signer

_DESCRIPTION = Path(__file__).with_name("openapi.json")
_MOST_RESOURCES = 100
_NO_KEY_FOR_S = 60
_OPTIONS = ("expires_in", "starts_at", "refresh")

Answer = dict[str, Any]


def lambda_handler(event: dict[str, Any], context: object) -> Answer:
    """Answer one request of the HTTP API, whose authorizer has verified the token."""
    if event["routeKey"] == "GET /openapi.json":
        return _answer(200, json.loads(_DESCRIPTION.read_bytes()), "application/json")
    sandbox = _sandbox()
    now_s = time.time()
    try:
        return _do(event, sandbox, now_s)
    except (AccessRefusedError, CookieUnreachableError, RequestError, UnavailableError) as exc:
        return _problem(exc, now_s)


def _do(event: dict[str, Any], sandbox: "_Sandbox", now_s: float) -> Answer:
    token_claims = claims.claims(event)
    route = event["routeKey"]
    if route == "DELETE /signed-cookies":
        cleared = issuing.clear_cookies(
            sandbox.cookies,
            _named_in_query(event),
            by_cloudfront=issuing.comes_by_cloudfront(event),
        )
        return _answer(
            200,
            {
                "now": int(now_s),
                "cleared": [{"resource": one.resource, "path": one.text} for one in cleared],
            },
            cookies=cleared,
        )

    by_url = route == "POST /signed-urls"
    wanted, refresh = _wanted(event, "urls" if by_url else "resources")
    desk = sandbox.desk(refresh=refresh)
    told = sandbox.told
    caller = Caller(
        token_claims,
        ip=issuing.viewer_ip(event, trusted=told.viewer_address),
        by_cloudfront=issuing.comes_by_cloudfront(event),
    )
    trail = audit.Trail(
        token_claims.get("sub"), "url" if by_url else "cookies", told.metrics_namespace
    )
    try:
        opened = (issuing.sign_urls if by_url else issuing.sign_cookies)(desk, caller, wanted)
    except AccessRefusedError as exc:
        _say(trail.refused(wanted.resources, exc.refusals, now_s=now_s))
        raise
    _say(trail.granted(opened, key_id=desk.signer.key_id, now_s=now_s))
    if by_url:
        signed = ", ".join([_signed(one) for one in opened])
        return _answer(200, f'{{"now": {int(now_s)}, "signed": [{signed}]}}')
    sets = [
        {"resource": one.resource, "path": one.text, "expires_at": one.expires_at_s}
        for one in opened
    ]
    return _answer(200, {"now": int(now_s), "cookies": sets}, cookies=opened)


def _signed(one: Opened) -> str:
    # By hand, since json takes as long as a tenth of a signature.
    text, expires_at = encode_basestring_ascii(one.text), f'"expires_at": {one.expires_at_s}'
    if one.resource.endswith("*"):
        resource = encode_basestring_ascii(one.resource)
        return f'{{"resource": {resource}, "query": {text}, {expires_at}}}'
    return f'{{"url": {text}, {expires_at}}}'


# ── What is asked for ─────────────────────────────────────────────────────────────────────────────


def _wanted(event: dict[str, Any], field: str) -> tuple[Wanted, bool]:
    """
    Read the body of a POST, whose *field* has the resources; tell whether it asks for a new key.

    Raises:
        RequestError: It is not as openapi.json says.
    """
    body = event.get("body", "")
    try:
        asked = json.loads(b64decode(body) if event["isBase64Encoded"] else body)
    except (ValueError, RecursionError):
        raise RequestError("the body must be JSON") from None
    if isinstance(asked, dict) and asked.keys() == {field}:
        return Wanted(_checked(field, asked[field])), False
    if not isinstance(asked, dict) or not asked.keys() <= {field, *_OPTIONS}:
        raise RequestError(f"the body must be an object of {field}, expires_in, starts_at, refresh")
    for name in ("expires_in", "starts_at"):
        number = asked.get(name, 1)
        if type(number) is not int or not 0 < number <= issuing.LAST_SECOND:
            raise RequestError(f"{name} must be a whole number of seconds, from 1 on")
    if type(asked.get("refresh", False)) is not bool:
        raise RequestError("refresh must be true or false")
    resources = _checked(field, asked.get(field))
    wanted = Wanted(resources, asked.get("expires_in"), asked.get("starts_at"))
    return wanted, asked.get("refresh", False)


def _named_in_query(event: dict[str, Any]) -> list[str]:
    # API Gateway joins what comes twice with commas, which a resource may have in it.
    found = parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True)
    if any(name != "resource" for name, _ in found):
        raise RequestError("the query must have resource=…, as often as needed, and nothing else")
    return _checked("resource", [value for _, value in found])


def _checked(field: str, resources: object) -> list[str]:
    if (
        not isinstance(resources, list)
        or not 1 <= len(resources) <= _MOST_RESOURCES
        or not {str}.issuperset(map(type, resources))
    ):
        raise RequestError(f"{field} must be 1 to {_MOST_RESOURCES} texts")
    return resources


# ── What it is decided by ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Sandbox:
    """What this process is told, which never changes, and what it keeps."""

    told: SignAccessSettings
    grants: Kept[Grants]
    signer: Kept[Signer]
    cookies: CookieRules

    def desk(self, *, refresh: bool) -> Desk:
        return Desk(self.grants.get(), self.signer.get(refresh=refresh), self.cookies, time.time)


@cache
def _sandbox() -> _Sandbox:
    told, extension = settings.read(SignAccessSettings), Extension(*settings.extension())
    return _Sandbox(
        told,
        grants=Kept(lambda: _grants(extension.parameter(told.grants_parameter)), time.time),
        signer=Kept(lambda: _signer(extension.secret(told.signing_secret)), time.time),
        cookies=CookieRules(
            told.cookie_host, told.cookie_domain, cross_site=told.cross_site_pages == "yes"
        ),
    )


# Read again each minute, it is mostly the same text: what follows from it is still good then, and
# a private key takes long to load.


@lru_cache(maxsize=1)
def _signer(secret: str) -> Signer:
    try:
        return signing_secret.signer(secret, kms=_kms)
    except KeyMaterialError as exc:
        raise UnavailableError("the signing key", exc.reason) from None


@lru_cache(maxsize=1)
def _grants(document: str) -> Grants:
    try:
        return grants.parse(document)
    except GrantsError as exc:
        raise UnavailableError("the grants", str(exc)) from exc


def _kms(kms_key: str, kind: Kind) -> Any:  # noqa: ANN401  # nothing of it is loaded here
    # boto3 takes longer to load than all else here together: only where a key is in KMS.
    return import_module("cdn.signing.kms").signing(kms_key, kind)


# ── What is answered ──────────────────────────────────────────────────────────────────────────────


def _answer(
    status: int,
    body: dict[str, Any] | str,
    content_type: str = "application/json",
    *,
    cookies: Iterable[Opened] = (),
    headers: dict[str, str] | None = None,
) -> Answer:
    return {
        "statusCode": status,
        "headers": {"content-type": content_type, "cache-control": "no-store", **(headers or {})},
        "cookies": [header for one in cookies for header in one.headers],
        "body": body if isinstance(body, str) else json.dumps(body),
    }


def _problem(error: CdnError, now_s: float) -> Answer:
    """Write *error* as problem details: https://www.rfc-editor.org/rfc/rfc9457."""
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    match error:
        case AccessRefusedError():
            malformed = any(one.malformed for one in error.refusals)
            status, name = (400, "malformed") if malformed else (403, "refused")
            title = "This cannot be signed" if malformed else "This may not be opened"
            detail = error.refusals[0].detail
            more["errors"] = [
                {"index": one.index, "reason": one.reason, "detail": one.detail}
                for one in error.refusals
            ]
        case CookieUnreachableError():
            status, name, title = 409, "cookies-unreachable", "Cookies cannot reach that host"
            detail = (
                f"{error}: let this API be a behavior of the distribution that serves it, or share "
                "a parent domain with it; or ask for URLs"
            )
        case TokenError():
            status, name, title = 401, "unauthorized", "Sign in first"
            detail = error.reason
        case RequestError():
            status, name, title = 400, "malformed", "The request cannot be read"
            detail = error.reason
        case _:
            _say([audit.trouble(error)])
            status, name, title = 503, "unavailable", "Nothing can be signed now"
            waiting = isinstance(error, NoKeyYetError)
            headers["retry-after"] = str(_NO_KEY_FOR_S if waiting else REFRESH_AFTER_S)
            detail = "there is no signing key yet" if waiting else "try again in a few seconds"
    body = {
        "type": f"urn:cloudfront-autopilot:{name}",
        "title": title,
        "status": status,
        "detail": detail,
        "now": int(now_s),
        **more,
    }
    return _answer(status, body, "application/problem+json", headers=headers)


def _say(lines: Iterable[str]) -> None:
    # One write: what other requests say does not come between.
    sys.stdout.write("\n".join([*lines, ""]))
