"""What an origin is asked for, and how the name of an S3 origin is read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# bucket.s3.amazonaws.com, .s3.REGION., .s3-REGION., .s3.dualstack.REGION., .s3-accelerate.,
# the website endpoints .s3-website-REGION. and .s3-website.REGION., and the same without a
# bucket, which the path then names.
_S3 = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-fips)?(?P<website>-website)?"
    r"(?:[.-](?:dualstack\.)?(?P<region>[a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?"
)


class Kind(Enum):
    S3 = "s3"
    WEBSITE = "website"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class OriginRequest:
    """
    What the edge asks an origin.

    Attributes:
        path:
            As the viewer sent it, behind the origin path.
        bucket, key:
            What S3 reads from host and path. A website's key may name a folder.
    """

    kind: Kind
    method: str
    domain_name: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    bucket: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class OriginResponse:
    """Names of headers are in lower case; of Set-Cookie there may be many, in *cookies*."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cookies: tuple[str, ...] = ()


Origin = Callable[[OriginRequest], OriginResponse]


class NotAKeyError(ValueError):
    """A path that is not UTF-8 once decoded: no S3 object has such a key."""


def request(
    origin: dict[str, Any],
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes = b"",
) -> OriginRequest:
    """
    Return what the origin of a behavior is asked for.

    Raises:
        NotAKeyError: S3 would not take the path for a key.
    """
    domain_name = origin["DomainName"].lower()
    full = origin["OriginPath"] + path
    kind, bucket = read(domain_name)
    key = ""
    if kind is not Kind.CUSTOM:
        inside = full if bucket else "/" + full.removeprefix("/").partition("/")[2]
        bucket = bucket or full.removeprefix("/").partition("/")[0]
        key = _key(inside)
    return OriginRequest(kind, method, domain_name, full, query, headers, body, bucket, key)


@cache
def read(domain_name: str) -> tuple[Kind, str]:
    """
    Return what a domain name is, and which bucket it names.

    >>> read("my.site.s3.dualstack.eu-west-1.amazonaws.com")
    (<Kind.S3: 's3'>, 'my.site')
    >>> read("site.s3-website-us-east-1.amazonaws.com")
    (<Kind.WEBSITE: 'website'>, 'site')
    >>> read("s3.example.com")
    (<Kind.CUSTOM: 'custom'>, '')
    """
    match = _S3.fullmatch(domain_name)
    if match is None:
        return Kind.CUSTOM, ""
    return (Kind.WEBSITE if match["website"] else Kind.S3), match["bucket"] or ""


def _key(path: str) -> str:
    # Decoded once; a plus sign is a plus sign, since this is no form.
    raw = path.removeprefix("/").encode(errors="surrogateescape")
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as exc:
        raise NotAKeyError(path) from exc


def s3_objects(client: "S3Client") -> Origin:
    """
    Make an origin of a boto3 client: the REST endpoints of all buckets that it may read.

    A bucket that the edge may not list answers 403 for what is not there, one that
    it may list 404; here it may.
    """

    def answer(origin_request: OriginRequest) -> OriginResponse:
        if origin_request.kind is not Kind.S3:
            return _error(
                502, "NoSuchOrigin", f"nothing here answers for {origin_request.domain_name}"
            )
        if origin_request.method not in ("GET", "HEAD"):
            return _error(405, "MethodNotAllowed", "The specified method is not allowed.")
        if not origin_request.key:
            return _error(403, "AccessDenied", "Access Denied")
        try:
            response = client.get_object(Bucket=origin_request.bucket, Key=origin_request.key)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            refusal = error.response["Error"]
            return _error(status, refusal["Code"], refusal["Message"])
        sent = response["ResponseMetadata"]["HTTPHeaders"]
        headers = {name: value for name, value in sent.items() if _is_passed_on(name)}
        headers["accept-ranges"] = "bytes"
        return OriginResponse(200, headers, response["Body"].read())

    return answer


_PASSED_ON = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "etag",
    "expires",
    "last-modified",
}


def _is_passed_on(header: str) -> bool:
    return header in _PASSED_ON or header.startswith("x-amz-meta-") or header == "x-amz-version-id"


def _error(status: int, code: str, message: str) -> OriginResponse:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return OriginResponse(status, {"content-type": "application/xml"}, body.encode())
