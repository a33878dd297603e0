"""A flush turns all that changed in a bucket into one plan, and ends when that is committed.

The rows of one bucket share a partition of the ledger; `rows` says what is in them. Whoever holds
the lock may plan. Whoever takes it from one that died finishes its committed plan first, from the
rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cdn.aws import retryable, rows, table, timers
from cdn.errors import RetryLaterError
from cdn.invalidation import budget, changes, halving, holding, plans
from cdn.invalidation.context import LOCK, FlushRun
from cdn.telemetry import StepResult
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from cdn.aws.rows import ChangesRow, FlushRow, Key
    from cdn.invalidation.changes import Change
    from cdn.invalidation.context import FlushContext
    from cdn.invalidation.planner import Plan

# Longer than the function may run, shorter than its timers' visibility timeout.
LOCK_MS = 315_000

# What keeps a plan row under DynamoDB's 400 kB: 8 bytes an identity, some 50 a row's key.
_MAX_ROWS = 2_000
_MAX_CHANGES = 20_000

_RETRIES = ("retry_count", "retry_at_ms", "error_count")
_HELD = ("held_item_count", "released")

_State = Literal["all committed", "more", "held"]


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


def steps(
    context: FlushContext, delays: FlushDelays, bucket: str
) -> Generator[StepResult, None, None]:
    """
    Flush *bucket* if that is due, and yield what was done.

    The last result says when to come back; never when all that was collected is committed, or when
    retries are exhausted. What was collected then stays pending, and goes when this is called again
    or with the next flush.
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
    run = FlushRun(bucket, locked)
    try:
        with retryable.retry_later():
            yield from _counted_steps(context, delays, run)
    except RetryLaterError as exc:
        yield _back_off(context, run, exc)


def _counted_steps(
    context: FlushContext, delays: FlushDelays, run: FlushRun
) -> Iterator[StepResult]:
    try:
        with retryable.retry_later():
            state = yield from _work(context, run)
            if state == "held":
                return
            if state == "all committed" and _end(context, run):
                yield StepResult("flush finished", ids={"bucket": run.bucket})
                return
            yield _start_over(context, delays, run)
    except RetryLaterError:
        raise
    # The one door of a bucket: whatever flies out is counted.
    except Exception as exc:  # noqa: BLE001
        if run.planning and not isinstance(exc, ClientError | BotoCoreError):
            yield from halving.isolate(context, run, exc)
        else:
            yield _record_error(context, run, exc)


def _work(context: FlushContext, run: FlushRun) -> Generator[StepResult, None, _State]:
    """Finish the committed plan, then plan and commit what is pending."""
    bucket, flush = run.bucket, run.flush
    if "plan_id" in flush:
        yield from plans.schedule(context, bucket, flush["plan_id"], flush["lock"])
    if holding.is_still_held(context, flush):
        yield holding.hold(context, run, flush["held_item_count"])
        return "held"
    pending, all_read = _read_changes(context, bucket)
    if not pending:
        return "all committed" if all_read else "more"
    collected = [change for _, row_changes in pending for change in row_changes]
    planned_ids = plans.planned_ids(context.ledger, bucket, collected, now_ms=context.now_ms())
    fresh = changes.distinct(collected, seen=planned_ids)
    if not fresh:
        context.ledger.delete(key for key, _ in pending)
        counts = {"bucket": bucket, "changes": len(collected)}
        yield StepResult("changes already planned", ids=counts)
        return "all committed" if all_read else "more"
    chosen = yield from halving.choose(context, run, fresh)
    reserved_at_ms = context.now_ms()
    chosen, plan, is_reserved = _plan(context, run, chosen, now_ms=reserved_at_ms)
    if not is_reserved:
        yield holding.hold(context, run, ceil(plan.item_count / len(chosen)))
        return "held"
    done = planned_ids | chosen.keys()
    result = plans.draft(
        context,
        bucket,
        plan,
        chosen,
        change_row_keys=[
            key
            for key, row_changes in pending
            if done.issuperset(map(changes.identity, row_changes))
        ],
    )
    plan_id = result.ids["plan_id"]
    if not plans.commit(context, bucket, plan_id, flush["lock"]):
        budget.release(context.ledger, plan.item_count, reserved_at_ms=reserved_at_ms)
        yield StepResult("plan discarded", "the lock was lost", result.ids)
        return "more"
    yield result
    yield from plans.schedule(context, bucket, plan_id, flush["lock"])
    return "all committed" if all_read and len(chosen) == len(fresh) else "more"


def _acquire_lock(context: FlushContext, bucket: str) -> FlushRow | None:
    now_ms = context.now_ms()
    expires_at_ms = now_ms + LOCK_MS
    return context.ledger.update_if(
        table.passed("lock_expires_at_ms", now_ms) & table.present("first_change_at_ms"),
        rows.flush(bucket),
        put={
            "lock": context.token(),
            "lock_expires_at_ms": expires_at_ms,
            "timer": "flush",
            "due_at_ms": expires_at_ms,
        },
        add={"attempt_count": 1},
    )


def _read_changes(
    context: FlushContext, bucket: str
) -> tuple[list[tuple[Key[ChangesRow], list[Change]]], bool]:
    """Return as many changes as one plan takes, by their rows, and whether these are all."""
    pending: list[tuple[Key[ChangesRow], list[Change]]] = []
    count = 0
    for row in context.ledger.query_all(rows.all_changes(bucket)):
        row_changes = changes.unpack(row["changes"])
        count += len(row_changes)
        if pending and (count > _MAX_CHANGES or len(pending) == _MAX_ROWS):
            return pending, False
        pending.append((rows.key_of(row), row_changes))
    return pending, True


