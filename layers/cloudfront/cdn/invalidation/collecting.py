"""Collect what changed in a bucket, and make sure that a flush is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.aws import rows
from cdn.invalidation import changes
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cdn.aws.rows import ChangesRow
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.invalidation.changes import Change
    from cdn.invalidation.flushes import FlushDelays

# A flush that is this late has lost its timer: messages are redelivered long before.
_LOST_AFTER_MS = 30_000


@dataclass(frozen=True, slots=True)
class CollectContext:
    """Where changes are collected, and the timers of the flushes that they cause."""

    ledger: Table
    flush_timers: TimerQueue
    delays: FlushDelays
    now: Callable[[], float]
    token: Callable[[], str]


def collect(context: CollectContext, bucket: str, collected: Sequence[Change]) -> StepResult:
    """
    Write *collected* to the ledger first, then make sure that one flush of *bucket* is due.

    Whatever dies in between, the event comes again: rows that have the same change twice count
    once, and a timer too many finds nothing to do.
    """
    now_ms = int(context.now() * 1000)
    for blob in changes.pack(collected):
        key = rows.changes(bucket, at_ms=now_ms, token=context.token())
        row: ChangesRow = {"changes": blob}
        context.ledger.replace(key, row)
    due_at_ms = now_ms + context.delays.max_wait_ms
    before = context.ledger.create_or_update(
        rows.flush(bucket),
        put={"timer": "flush", "last_change_at_ms": now_ms},
        keep={"first_change_at_ms": now_ms, "due_at_ms": due_at_ms},
        add={"collected_count": 1},
        returning="ALL_OLD",
    )
    scheduled_at_ms = (before or {}).get("due_at_ms")
    if scheduled_at_ms is None or scheduled_at_ms + _LOST_AFTER_MS < now_ms:
        context.flush_timers.schedule(bucket, after_ms=context.delays.quiet_period_ms)
    ids = {"bucket": bucket, "changes": len(collected)}
    return StepResult("changes collected", ids=ids, due_at_ms=scheduled_at_ms or due_at_ms)
