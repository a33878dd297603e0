"""A committed batch is sent to its end by its own timer, and waits for no other.

Its items and its CallerReference never change, so that whoever sends it again is not billed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from cdn.aws import retryable, rows, table, timers
from cdn.cloudfront import invalidations, quota_reservations, quotas
from cdn.cloudfront.targets import Kind, Target
from cdn.errors import RetryLaterError, TargetGoneError
from cdn.telemetry import StepResult
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cdn.aws.rows import BatchRow, Key
    from cdn.invalidation.context import BatchContext
    from cdn.telemetry import WatchOutcome
    from cdn.watching.watches import Watched

# Longer than the function may run, shorter than its timers' visibility timeout.
LOCK_MS = 75_000

_LOCK = ("lock", "lock_expires_at_ms")
_WAITING = ("timer", "due_at_ms", "retry_count", *_LOCK)

# What is in progress ends by itself, so that to wait longer and longer would be idle time.
_MAX_QUOTA_RETRIES = 3


def steps(context: BatchContext, row_id: str) -> Iterator[StepResult]:
    """
    Send the batch *row_id* if that is due, and yield what was done.

    The result says when to come back; never when it is sent or ended otherwise, or when its retries
    are exhausted: its timer then lies in the dead-letter queue, and starts it anew if it is
    redriven.
    """
    key = rows.batch_of(row_id)
    batch = context.ledger.get(key)
    ids: dict[str, Any] = {"row_id": row_id}
    if batch is None or not batch.keys() & {"due_at_ms", "exhausted_at_ms"}:
        yield StepResult("nothing pending", ids=ids)
        return
    now_ms = context.now_ms()
    if now_ms < batch.get("due_at_ms", 0):
        yield StepResult("batch not due", ids=ids, due_at_ms=batch["due_at_ms"])
        return
    locked = context.ledger.update_if(
        table.passed("lock_expires_at_ms", now_ms) & table.absent("sent_at_ms"),
        key,
        put={"lock": context.token(), "timer": "batch", **_lock_until(context)},
        remove=("exhausted_at_ms",),
    )
    if locked is None:
        # While somebody else sends it, come back in case it dies.
        yield StepResult("batch locked", ids=ids, due_at_ms=now_ms + LOCK_MS)
        return
    yield _step(context, key, locked)


def _lock_until(context: BatchContext) -> BatchRow:
    expires_at_ms = context.now_ms() + LOCK_MS
    return {"lock_expires_at_ms": expires_at_ms, "due_at_ms": expires_at_ms}


def _step(context: BatchContext, key: Key[BatchRow], batch: BatchRow) -> StepResult:
    target = Target(cast("Kind", batch["target_kind"]), batch["target_id"])
    items: list[str] = rows.unpack(batch["items"])
    share = quotas.share_of(items)
    ids: dict[str, Any] = {
        "bucket": rows.bucket_of(key),
        "plan_id": batch["plan_id"],
        **target.fields,
        "caller_reference": batch["caller_reference"],
        "paths": share.items + share.wildcards,
        "wildcards": share.wildcards,
    }
    try:
        with retryable.retry_later():
            return _send(context, key, batch, target, items, ids)
    except RetryLaterError as exc:
        return _retry_later(context, key, batch, exc, ids)
    # The one door of a batch: whatever flies out is counted.
    except Exception as exc:  # noqa: BLE001
        return _record_error(context, key, batch, exc, ids)


def _send(
    context: BatchContext,
    key: Key[BatchRow],
    batch: BatchRow,
    target: Target,
    items: Sequence[str],
    ids: Mapping[str, Any],
) -> StepResult:
    """
    Send *batch*, or end it.

    Raises:
        RetryLaterError: CloudFront is throttling, or the stack's own limits do not allow it yet.
    """
    if "halved_at_ms" in batch:
        return _halve(context, key, batch, items, ids, reason="it was begun before")
    caller_reference = batch["caller_reference"]
    quota_reservations.reserve(
        context.ledger,
        caller_reference,
        quotas.share_of(items),
        limits=context.limits,
        now_ms=context.now_ms(),
    )
    try:
        invalidation_id = invalidations.create(
            context.cloudfront, target=target, items=items, caller_reference=caller_reference
        )
    except TargetGoneError as exc:
        # There is nothing left to invalidate, and nothing to poll: only an end to announce.
        watched = _announce(context, batch, outcome="gone", details=_details(ids))
        quota_reservations.release(context.ledger, caller_reference)
        _end(context, key, {"watch_id": watched.id})
        return StepResult("invalidation target gone", str(exc), ids)
    except ClientError as exc:
        if not invalidations.may_refuse_one_item(exc.response):
            raise
        if len(items) > 1:
            ids = {**ids, "code": retryable.code_of(exc)}
            return _halve(context, key, batch, items, ids, reason=str(exc))
        return _exhaust_retries(context, key, batch, exc, ids)
    watched = watches.invalidation(target, invalidation_id)
    watches.create(
        context.watch_context(), watched, details=_details(ids), reservation_id=caller_reference
    )
    _end(context, key, {"watch_id": watched.id, "invalidation_id": invalidation_id})
    return StepResult("invalidation created", ids={**ids, "invalidation_id": invalidation_id})


def _lock_lost(context: BatchContext, ids: Mapping[str, Any]) -> StepResult:
    due_at_ms = context.now_ms() + LOCK_MS
    return StepResult("batch locked", "the lock was lost", ids, due_at_ms)


def _end(context: BatchContext, key: Key[BatchRow], put: BatchRow) -> None:
    now_ms = context.now_ms()
    ended: BatchRow = {
        "sent_at_ms": now_ms,
        "expires_at_s": now_ms // 1000 + context.history_ttl_s,
    }
    context.ledger.update(key, put={**ended, **put}, remove=_WAITING)


def _details(ids: Mapping[str, Any]) -> dict[str, Any]:
    return {"bucket": ids["bucket"], "items": ids["paths"], "plan_id": ids["plan_id"]}


def _halve(
    context: BatchContext,
    key: Key[BatchRow],
    batch: BatchRow,
    items: Sequence[str],
    ids: Mapping[str, Any],
    *,
    reason: str,
) -> StepResult:
    """
    Put two batches in the place of one, so that an item that is refused stands alone in the end.

    The batch itself is never sent from the first write on, whatever dies in between. A batch is
    never halved because a function died with it: CloudFront may have taken it. Nor by whoever has
    lost the lock: whoever has it may have sent the whole.
    """
    now_ms = context.now_ms()
    is_mine = table.equal("lock", batch["lock"])
    if context.ledger.update_if(is_mine, key, keep={"halved_at_ms": now_ms}) is None:
        return _lock_lost(context, ids)
    quota_reservations.release(context.ledger, batch["caller_reference"])
    middle = len(items) // 2
    for number, half in enumerate((items[:middle], items[middle:])):
        half_key = rows.half_batch(key, number)
        row: BatchRow = {
            "target_kind": batch["target_kind"],
            "target_id": batch["target_id"],
            "items": rows.pack(half),
            "item_count": len(half),
            "plan_id": batch["plan_id"],
            "caller_reference": context.token(),
            "timer": "batch",
            "due_at_ms": now_ms,
        }
        context.ledger.create(half_key, row)
        context.batch_timers.schedule(rows.row_id(half_key))
    _end(context, key, {})
    return StepResult("batch halved", reason, ids)


def _retry_later(
    context: BatchContext,
    key: Key[BatchRow],
    batch: BatchRow,
    error: RetryLaterError,
    ids: Mapping[str, Any],
) -> StepResult:
    retry_count = batch.get("retry_count", 0) + 1
    is_own_limit = error.code == quota_reservations.QUOTA_EXHAUSTED
    counted = min(retry_count, _MAX_QUOTA_RETRIES) if is_own_limit else retry_count
    due_at_ms = error.due_at_ms or context.now_ms() + retryable.backoff_ms(counted)
    _release_lock(context, key, batch, {"retry_count": retry_count, "due_at_ms": due_at_ms})
    return StepResult(
        "quota exhausted" if is_own_limit else retryable.outcome_of(error),
        str(error),
        {**ids, "operation": error.operation, "code": error.code},
        due_at_ms,
    )


def _record_error(
    context: BatchContext,
    key: Key[BatchRow],
    batch: BatchRow,
    error: Exception,
    ids: Mapping[str, Any],
) -> StepResult:
    """Release the lock, and retry later; the first time, announce it; at last, dead-letter it."""
    error_count = batch.get("error_count", 0) + 1
    if error_count >= retryable.MAX_ERRORS:
        return _exhaust_retries(context, key, batch, error, ids)
    code = retryable.code_of(error)
    if error_count == 1:
        details = {**_details(ids), "error": code, "caller_reference": batch["caller_reference"]}
        _announce(context, batch, outcome="refused", details=details)
    quota_reservations.release(context.ledger, batch["caller_reference"])
    due_at_ms = context.now_ms() + retryable.error_backoff_ms(error_count)
    _release_lock(context, key, batch, {"error_count": error_count, "due_at_ms": due_at_ms})
    return StepResult("batch retried later", str(error), {**ids, "code": code}, due_at_ms)


def _exhaust_retries(
    context: BatchContext,
    key: Key[BatchRow],
    batch: BatchRow,
    error: Exception,
    ids: Mapping[str, Any],
) -> StepResult:
    """Announce that *batch* failed, and have only a person send it again."""
    is_mine = table.equal("lock", batch["lock"])
    # Before anybody hears of it: whoever has lost the lock may be slower than who has sent it.
    if context.ledger.update_if(is_mine, key, put=_lock_until(context)) is None:
        return _lock_lost(context, ids)
    code = retryable.code_of(error)
    reason = (
        f"CloudFront does not take {batch['item_count']} paths of {batch['target_kind']} "
        f"{batch['target_id']}, the first {rows.unpack(batch['items'])[0]}: {error}"
    )
    _announce(context, batch, outcome="failed", details={**_details(ids), "error": code})
    quota_reservations.release(context.ledger, batch["caller_reference"])
    context.dead_letters.send(body=timers.message(rows.row_id(key)), reason=reason)
    context.ledger.update_if(
        is_mine,
        key,
        put={"exhausted_at_ms": context.now_ms()},
        remove=("error_count", *_WAITING),
    )
    return StepResult("batch failed", str(error), {**ids, "code": code})


def _announce(
    context: BatchContext,
    batch: BatchRow,
    *,
    outcome: WatchOutcome,
    details: Mapping[str, Any],
) -> Watched:
    """Announce what became of *batch*, by its reference: CloudFront has given it no id."""
    target = Target(cast("Kind", batch["target_kind"]), batch["target_id"])
    of = watches.refusal if outcome == "refused" else watches.invalidation
    watched = of(target, batch["caller_reference"])
    watches.announce(context.watch_context(), watched, outcome=outcome, details=details)
    return watched


def _release_lock(
    context: BatchContext, key: Key[BatchRow], batch: BatchRow, put: BatchRow
) -> None:
    context.ledger.update_if(table.equal("lock", batch["lock"]), key, put=put, remove=_LOCK)
