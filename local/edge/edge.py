"""A viewer's request, answered from the cache or from the origin."""

import base64
import hashlib
import itertools
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from local.cloudfront.account import InvalidationRecord
from local.cloudfront.core import DistributionView
from local.edge import access, behaviors, caching, cors, evictions, forwarding, origins, ranges
from local.edge.copies import Copies, Copy, Key
from local.edge.origins import Origin, OriginResponse
from local.edge.policies import ViewerRequest
from local.edge.responses import EdgeResponse

HIT = "Hit from cloudfront"
MISS = "Miss from cloudfront"
ERROR = "Error from cloudfront"
REDIRECT = "Redirect from cloudfront"

_VIA = "1.1 edge.cloudfront.net (CloudFront)"
_POP = "LOCAL1-C1"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class ControlPlane(Protocol):
    """What an edge knows of the account whose distributions it serves."""

    def distribution_by_host(self, host: str) -> DistributionView | None: ...
    def invalidations_of(
        self, distribution_id: str, *, since: int = 0
    ) -> list[InvalidationRecord]: ...
    def cache_policy(self, policy_id: str) -> dict[str, Any] | None: ...
    def response_headers_policy(self, policy_id: str) -> dict[str, Any] | None: ...
    def trusted_keys(self, key_group_id: str) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class _Viewing:
    """One request, and the configuration that it meets."""

    distribution_id: str
    config: dict[str, Any]
    method: str
    scheme: str
    host: str
    address: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Edge:
    """
    All of CloudFront's edges as one, with a cache that never runs full.

    A copy is known by the path exactly as the viewer sent it, and by what the cache policy
    puts into the key. `/` falls to a behavior as `/`, not as the default root object. A HEAD
    is answered from a GET, and a Range from the whole. The page of a custom error response is
    fetched for each error.

    A behavior that trusts key groups serves only who comes with a signed URL or signed cookies;
    an OPTIONS is not checked. What CloudFront does in three cases is not documented: here the
    signature is held against the raw path; the viewer protocol policy comes first, then the
    method, then the signature; and a response headers policy does not change what the edge itself
    refuses.
    """

    def __init__(self, core: ControlPlane, *, origin: Origin, now: Callable[[], float]) -> None:
        self._core = core
        self._origin = origin
        self._now = now
        self._lock = threading.Lock()
        self._copies: dict[str, Copies] = {}
        self._requests = itertools.count(1)

    def fetch(
        self,
        method: str,
        host: str,
        raw_target: str,
        headers: Mapping[str, str] | None = None,
        *,
        scheme: str = "https",
        address: str = "127.0.0.1",
        body: bytes = b"",
    ) -> EdgeResponse:
        """
        Answer one request.

        Args:
            address:
                The viewer's, IPv4 or IPv6.
            raw_target:
                Path and query as on the request line. Bytes that are not UTF-8
                are surrogates in it.
        """
        distribution = self._core.distribution_by_host(host)
        if distribution is None or not _serves(distribution.config):
            return self._refuse(method, "Bad request.")
        path, _, query = raw_target.partition("?")
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        viewing = _Viewing(
            distribution_id=distribution.id,
            config=distribution.config,
            method=method,
            scheme=scheme,
            host=host,
            address=address,
            path=path,
            query=query,
            headers=lowered,
            body=body,
        )
        behavior = behaviors.choose(viewing.config, path)
        if scheme == "http" and behavior["ViewerProtocolPolicy"] != "allow-all":
            return self._insist_on_https(viewing, behavior["ViewerProtocolPolicy"])
        if method not in behavior["AllowedMethods"]["Items"]:
            return self._refuse(
                method, "This distribution is not configured to allow the HTTP request method."
            )
        if groups := behavior["TrustedKeyGroups"].get("Items"):
            denial = None if method == "OPTIONS" else self._denial(viewing, groups)
            viewing = replace(
                viewing,
                query=access.without_parameters(query),
                headers=access.without_cookies(lowered),
            )
            if denial:
                return self._deny(viewing, denial)
        response = self._serve(viewing, behavior)
        policy_id = behavior.get("ResponseHeadersPolicyId", "")
        if policy := self._core.response_headers_policy(policy_id):
            added = cors.add(policy, method, lowered, response.headers)
            return replace(response, headers=added)
        return response

    def _insist_on_https(self, viewing: _Viewing, policy: str) -> EdgeResponse:
        """
        Send the viewer to https, or nowhere.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-https-viewers-to-cloudfront.html
        """
        if policy == "https-only":
            return self._refuse(viewing.method, "This distribution supports HTTPS only.")
        repeatable = viewing.method in ("GET", "HEAD")
        status = HTTPStatus.MOVED_PERMANENTLY if repeatable else HTTPStatus.TEMPORARY_REDIRECT
        query = f"?{viewing.query}" if viewing.query else ""
        target = (viewing.path + query).encode(errors="surrogateescape")
        headers = {
            "location": f"https://{viewing.host}{quote(target, safe=string.punctuation)}",
            "content-type": "text/html",
            "server": "CloudFront",
        }
        body = f"<h1>{status.value} {status.phrase}</h1>\n".encode()
        return self._response(viewing.method, OriginResponse(status, headers, body), REDIRECT)

    def _denial(self, viewing: _Viewing, groups: list[str]) -> access.Denial | None:
        keys = {key: pem for group in groups for key, pem in self._core.trusted_keys(group).items()}
        viewer_request = ViewerRequest(
            scheme=viewing.scheme,
            host=viewing.host.removesuffix(_DEFAULT_PORTS[viewing.scheme]),
            path=viewing.path,
            query=access.without_parameters(viewing.query),
            address=viewing.address,
        )
        return access.denial(
            viewer_request, viewing.query, viewing.headers, keys=keys, now=self._now()
        )

    def _deny(self, viewing: _Viewing, denial: access.Denial) -> EdgeResponse:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><Error>'
            f"<Code>{denial.code}</Code><Message>{denial.message}</Message></Error>"
        )
        headers = {"content-type": "text/xml", "server": "CloudFront"}
        answer = OriginResponse(HTTPStatus.FORBIDDEN, headers, body.encode())
        return self._response(viewing.method, self._custom_page(viewing, answer), ERROR)

    def _serve(self, viewing: _Viewing, behavior: dict[str, Any]) -> EdgeResponse:
        if viewing.method == "GET":
            return ranges.cut(self._from_cache(viewing, behavior), viewing.headers)
        if viewing.method == "HEAD":
            return self._from_cache(viewing, behavior)
        answer = self._ask(viewing, viewing.path, viewing.method)
        return self._response(viewing.method, answer, ERROR if _failed(answer) else MISS)

    def _from_cache(self, viewing: _Viewing, behavior: dict[str, Any]) -> EdgeResponse:
        rules = self._rules(behavior)
        query = rules.query_in_key(viewing.query)
        url = f"{viewing.path}?{query}" if query else viewing.path
        key: Key = (url, *rules.variant(viewing.headers))
        copies = self._copies_of(viewing.distribution_id)
        with copies.turn(key):
            now = self._now()
            passed = copies.passed(now)
            copy = copies.find(key, now=now, passed=passed)
            if copy is not None:
                age = int(now - copy.cached_at)
                x_cache = ERROR if copy.failed else HIT
                return self._response(viewing.method, copy.answer, x_cache, age=age)
            answer = self._ask(viewing, viewing.path)
            failed = _failed(answer)
            if failed:
                lifetime = caching.error_lifetime_s(viewing.config, answer.status)
                answer = self._custom_page(viewing, answer)
            else:
                lifetime = rules.lifetime_s(answer.headers, now=now)
            if lifetime > 0:
                copy = Copy(
                    answer=answer,
                    failed=failed,
                    url=evictions.canonical(url),
                    tags=_tags(viewing.config, answer),
                    cached_at=now,
                    expires_at=now + lifetime,
                    passed=passed,
                )
                copies.keep(key, copy)
            return self._response(viewing.method, answer, ERROR if failed else MISS)

    def _copies_of(self, distribution_id: str) -> Copies:
        with self._lock:
            if distribution_id not in self._copies:
                ask = partial(self._core.invalidations_of, distribution_id)
                self._copies[distribution_id] = Copies(lambda since: ask(since=since))
            return self._copies[distribution_id]

    def _rules(self, behavior: dict[str, Any]) -> caching.Rules:
        # A policy in use cannot be deleted, so it is always there.
        return caching.rules(behavior, self._core.cache_policy(behavior.get("CachePolicyId", "")))

    def _ask(self, viewing: _Viewing, path: str, method: str = "GET") -> OriginResponse:
        behavior = behaviors.choose(viewing.config, path)
        if path == "/":
            path += viewing.config["DefaultRootObject"]
        sent = forwarding.forwarded(
            behavior, self._rules(behavior), query=viewing.query, headers=viewing.headers
        )
        try:
            origin_request = origins.request(
                _origin(viewing.config, behavior["TargetOriginId"]),
                method=method,
                path=path,
                query=sent.query,
                headers={**sent.headers, "x-amz-cf-id": self._request_id()},
                body=b"" if method == "GET" else viewing.body,
            )
        except origins.NotAKeyError:
            return OriginResponse(HTTPStatus.BAD_REQUEST)
        return self._origin(origin_request)

    def _custom_page(self, viewing: _Viewing, answer: OriginResponse) -> OriginResponse:
        """Put the page in the place of an error for which the distribution has one."""
        for custom in viewing.config["CustomErrorResponses"].get("Items", ()):
            if custom["ErrorCode"] == answer.status and custom.get("ResponsePagePath"):
                page = self._ask(viewing, custom["ResponsePagePath"])
                if _failed(page):
                    return answer
                status = int(custom.get("ResponseCode") or answer.status)
                return OriginResponse(status, page.headers, page.body)
        return answer

    def _response(
        self, method: str, answer: OriginResponse, x_cache: str, *, age: int | None = None
    ) -> EdgeResponse:
        headers = {
            **answer.headers,
            "content-length": str(len(answer.body)),
            "x-cache": x_cache,
            "via": _VIA,
            "x-amz-cf-pop": _POP,
            "x-amz-cf-id": self._request_id(),
        }
        if age is not None:
            headers["age"] = str(age)
        body = b"" if method == "HEAD" else answer.body
        return EdgeResponse(answer.status, headers, body, answer.cookies)

    def _request_id(self) -> str:
        number = hashlib.sha256(str(next(self._requests)).encode()).digest()
        return base64.urlsafe_b64encode(number).decode()

    def _refuse(self, method: str, reason: str) -> EdgeResponse:
        body = f"<h1>403 ERROR</h1><h2>The request could not be satisfied.</h2>{reason}\n"
        headers = {"content-type": "text/html", "server": "CloudFront"}
        answer = OriginResponse(HTTPStatus.FORBIDDEN, headers, body.encode())
        return self._response(method, answer, ERROR)


def _serves(config: dict[str, Any]) -> bool:
    # A multi-tenant distribution serves only through its tenants.
    return bool(config["Enabled"]) and config.get("ConnectionMode") != "tenant-only"


def _failed(answer: OriginResponse) -> bool:
    return answer.status >= HTTPStatus.BAD_REQUEST


def _tags(config: dict[str, Any], answer: OriginResponse) -> frozenset[str]:
    name = config.get("CacheTagConfig", {}).get("HeaderName", "").lower()
    return evictions.tags_of(answer.headers.get(name, ""))


def _origin(config: dict[str, Any], origin_id: str) -> dict[str, Any]:
    """Find an origin; of a group, the first member: here it never fails over."""
    for group in config["OriginGroups"].get("Items", ()):
        if group["Id"] == origin_id:
            origin_id = group["Members"]["Items"][0]["OriginId"]
    origins_by_id: dict[str, dict[str, Any]] = {
        origin["Id"]: origin for origin in config["Origins"]["Items"]
    }
    return origins_by_id[origin_id]
