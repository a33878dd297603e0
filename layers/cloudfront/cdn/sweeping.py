"""Find what no timer will bring back, and measure what waits: timers get lost, rows do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from cdn import metrics
from cdn.aws import rows
from cdn.invalidation import budget, collecting
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cdn.aws.rows import Timer
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.invalidation.collecting import CollectContext

# A timer whose function died comes back by itself soon after its row's lock has expired.
_OVERDUE_AFTER_MS = 120_000

# A call that is slow, and its retries, fit into it.
_STOPS_BEFORE_MS = 20_000

_EVER_MS = 10**15


def steps(
    context: CollectContext,
    timers: Mapping[Timer, TimerQueue],
    buckets: Iterable[str],
    *,
    left_ms: Callable[[], int],
) -> Iterator[StepResult]:
    """
    Schedule the timer of every overdue row, the most overdue first, and yield which.

    Changes in *buckets* that no flush row tells of get one.

    Args:
        left_ms: So long the function may run on. What it has no time for, the next one finds.
    """
    for bucket in buckets:
        resumed = collecting.resume(context, bucket)
        if resumed:
            yield resumed
    before_ms = int(context.now() * 1000) - _OVERDUE_AFTER_MS
    for timer, queue in timers.items():
        for key in context.ledger.overdue(timer, before_ms=before_ms):
            if left_ms() < _STOPS_BEFORE_MS:
                yield StepResult("sweep stopped", "its time was over; the next one goes on")
                return
            row_id = rows.row_id(key)
            queue.schedule(row_id)
            yield StepResult("timer rescheduled", ids={"timer": timer, "row_id": row_id})


def gauges(ledger: Table, buckets: Iterable[str], *, now_ms: int) -> dict[str, int]:
    """Return the values of the metrics that say what is late, what waits, and what today costs."""
    flushes = [ledger.get(rows.flush(bucket)) or {} for bucket in buckets]
    since_ms = [flush["first_change_at_ms"] for flush in flushes if "first_change_at_ms" in flush]
    since_ms += [rows.planned_at_ms(key) for key in ledger.overdue("batch", before_ms=_EVER_MS)]
    due_ms = [ledger.first_due_at_ms(timer, before_ms=now_ms) for timer in get_args(rows.Timer)]
    overdue_ms = [each for each in due_ms if each is not None]
    return {
        metrics.OVERDUE_ROW_AGE: (now_ms - min(overdue_ms, default=now_ms)) // 1000,
        metrics.UNSENT_CHANGES_AGE: (now_ms - min(since_ms, default=now_ms)) // 1000,
        metrics.BUCKETS_HELD: sum("held_item_count" in flush for flush in flushes),
        metrics.COST_TODAY: budget.cents_today(ledger, now_ms=now_ms),
    }
