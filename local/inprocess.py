"""Functions without processes: their handlers are called right here, one at a time."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import traceback
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import boto3

from local import authorization, aws, secrets_extension
from local.authorization import Authorization
from local.cloudfront import CloudFront, doors
from local.faults import Crash, Faults, TimedOut
from local.function import Function, Outcome
from local.sandboxes import lambda_environment
from local.secrets_extension import SecretsExtension
from local.virtual_time import VirtualTime

Handler = Callable[[Any, Any], Any]

# All functions share it, because they share a session; the switchboard knows who is running.
_INSIDE = "AKIAINLINE0000000000"
# How long a call to AWS takes: so that no two writes happen at the same moment.
CALL_S = 0.001


@dataclass(slots=True)
class _World:
    """What the clients made here reach now."""

    faults: Faults
    cloudfront: CloudFront
    virtual_time: VirtualTime
    authorization: Authorization
    caller: str = "outside"
    function: Function | None = None


class NoHandlerError(Exception):
    """The template has functions for which no handler was given."""


class NoWorldError(Exception):
    """A client made for an inline stack was used when there was none."""


@dataclass(slots=True)
class _Switchboard:
    """
    Connects clients with the stack of the moment.

    Clients cost more than a whole run, and whoever is tested may keep its own. So sessions and
    clients are made once a process, and look up at each call which stack they belong to.
    """

    world: _World | None = None

    def current(self) -> _World:
        if self.world is None:
            raise NoWorldError("no inline stack is running")
        return self.world

    def function(self) -> tuple[Authorization, Function | None]:
        """Return which function is running, if any, and who says what it may do."""
        world = self.current()
        return world.authorization, world.function

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self.current().cloudfront.call(operation, parameters)


_SWITCHBOARD = _Switchboard()


@cache
def _session(access_key: str) -> boto3.Session:
    session = aws.session(access_key=access_key)

    def count(**call: Any) -> Any:  # noqa: ANN401  (botocore's stubs know no answer here)
        world = _SWITCHBOARD.current()
        world.virtual_time.advance(CALL_S)
        return world.faults.before_call(caller=world.caller, **call)

    def crash(**call: Any) -> None:
        _SWITCHBOARD.current().faults.after_call(**call)

    # First, so that CloudFront's door answers only what passes.
    session.events.register_first("before-call", count)
    session.events.register_first("after-call", crash)
    authorization.attach(session.events, caller=_SWITCHBOARD.function)
    doors.attach(session.events, _SWITCHBOARD)
    return session


@cache
def client(service: str) -> Any:  # noqa: ANN401
    """Return a client of the world outside of the stack."""
    return aws.client(_session(aws.OUTSIDE), service)


@contextmanager
def connected(
    *,
    faults: Faults,
    cloudfront: CloudFront,
    virtual_time: VirtualTime,
    authorization: Authorization | None = None,
) -> Iterator[None]:
    """Let the handlers' default session and the outside's clients reach this stack."""
    if _SWITCHBOARD.world is not None:
        raise RuntimeError("one inline stack at a time: its time is the process's")
    default = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = _session(_INSIDE)
    _SWITCHBOARD.world = _World(
        faults=faults,
        cloudfront=cloudfront,
        virtual_time=virtual_time,
        authorization=authorization or Authorization(),
    )
    try:
        yield
    finally:
        _SWITCHBOARD.world = None
        boto3.DEFAULT_SESSION = default


@cache
def _extension_client(service: str) -> Any:  # noqa: ANN401
    return aws.client(_session(_INSIDE), service, attempts=1)


class Context(Protocol):
    """What a handler is given beside the event."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _LambdaContext:
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    deadline_s: float
    now: Callable[[], float]
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None
    tenant_id: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline_s - self.now()) * 1000))


