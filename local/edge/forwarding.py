"""What of a viewer's request an origin gets: what is in the cache key, and what a policy adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.edge.caching import Rules

ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""The managed origin request policy for APIs: all that the viewer sent but the Host header."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The query string, and headers by their names in lower case."""

    query: str
    headers: Mapping[str, str]


def forwarded(
    behavior: dict[str, Any], rules: Rules, *, query: str, headers: Mapping[str, str]
) -> Forwarded:
    """
    Leave out of a request what its origin does not get.

    Of origin request policies only AllViewerExceptHostHeader is known; others add nothing here.
    Of what CloudFront adds of its own (User-Agent, Via, …) the edge adds X-Amz-Cf-Id alone.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-origin-requests.html
    """
    if behavior.get("OriginRequestPolicyId") == ALL_VIEWER_EXCEPT_HOST:
        return Forwarded(query, {name: value for name, value in headers.items() if name != "host"})
    kept = {name: value for name, value in headers.items() if rules.headers.takes(name)}
    kept.pop("cookie", None)
    if cookies := rules.cookies_in_key(headers):
        kept["cookie"] = "; ".join(cookies)
    return Forwarded(rules.query_in_key(query), kept)
