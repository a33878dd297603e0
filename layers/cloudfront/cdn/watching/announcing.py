"""The end of a watch is announced until a second write records that it was: at least once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from cdn import telemetry
from cdn.aws import announcements, retryable, rows, timers
from cdn.aws.announcements import Announcement
from cdn.cloudfront import quota_reservations
from cdn.errors import RetryLaterError
from cdn.telemetry import StepResult, WatchKind, WatchOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdn.aws.announcements import Announcer
    from cdn.aws.rows import WatchRow
    from cdn.aws.table import Table


def announce(
    ledger: Table, announcer: Announcer, watch_id: str, watch: WatchRow, *, now_ms: int
) -> StepResult:
    """
    Release what the ended *watch* had reserved, publish its end, and record that.

    What does not take it may take it later: whoever has it already gets it again then.

    Raises:
        RetryLaterError: Others write the reservations.
    """
    announcement = _announcement(watch_id, watch)
    ids = {"watch_id": watch_id, "detail_type": announcement.detail_type}
    if "announced_at_ms" in watch:
        return StepResult("end announced", "it was before", ids)
    # One that timed out may be in progress still: its reservation expires by itself.
    if watch.get("reservation_id") and watch["outcome"] != "timed_out":
        quota_reservations.release(ledger, watch["reservation_id"])
    try:
        with retryable.retry_later():
            announcements.publish(announcer, announcement)
    except (ClientError, BotoCoreError, RetryLaterError) as exc:
        return _back_off(ledger, watch_id, watch, exc, ids, now_ms=now_ms)
    ledger.update(
        rows.watch(watch_id),
        put={"expires_at_s": now_ms // 1000 + rows.WATCH_TTL_S},
        keep={"announced_at_ms": now_ms},
        remove=("timer", "due_at_ms"),
    )
    return StepResult("end announced", watch["outcome"], ids)


def _back_off(
    ledger: Table,
    watch_id: str,
    watch: WatchRow,
    error: Exception,
    ids: Mapping[str, Any],
    *,
    now_ms: int,
) -> StepResult:
    retry_count = watch.get("retry_count", 0) + 1
    result = timers.failed(error, now_ms=now_ms)
    is_retryable = isinstance(error, RetryLaterError)
    backoff_ms = retryable.backoff_ms if is_retryable else retryable.error_backoff_ms
    due_at_ms = now_ms + backoff_ms(retry_count)
    put: WatchRow = {"retry_count": retry_count, "due_at_ms": due_at_ms}
    ledger.update(rows.watch(watch_id), put=put)
    return replace(result, ids={**ids, **result.ids}, due_at_ms=due_at_ms)


def _announcement(watch_id: str, watch: WatchRow) -> Announcement:
    outcome = cast("WatchOutcome", watch["outcome"])
    detail_type = telemetry.detail_type(cast("WatchKind", watch["kind"]), outcome)
    duration_s = (watch["ended_at_ms"] - watch["started_at_ms"]) / 1000
    # What never was in progress has only a moment.
    after = f", {duration_s:.0f} s after it began" if duration_s else ""
    return Announcement(
        id=f"{watch_id}/{outcome}",
        detail_type=detail_type,
        message=f"{detail_type}: {watch['name']}{after}.",
        at_ms=watch["ended_at_ms"],
        details={
            "watch_id": watch_id,
            "outcome": outcome,
            "started_at": telemetry.moment(watch["started_at_ms"]),
            "poll_count": watch["poll_count"],
            "last_status": watch.get("last_status", ""),
            **watch["details"],
        },
    )
