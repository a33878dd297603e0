"""A front end asks for what a viewer may open: signed URLs, or signed cookies."""

import sys
import time
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from cdn import settings
from cdn.access import audit, claims, grant_document, http, issuing
from cdn.access.cached import TtlCache
from cdn.access.cookie_rules import CookieRules
from cdn.access.grants import AccessMethod, Grants
from cdn.access.issuing import Caller, IssuingContext
from cdn.access.parameters_extension import Extension
from cdn.errors import (
    AccessRefusedError,
    CookieUnreachableError,
    GrantsError,
    KeyMaterialError,
    RequestError,
    UnavailableError,
)
from cdn.settings import SignAccessSettings
from cdn.signing import signing_secret
from cdn.signing.key_pairs import Kind, Signer

_DESCRIPTION = Path(__file__).with_name("openapi.json")


def lambda_handler(event: dict[str, Any], context: object) -> http.Response:
    """Answer one request of the HTTP API, whose authorizer has verified the token."""
    if event["routeKey"] == "GET /openapi.json":
        return http.description(_DESCRIPTION.read_bytes())
    sandbox, now_s = _sandbox(), time.time()
    try:
        if event["routeKey"] == "DELETE /signed-cookies":
            return sandbox.clear(event, now_s)
        return sandbox.sign(event, now_s)
    except (AccessRefusedError, CookieUnreachableError, RequestError) as exc:
        return http.problem(exc, now_s=now_s)
    except UnavailableError as exc:
        _print([audit.unavailable(exc)])
        return http.problem(exc, now_s=now_s)


class _Sandbox:
    """The settings of this process, which never change, and what it caches."""

    def __init__(self) -> None:
        self.settings = settings.read(SignAccessSettings)
        extension = Extension(*settings.extension())
        parameter, secret = self.settings.grants_parameter, self.settings.signing_secret
        self.grants = TtlCache(lambda: _grants(extension.parameter(parameter)), time.time)
        self.signer = TtlCache(lambda: _signer(extension.secret(secret)), time.time)
        self.cookies = CookieRules(
            self.settings.cookie_host,
            self.settings.cookie_domain,
            cross_site=self.settings.cross_site_pages == "yes",
        )

    def context(self, *, refresh: bool) -> IssuingContext:
        grants, signer = self.grants.get(), self.signer.get(refresh=refresh)
        return IssuingContext(grants, signer, self.cookies, time.time)

    def clear(self, event: dict[str, Any], now_s: float) -> http.Response:
        claims.read(http.authorization(event), verified=http.verified_claims(event))
        by_cloudfront = http.comes_by_cloudfront(event)
        cleared = issuing.clear_cookies(
            self.cookies, http.read_query(event), by_cloudfront=by_cloudfront
        )
        return http.cleared_cookies(cleared, now_s=now_s)

    def sign(self, event: dict[str, Any], now_s: float) -> http.Response:
        token_claims = claims.read(http.authorization(event), verified=http.verified_claims(event))
        method: AccessMethod = "url" if event["routeKey"] == "POST /signed-urls" else "cookies"
        request, refresh = http.read_body(event, method)
        context = self.context(refresh=refresh)
        caller = Caller(
            token_claims,
            ip=http.viewer_ip(event, trusted=self.settings.viewer_address),
            by_cloudfront=http.comes_by_cloudfront(event),
        )
        sub = token_claims.get("sub")
        trail = audit.AuditTrail(sub, method, self.settings.metrics_namespace)
        sign = issuing.sign_urls if method == "url" else issuing.sign_cookies
        try:
            accesses = sign(context, caller, request)
        except AccessRefusedError as exc:
            _print(trail.denied(request.url_patterns, exc.refusals, now_s=now_s))
            raise
        _print(trail.granted(accesses, key_id=context.signer.key_id, now_s=now_s))
        respond = http.signed_urls if method == "url" else http.signed_cookies
        return respond(accesses, now_s=now_s)


@cache
def _sandbox() -> _Sandbox:
    return _Sandbox()


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
        return grant_document.parse(document)
    except GrantsError as exc:
        raise UnavailableError("the grants", str(exc)) from exc


def _kms(kms_key: str, kind: Kind) -> Any:  # noqa: ANN401  # nothing of it is loaded here
    # boto3 takes longer to load than all else here together: only where a key is in KMS.
    return import_module("cdn.signing.kms").signing(kms_key, kind)


def _print(lines: Iterable[str]) -> None:
    # One write: what other requests say does not come between.
    sys.stdout.write("\n".join([*lines, ""]))
