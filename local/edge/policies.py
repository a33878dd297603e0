"""What a signer allows: a custom policy, read and held against one request."""

import json
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from local.edge import wildcards

MAX_EPOCH_S = 2**63 - 1

_PROTOCOL = re.compile(r"([A-Za-z*?]*)://")


class MalformedPolicyError(ValueError):
    """A text that is no policy."""


@dataclass(frozen=True, slots=True)
class ViewerRequest:
    """
    The URL that a viewer asks for, and who asks.

    Attributes:
        host:
            As the viewer names it; with a port only where that is not the scheme's own.
        path, query:
            As they are on the request line, the query without CloudFront's parameters.
        address:
            The viewer's, IPv4 or IPv6.
    """

    scheme: str
    host: str
    path: str
    query: str
    address: str

    @property
    def url(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{self.path}{query}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A statement: which URLs (None: all), between which moments, from which addresses."""

    resource: str | None
    expires_at_s: int
    starts_at_s: int | None = None
    network: IPv4Network | None = None

    def allows(self, viewer_request: ViewerRequest, *, now: float) -> bool:
        """Decide by whole seconds: neither at the start nor at the expiry is anything allowed."""
        second = int(now)
        if second >= self.expires_at_s:
            return False
        if self.starts_at_s is not None and second <= self.starts_at_s:
            return False
        if self.network is not None and not _lies_in(self.network, viewer_request.address):
            return False
        return self.resource is None or matches(self.resource, viewer_request)


def read(text: bytes) -> Policy:
    """
    Read a custom policy, whitespace or not.

    Strict where CloudFront's guide gives one form only: one statement, whole numbers for times,
    no other names. What CloudFront does with a name that it does not know, or that comes twice,
    is not documented; here both are malformed.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html

    Raises:
        MalformedPolicyError: It is something else.
    """
    try:
        document = json.loads(text.decode(), object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as exc:
        raise MalformedPolicyError("no JSON") from exc
    match document:
        case {"Statement": [{"Condition": dict(condition), **others}], **more} if not more:
            return _policy(condition, others)
    raise MalformedPolicyError("not one statement with a condition")


def matches(resource: str, viewer_request: ViewerRequest) -> bool:
    """
    Hold a policy's resource against a URL, section by section, so that no wildcard leaves its own.

    A question mark begins the query string and also stands for any one character. How CloudFront
    tells them apart is not documented; here it is enough that one reading matches.

    >>> viewer = ViewerRequest("https", "www.example.com", "/a/b.jpg", "size=1", "192.0.2.1")
    >>> [matches(resource, viewer) for resource in ("*", "https://*", "*.example.com*")]
    [True, True, True]
    >>> [matches(f"https://www.example.com/{tail}", viewer) for tail in ("a/*", "a/b.jpg", "a*?*1")]
    [True, False, True]
    """
    if resource == "*":
        return True
    protocol, rest = "*", resource
    if match := _PROTOCOL.match(resource):
        protocol, rest = match[1], resource[match.end() :]
    elif not resource.startswith("*"):
        return False
    domain, slash, tail = rest.partition("/")
    if not (
        wildcards.matches(protocol, viewer_request.scheme)
        and wildcards.matches(domain, viewer_request.host)
    ):
        return False
    if not slash:
        return domain.endswith("*") or (viewer_request.path == "/" and not viewer_request.query)
    return _is_path(f"/{tail}", viewer_request) or _is_path_and_query(f"/{tail}", viewer_request)


def _is_path(pattern: str, viewer_request: ViewerRequest) -> bool:
    """Read *pattern* as a path; a `*` at its end stands for a query string, too."""
    if viewer_request.query and not pattern.endswith("*"):
        return False
    return wildcards.matches(pattern, viewer_request.path)


def _is_path_and_query(pattern: str, viewer_request: ViewerRequest) -> bool:
    """Read *pattern* with any one of its `?` as the beginning of the query string."""
    pattern = wildcards.collapse(pattern)
    paths = wildcards.matching_prefixes(pattern, viewer_request.path)
    queries = wildcards.matching_prefixes(pattern[::-1], viewer_request.query[::-1])
    return any(
        paths >> place & queries >> (len(pattern) - place - 1) & 1
        for place, character in enumerate(pattern)
        if character == "?"
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise MalformedPolicyError("a name comes twice")
    return named


def _policy(condition: dict[Any, Any], others: dict[Any, Any]) -> Policy:
    resource = others.pop("Resource", None)
    expires_at_s = _moment(condition.pop("DateLessThan", None))
    starts = condition.pop("DateGreaterThan", None)
    address = condition.pop("IpAddress", None)
    if others or condition or not isinstance(resource, str | None):
        raise MalformedPolicyError("a name or a resource that no policy has")
    return Policy(
        resource=resource,
        expires_at_s=expires_at_s,
        starts_at_s=None if starts is None else _moment(starts),
        network=None if address is None else _network(address),
    )


def _moment(value: object) -> int:
    match value:
        # Python takes True for the number 1.
        case {"AWS:EpochTime": int(moment), **more} if not (more or isinstance(moment, bool)):
            if 0 <= moment <= MAX_EPOCH_S:
                return moment
    raise MalformedPolicyError("a time must be a whole number of seconds")


def _network(value: object) -> IPv4Network:
    """Read one address or one range; IPv6 is not supported, and so malformed here."""
    match value:
        case {"AWS:SourceIp": str(text), **more} if not more:
            try:
                return IPv4Network(text, strict=False)
            except ValueError as exc:
                raise MalformedPolicyError("an address must be IPv4, or a range in CIDR") from exc
    raise MalformedPolicyError("an address must be text")


def _lies_in(network: IPv4Network, address: str) -> bool:
    try:
        return IPv4Address(address) in network
    except AddressValueError:
        return False