def _plan(
    context: FlushContext, run: FlushRun, chosen: dict[bytes, Change], *, now_ms: int
) -> tuple[dict[bytes, Change], Plan, bool]:
    """
    Plan as many of *chosen* as the day may still cost.

    Returns:
        Those that were planned, their plan, and whether its items are reserved.
    """
    limit = None if run.flush.get("released") else context.daily_items
    while True:
        run.planning = chosen
        plan = plans.make(context, run.bucket, chosen, newest_at_ms=run.flush["last_change_at_ms"])
        run.planning = {}
        if not plan.item_count or budget.reserve(
            context.ledger, plan.item_count, limit=limit, now_ms=now_ms
        ):
            return chosen, plan, True
        left = budget.items_left(context.ledger, limit=context.daily_items, now_ms=now_ms)
        count = min(len(chosen) // 2, len(chosen) * left // plan.item_count)
        if not count:
            return chosen, plan, False
        chosen = dict(islice(chosen.items(), count))


def _end(context: FlushContext, run: FlushRun) -> bool:
    """End the flush, unless a change was collected since the lock was acquired."""
    ended = context.ledger.update_if(
        run.is_mine & table.equal("collected_count", run.flush["collected_count"]),
        rows.flush(run.bucket),
        remove=(
            "first_change_at_ms",
            "last_change_at_ms",
            "timer",
            "due_at_ms",
            "max_changes",
            *LOCK,
            *_RETRIES,
            *_HELD,
        ),
    )
    return ended is not None


def _start_over(context: FlushContext, delays: FlushDelays, run: FlushRun) -> StepResult:
    """Release the lock; what was collected since it was acquired is the start of a new flush."""
    locked_at_ms = run.flush["lock_expires_at_ms"] - LOCK_MS
    # Whoever lets changes go while some are planned means the others.
    held = _HELD if run.flush.get("released") else ("held_item_count",)
    released = context.ledger.update_if(
        run.is_mine,
        rows.flush(run.bucket),
        put={
            "first_change_at_ms": locked_at_ms,
            "due_at_ms": locked_at_ms + delays.max_wait_ms,
        },
        remove=(*LOCK, *_RETRIES, *held),
    )
    due = context.now_ms() + LOCK_MS if released is None else due_at_ms(released, delays)
    return StepResult("flush continues", ids={"bucket": run.bucket}, due_at_ms=due)


def _back_off(context: FlushContext, run: FlushRun, error: RetryLaterError) -> StepResult:
    """Release the lock; what is pending stays so."""
    retry_count = run.flush.get("retry_count", 0) + 1
    retry_at_ms = error.due_at_ms or context.now_ms() + retryable.backoff_ms(retry_count)
    context.ledger.update_if(
        run.is_mine,
        rows.flush(run.bucket),
        put={"retry_count": retry_count, "retry_at_ms": retry_at_ms, "due_at_ms": retry_at_ms},
        remove=LOCK,
    )
    return StepResult(
        retryable.outcome_of(error),
        str(error),
        {"bucket": run.bucket, "operation": error.operation, "code": error.code},
        retry_at_ms,
    )


def _record_error(context: FlushContext, run: FlushRun, error: Exception) -> StepResult:
    """Release the lock, and retry later; after too many errors, leave it to a person."""
    error_count = run.flush.get("error_count", 0) + 1
    ids = {"bucket": run.bucket, "code": retryable.code_of(error)}
    if error_count >= retryable.MAX_ERRORS:
        return _exhaust_retries(context, run, error, ids)
    due = context.now_ms() + retryable.error_backoff_ms(error_count)
    context.ledger.update_if(
        run.is_mine,
        rows.flush(run.bucket),
        put={"error_count": error_count, "retry_at_ms": due, "due_at_ms": due},
        remove=LOCK,
    )
    return StepResult("step failed", str(error), ids, due)


def _exhaust_retries(
    context: FlushContext, run: FlushRun, error: Exception, ids: Mapping[str, Any]
) -> StepResult:
    """Announce that the flush failed, and have only a person or the next one retry it."""
    expires_at_ms = context.now_ms() + LOCK_MS
    put: FlushRow = {"lock_expires_at_ms": expires_at_ms, "due_at_ms": expires_at_ms}
    # Before anybody hears of it: whoever has lost the lock may be slower than who has flushed.
    if context.ledger.update_if(run.is_mine, rows.flush(run.bucket), put=put) is None:
        return StepResult("flush locked", "the lock was lost", ids, expires_at_ms)
    reason = (
        f"the flush of bucket {run.bucket} met {retryable.MAX_ERRORS} errors in a row, "
        f"the last one {error}"
    )
    watches.announce(
        context.watch_context(),
        watches.flush(run.bucket, run.flush["first_change_at_ms"]),
        outcome="failed",
        details={"bucket": run.bucket, "error": ids["code"]},
    )
    context.dead_letters.send(body=timers.message(run.bucket), reason=reason)
    context.ledger.update_if(
        run.is_mine,
        rows.flush(run.bucket),
        remove=("timer", "due_at_ms", *LOCK, *_RETRIES),
    )
    return StepResult("retries exhausted", reason, ids)
