"""Timers: SQS messages that carry no state and only say which row of the ledger may be due.

A message that comes before its row is due is not deleted: its visibility timeout is set to the
moment at which the row is due, and then it comes again. It is never sent anew: Lambda stops a
message that goes round by itself after about 16 rounds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from cdn.aws import retryable
from cdn.errors import CdnError, MessageError, RetryLaterError
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

VERSION = 1

_MIN_VISIBILITY_S = 2
# SQS counts its 12 hours from when it delivered the message, a function's run earlier.
_MAX_VISIBILITY_S = 12 * 60 * 60 - 15 * 60
_MAX_DELAY_S = 900


@dataclass(frozen=True, slots=True)
class TimerQueue:
    """A queue of timers."""

    client: SQSClient
    queue_url: str

    def schedule(self, row_id: str, *, after_ms: int = 0) -> None:
        """Send a timer that brings *row_id* back *after_ms* (at most 15 minutes) from now."""
        self.client.send_message(
            QueueUrl=self.queue_url,
            MessageBody=message(row_id),
            DelaySeconds=min(ceil(after_ms / 1000), _MAX_DELAY_S),
        )


def message(row_id: str) -> str:
    """
    Return the body of the timer of *row_id*.

    >>> message("my-site")
    '{"version": 1, "row": "my-site"}'
    """
    return json.dumps({"version": VERSION, "row": row_id})


@dataclass(frozen=True, slots=True)
class TimerRun:
    """What came of one timer: the last result of the steps that it caused."""

    message_id: str
    receipt_handle: str
    row_id: str
    last: StepResult

    @property
    def due_at_ms(self) -> int | None:
        """When it must come back, or None when its row waits for nothing any more."""
        return self.last.due_at_ms


def run(
    records: Iterable[Mapping[str, Any]],
    steps: Callable[[str], Iterable[StepResult]],
    *,
    report: Callable[[StepResult], object],
    now: Callable[[], float],
) -> list[TimerRun]:
    """
    Take the steps of each row whose timer came, apart from one another.

    Args:
        steps: Yields a result for each thing that it has done, by the row's id; the last one says
            when the row is due again.
        report: Takes each result at once, so that what was done is logged whatever follows.

    Whatever flies out of one is reported, its row comes back later, and its neighbours go on.
    """
    return [_run(record, steps, report, now) for record in records]


def _run(
    record: Mapping[str, Any],
    steps: Callable[[str], Iterable[StepResult]],
    report: Callable[[StepResult], object],
    now: Callable[[], float],
) -> TimerRun:
    row_id, last = "", StepResult("nothing pending")
    try:
        row_id = _row_id(record["body"])
        for last in steps(row_id):
            report(last)
    # The one door of a record: whatever flies out is counted, and stops no other.
    except Exception as exc:  # noqa: BLE001
        last = failed(exc, now_ms=int(now() * 1000))
        last = replace(last, ids={"row_id": row_id, **last.ids})
        report(last)
    return TimerRun(record["messageId"], record["receiptHandle"], row_id, last)


def failed(error: Exception, *, now_ms: int) -> StepResult:
    """
    Return what a step is to say of an error that ended it, and when it is retried.

    >>> failed(RetryLaterError("PutEvents", "ThrottlingException"), now_ms=0).outcome
    'throttled'
    >>> failed(RetryLaterError("PutEvents", "InternalFailure"), now_ms=0).outcome
    'step failed'
    """
    due_at_ms = now_ms + retryable.ERROR_BACKOFF_MS
    match error:
        case RetryLaterError():
            ids = {"operation": error.operation, "code": error.code}
            outcome = retryable.outcome_of(error)
            return StepResult(outcome, str(error), ids, error.due_at_ms or due_at_ms)
        case CdnError():
            return StepResult("step failed", str(error), due_at_ms=due_at_ms)
    return StepResult("step failed", str(error), {"code": retryable.code_of(error)}, due_at_ms)


def reschedule(
    timers: TimerQueue, runs: Sequence[TimerRun], *, now: Callable[[], float]
) -> dict[str, Any]:
    """
    Make the timers visible when their rows are due, and delete the others.

    Returns:
        Lambda's partial batch response (`ReportBatchItemFailures`).
    """
    again = [run for run in runs if run.due_at_ms is not None]
    if again:
        now_ms = now() * 1000
        timers.client.change_message_visibility_batch(
            QueueUrl=timers.queue_url,
            Entries=[
                {
                    "Id": str(number),
                    "ReceiptHandle": run.receipt_handle,
                    "VisibilityTimeout": _visibility_s((run.due_at_ms or 0) - now_ms),
                }
                for number, run in enumerate(again)
            ],
        )
    return {"batchItemFailures": [{"itemIdentifier": run.message_id} for run in again]}


def _visibility_s(wait_ms: float) -> int:
    return max(_MIN_VISIBILITY_S, min(ceil(wait_ms / 1000), _MAX_VISIBILITY_S))


def _row_id(body: str) -> str:
    try:
        document = json.loads(body)
    except ValueError as exc:
        raise MessageError("the body is not JSON") from exc
    match document:
        case {"version": 1, "row": str(row_id)}:
            return row_id
        case _:
            raise MessageError(f"the body is no timer of version {VERSION}")
