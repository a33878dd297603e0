"""The fault layer: every call to AWS is counted here, and may be refused or end its caller."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.hooks import BaseEventHooks
from botocore.model import OperationModel, ServiceModel
from botocore.retries.standard import (
    RetryContext,
    ThrottledRetryableChecker,
    TransientRetryableChecker,
)

from local.dynamodb import LEAVES
from local.error_responses import ErrorResponse, service_model


class Does(StrEnum):
    """
    What a rule does to the calls that it hits.

    TIME_OUT lets a call last until its caller's time is over; a process is ended at once. After
    CUT_BEFORE a request has reached nobody; after CUT_AFTER only its answer is lost.
    """

    THROTTLE = "throttle"
    FAIL = "fail"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    TIME_OUT = "time out"
    SECOND_ACTOR_BEFORE = "second actor before"
    SECOND_ACTOR_AFTER = "second actor after"
    LEAVE_UNPROCESSED = "leave unprocessed"


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request; *number* counts its caller's requests from 1, retries and refused ones too.

    It is *conditional* if AWS checks something that its caller has read.
    """

    caller: str
    service: str
    operation: str
    number: int
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    Hits the calls that match what is set, from the *nth* of those in the log on, *times* times.

    With the caller alone, *nth* is a call's number. *times* None hits all that follow.
    """

    does: Does
    caller: str | None = None
    service: str | None = None
    operation: str | None = None
    conditional: bool | None = None
    nth: int = 1
    times: int | None = 1
    status: int = 500
    code: str = "InternalError"

    def matches(self, call: Call) -> bool:
        return (
            self.caller in {None, call.caller}
            and self.service in {None, call.service}
            and self.operation in {None, call.operation}
            and self.conditional in {None, call.conditional}
        )


class NoSecondActorError(Exception):
    """A rule lets a second actor in, and there is none."""


class Crash(BaseException):
    """Stands for the end of the caller's process where callers are no processes."""


class TimedOut(Crash):
    """Stands for a call that outlasts its caller."""


# What each service answers when it is asked too often, by the name that signs its requests.
_THROTTLES = {
    "cloudfront": (400, "Throttling"),
    "s3": (503, "SlowDown"),
    "sqs": (400, "RequestThrottled"),
}
CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/[^/]+/(?P<service>[^/]+)/aws4_request")


