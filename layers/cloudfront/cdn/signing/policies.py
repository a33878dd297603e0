"""What a signature allows: the exact bytes of CloudFront's policies, and what they cover.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html
"""

import binascii
import ipaddress
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from cdn.errors import MalformedError, PolicyError, UrlError
from cdn.signing import urls, wildcards
from cdn.signing.urls import Section

LAST_SECOND = 9_223_372_036_854_775_807
"""The greatest time that CloudFront reads: its times are 64-bit integers."""

EVERYTHING = "*"
"""The resource that covers every URL of every distribution that trusts the key."""

_PROTOCOLS = ("http://", "https://", "*://")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Policy:
    """
    Which URLs open, until when, from when on, and for whom.

    Attributes:
        resource: A URL in which `*` stands for any text and `?` for one character, each within
            its section (scheme, host, path, query); see `covers`.
        expires_at_s: Opens before this second (Unix time), and no more from then on.
        starts_at_s: Opens after this second, not yet at it.
        source_ip: One IPv4 address, or a range in CIDR form. CloudFront knows no other; while
            it is used, IPv6 must be off on the distribution.

    Raises:
        PolicyError: A field is nothing that CloudFront can check.

    >>> Policy("https://d1.cloudfront.net/*", expires_at_s=1767290400, source_ip="2001:db8::1")
    Traceback (most recent call last):
    cdn.errors.PolicyError: source_ip is IPv6, which CloudFront's policies do not know; use IPv4
    """

    resource: str
    expires_at_s: int
    starts_at_s: int | None = None
    source_ip: str | None = None

    def __post_init__(self) -> None:
        _check_resource(self.resource)
        check_time("expires_at_s", self.expires_at_s)
        if self.starts_at_s is not None:
            check_time("starts_at_s", self.starts_at_s)
            if self.starts_at_s >= self.expires_at_s:
                raise PolicyError("starts_at_s", "must be before expires_at_s")
        if self.source_ip is not None:
            _check_ip(self.source_ip)


def canned(url: str, *, expires_at_s: int) -> bytes:
    """
    Write the canned policy for *url*, as CloudFront writes it from a request.

    Args:
        url: Exactly as the viewer sends it (`urls.encode`), without CloudFront's parameters.

    >>> canned("https://d1.cloudfront.net/a.jpg", expires_at_s=1767290400).decode()[:58]
    '{"Statement":[{"Resource":"https://d1.cloudfront.net/a.jpg'
    """
    return (
        f'{{"Statement":[{{"Resource":{encode_basestring(url)},'
        f'"Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires_at_s}}}}}}}]}}'
    ).encode()


def custom(policy: Policy) -> bytes:
    """
    Write *policy* without any whitespace, its address as a range (`/32` for one alone).

    >>> custom(Policy("https://d1.cloudfront.net/*", 1767290400)).decode()[:64]
    '{"Statement":[{"Resource":"https://d1.cloudfront.net/*","Conditi'
    """
    condition: dict[str, dict[str, int | str]] = {
        "DateLessThan": {"AWS:EpochTime": policy.expires_at_s}
    }
    if policy.source_ip is not None:
        condition["IpAddress"] = {"AWS:SourceIp": str(network(policy.source_ip))}
    if policy.starts_at_s is not None:
        condition["DateGreaterThan"] = {"AWS:EpochTime": policy.starts_at_s}
    statement = {"Resource": policy.resource, "Condition": condition}
    return json.dumps(
        {"Statement": [statement]}, separators=(",", ":"), ensure_ascii=False
    ).encode()


