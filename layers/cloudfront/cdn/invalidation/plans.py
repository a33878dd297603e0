"""A plan becomes real by one write; then each of its batches is due, and is nobody's but its own.

A plan and its batches are written as drafts. The commitment is one conditional write, which names
the plan in the flush row and holds only for whoever holds the lock. Drafts that no flush row ever
named are never due, and expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows, table
from cdn.aws.object_listing import ObjectListing
from cdn.aws.rows import Key
from cdn.invalidation import budget, changes, history, planner, route_table, routes
from cdn.telemetry import StepResult
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cdn.aws.rows import BatchRow, ChangesRow, PlanRow
    from cdn.aws.table import Table
    from cdn.invalidation.changes import Change
    from cdn.invalidation.context import FlushContext
    from cdn.invalidation.planner import Plan

# S3's clock and Lambda's may disagree about which came first.
_SKEW_MS = 60_000


def planned_ids(
    ledger: Table, bucket: str, collected: Sequence[Change], *, now_ms: int
) -> frozenset[bytes]:
    """Return the identities in plans committed since the oldest of *collected* happened."""
    oldest_at_ms = min(change.at_ms for change in collected) - _SKEW_MS
    # None is older, whatever an event says: all that are would be read.
    oldest_at_ms = max(oldest_at_ms, now_ms - rows.PLAN_TTL_S * 1000)
    plans = ledger.query(rows.plans_since(bucket, oldest_at_ms))
    committed = (plan for plan in plans if "committed_at_ms" in plan)
    return frozenset().union(*(changes.identities(plan["identities"]) for plan in committed))


def make(
    context: FlushContext, bucket: str, fresh: Mapping[bytes, Change], *, newest_at_ms: int
) -> Plan:
    """
    Plan the changes *fresh*, by their identities, and write nothing.

    Args:
        newest_at_ms: When the last of the changes was collected: no older routes will do.
    """
    distributions = route_table.read(
        context.ledger,
        context.cloudfront,
        access_points=context.access_points,
        since_ms=newest_at_ms,
        now=context.now,
    )
    return planner.make(
        (change.key for change in fresh.values()),
        routes=routes.into(
            bucket,
            distributions,
            both_forms=context.both_forms,
            access_points=context.access_points,
        ),
        list_keys=ObjectListing(context.s3, bucket).keys,
        max_share=context.max_share,
        unresolved=routes.undeclared(distributions, context.access_points),
    )


def draft(
    context: FlushContext,
    bucket: str,
    plan: Plan,
    fresh: Mapping[bytes, Change],
    *,
    change_row_keys: Sequence[Key[ChangesRow]],
) -> StepResult:
    """
    Write *plan* and its batches as drafts.

    Args:
        fresh: The changes that it is for, by their identities.
        change_row_keys: The changes rows that go with its commitment: all of theirs is planned.

    Returns:
        What is to be said once the plan is committed; `ids["plan_id"]` names it.
    """
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
    keys = {change.key for change in fresh.values()}
    cost_cents = budget.cents_of_last(context.ledger, plan.item_count, now_ms=now_ms)
    context.ledger.replace(
        rows.history(bucket, plan_id),
        history.row(plan, keys, cost_cents=cost_cents, expires_at_s=expires_at_s),
    )
    plan_row: PlanRow = {
        "identities": b"".join(fresh),
        "change_row_keys": rows.pack([[key.pk, key.sk] for key in change_row_keys]),
        "expires_at_s": expires_at_s,
    }
    context.ledger.replace(rows.plan(bucket, plan_id), plan_row)
    counts = {
        "changes": len(fresh),
        "skipped": len(plan.skipped),
        "widened": len(plan.widened),
        "batches": len(plan.batches),
        "paths": plan.item_count,
        "wildcards": plan.share.wildcards,
        "cost_cents": cost_cents,
    }
    reason = next(iter([*plan.skipped.values(), *plan.widened.values()]), "")
    return StepResult("plan committed", reason, {"bucket": bucket, "plan_id": plan_id} | counts)


def commit(context: FlushContext, bucket: str, plan_id: str, lock: str) -> bool:
    """
    Make a drafted plan real, unless the lock was lost; return whether it is.

    A commitment whose answer was lost may be repeated.
    """
    return (
        context.ledger.update_if(
            table.equal("lock", lock),
            rows.flush(bucket),
            put={"plan_id": plan_id},
        )
        is not None
    )


def schedule(context: FlushContext, bucket: str, plan_id: str, lock: str) -> Iterator[StepResult]:
    """
    Make each batch of a committed plan due, announce what it skips, and delete its changes.

    Whoever finds a committed plan does it again from the start: a batch that was sent meanwhile
    stays so, and a timer too many finds nothing to do. A plan that is gone is passed over, so that
    what is pending is planned anew.
    """
    now_ms = context.now_ms()
    plan = context.ledger.update(
        rows.plan(bucket, plan_id),
        put={"expires_at_s": now_ms // 1000 + rows.PLAN_TTL_S},
        keep={"committed_at_ms": now_ms},
    )
    batch_keys = [
        rows.key_of(row)
        for row in context.ledger.query(rows.batches(bucket, plan_id))
        if "sent_at_ms" not in row
    ]
    if plan is None:
        context.ledger.delete(batch_keys)
        _release(context, bucket, lock)
        reason = "its row does not exist; what is pending is planned anew"
        yield StepResult("plan gone", reason, {"bucket": bucket, "plan_id": plan_id})
        return
    for key in batch_keys:
        context.ledger.update_if(
            table.absent("sent_at_ms"),
            key,
            keep={"timer": "batch", "due_at_ms": now_ms},
            remove=("expires_at_s",),
        )
        context.batch_timers.schedule(rows.row_id(key))
    kept = context.ledger.update(
        rows.history(bucket, plan_id),
        put={"expires_at_s": now_ms // 1000 + context.history_ttl_s},
        keep={"committed_at_ms": now_ms},
    )
    if kept:
        for skipped in history.skipped(kept):
            watches.announce(
                context.watch_context(),
                watches.skipped_changes(bucket, skipped.reason, now_ms),
                outcome="skipped",
                details={"bucket": bucket, "plan_id": plan_id, **skipped._asdict()},
            )
    context.ledger.delete(Key(pk, sk) for pk, sk in rows.unpack(plan["change_row_keys"]))
    _release(context, bucket, lock)


def _release(context: FlushContext, bucket: str, lock: str) -> None:
    context.ledger.update_if(table.equal("lock", lock), rows.flush(bucket), remove=("plan_id",))
