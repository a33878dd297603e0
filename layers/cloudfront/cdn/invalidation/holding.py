"""Changes that cost more than a day may are held: pending, announced, and never dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows, table
from cdn.invalidation import budget
from cdn.invalidation.context import LOCK
from cdn.telemetry import StepResult, moment
from cdn.watching import watches

if TYPE_CHECKING:
    from cdn.aws.rows import FlushRow
    from cdn.invalidation.context import FlushContext, FlushRun

# Whoever raises the limit is not kept waiting until the day ends.
_POLL_MS = 15 * 60 * 1_000


def is_still_held(context: FlushContext, flush: FlushRow) -> bool:
    """Return whether what was held before still costs more than the day has left."""
    if "held_item_count" not in flush or flush.get("released"):
        return False
    left = budget.items_left(context.ledger, limit=context.daily_items, now_ms=context.now_ms())
    return left < flush["held_item_count"]


def hold(context: FlushContext, run: FlushRun, item_count: int) -> StepResult:
    """
    Release the lock, and keep what is pending until the day ends or somebody lets it go.

    Args:
        item_count: So many items must be left of the day before it is planned again.
    """
    now_ms = context.now_ms()
    day_ends_at_ms = budget.ends_at_ms(now_ms)
    day = budget.day(now_ms)
    due = min(day_ends_at_ms, now_ms + _POLL_MS)
    ids = {"bucket": run.bucket, "daily_items": context.daily_items}
    watches.announce(
        context.watch_context(),
        watches.held_changes(run.bucket, day),
        outcome="held",
        details={**ids, "until": moment(day_ends_at_ms)},
    )
    key = rows.flush(run.bucket)
    held = context.ledger.update_if(
        run.is_mine & table.absent("released"),
        key,
        put={"held_item_count": max(1, item_count), "retry_at_ms": due, "due_at_ms": due},
        remove=LOCK,
    )
    if held is None:
        context.ledger.update_if(run.is_mine, key, put={"due_at_ms": now_ms}, remove=LOCK)
        return StepResult("flush continues", "somebody has let it go", ids, now_ms)
    reason = f"{day} may cost {context.daily_items} items"
    return StepResult("changes held", reason, ids, due)
