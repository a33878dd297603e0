"""What cannot be planned is tried at half its size, until the change that is to blame stands alone.

A change is dead-lettered only for an error that it raised, never because a function died.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from cdn.aws import rows
from cdn.invalidation import changes, s3_events
from cdn.invalidation.context import LOCK
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from cdn.aws.rows import FlushRow
    from cdn.invalidation.changes import Change
    from cdn.invalidation.context import FlushContext, FlushRun

# So often a function may die with the same changes before fewer are tried.
_MAX_DEATHS = 2


def choose(
    context: FlushContext, run: FlushRun, fresh: Mapping[bytes, Change]
) -> Generator[StepResult, None, dict[bytes, Change]]:
    """Return what to plan: all of *fresh*, or less where that was too much before."""
    count = min(len(fresh), run.flush.get("max_changes", len(fresh)))
    if run.flush["attempt_count"] > _MAX_DEATHS and count > 1:
        count //= 2
        context.ledger.update_if(
            run.is_mine, rows.flush(run.bucket), put={"max_changes": count, "attempt_count": 1}
        )
        reason = "the function died with more of them, twice"
        yield StepResult("plan halved", reason, {"bucket": run.bucket, "changes": count})
    return dict(islice(fresh.items(), count))


def isolate(context: FlushContext, run: FlushRun, error: Exception) -> Iterator[StepResult]:
    """Try half of what could not be planned; a change that stands alone is dead-lettered."""
    reason = f"it cannot be planned: {type(error).__name__}: {error}"
    ids: dict[str, Any] = {"bucket": run.bucket, "changes": len(run.planning)}
    due = context.now_ms()
    if len(run.planning) > 1:
        put: FlushRow = {"max_changes": len(run.planning) // 2, "due_at_ms": due}
        context.ledger.update_if(run.is_mine, rows.flush(run.bucket), put=put, remove=LOCK)
        yield StepResult("plan halved", reason, ids, due)
        return
    ((identity, change),) = run.planning.items()
    context.change_letters.send(body=s3_events.written(run.bucket, change), reason=reason)
    _forget(context, run.bucket, identity)
    context.ledger.update_if(
        run.is_mine,
        rows.flush(run.bucket),
        put={"due_at_ms": due},
        remove=("max_changes", *LOCK),
    )
    yield StepResult("change dead-lettered", reason, ids | {"key": change.key}, due)


def _forget(context: FlushContext, bucket: str, identity: bytes) -> None:
    """Take a change out of what is pending."""
    for row in context.ledger.query_all(rows.all_changes(bucket)):
        row_changes = changes.unpack(row["changes"])
        left = [change for change in row_changes if changes.identity(change) != identity]
        if not left:
            context.ledger.delete([rows.key_of(row)])
        elif len(left) < len(row_changes):
            (packed,) = changes.pack(left)
            context.ledger.update(rows.key_of(row), put={"changes": packed})
