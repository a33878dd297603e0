"""The front of all HTTP APIs of a stack: routes, CORS, tokens, and the functions behind them."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import Any

from local.function import Function, HttpApi, HttpRoute, Outcome
from local.http_api import cors, payload, routes, tokens
from local.http_api.throttling import Throttle
from local.loopback import Request, Response

Invoke = Callable[[Function, Mapping[str, Any]], "Future[Outcome]"]
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
_TIMEOUT_S = 30


class HttpApis:
    """Answers requests as API Gateway does, in the thread of whoever asks."""

    def __init__(
        self,
        apis: Sequence[HttpApi],
        *,
        invoke: Invoke,
        now: Callable[[], float],
        fetch: tokens.Fetch,
        random: random.Random,
    ) -> None:
        """Serve *apis*; *fetch* gives the documents of the issuers of tokens."""
        self._hosts = {api.host: api for api in apis}
        self._throttles = {api.host: Throttle(now) for api in apis}
        self._invoke = invoke
        self._now = now
        self._issuers = tokens.Issuers(fetch, now)
        self._random = random
        self._in_flight: set[Future[Outcome]] = set()

    @property
    def in_flight(self) -> Sequence[Future[Outcome]]:
        return list(self._in_flight)

    def handle(self, request: Request, *, host: str) -> Response:
        """
        Answer one request to the API at *host*, whatever the request's own Host header says.

        Raises:
            BrokenFunctionError: The function cannot start; said once for each.

        """
        request_id = base64.b64encode(self._random.randbytes(11)).decode()
        api = self._hosts.get(host.lower().partition(":")[0])
        answer = (
            self._answer(request, api, request_id) if api else _error_response(HTTPStatus.NOT_FOUND)
        )
        return Response(
            status=answer.status,
            headers=(*answer.headers, ("apigw-requestid", request_id)),
            body=answer.body,
        )

    def _answer(self, request: Request, api: HttpApi, request_id: str) -> Response:
        origin = request.fields.get("origin")
        match = routes.find(api.routes, method=request.method, path=request.path)
        if (
            match is None
            and api.cors
            and origin
            and cors.is_preflight(request.method, request.fields)
        ):
            return Response(status=204, headers=cors.preflight(api.cors, origin=origin))
        if match is None:
            return _error_response(HTTPStatus.NOT_FOUND)
        if not self._throttles[api.host].takes(match.route):
            return _error_response(HTTPStatus.TOO_MANY_REQUESTS)
        try:
            jwt = self._authorized(request, match.route)
        except tokens.UnauthorizedError as error:
            return _error_response(
                HTTPStatus.UNAUTHORIZED, _challenge("invalid_token", error.reason)
            )
        except _ForbiddenError:
            needed = " ".join(match.route.scopes)
            return _error_response(
                HTTPStatus.FORBIDDEN,
                _challenge("insufficient_scope", "the token lacks a scope", scope=needed),
            )
        event = payload.event(
            request,
            api=api,
            match=match,
            jwt=jwt,
            request_id=request_id,
            trace_id=f"Root=1-{int(self._now()):08x}-{self._random.getrandbits(96):024x}",
            now=self._now(),
        )
        answer = self._integrated(match.route.function, event)
        return Response(
            status=answer.status,
            headers=cors.answer(api.cors, origin=origin, headers=answer.headers),
            body=answer.body,
        )

    def _authorized(self, request: Request, route: HttpRoute) -> dict[str, Any] | None:
        """Return what a function gets of the token; None where the route asks for none."""
        if route.authorizer is None:
            return None
        token = _identity(request, route.authorizer.identity_source)
        claims = tokens.verified(token, route.authorizer, issuers=self._issuers, now=self._now())
        own = tokens.scopes(claims)
        if route.scopes and not set(route.scopes) & set(own):
            raise _ForbiddenError
        return {"claims": tokens.flattened(claims), "scopes": own if route.scopes else None}

    def _integrated(self, function: Function, event: Mapping[str, Any]) -> Response:
        began_at = self._now()
        future = self._invoke(function, event)
        # One that ran in this thread is done, and took only virtual time.
        late = future.done() and self._now() - began_at > _TIMEOUT_S
        self._in_flight.add(future)
        try:
            outcome = future.result(timeout=_TIMEOUT_S)
        except TimeoutError:
            late = True
        finally:
            self._in_flight.discard(future)
        if late:
            return _error_response(HTTPStatus.SERVICE_UNAVAILABLE)
        if outcome.error is not None:
            return _error_response(HTTPStatus.INTERNAL_SERVER_ERROR)
        try:
            return payload.response(outcome.answer)
        except payload.AnswerError:
            return _error_response(HTTPStatus.INTERNAL_SERVER_ERROR)


def _error_response(status: HTTPStatus, *headers: tuple[str, str]) -> Response:
    """
    Return an error as API Gateway does.

    >>> _error_response(HTTPStatus.NOT_FOUND).body
    b'{"message":"Not Found"}'
    """
    body = json.dumps({"message": status.phrase}, separators=(",", ":"))
    return Response(
        status=status, headers=(("content-type", "application/json"), *headers), body=body.encode()
    )


class _ForbiddenError(Exception):
    """A valid token has none of the scopes that the route asks for."""


def _identity(request: Request, source: str) -> str:
    """
    Find the token, with or without `Bearer` before it.

    Raises:
        UnauthorizedError: There is none.
    """
    _, where, name = source.split(".", 2)
    value = (
        request.fields.get(name.lower())
        if where == "header"
        else payload.query(request.query).get(name)
    )
    scheme, _, token = (value or "").strip().partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else scheme
    if not token:
        raise tokens.UnauthorizedError
    return token


def _challenge(error: str, reason: str, *, scope: str = "") -> tuple[str, str]:
    """
    Return what was wrong with a token; where there was none, only that one is needed.

    >>> _challenge("invalid_token", "the token has expired")[1]
    'Bearer scope="" error="invalid_token" error_description="the token has expired"'
    """
    parameters = f' scope="{scope}" error="{error}" error_description="{reason}"' if reason else ""
    return "www-authenticate", f"Bearer{parameters}"
