"""Hosts that are no distribution's, such as an HTTP API's: for viewers, and as custom origins."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from local.edge.origins import Kind, Origin, OriginRequest, OriginResponse
from local.loopback import Answer, Request

Hosts = Mapping[str, Answer]
"""Who answers for a host, by its name in lower case."""


def beside(s3: Origin, hosts: Hosts) -> Origin:
    """
    Let custom origins be those of *hosts*, by their domain names, and *s3* all others.

    CloudFront speaks to them itself, so to them the viewer's address is CloudFront's.
    """

    def answer(origin_request: OriginRequest) -> OriginResponse:
        host = hosts.get(origin_request.domain_name)
        if origin_request.kind is not Kind.CUSTOM or host is None:
            return s3(origin_request)
        query = f"?{origin_request.query}" if origin_request.query else ""
        response = host(
            Request(
                method=origin_request.method,
                target=f"{origin_request.path}{query}",
                headers=tuple(origin_request.headers.items()),
                body=origin_request.body,
            )
        )
        headers = dict(response.headers)
        headers.pop("set-cookie", None)
        cookies = tuple(value for name, value in response.headers if name == "set-cookie")
        return OriginResponse(HTTPStatus(response.status), headers, response.body, cookies)

    return answer
