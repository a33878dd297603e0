"""The headers that let pages of other origins read an answer, as a policy has them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

_ORIGIN = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>[^:/]+)(?::(?P<port>.+))?")
_PREFIX = "access-control-"
_ALL_METHODS = ("GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "POST", "PUT")


def add(
    policy: dict[str, Any],
    method: str,
    request_headers: Mapping[str, str],
    response_headers: Mapping[str, str],
) -> dict[str, str]:
    """
    Return a response's headers and a response headers policy's, for a request with an Origin.

    For an origin that the policy does not name nothing is added, which is not documented. Nor is
    `Vary`: nothing is added to it.

    Args:
        request_headers, response_headers:
            Headers, their names in lower case.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html#understanding-response-headers-policies-cors
    """
    config, origin = policy.get("CorsConfig"), request_headers.get("origin")
    if config is None or origin is None:
        return dict(response_headers)
    allowed = config["AccessControlAllowOrigins"]["Items"]
    if not any(is_origin(pattern, origin) for pattern in allowed):
        return dict(response_headers)
    from_origin = any(name.startswith(_PREFIX) for name in response_headers)
    if from_origin and not config["OriginOverride"]:
        return dict(response_headers)
    preflight = method == "OPTIONS" and f"{_PREFIX}request-method" in request_headers
    added = {"allow-origin": "*" if "*" in allowed else origin}
    if config["AccessControlAllowCredentials"]:
        added["allow-credentials"] = "true"
    added |= _preflight(config) if preflight else _exposed(config)
    return {**response_headers, **{_PREFIX + name: value for name, value in added.items()}}


def _preflight(config: dict[str, Any]) -> dict[str, str]:
    methods = config["AccessControlAllowMethods"]["Items"]
    added = {
        "allow-methods": ", ".join(_ALL_METHODS if "ALL" in methods else methods),
        "allow-headers": ", ".join(config["AccessControlAllowHeaders"]["Items"]),
    }
    if "AccessControlMaxAgeSec" in config:
        added["max-age"] = str(config["AccessControlMaxAgeSec"])
    return added


def _exposed(config: dict[str, Any]) -> dict[str, str]:
    names = config.get("AccessControlExposeHeaders", {}).get("Items", ())
    return {"expose-headers": ", ".join(names)} if names else {}


def is_origin(pattern: str, origin: str) -> bool:
    """
    Hold a policy's origin against that of a page.

    >>> is_origin("https://*.example.org", "https://www.example.org")
    True
    >>> is_origin("example.org", "http://example.org:8080")
    False
    >>> is_origin("example.org:*", "http://example.org:8080")
    True
    """
    return pattern == "*" or _pattern(pattern).fullmatch(origin) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    match = _ORIGIN.fullmatch(pattern)
    if match is None:
        return re.compile(r"(?!)")
    scheme = match["scheme"] or "https?"
    host = re.escape(match["host"]).replace(r"\*", "[^:/]*")
    port = re.escape(match["port"] or "").replace(r"\*", "[0-9]*")
    if match["port"] == "*":
        port = "(?::[0-9]+)?"
    elif port:
        port = f":{port}"
    return re.compile(f"{scheme}://{host}{port}")