@dataclass(slots=True)
class InProcess:
    """Calls handlers as Lambda would: their own environment, JSON in and out, errors kept."""

    handlers: Mapping[str, Handler]
    virtual_time: VirtualTime
    random: random.Random
    wrote: Callable[[str, list[str]], object] = lambda *_: None
    _logs: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _extensions: dict[str, tuple[SecretsExtension, int]] = field(default_factory=dict)

    def logs(self, name: str) -> list[str]:
        return self._logs[name]

    def check(self, functions: Iterable[Function]) -> None:
        """Raise NoHandlerError unless each of *functions* has a handler here."""
        missing = {function.name for function in functions} - set(self.handlers)
        if missing:
            raise NoHandlerError(", ".join(sorted(missing)))

    @contextmanager
    def extended(self) -> Iterator[None]:
        """Let functions that have the extension for secrets reach it meanwhile."""
        try:
            yield
        finally:
            for extension, _ in self._extensions.values():
                extension.stop()
            self._extensions.clear()

    def invoke(self, function: Function, event: Mapping[str, Any]) -> Future[Outcome]:
        done: Future[Outcome] = Future()
        done.set_result(self.call(function, event))
        return done

    def call(self, function: Function, event: Mapping[str, Any]) -> Outcome:
        """
        Call the handler of *function* once.

        Raises:
            NoHandlerError: It has none.
        """
        self.check([function])
        return self._call(function, json.loads(json.dumps(event)))

    def _extension(self, function: Function) -> tuple[SecretsExtension | None, int]:
        if not function.secrets_extension:
            return None, 0
        if function.name not in self._extensions:
            extension = SecretsExtension(
                lambda_environment(function, access_key=_INSIDE),
                client=_extension_client,
                now=self.virtual_time.now,
            )
            # Handlers are called when their modules are long imported.
            extension.ready = True
            self._extensions[function.name] = extension, extension.start()
        return self._extensions[function.name]

    def _call(self, function: Function, event: Any) -> Outcome:  # noqa: ANN401
        world = _SWITCHBOARD.current()
        environment = lambda_environment(function, access_key=_INSIDE)
        extension, port = self._extension(function)
        if extension:
            environment[secrets_extension.PORT] = str(port)
        context = _LambdaContext(
            function_name=function.physical_name,
            invoked_function_arn=function.arn,
            memory_limit_in_mb=str(function.memory_mb),
            aws_request_id=str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            log_group_name=environment["AWS_LAMBDA_LOG_GROUP_NAME"],
            log_stream_name=environment["AWS_LAMBDA_LOG_STREAM_NAME"],
            deadline_s=self.virtual_time.now() + function.timeout_s,
            now=self.virtual_time.now,
        )
        printed = io.StringIO()
        # One may be called while another is at work, as if by another process.
        outer = world.caller, world.function
        world.caller, world.function = function.name, function
        try:
            with (
                _only(environment),
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
            ):
                try:
                    answer = self.handlers[function.name](event, context)
                finally:
                    if extension:
                        extension.check_caller()
                return Outcome(answer=json.loads(json.dumps(answer)))
        except TimedOut:
            self.virtual_time.jump_to(context.deadline_s)
            error = (
                f"{context.aws_request_id} Task timed out after {function.timeout_s:.2f} seconds"
            )
            printed.write(f"{error}\n")
            return Outcome(error=error, timed_out=True)
        except (Crash, SystemExit) as end:
            printed.write(f"crashed {end}\n")
            return Outcome(error=f"crashed {end}")
        # Whatever a handler raises is an answer of Lambda's, and in the function's log.
        except Exception as exc:  # noqa: BLE001
            printed.write(traceback.format_exc())
            return Outcome(error=f"{type(exc).__name__}: {exc}")
        finally:
            world.caller, world.function = outer
            lines = printed.getvalue().splitlines()
            self._logs[function.name] += lines
            self.wrote(function.name, lines)


@contextmanager
def _only(environment: Mapping[str, str]) -> Iterator[None]:
    """Let os.environ be *environment*, and nothing of this machine's."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