@dataclass(slots=True)
class Faults:
    """
    The rules in force, the log of the calls, and who may come between: see `Does`.

    What a second actor calls is logged as well.
    """

    rules: list[Rule] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    second_actor: Callable[[], object] | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def restart(self) -> None:
        """Empty the log, and count from 1 again."""
        with self._lock:
            self.calls.clear()
            self._counts.clear()

    def note(
        self, *, caller: str, service: str, operation: str, conditional: bool = False
    ) -> Rule | None:
        """Log a call, and give the first rule that hits it."""
        with self._lock:
            self._counts[caller] += 1
            call = Call(caller, service, operation, self._counts[caller], conditional)
            self.calls.append(call)
            return next((rule for rule in self.rules if self._hits(rule, call)), None)

    def _hits(self, rule: Rule, call: Call) -> bool:
        if not rule.matches(call):
            return False
        nth = sum(map(rule.matches, self.calls))
        return nth >= rule.nth and (rule.times is None or nth < rule.nth + rule.times)

    def wsgi(
        self,
        app: WSGIApplication,
        *,
        caller_of: Callable[[str], str],
        kill: Callable[[str], None],
    ) -> WSGIApplication:
        """
        Put this layer before moto.

        *caller_of* names the owner of an access key. *kill* ends the process that holds it, before
        it returns; then the connection is cut without an answer.
        """

        def layer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
            if credential is None:
                return app(environ, start_response)
            service = credential["service"]
            operation = _operation(service, environ)
            rule = self.note(
                caller=caller_of(credential["key"]),
                service=service,
                operation=operation,
                conditional=_is_conditional(
                    operation, environ.get("HTTP_IF_MATCH"), partial(_body, environ)
                ),
            )
            if rule is None:
                return app(environ, start_response)
            answer = self._answer(rule, service, app, environ, start_response)
            if answer is None:
                if rule.does not in {Does.CUT_BEFORE, Does.CUT_AFTER}:
                    kill(credential["key"])
                raise ConnectionAbortedError
            return answer

        return layer

    def _answer(
        self,
        rule: Rule,
        service: str,
        app: WSGIApplication,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes] | None:
        """Answer a request that *rule* hits; None cuts the connection."""
        match rule.does:
            case Does.THROTTLE | Does.FAIL:
                return _error_response(rule, service).over_http(start_response)
            case Does.LEAVE_UNPROCESSED:
                environ[f"HTTP_{LEAVES.replace('-', '_').upper()}"] = "yes"
                return app(environ, start_response)
            case Does.SECOND_ACTOR_BEFORE:
                self._let_in()
                return app(environ, start_response)
            case Does.SECOND_ACTOR_AFTER:
                answer = app(environ, start_response)
                self._let_in()
                return answer
            case Does.CRASH_AFTER | Does.CUT_AFTER:
                for _ in app(environ, lambda *_: lambda _: None):
                    pass
        return None

    def attach(self, events: BaseEventHooks, *, caller: Callable[[], str]) -> Callable[[], None]:
        """
        Put this layer before the clients of the session that has *events*, without HTTP.

        Returns:
            What takes it away again.
        """

        def before(**call: Any) -> Any:  # noqa: ANN401  (botocore's stubs know no answer here)
            return self.before_call(caller=caller(), **call)

        # First, so that a door of CloudFront's that is attached here answers only what passes.
        events.register_first("before-call", before)
        events.register_first("after-call", self.after_call)

        def detach() -> None:
            events.unregister("before-call", before)
            events.unregister("after-call", self.after_call)

        return detach

    def before_call(
        self,
        *,
        caller: str,
        model: OperationModel,
        params: dict[str, Any],
        context: dict[str, Any],
        **_: object,
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """
        Handle botocore's `before-call`.

        An error response, or an error of the network, is met here as often as botocore would try,
        because botocore retries only on its way to HTTP. An answer that is lost is lost at once. A
        crash raises Crash.
        """
        service = model.service_model.signing_name
        conditional = _is_conditional(
            model.name, params["headers"].get("If-Match"), lambda: params["body"]
        )
        error_response = None
        for attempt in range(_attempts(context)):
            rule = self.note(
                caller=caller, service=service, operation=model.name, conditional=conditional
            )
            if rule is None:
                return None
            match rule.does:
                case Does.CUT_BEFORE:
                    error_response = None
                case Does.THROTTLE | Does.FAIL:
                    error_response = _error_response(rule, service).parsed(retries=attempt)
                    if not _tried_again(*error_response):
                        break
                case _:
                    self._meet(rule, f"{service} {model.name}", params, context)
                    return None
        if error_response is None:
            raise EndpointConnectionError(endpoint_url=_url(service))
        return error_response

    def _meet(self, rule: Rule, call: str, params: dict[str, Any], context: dict[str, Any]) -> None:
        """Do what *rule* does to a call that is answered, if its caller lives to hear it."""
        match rule.does:
            case Does.CRASH_BEFORE:
                raise Crash(f"before {call}")
            case Does.TIME_OUT:
                raise TimedOut(call)
            case Does.CRASH_AFTER | Does.CUT_AFTER | Does.SECOND_ACTOR_AFTER:
                context["local_after"] = rule.does
            case Does.SECOND_ACTOR_BEFORE:
                self._let_in()
            case Does.LEAVE_UNPROCESSED:
                params["headers"][LEAVES] = "yes"

    def after_call(self, *, model: OperationModel, context: dict[str, Any], **_: object) -> None:
        """Handle botocore's `after-call`."""
        match context.pop("local_after", None):
            case Does.CRASH_AFTER:
                raise Crash(f"after {model.service_model.signing_name} {model.name}")
            case Does.CUT_AFTER:
                raise ReadTimeoutError(endpoint_url=_url(model.service_model.signing_name))
            case Does.SECOND_ACTOR_AFTER:
                self._let_in()

    def _let_in(self) -> None:
        if self.second_actor is None:
            raise NoSecondActorError
        self.second_actor()


def _url(service: str) -> str:
    return f"https://{service}.amazonaws.com"


def _is_conditional(operation: str, if_match: str | None, body: Callable[[], bytes]) -> bool:
    """Return whether AWS checks in a write what its caller has read."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            return "ConditionExpression" in json.loads(body())
        case "TransactWriteItems":
            return True
        case "UpdateSecretVersionStage":
            return "RemoveFromVersionId" in json.loads(body())
    return bool(if_match)


def _body(environ: WSGIEnvironment) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _attempts(context: dict[str, Any]) -> int:
    retries = context["client_config"].retries or {}
    standard = retries.get("mode", "standard") != "legacy"
    return int(retries.get("total_max_attempts") or (3 if standard else 5))


def _tried_again(response: AWSResponse, parsed: dict[str, Any]) -> bool:
    """Return whether botocore's standard mode tries again what was refused so."""
    refused = RetryContext(attempt_number=1, http_response=response, parsed_response=parsed)
    checkers = TransientRetryableChecker(), ThrottledRetryableChecker()
    return any(checker.is_retryable(refused) for checker in checkers)


def _error_response(rule: Rule, service: str) -> ErrorResponse:
    if rule.does is Does.THROTTLE:
        status, code = _THROTTLES.get(service, (400, "ThrottlingException"))
        return ErrorResponse(service, status, code, "Rate exceeded")
    message = "We encountered an internal error. Please try again."
    return ErrorResponse(service, rule.status, rule.code, message)


def _operation(service: str, environ: WSGIEnvironment) -> str:
    """Return the operation that a request asks for."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target.rsplit(".", 1)[-1])
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(_body(environ).decode()).get("Action")
        if action:
            return str(action[0])
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    given = {name.lower() for name in query} | {
        name.removeprefix("HTTP_").replace("_", "-").lower() for name in environ
    }
    fits = [
        (len(shape.needs), -len(shape.name), shape.name)
        for shape in _shapes(service)
        if shape.method == environ["REQUEST_METHOD"]
        and shape.path.fullmatch(environ.get("PATH_INFO", "/"))
        and shape.needs <= given
        and all(query.get(name) == [value] for name, value in shape.fixed.items())
    ]
    # The one that asks for most; of equals the plainest (ListBuckets, not ListDirectoryBuckets).
    return max(fits)[-1] if fits else f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO')}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a REST operation's requests look."""

    name: str
    method: str
    path: re.Pattern[str]
    fixed: dict[str, str]
    needs: frozenset[str]


@cache
def _shapes(service: str) -> list[_Shape]:
    return list(_read_shapes(service_model(service)))


def _read_shapes(model: ServiceModel) -> Iterator[_Shape]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        # Such as PutBucketNotification, which PutBucketNotificationConfiguration replaces.
        if operation.deprecated:
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        fixed = parse_qs(query, keep_blank_values=True)
        shape = operation.input_shape
        required = [shape.members[member] for member in shape.required_members] if shape else []
        needs = {
            member.serialization["name"].lower()
            for member in required
            if member.serialization.get("location") in {"querystring", "header"}
        }
        pattern = re.sub(r"\\\{\w+(\\\+)?\\\}", _segment, re.escape(path)).rstrip("/")
        yield _Shape(
            name=name,
            method=operation.http["method"],
            path=re.compile(f"{pattern}/?"),
            fixed={key: value[0] for key, value in fixed.items()},
            needs=frozenset(needs | {key.lower() for key in fixed}),
        )


def _segment(match: re.Match[str]) -> str:
    return ".+" if match[1] else "[^/]+"
