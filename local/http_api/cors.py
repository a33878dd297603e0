"""
What an HTTP API tells browsers about other origins.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from __future__ import annotations

from collections.abc import Mapping

from local.function import Cors
from local.loopback import Headers


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request is a browser's preflight; the headers' names are in lower case."""
    return (
        method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
    )


def preflight(cors: Cors, *, origin: str) -> Headers:
    """Return the headers that answer a preflight: none for an origin that is not allowed."""
    allowed = _allow(cors, origin)
    if not allowed:
        return ()
    listed = {
        "access-control-allow-methods": ",".join(cors.allow_methods),
        "access-control-allow-headers": ",".join(cors.allow_headers),
        "access-control-max-age": "" if cors.max_age_s is None else str(cors.max_age_s),
    }
    return (*allowed, *((name, value) for name, value in listed.items() if value))


def answer(cors: Cors | None, *, origin: str | None, headers: Headers) -> Headers:
    """Put the API's own CORS headers in the place of those that a function gave."""
    if cors is None:
        return headers
    kept = tuple(pair for pair in headers if not pair[0].startswith("access-control-"))
    allowed = _allow(cors, origin) if origin else ()
    if not allowed or not cors.expose_headers:
        return (*kept, *allowed)
    return (*kept, *allowed, ("access-control-expose-headers", ",".join(cors.expose_headers)))


def _allow(cors: Cors, origin: str) -> Headers:
    if not any(_fits(pattern, origin) for pattern in cors.allow_origins):
        return ()
    credentials = (("access-control-allow-credentials", "true"),) if cors.allow_credentials else ()
    shown = "*" if "*" in cors.allow_origins else origin
    return (("access-control-allow-origin", shown), *credentials)


def _fits(pattern: str, origin: str) -> bool:
    """
    Compare exactly, but for the three wildcards that there are.

    >>> _fits("https://*", "https://example.org"), _fits("https://*.org", "https://example.org")
    (True, False)
    """
    if pattern in {"*", "https://*", "http://*"}:
        return origin.startswith(pattern.removesuffix("*"))
    return pattern == origin
