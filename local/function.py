"""A function, what invokes it, and how a run of it ends: values that everything here speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.role_policies import Statement

ACCOUNT = "123456789012"
REGION = "us-east-1"
# Lambda tries an asynchronous invocation twice more, after one minute and after two.
ASYNC_RETRIES_S = (60, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTrigger:
    """An event source mapping of an SQS queue."""

    url: str
    arn: str
    batch_size: int
    report_batch_item_failures: bool
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """A rule or schedule: `rate(…)` or `cron(…)`, and the event that it sends, if its own."""

    arn: str
    expression: str
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function as the template describes it, with every reference resolved."""

    name: str
    logical_id: str
    physical_name: str
    folder: Path
    handler: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]
    layers: tuple[Path, ...] = ()
    # What the policies of its role say; without any, it may do nothing.
    role: tuple[Statement, ...] = ()
    queues: tuple[QueueTrigger, ...] = ()
    schedules: tuple[ScheduleTrigger, ...] = ()
    log_group: str = ""
    # The ARN of the queue that gets the events of asynchronous invocations that failed for good.
    dead_letters: str = ""
    # Whether a layer of its own brings the Parameters and Secrets extension.
    secrets_extension: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.physical_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """
    A JWT authorizer: whose tokens, for whom, and where a request has them.

    *identity_source* is an expression such as `$request.header.Authorization`.
    """

    issuer: str
    audience: tuple[str, ...]
    identity_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """How many requests a route takes: *burst* at once, and then so many a second."""

    rate_per_s: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    """
    Which requests invoke a function, and who may send them; without *authorizer* anybody.

    *key* is `POST /path`, `ANY /path/{proxy+}` or `$default`. A token needs one of *scopes*,
    unless there are none.
    """

    key: str
    function: Function
    authorizer: Authorizer | None = None
    scopes: tuple[str, ...] = ()
    throttling: Throttling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """What an HTTP API lets pages of other origins do."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpApi:
    """An HTTP API, at its stage `$default`."""

    logical_id: str
    api_id: str
    routes: tuple[HttpRoute, ...]
    cors: Cors | None = None

    @property
    def host(self) -> str:
        return f"{self.api_id}.execute-api.{REGION}.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How an invocation ended: with an *answer*, or with an *error* that says why not.

    One that was *throttled* never began.
    """

    answer: Any = None
    error: str | None = None
    timed_out: bool = False
    throttled: bool = False
