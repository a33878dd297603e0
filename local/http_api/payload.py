"""
Payload format 2.0: what a function is given for a request, and what its answer means.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.function import ACCOUNT, HttpApi
from local.http_api.routes import Match
from local.loopback import Headers, Request, Response

_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


class AnswerError(Exception):
    """A function's answer is none that API Gateway can send on."""


def event(
    request: Request,
    *,
    api: HttpApi,
    match: Match,
    jwt: Mapping[str, Any] | None,
    request_id: str,
    trace_id: str,
    now: float,
) -> dict[str, Any]:
    """
    Shape a request as a function is given it; what is empty is left out.

    The path is decoded, the raw query is not. *jwt* holds the verified claims and scopes.
    """
    key, path, when = match.route.key, unquote(request.path), datetime.fromtimestamp(now, UTC)
    cookies = [c for c in (p.strip() for p in request.fields.get("cookie", "").split(";")) if c]
    text = _as_text(request)
    parts: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": _headers(request, host=api.host, trace_id=trace_id),
        "queryStringParameters": query(request.query),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": api.api_id,
            **({"authorizer": {"jwt": jwt}} if jwt else {}),
            "domainName": api.host,
            "domainPrefix": api.api_id,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": request.fields.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": key,
            "stage": "$default",
            "time": f"{when:%d/%b/%Y:%H:%M:%S} +0000",
            "timeEpoch": int(now * 1000),
        },
        "pathParameters": match.parameters,
        "body": base64.b64encode(request.body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }
    needed = {"rawQueryString", "isBase64Encoded", "headers"}
    return {name: part for name, part in parts.items() if part or name in needed}


def _headers(request: Request, *, host: str, trace_id: str) -> dict[str, str]:
    forwarded = request.fields.get("x-forwarded-for")
    own = {
        "host": host,
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": f"{forwarded}, {request.source_ip}" if forwarded else request.source_ip,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    sent = {name: value for name, value in request.fields.items() if name != "cookie"}
    return dict(sorted({**sent, **own}.items()))


def query(query: str) -> dict[str, str]:
    """
    Decode a query string; what comes twice is joined by a comma.

    >>> query("a=1&a=2&b=x%20y&c")
    {'a': '1,2', 'b': 'x y', 'c': ''}
    """
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _as_text(request: Request) -> str | None:
    """Decode a body of text; None where it is something else."""
    if not request.body:
        return ""
    if not request.fields.get("content-type", "").startswith(_TEXT):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


def response(answer: Any) -> Response:  # noqa: ANN401
    """
    Read a function's answer.

    One without a status code is a body for 200.

    >>> response({"hello": "world"}).body
    b'{"hello": "world"}'

    Raises:
        AnswerError: It makes no sense to API Gateway, which answers 500 then.
    """
    if not isinstance(answer, Mapping) or "statusCode" not in answer:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(
            status=200, headers=(("content-type", "application/json"),), body=text.encode()
        )
    headers, cookies = answer.get("headers") or {}, answer.get("cookies") or []
    body = answer.get("body") or ""
    try:
        status = int(answer["statusCode"])
    except (TypeError, ValueError) as error:
        raise AnswerError("statusCode is no number") from error
    if not isinstance(headers, Mapping) or not isinstance(cookies, list):
        raise AnswerError("headers are no object, or cookies no list")
    if not isinstance(body, str):
        raise AnswerError("body is no text")
    return Response(
        status=status,
        headers=_answered(headers, cookies),
        body=_decoded(body) if answer.get("isBase64Encoded") else body.encode(),
    )


def _answered(headers: Mapping[str, Any], cookies: list[Any]) -> Headers:
    given = {name.lower(): _header(value) for name, value in headers.items()}
    given.pop("content-length", None)
    given.setdefault("content-type", "text/plain;charset=UTF-8")
    return (*given.items(), *(("set-cookie", str(cookie)) for cookie in cookies))


def _header(value: Any) -> str:  # noqa: ANN401
    return str(value).lower() if isinstance(value, bool) else str(value)


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise AnswerError("body is no base64") from error
