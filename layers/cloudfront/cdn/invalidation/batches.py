"""A plan becomes real by one write, and is then sent to its end by whoever finds it.

A plan and its batches are written as drafts. The commitment is one conditional write, which names
the plan in the flush row and holds only for whoever holds the lock. Drafts that no flush row ever
named are never sent, and expire.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from cdn.aws import retryable, rows, table
from cdn.aws.object_listing import ObjectListing
from cdn.aws.rows import Key
from cdn.cloudfront import invalidations, quota_reservations, quotas
from cdn.cloudfront.targets import Kind, Target
from cdn.errors import RetryLaterError, TargetGoneError
from cdn.invalidation import changes, planner, route_table, routes
from cdn.telemetry import StepResult
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from cdn.aws.rows import BatchRow, ChangesRow, PlanRow
    from cdn.invalidation.changes import Change
    from cdn.invalidation.context import FlushContext
    from cdn.telemetry import WatchOutcome
    from cdn.watching.watches import Watched

# S3's clock and Lambda's may disagree about which came first.
_SKEW_MS = 60_000

_MAX_REASONS = 1_000

BATCHES_LEFT = "BatchesLeft"
"""The code of a RetryLaterError that says that batches met errors, each of which was reported."""


def planned_ids(
    context: FlushContext, bucket: str, collected: Sequence[Change]
) -> frozenset[bytes]:
    """Return the identities in plans committed since the oldest of *collected* happened."""
    oldest_at_ms = min(change.at_ms for change in collected) - _SKEW_MS
    # None is older, whatever an event says: all that are would be read.
    oldest_at_ms = max(oldest_at_ms, context.now_ms() - rows.PLAN_TTL_S * 1000)
    plans = context.ledger.query(rows.plans_since(bucket, oldest_at_ms))
    committed = (plan for plan in plans if "committed_at_ms" in plan)
    return frozenset().union(*(changes.identities(plan["identities"]) for plan in committed))


def change_keys(bucket: str, sort_keys: Iterable[str]) -> list[Key[ChangesRow]]:
    """Return the keys of changes rows by their sort keys."""
    return [Key(rows.all_changes(bucket).pk, sort_key) for sort_key in sort_keys]


def draft(
    context: FlushContext,
    bucket: str,
    fresh: Mapping[bytes, Change],
    *,
    change_row_keys: Sequence[str],
    newest_at_ms: int,
) -> StepResult:
    """
    Plan the changes *fresh*, by their identities, and write the plan and its batches as drafts.

    Args:
        change_row_keys: The sort keys of the changes rows that go when the plan is finished.
        newest_at_ms: When the last of the changes was collected: no older routes will do.

    Returns:
        What is to be said once the plan is committed; `ids["plan_id"]` names it.
    """
    distributions = route_table.read(
        context.ledger,
        context.cloudfront,
        access_points=context.access_points,
        since_ms=newest_at_ms,
        now=context.now,
    )
    plan = planner.make(
        (change.key for change in fresh.values()),
        routes=routes.into(
            bucket,
            distributions,
            both_forms=context.both_forms,
            access_points=context.access_points,
        ),
        list_keys=ObjectListing(context.s3, bucket).keys,
        max_share=planner.max_share(context.limits),
        unresolved=routes.undeclared(distributions, context.access_points),
    )
    now_ms = context.now_ms()
    plan_id = rows.plan_id(at_ms=now_ms, token=context.token())
    expires_at_s = now_ms // 1000 + rows.PLAN_TTL_S
    for number, batch in enumerate(plan.batches):
        row: BatchRow = {
            "target_kind": batch.target.kind,
            "target_id": batch.target.id,
            "items": rows.pack(batch.items),
            "item_count": len(batch.items),
            "plan_id": plan_id,
            # Random, never made from the paths: the same paths change again.
            "caller_reference": context.token(),
            "expires_at_s": expires_at_s,
        }
        context.ledger.replace(rows.batch(bucket, plan_id, number), row)
    plan_row: PlanRow = {
        "identities": b"".join(fresh),
        "change_row_keys": rows.pack(change_row_keys),
        "change_count": len(fresh),
        "skipped_count": len(plan.skipped),
        "skipped": _reasons(plan.skipped),
        "widened": _reasons(plan.widened),
        "expires_at_s": expires_at_s,
    }
    context.ledger.replace(rows.plan(bucket, plan_id), plan_row)
    share = quotas.share_of(item for batch in plan.batches for item in batch.items)
    counts = {
        "changes": len(fresh),
        "skipped": len(plan.skipped),
        "batches": len(plan.batches),
        "paths": share.items + share.wildcards,
        "wildcards": share.wildcards,
    }
    reason = next(iter(plan.skipped.values()), "")
    return StepResult("plan committed", reason, {"bucket": bucket, "plan_id": plan_id} | counts)


def _reasons(reasons: Mapping[str, str]) -> bytes:
    return rows.pack(dict(islice(reasons.items(), _MAX_REASONS)))


def commit(context: FlushContext, bucket: str, plan_id: str, lock: str) -> bool:
    """Make a drafted plan real, unless the lock was lost; return whether it is."""
    return (
        context.ledger.update_if(
            table.equal("lock", lock) & table.absent("plan_id"),
            rows.flush(bucket),
            put={"plan_id": plan_id},
        )
        is not None
    )


def finish(context: FlushContext, bucket: str, plan_id: str, lock: str) -> Iterator[StepResult]:
    """
    Send what a committed plan has left to send, then delete its changes; yield what was done.

    A plan that is gone is released, so that what is pending is planned anew.

    Raises:
        RetryLaterError: Something is left, because CloudFront is throttling or because of an error
            that was not expected. A batch that meets five of those ends as failed, and is
            announced: one that CloudFront never takes must not hold up all others for ever.
    """
    plan = context.ledger.update(
        rows.plan(bucket, plan_id),
        keep={"committed_at_ms": context.now_ms()},
        remove=("expires_at_s",),
    )
    if plan is None:
        context.ledger.delete(key for key, _ in _unsent(context, bucket, plan_id))
        _release(context, bucket, plan_id, lock)
        reason = "its row does not exist; what is pending is planned anew"
        yield StepResult("plan gone", reason, {"bucket": bucket, "plan_id": plan_id})
        return
    unsent = _unsent(context, bucket, plan_id)
    for key, row in unsent:
        if "expires_at_s" in row:
            context.ledger.update(key, remove=("expires_at_s",))
    # In the place of what was halved there are its halves then.
    while (yield from _send_all(context, bucket, unsent)):
        unsent = _unsent(context, bucket, plan_id)
    context.ledger.delete(change_keys(bucket, rows.unpack(plan["change_row_keys"])))
    context.ledger.update(rows.plan(bucket, plan_id), put={"expires_at_s": _expires_at_s(context)})
    _release(context, bucket, plan_id, lock)


def _unsent(
    context: FlushContext, bucket: str, plan_id: str
) -> list[tuple[Key[BatchRow], BatchRow]]:
    return [
        (rows.key_of(row), row)
        for row in context.ledger.query(rows.batches(bucket, plan_id))
        if "sent_at_ms" not in row
    ]


def _release(context: FlushContext, bucket: str, plan_id: str, lock: str) -> None:
    context.ledger.update_if(
        table.equal("lock", lock) & table.equal("plan_id", plan_id),
        rows.flush(bucket),
        remove=("plan_id",),
    )


def _expires_at_s(context: FlushContext) -> int:
    return context.now_ms() // 1000 + rows.PLAN_TTL_S


def _send_all(
    context: FlushContext, bucket: str, batches: Sequence[tuple[Key[BatchRow], BatchRow]]
) -> Generator[StepResult, None, bool]:
    """Send what can be sent; return whether any batch was halved."""
    failed_count = halved_count = 0
    for number, (key, batch) in enumerate(batches):
        try:
            result = _send(context, bucket, key, batch)
        except RetryLaterError as exc:
            exc.progressed = number > failed_count
            raise
        yield result
        failed_count += result.outcome == "batch retried later"
        halved_count += result.outcome == "batch halved"
    if failed_count:
        raise RetryLaterError(
            quota_reservations.OPERATION, BATCHES_LEFT, progressed=len(batches) > failed_count
        )
    return halved_count > 0


def _send(context: FlushContext, bucket: str, key: Key[BatchRow], batch: BatchRow) -> StepResult:
    """
    Send *batch*, or end it.

    Raises:
        RetryLaterError: CloudFront is throttling, or the stack's own limits do not allow it yet.
    """
    target = Target(cast("Kind", batch["target_kind"]), batch["target_id"])
    caller_reference = batch["caller_reference"]
    items: list[str] = rows.unpack(batch["items"])
    share = quotas.share_of(items)
    ids: dict[str, Any] = {
        "bucket": bucket,
        "plan_id": batch["plan_id"],
        **target.fields,
        "caller_reference": caller_reference,
        "paths": share.items + share.wildcards,
        "wildcards": share.wildcards,
    }
    details = {"bucket": bucket, "items": batch["item_count"], "plan_id": batch["plan_id"]}
    if "halved_at_ms" in batch:
        _halve(context, key, batch, items)
        return StepResult("batch halved", "it was begun before", ids)
    quota_reservations.reserve(
        context.ledger, caller_reference, share, limits=context.limits, now_ms=context.now_ms()
    )
    # Named by the reference as long as CloudFront has given no id.
    watched = watches.invalidation(target, caller_reference)
    try:
        invalidation_id = invalidations.create(
            context.cloudfront, target=target, items=items, caller_reference=caller_reference
        )
    except TargetGoneError as exc:
        # There is nothing left to invalidate, and nothing to poll: only an end to announce.
        _end(context, watched, caller_reference, outcome="gone", details=details)
        result = StepResult("invalidation target gone", str(exc), ids)
    except ClientError as exc:
        ids["code"] = retryable.code_of(exc)
        if len(items) > 1 and invalidations.may_refuse_one_item(exc.response):
            _halve(context, key, batch, items)
            return StepResult("batch halved", str(exc), ids)
        counted = context.ledger.update(key, add={"error_count": 1}) or {}
        if counted.get("error_count", 0) < retryable.MAX_ERRORS:
            return StepResult("batch retried later", str(exc), ids)
        details["error"] = ids["code"]
        _end(context, watched, caller_reference, outcome="failed", details=details)
        result = StepResult("batch failed", str(exc), ids)
    else:
        watched = watches.invalidation(target, invalidation_id)
        watches.create(
            context.watch_context(), watched, details=details, reservation_id=caller_reference
        )
        result = StepResult("invalidation created", ids=ids | {"invalidation_id": invalidation_id})
    sent: BatchRow = {
        "sent_at_ms": context.now_ms(),
        "watch_id": watched.id,
        "expires_at_s": _expires_at_s(context),
    }
    context.ledger.update(key, put=sent)
    return result


def _halve(
    context: FlushContext, key: Key[BatchRow], batch: BatchRow, items: Sequence[str]
) -> None:
    """
    Put two batches in the place of one, so that an item that is refused stands alone in the end.

    The batch itself is never sent from the first write on, whatever dies in between.
    """
    context.ledger.update(key, keep={"halved_at_ms": context.now_ms()})
    quota_reservations.release(context.ledger, batch["caller_reference"])
    middle = len(items) // 2
    for number, half in enumerate((items[:middle], items[middle:])):
        row: BatchRow = {
            "target_kind": batch["target_kind"],
            "target_id": batch["target_id"],
            "items": rows.pack(half),
            "item_count": len(half),
            "plan_id": batch["plan_id"],
            "caller_reference": context.token(),
        }
        context.ledger.create(rows.half_batch(key, number), row)
    ended: BatchRow = {"sent_at_ms": context.now_ms(), "expires_at_s": _expires_at_s(context)}
    context.ledger.update(key, put=ended)


def _end(
    context: FlushContext,
    watched: Watched,
    reservation_id: str,
    *,
    outcome: WatchOutcome,
    details: Mapping[str, Any],
) -> None:
    quota_reservations.release(context.ledger, reservation_id)
    watches.announce_end(context.watch_context(), watched, outcome=outcome, details=details)
