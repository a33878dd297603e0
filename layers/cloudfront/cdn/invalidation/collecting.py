"""Collect what changed in a bucket, and make sure that a flush is due."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from cdn.aws import rows, table
from cdn.invalidation import changes
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cdn.aws.rows import ChangesRow, FlushRow
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.invalidation.changes import Change
    from cdn.invalidation.flushes import FlushDelays

# A flush that is this late has lost its timer: messages are redelivered long before.
_LOST_AFTER_MS = 30_000

# No change waits for longer because of errors that others met before it: whoever has mended the
# cause uploads, and expects it to go.
_MAX_BACKOFF_MS = 15 * 60 * 1_000

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class CollectContext:
    """Where changes are collected, and the timers of the flushes that they cause."""

    ledger: Table
    flush_timers: TimerQueue
    delays: FlushDelays
    now: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Source:
    """The messages of one invocation: a digest of their ids, and when the first was sent."""

    digest: str
    sent_at_ms: int


def source_of(messages: Mapping[str, int]) -> Source:
    """
    Return what names an invocation by its messages, their ids and when each was sent.

    >>> source_of({"m1": 1_795_305_600_000, "m2": 1_795_305_600_005}).sent_at_ms
    1795305600000
    """
    text = json.dumps(sorted(messages))
    digest = blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()
    return Source(digest, min(messages.values()))


def collect(
    context: CollectContext, bucket: str, collected: Sequence[Change], source: Source
) -> StepResult:
    """
    Write *collected* to the ledger first, then make sure that one flush of *bucket* is due.

    Whatever dies in between, the messages come again: together they are written over what is
    there, not beside it; rows that have the same change twice count once; and a timer too many
    finds nothing to do.
    """
    now_ms = int(context.now() * 1000)
    for number, blob in enumerate(changes.pack(collected)):
        token = f"{source.digest}-{number}"
        key = rows.changes(bucket, at_ms=source.sent_at_ms, token=token)
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
    if before is None or scheduled_at_ms is None:
        context.flush_timers.schedule(bucket, after_ms=context.delays.quiet_period_ms)
    elif scheduled_at_ms + _LOST_AFTER_MS < now_ms:
        put: FlushRow = {"due_at_ms": due_at_ms}
        _reschedule(context, bucket, before, put, after_ms=context.delays.quiet_period_ms)
    elif before.get("retry_at_ms", 0) > now_ms + _MAX_BACKOFF_MS:
        retry_at_ms = now_ms + _MAX_BACKOFF_MS
        put = {"retry_at_ms": retry_at_ms, "due_at_ms": retry_at_ms}
        _reschedule(context, bucket, before, put, after_ms=_MAX_BACKOFF_MS)
    ids = {"bucket": bucket, "changes": len(collected)}
    return StepResult("changes collected", ids=ids, due_at_ms=scheduled_at_ms or due_at_ms)


def _reschedule(
    context: CollectContext, bucket: str, before: FlushRow, put: FlushRow, *, after_ms: int
) -> None:
    """Have one more timer bring the flush back, however many invocations find it late at once."""
    is_same = table.equal("due_at_ms", before["due_at_ms"])
    if context.ledger.update_if(is_same, rows.flush(bucket), put=put) is not None:
        context.flush_timers.schedule(bucket, after_ms=after_ms)


def resume(context: CollectContext, bucket: str) -> StepResult | None:
    """
    Make sure that a flush is due if changes are pending that no flush row tells of.

    Whoever wrote them died before the flush row was written, and did not come back.
    """
    flush = context.ledger.get(rows.flush(bucket)) or {}
    if "first_change_at_ms" in flush or not any(
        map(context.ledger.first, rows.all_changes(bucket))
    ):
        return None
    now_ms = int(context.now() * 1000)
    written = context.ledger.create_or_update(
        rows.flush(bucket),
        put={
            "timer": "flush",
            "first_change_at_ms": now_ms,
            "last_change_at_ms": now_ms,
            "due_at_ms": now_ms + context.delays.max_wait_ms,
        },
        add={"collected_count": 1},
        condition=table.absent("first_change_at_ms"),
    )
    if written is None:
        return None
    context.flush_timers.schedule(bucket, after_ms=context.delays.quiet_period_ms)
    return StepResult("flush resumed", ids={"bucket": bucket}, due_at_ms=written["due_at_ms"])
