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

    def answer(asked: OriginRequest) -> OriginResponse:
        host = hosts.get(asked.domain_name)
        if asked.kind is not Kind.CUSTOM or host is None:
            return s3(asked)
        given = host(
            Request(
                method=asked.method,
                target=f"{asked.path}?{asked.query}" if asked.query else asked.path,
                headers=tuple(asked.headers.items()),
                body=asked.body,
            )
        )
        headers = dict(given.headers)
        headers.pop("set-cookie", None)
        cookies = tuple(value for name, value in given.headers if name == "set-cookie")
        return OriginResponse(HTTPStatus(given.status), headers, given.body, cookies)

    return answer
