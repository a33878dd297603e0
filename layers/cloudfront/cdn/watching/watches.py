"""A watch polls one thing that CloudFront is doing until it ends, and announces the end.

A watch is one row, named by what is watched, so that however often it is created it is one. A
single conditional write ends it; what that write says is then announced until a second write
records that it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, cast

from cdn.aws import retryable, rows, table
from cdn.errors import RetryLaterError
from cdn.telemetry import Outcome, StepResult, WatchKind, WatchOutcome
from cdn.watching import announcing, polling, schedule, waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.announcements import Announcer
    from cdn.aws.rows import WatchRow
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.cloudfront.targets import Target


_HOUR_MS = 3_600_000
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Polling:
    """
    How one kind of watch is polled.

    Attributes:
        waiter: Of botocore's CloudFront model.
        max_pause_s, latency_cost_s: See `schedule.PollingRules`.
    """

    waiter: str
    max_pause_s: int
    latency_cost_s: float


_POLLING: Mapping[WatchKind, Polling] = {
    "invalidation": Polling("invalidation_completed", 30, 2),
    "deployment": Polling("distribution_deployed", 60, 9),
}


@dataclass(frozen=True, slots=True)
class Watched:
    """
    What is watched.

    Attributes:
        id: The same for everybody who wants the same thing watched.
        name: For people.
        target: Of what; None for what concerns no target of CloudFront's.
        parameters: Of the waiter's operation.
        etag: The configuration whose deployment is meant; another one supersedes it.
    """

    kind: WatchKind
    id: str
    name: str
    target: Target | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


def invalidation(target: Target, invalidation_id: str) -> Watched:
    """Return one invalidation as a thing to watch."""
    return Watched(
        kind="invalidation",
        id=f"invalidation/{target.id}/{invalidation_id}",
        name=f"{invalidation_id} of {target.kind} {target.id}",
        target=target,
        parameters={"DistributionId": target.id, "Id": invalidation_id},
    )


def deployment(target: Target, etag: str) -> Watched:
    """Return the deployment of the configuration *etag* to all edges as a thing to watch."""
    return Watched(
        kind="deployment",
        id=f"deployment/{target.id}/{etag}",
        name=f"{etag} of {target.kind} {target.id}",
        target=target,
        parameters={"Id": target.id},
        etag=etag,
    )


def refusal(target: Target, caller_reference: str) -> Watched:
    """Return that CloudFront refuses a batch, which is retried, as a thing to announce."""
    return Watched(
        kind="refusal",
        id=f"refusal/{target.id}/{caller_reference}",
        name=f"a batch for {target.kind} {target.id} is refused, and tried again for hours",
        target=target,
    )


def flush(bucket: str, since_at_ms: int) -> Watched:
    """Return the flush of what changed in *bucket* since then as a thing to announce."""
    return Watched(
        kind="flush",
        id=f"flush/{bucket}/{since_at_ms}",
        name=f"what changed in bucket {bucket} stays pending",
    )


def skipped_changes(bucket: str, reason: str, at_ms: int) -> Watched:
    """Return changes that no item covers as a thing to announce: once an hour for each reason."""
    digest = blake2b(reason.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return Watched(
        kind="changes",
        id=f"skipped/{bucket}/{at_ms // _HOUR_MS}/{digest}",
        name=f"what changed in bucket {bucket} is not invalidated, because {reason}",
    )


def held_changes(bucket: str, day: str) -> Watched:
    """Return changes that cost more than a *day* may as a thing to announce: once a day."""
    return Watched(
        kind="changes",
        id=f"held/{bucket}/{day}",
        name=f"what changed in bucket {bucket} is held, because it costs more than {day} may",
    )


@dataclass(frozen=True, slots=True)
class WatchContext:
    """Where watches are stored, whom they poll, the timers that bring them back, and the time."""

    ledger: Table
    cloudfront: CloudFrontClient
    timers: TimerQueue
    now: Callable[[], float]

    def now_ms(self) -> int:
        """Return the time as rows have it."""
        return int(self.now() * 1000)


def create(
    context: WatchContext,
    watched: Watched,
    *,
    details: Mapping[str, Any],
    reservation_id: str = "",
) -> None:
    """
    Write a watch of *watched*, unless there is one, and schedule its first poll.

    Args:
        details: What else its announcement has.
        reservation_id: What is released when it ends; see `quota_reservations`.
    """
    now_ms = context.now_ms()
    waiter = _waiter(context.cloudfront, watched.kind)
    learned = context.ledger.get(rows.polling_schedule(watched.kind)) or {}
    polls_s = learned.get("poll_schedule_s", [])
    pause_ms = int(schedule.next_poll_s(polls_s, 0, _rules(context, watched.kind)) * 1000)
    row = _row(watched, details, now_ms=now_ms)
    row |= {
        "deadline_at_ms": now_ms + waiter.delay * waiter.max_attempts * 1000,
        "poll_schedule_s": polls_s,
        "due_at_ms": now_ms + pause_ms,
        "reservation_id": reservation_id,
    }
    context.ledger.create(rows.watch(watched.id), row)
    # Scheduled even if the row was there: whoever wrote it may have died before this line.
    context.timers.schedule(watched.id, after_ms=pause_ms)


def announce(
    context: WatchContext,
    watched: Watched,
    *,
    outcome: WatchOutcome,
    details: Mapping[str, Any],
) -> None:
    """
    Write a watch of *watched* that has ended already, and schedule its announcement.

    Of what has the same id only the first is announced.
    """
    now_ms = context.now_ms()
    row = _row(watched, details, now_ms=now_ms)
    row |= {"outcome": outcome, "ended_at_ms": now_ms, "due_at_ms": now_ms}
    context.ledger.create(rows.watch(watched.id), row)
    context.timers.schedule(watched.id)


def _row(watched: Watched, details: Mapping[str, Any], *, now_ms: int) -> WatchRow:
    target = watched.target
    return {
        "kind": watched.kind,
        "name": watched.name,
        "target_kind": target.kind if target else "",
        "target_id": target.id if target else "",
        "parameters": dict(watched.parameters),
        "etag": watched.etag,
        "details": (target.fields if target else {}) | dict(details),
        "started_at_ms": now_ms,
        "polled_at_ms": now_ms,
        "poll_count": 0,
        "error_count": 0,
        "timer": "watch",
    }


def steps(context: WatchContext, announcer: Announcer, watch_id: str) -> Iterator[StepResult]:
    """Poll once, if that is due, and announce the end if this was it; yield what was done."""
    watch = context.ledger.get(rows.watch(watch_id))
    ids = {"watch_id": watch_id}
    if watch is None:
        yield StepResult("watch gone", ids=ids)
        return
    if context.now_ms() < watch.get("due_at_ms", 0):
        yield StepResult("watch not due", ids=ids, due_at_ms=watch["due_at_ms"])
        return
    if "outcome" not in watch:
        result, watch = _poll(context, watch_id, watch)
        yield result
        if watch is None or "outcome" not in watch:
            return
    yield announcing.announce(context.ledger, announcer, watch_id, watch, now_ms=context.now_ms())


@dataclass(frozen=True, slots=True)
class _Poll:
    """How the watch has ended, if it has; the status; how many errors in a row; what to say."""

    outcome: WatchOutcome | None
    status: str
    error_count: int
    said: Outcome


def _poll(
    context: WatchContext, watch_id: str, watch: WatchRow
) -> tuple[StepResult, WatchRow | None]:
    ids = {"watch_id": watch_id, **watch["details"]}
    polled = _polled(context, watch)
    if polled is None:
        # What somebody else reads right now will do for this watch, too.
        due_at_ms = context.now_ms() + polling.SHARED_MS
        return StepResult("poll shared", ids=ids, due_at_ms=due_at_ms), None
    written = _write(context, watch_id, watch, polled)
    if written is None:
        # Another poll ended it meanwhile; the announcement may still be owed.
        return StepResult("poll shared", ids=ids, due_at_ms=context.now_ms()), None
    ids |= {"status": polled.status, "poll_count": written["poll_count"]}
    if "outcome" not in written:
        return StepResult(polled.said, ids=ids, due_at_ms=written["due_at_ms"]), written
    if written["outcome"] == "completed":
        _learn(context, watch, ended_at_ms=written["ended_at_ms"])
    return StepResult("watch ended", written["outcome"], ids, context.now_ms()), written


def _polled(context: WatchContext, watch: WatchRow) -> _Poll | None:
    """Poll, or return None while another watch of the target is polling for both."""
    kind = cast("WatchKind", watch["kind"])
    waiter = _waiter(context.cloudfront, kind)
    shared = polling.PollingContext(context.ledger, context.cloudfront, context.now_ms)
    if kind == "invalidation":
        response = polling.poll_invalidation(
            shared,
            watch["parameters"],
            final=lambda response: waiters.evaluate(waiter.acceptors, response) == "success",
        )
    else:
        response = polling.poll(shared, waiter.operation, watch["parameters"])
    return None if response is None else _evaluated(context, watch, waiter, response)


def _evaluated(
    context: WatchContext,
    watch: WatchRow,
    waiter: Any,  # noqa: ANN401  # botocore types no waiter
    response: Mapping[str, Any],
) -> _Poll:
    state = waiters.evaluate(waiter.acceptors, response)
    outcome: WatchOutcome | None = None
    error_count = 0
    said: Outcome = "still in progress"
    if watch["etag"] and response.get("ETag", watch["etag"]) != watch["etag"]:
        outcome = "superseded"
    elif state == "success":
        outcome = "completed"
    elif state == "failure":
        outcome = "failed"
    elif retryable.error_code(response).startswith("NoSuch"):
        outcome = "gone"
    elif state == "error" and retryable.is_retryable(response):
        # It says nothing of what is watched, however late that is.
        code = retryable.error_code(response)
        said = retryable.outcome_of(RetryLaterError(waiter.operation, code))
    elif state == "error":
        said = "step failed"
        error_count = watch["error_count"] + 1
        outcome = "failed" if error_count >= retryable.MAX_ERRORS else None
    elif context.now_ms() >= watch["deadline_at_ms"]:
        outcome = "timed_out"
    return _Poll(outcome, _status(response), error_count, said)


def _write(context: WatchContext, watch_id: str, watch: WatchRow, polled: _Poll) -> WatchRow | None:
    now_ms = context.now_ms()
    put: WatchRow = {
        "last_status": polled.status,
        "error_count": polled.error_count,
        "polled_at_ms": now_ms,
    }
    if polled.outcome is not None:
        put |= {"outcome": polled.outcome, "ended_at_ms": now_ms, "due_at_ms": now_ms}
    elif polled.error_count:
        put["due_at_ms"] = now_ms + retryable.error_backoff_ms(polled.error_count)
    else:
        elapsed_s = (now_ms - watch["started_at_ms"]) / 1000
        rules = _rules(context, cast("WatchKind", watch["kind"]))
        next_s = schedule.next_poll_s(watch["poll_schedule_s"], elapsed_s, rules)
        put["due_at_ms"] = watch["started_at_ms"] + int(next_s * 1000)
    return context.ledger.update_if(
        table.absent("outcome"), rows.watch(watch_id), put=put, add={"poll_count": 1}
    )


def _learn(context: WatchContext, watch: WatchRow, *, ended_at_ms: int) -> None:
    """Record how long this took, for later watches: until a moment between the last two polls."""
    kind = cast("WatchKind", watch["kind"])
    middle_ms = (watch["polled_at_ms"] + ended_at_ms) // 2
    duration_s = max(1, round((middle_ms - watch["started_at_ms"]) / 1000))
    learned = context.ledger.get(rows.polling_schedule(kind)) or {}
    durations_s = [*learned.get("durations_s", []), duration_s][-schedule.MAX_DURATIONS :]
    polls_s = schedule.schedule(durations_s, _rules(context, kind))
    # Two at once may lose a duration: there will be others.
    context.ledger.create_or_update(
        rows.polling_schedule(kind),
        put={"durations_s": durations_s, "poll_schedule_s": polls_s},
    )


def _rules(context: WatchContext, kind: WatchKind) -> schedule.PollingRules:
    kind_polling = _POLLING[kind]
    return schedule.PollingRules(
        pause_s=_waiter(context.cloudfront, kind).delay,
        max_pause_s=kind_polling.max_pause_s,
        latency_cost_s=kind_polling.latency_cost_s,
    )


def _status(response: Mapping[str, Any]) -> str:
    for part in response.values():
        if isinstance(part, dict) and "Status" in part:
            return str(part["Status"])
    return retryable.error_code(response)


@lru_cache(maxsize=8)
def _waiter(client: CloudFrontClient, kind: WatchKind) -> Any:  # noqa: ANN401  # botocore types no waiter
    # botocore compiles the acceptors anew each time it is asked.
    return client.get_waiter(_POLLING[kind].waiter).config  # type: ignore[call-overload]