def parse(text: bytes) -> Policy:
    """
    Read a policy in whatever order and with whatever whitespace it was written.

    Without a resource it covers everything.

    Raises:
        MalformedError: It is none that CloudFront takes.

    >>> parse(b'{"Statement": [{"Condition": {"DateLessThan": {"AWS:EpochTime": 9}}}]}')
    Policy(resource='*', expires_at_s=9, starts_at_s=None, source_ip=None)
    """
    try:
        document = json.loads(text.decode(), object_pairs_hook=_once)
    except UnicodeDecodeError as exc:
        raise MalformedError("policy", "is not UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise MalformedError("policy", "is not JSON") from exc
    (statements,) = _members("policy", document, "Statement")
    if not isinstance(statements, list) or len(statements) != 1:
        raise MalformedError("policy", "must have exactly one Statement, in a list")
    resource, condition = _members("Statement", statements[0], "Resource", "Condition")
    until, since, ip = _members(
        "Condition", condition, "DateLessThan", "DateGreaterThan", "IpAddress"
    )
    (expires_at_s,) = _members("DateLessThan", until, "AWS:EpochTime")
    (starts_at_s,) = (
        (None,) if since is None else _members("DateGreaterThan", since, "AWS:EpochTime")
    )
    (source_ip,) = (None,) if ip is None else _members("IpAddress", ip, "AWS:SourceIp")
    try:
        return Policy(
            resource=EVERYTHING if resource is None else resource,
            expires_at_s=expires_at_s,
            starts_at_s=starts_at_s,
            source_ip=source_ip,
        )
    except PolicyError as exc:
        raise MalformedError("policy", f"allows nothing: {exc}") from exc


_TO_CLOUDFRONT = bytes.maketrans(b"+=/", b"-_~")
_TO_BASE64 = str.maketrans("-_~", "+=/")


def encode(data: bytes) -> str:
    """
    Write *data* in CloudFront's base64, which is not the one that is usual in URLs.

    >>> encode(bytes([251, 239, 255, 0]))
    '--~~AA__'
    """
    return binascii.b2a_base64(data, newline=False).translate(_TO_CLOUDFRONT).decode()


def decode(text: str, *, what: str = "policy") -> bytes:
    """
    Read CloudFront's base64 back; no two texts mean the same.

    Args:
        what: What an error shall call it.

    Raises:
        MalformedError: The text is nothing that `encode` returns.
    """
    if "%" in text:
        raise MalformedError(what, "was percent-encoded after it was signed; send it as it was")
    if {"+", "/", "="} & set(text):
        raise MalformedError(what, "is in plain base64; CloudFront wants - ~ _ instead of + / =")
    try:
        data = b64decode(text.translate(_TO_BASE64), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise MalformedError(
            what, "is not in CloudFront's base64 (A-Z a-z 0-9 - ~ and _ to fill up), or cut off"
        ) from exc
    # Bits beyond the last byte would be free to vary.
    if encode(data) != text:
        raise MalformedError(what, "has bits set after its last byte")
    return data


def covers(resource: str, url: str) -> bool:
    """
    Return whether a policy for *resource* opens *url* (without CloudFront's own parameters).

    >>> covers("https://d1.cloudfront.net/*game.zip*", "https://d1.cloudfront.net/a/game.zip?v=2")
    True
    >>> covers("https://d1.cloudfront.net/hello*world", "https://d1.cloudfront.net/hello?world")
    False
    """
    return mismatch(resource, url) is None


def mismatch(resource: str, url: str) -> Section | None:
    """
    Return the first section in which *url* is not what *resource* allows; None where it is covered.

    A `?` of *resource* may be a wildcard or the start of the query. AWS describes both and no
    way to tell them apart, so that either reading counts.

    >>> mismatch("https://d1.cloudfront.net/a/*", "https://d1.cloudfront.net/b/1.jpg")
    'path'
    """
    if resource == EVERYTHING:
        return None
    asked = urls.split(url)
    asked["host"] = asked["host"].lower()
    failures = []
    order: tuple[Section, ...] = ("scheme", "host", "path", "query")
    for reading in _readings(resource):
        failure = next(
            (
                section
                for section in order
                if not wildcards.matches(reading[section], asked[section])
            ),
            None,
        )
        if failure is None:
            return None
        failures.append(failure)
    # The reading that came furthest says most.
    return max(failures, key=order.index)


def encode_resource(resource: str) -> str:
    """
    Write *resource* as the URLs that it shall cover are sent, its wildcards left as they are.

    A scheme that was left out is written as the `*` that it means.

    >>> encode_resource("https://D1.cloudfront.net/Übung/*")
    'https://d1.cloudfront.net/%C3%9Cbung/*'

    Raises:
        PolicyError: It starts with none of `http://`, `https://`, `*`, or cannot be in a URL.
    """
    if resource == EVERYTHING:
        return resource
    _check_resource(resource)
    scheme, separator, rest = _divide(resource)
    tail_at = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    host, (path, question, query) = rest[:tail_at], rest[tail_at:].partition("?")
    try:
        if _has_wildcards(host):
            host = host.lower()
            urls.encode_authority(host.translate(_ANY_LETTER), scheme=scheme)
        else:
            host = urls.encode_authority(host, scheme=scheme)
        # A host that ends with a wildcard opens every path, another one only the root.
        path = urls.encode_path(path) or ("" if host.endswith("*") else "/")
        query = urls.encode_query(query)
    except UrlError as exc:
        raise PolicyError("resource", f"covers no URL: its {exc}") from exc
    return f"{scheme}{separator}{host}{path}{question}{query}"


def network(ip: str) -> ipaddress.IPv4Network:
    """
    Read a policy's IP address or range.

    >>> network("192.0.2.7"), network("192.0.2.7/24")
    (IPv4Network('192.0.2.7/32'), IPv4Network('192.0.2.0/24'))
    """
    return ipaddress.IPv4Network(ip, strict=False)


def check_time(field: str, at_s: int) -> None:
    """
    Refuse what is no time to CloudFront.

    Raises:
        PolicyError: *at_s* is no integer from 0 to `LAST_SECOND`.
    """
    if type(at_s) is not int or not 0 <= at_s <= LAST_SECOND:
        raise PolicyError(field, f"must be a whole number of seconds from 0 to {LAST_SECOND}")


def _check_resource(resource: str) -> None:
    if not isinstance(resource, str) or not resource.startswith((*_PROTOCOLS, EVERYTHING)):
        raise PolicyError("resource", "must start with http://, https:// or *")
    try:
        urls.refuse_unwritable(resource)
    except UrlError as exc:
        raise PolicyError("resource", f"covers no URL: its {exc}") from exc


def _check_ip(ip: str) -> None:
    if isinstance(ip, str) and ":" in ip:
        raise PolicyError("source_ip", "is IPv6, which CloudFront's policies do not know; use IPv4")
    if not isinstance(ip, str) or not _IPV4.fullmatch(ip):
        raise PolicyError("source_ip", "must be one IPv4 address or range, such as 192.0.2.0/24")
    try:
        network(ip)
    except ValueError as exc:
        raise PolicyError("source_ip", f"is no IPv4 address or range: {exc}") from exc


_ANY_LETTER = str.maketrans("*?", "ww")


def _has_wildcards(section: str) -> bool:
    return "*" in section or "?" in section


def _divide(resource: str) -> tuple[str, str, str]:
    """Cut the scheme off; a resource may leave it out and start with the host's `*`."""
    if resource.startswith(_PROTOCOLS):
        return resource.partition("://")
    return "*", "://", resource


def _readings(resource: str) -> Iterator[dict[Section, str]]:
    scheme, _, rest = _divide(resource)
    host, slash, tail = rest.partition("/")
    if not slash:
        # A trailing * of the host opens every path; without one only the root is meant.
        every = "*" if host.endswith("*") else ""
        yield {"scheme": scheme, "host": host.lower(), "path": f"/{every}", "query": every}
        return
    tail = f"/{tail}"
    for at in [at for at, character in enumerate(tail) if character == "?"]:
        query = tail[at + 1 :]
        yield {"scheme": scheme, "host": host.lower(), "path": tail[:at], "query": query}
    query = "*" if tail.endswith("*") else ""
    yield {"scheme": scheme, "host": host.lower(), "path": tail, "query": query}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("policy", "names something twice")
    return members


def _members(name: str, value: Any, *known: str) -> list[Any]:  # noqa: ANN401  # any JSON
    if not isinstance(value, dict):
        raise MalformedError("policy", f"has no {name} that is an object")
    for member in value:
        if member not in known:
            raise MalformedError("policy", f"has something in its {name} beside {', '.join(known)}")
        if value[member] is None:
            raise MalformedError("policy", f"has null as its {member}")
    return [value.get(member) for member in known]
