"""A flush turns all that changed in a bucket into one plan, and sends its batches.

The rows of one bucket share a partition of the ledger; `rows` says what is in them. Whoever holds
the lock may plan. While a plan is not finished, nothing else is planned; whoever takes the lock
next finishes it first, from the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from cdn.aws import retryable, rows, table
from cdn.cloudfront import quota_reservations
from cdn.errors import RetryLaterError
from cdn.invalidation import batches, changes
from cdn.telemetry import StepResult
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from cdn.aws.rows import ChangesRow, FlushRow
    from cdn.invalidation.context import FlushContext
    from cdn.telemetry import Outcome

# Longer than the function may run, shorter than its timers' visibility timeout.
LOCK_MS = 75_000

# What keeps a plan row under DynamoDB's 400 kB: 8 bytes an identity, some 30 a row's key.
_MAX_ROWS = 2_000
_MAX_CHANGES = 20_000

_LOCK = ("lock", "lock_expires_at_ms")
_RETRIES = ("retry_count", "retry_at_ms", "error_count")

# What AWS did not say.
_BACK_OFF_OUTCOMES: Mapping[str, Outcome] = {
    quota_reservations.QUOTA_EXHAUSTED: "quota exhausted",
    batches.BATCHES_LEFT: "flush retried later",
}


@dataclass(frozen=True, slots=True)
class FlushDelays:
    """A flush is due after a quiet period without a change, or after the longest wait."""

    quiet_period_ms: int
    max_wait_ms: int


def due_at_ms(flush: FlushRow, delays: FlushDelays) -> int:
    """
    Return when *flush* is due.

    >>> delays = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
    >>> due_at_ms({"first_change_at_ms": 0, "last_change_at_ms": 5_000}, delays)
    7000
    >>> due_at_ms({"first_change_at_ms": 0, "last_change_at_ms": 59_000}, delays)
    60000
    >>> pending = {"first_change_at_ms": 0, "last_change_at_ms": 5_000, "retry_at_ms": 90_000}
    >>> due_at_ms(pending, delays)
    90000
    """
    quiet_at_ms = flush["last_change_at_ms"] + delays.quiet_period_ms
    latest_at_ms = flush["first_change_at_ms"] + delays.max_wait_ms
    return max(min(quiet_at_ms, latest_at_ms), flush.get("retry_at_ms", 0))


def steps(context: FlushContext, delays: FlushDelays, bucket: str) -> Iterator[StepResult]:
    """
    Flush *bucket* if that is due, and yield what was done.

    The last result says when to come back; None when all that was collected is sent, or when
    retries are exhausted. What was collected then stays pending, and goes when this is called
    again or with the next flush.
    """
    ids = {"bucket": bucket}
    flush = context.ledger.get(rows.flush(bucket))
    if flush is None or "first_change_at_ms" not in flush:
        yield StepResult("nothing pending", ids=ids)
        return
    due = due_at_ms(flush, delays)
    if context.now_ms() < due:
        yield StepResult("flush not due", ids=ids, due_at_ms=due)
        return
    locked = _acquire_lock(context, bucket)
    if locked is None:
        # While somebody else is at work, come back in case it dies.
        yield StepResult("flush locked", ids=ids, due_at_ms=context.now_ms() + LOCK_MS)
        return
    yield from _locked_steps(context, delays, bucket, locked)


def _locked_steps(
    context: FlushContext, delays: FlushDelays, bucket: str, flush: FlushRow
) -> Iterator[StepResult]:
    try:
        with retryable.retry_later():
            all_sent = yield from _work(context, bucket, flush)
            if all_sent and _end(context, bucket, flush):
                yield StepResult("flush finished", ids={"bucket": bucket})
                return
    except RetryLaterError as exc:
        yield _back_off(context, bucket, flush, exc)
        return
    except (ClientError, BotoCoreError) as exc:
        yield _record_error(context, bucket, flush, exc)
        return
    yield _start_over(context, delays, bucket, flush)


def _work(context: FlushContext, bucket: str, flush: FlushRow) -> Generator[StepResult, None, bool]:
    """Finish the committed plan, then plan and send what is pending; return whether it is all."""
    if "plan_id" in flush:
        yield from batches.finish(context, bucket, flush["plan_id"], flush["lock"])
    pending, all_read = _read_changes(context, bucket)
    if not pending:
        return all_read
    collected = [change for row in pending for change in changes.unpack(row["changes"])]
    planned_ids = batches.planned_ids(context, bucket, collected)
    fresh = changes.distinct(collected, seen=planned_ids)
    sort_keys = [row["sk"] for row in pending]
    if not fresh:
        context.ledger.delete(batches.change_keys(bucket, sort_keys))
        yield StepResult(
            "changes already planned", ids={"bucket": bucket, "changes": len(collected)}
        )
        return all_read
    result = batches.draft(
        context,
        bucket,
        fresh,
        change_row_keys=sort_keys,
        newest_at_ms=flush["last_change_at_ms"],
    )
    plan_id = result.ids["plan_id"]
    if not batches.commit(context, bucket, plan_id, flush["lock"]):
        yield StepResult("plan discarded", "the lock was lost", result.ids)
        return False
    yield result
    yield from batches.finish(context, bucket, plan_id, flush["lock"])
    return all_read


def _acquire_lock(context: FlushContext, bucket: str) -> FlushRow | None:
    now_ms = context.now_ms()
    return context.ledger.update_if(
        table.passed("lock_expires_at_ms", now_ms) & table.present("first_change_at_ms"),
        rows.flush(bucket),
        put={"lock": context.token(), "lock_expires_at_ms": now_ms + LOCK_MS},
    )


def _read_changes(context: FlushContext, bucket: str) -> tuple[list[ChangesRow], bool]:
    """Return as many changes rows as one plan takes, and whether these are all."""
    pending: list[ChangesRow] = []
    count = 0
    for row in context.ledger.query(rows.all_changes(bucket)):
        count += len(changes.unpack(row["changes"]))
        if pending and (count > _MAX_CHANGES or len(pending) == _MAX_ROWS):
            return pending, False
        pending.append(row)
    return pending, True


def _end(context: FlushContext, bucket: str, flush: FlushRow) -> bool:
    """End the flush, unless a change was collected since the lock was acquired."""
    ended = context.ledger.update_if(
        table.equal("lock", flush["lock"])
        & table.equal("collected_count", flush["collected_count"]),
        rows.flush(bucket),
        remove=("first_change_at_ms", "last_change_at_ms", "timer", "due_at_ms", *_LOCK, *_RETRIES),
    )
    return ended is not None


def _start_over(
    context: FlushContext, delays: FlushDelays, bucket: str, flush: FlushRow
) -> StepResult:
    """Release the lock; what was collected since it was acquired is the start of a new flush."""
    locked_at_ms = flush["lock_expires_at_ms"] - LOCK_MS
    released = context.ledger.update_if(
        table.equal("lock", flush["lock"]),
        rows.flush(bucket),
        put={
            "first_change_at_ms": locked_at_ms,
            "due_at_ms": locked_at_ms + delays.max_wait_ms,
        },
        remove=(*_LOCK, *_RETRIES),
    )
    due = context.now_ms() + LOCK_MS if released is None else due_at_ms(released, delays)
    return StepResult("flush continues", ids={"bucket": bucket}, due_at_ms=due)


def _back_off(
    context: FlushContext, bucket: str, flush: FlushRow, error: RetryLaterError
) -> StepResult:
    """Release the lock; whatever is committed stays so until it can be sent."""
    retry_count = 1 if error.progressed else flush.get("retry_count", 0) + 1
    retry_at_ms = error.due_at_ms or context.now_ms() + retryable.backoff_ms(retry_count)
    context.ledger.update_if(
        table.equal("lock", flush["lock"]),
        rows.flush(bucket),
        put={"retry_count": retry_count, "retry_at_ms": retry_at_ms, "due_at_ms": retry_at_ms},
        remove=(*_LOCK, "error_count"),
    )
    return StepResult(
        _BACK_OFF_OUTCOMES.get(error.code) or retryable.outcome_of(error),
        str(error),
        {"bucket": bucket, "operation": error.operation, "code": error.code},
        retry_at_ms,
    )


def _record_error(
    context: FlushContext, bucket: str, flush: FlushRow, error: ClientError | BotoCoreError
) -> StepResult:
    """Release the lock, and retry later; after too many errors in a row, leave it to a person."""
    ids = {"bucket": bucket, "code": retryable.code_of(error)}
    if flush.get("error_count", 0) + 1 >= retryable.MAX_ERRORS:
        _exhaust_retries(context, bucket, flush, ids["code"])
        reason = (
            f"the flush of bucket {bucket} met {retryable.MAX_ERRORS} errors in a row, "
            f"the last one {ids['code']}"
        )
        return StepResult("retries exhausted", reason, ids)
    due = context.now_ms() + retryable.ERROR_BACKOFF_MS
    context.ledger.update_if(
        table.equal("lock", flush["lock"]),
        rows.flush(bucket),
        put={"due_at_ms": due},
        add={"error_count": 1},
        remove=_LOCK,
    )
    return StepResult("step failed", str(error), ids, due)


def _exhaust_retries(context: FlushContext, bucket: str, flush: FlushRow, code: str) -> None:
    """Announce that the flush failed, and have only a person or the next one retry it."""
    watches.announce_end(
        context.watch_context(),
        watches.flush(bucket, flush["first_change_at_ms"]),
        outcome="failed",
        details={"bucket": bucket, "error": code},
    )
    context.ledger.update_if(
        table.equal("lock", flush["lock"]),
        rows.flush(bucket),
        remove=("timer", "due_at_ms", *_LOCK, *_RETRIES),
    )
