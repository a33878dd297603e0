"""Schedule the timers of rows that are overdue: timers get lost, rows do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.aws import rows
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cdn.aws.rows import Timer
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue

# A timer whose function died comes back by itself within its visibility timeout, 90 s.
_OVERDUE_AFTER_MS = 120_000


def steps(
    ledger: Table, timers: Mapping[Timer, TimerQueue], *, now: Callable[[], float]
) -> Iterator[StepResult]:
    """Schedule the timer of every overdue row, and yield which."""
    before_ms = int(now() * 1000) - _OVERDUE_AFTER_MS
    for timer, queue in timers.items():
        for pk in ledger.overdue(timer, before_ms=before_ms):
            row_id = rows.row_id(pk)
            queue.schedule(row_id)
            yield StepResult("timer rescheduled", ids={"timer": timer, "row_id": row_id})


def overdue_row_age_s(ledger: Table, timers: Iterable[Timer], *, now_ms: int) -> int:
    """Return for how many seconds the most overdue row of *timers* has been due; 0 for none."""
    first = [ledger.first_due_at_ms(timer, before_ms=now_ms) for timer in timers]
    return (now_ms - min((due for due in first if due is not None), default=now_ms)) // 1000
