"""Clocks: SQS messages that carry no state and only say of which row to look now.

A clock that rang too early is set again by its visibility. It is never sent anew: Lambda
stops a message that goes round by itself after about 16 rounds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cdn.errors import CdnError, MessageError, RetriesExhaustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

VERSION = 1

_SHORTEST_S = 2
# SQS counts its 12 hours from when it handed the message over, a function's run earlier.
_LONGEST_S = 12 * 60 * 60 - 15 * 60
_LONGEST_DELAY_S = 900
_PAUSE_AFTER_ERROR_MS = 30_000


@dataclass(frozen=True, slots=True)
class Clock:
    """A queue whose messages ring for rows."""

    client: SQSClient
    queue_url: str

    def ring(self, row_id: str, *, after_ms: int = 0) -> None:
        """Have *row_id* looked at, *after_ms* (at most 15 minutes) from now."""
        self.client.send_message(
            QueueUrl=self.queue_url,
            MessageBody=message(row_id),
            DelaySeconds=min(ceil(after_ms / 1000), _LONGEST_DELAY_S),
        )


def message(row_id: str) -> str:
    """
    Write what rings for *row_id*.

    >>> message("my-site")
    '{"version": 1, "row": "my-site"}'
    """
    return json.dumps({"version": VERSION, "row": row_id})


@dataclass(frozen=True, slots=True)
class Rung:
    """
    What came of one ring.

    Attributes:
        due_ms: When to ring again, or None when this clock has done its work.
        error: Why the step was not taken, if it was not.
    """

    message_id: str
    receipt_handle: str
    row_id: str
    due_ms: int | None
    error: Exception | None = None


def answer(
    records: Iterable[Mapping[str, Any]],
    step: Callable[[str], int | None],
    *,
    now: Callable[[], float],
) -> list[Rung]:
    """
    Take *step* for each rung row, apart from one another.

    A step returns when it wants to be rung again (epoch milliseconds), or None. One that
    AWS or a message spoils is rung again later, one that gave up is not, and their neighbours go
    on; a fault of the code itself flies, since the whole batch may then come again.
    """
    rungs = []
    for record in records:
        row_id, due = "", None
        error: Exception | None = None
        try:
            row_id = _row_id(record["body"])
            due = step(row_id)
        except RetriesExhaustedError as exc:
            error = exc
        except (CdnError, ClientError, BotoCoreError) as exc:
            error = exc
            due = int(now() * 1000) + _PAUSE_AFTER_ERROR_MS
        rungs.append(Rung(record["messageId"], record["receiptHandle"], row_id, due, error))
    return rungs


def set_again(clock: Clock, rungs: Sequence[Rung], *, now: Callable[[], float]) -> dict[str, Any]:
    """
    Set the clocks that must ring again, and answer Lambda so that the others are deleted.

    Returns:
        Lambda's partial batch response (`ReportBatchItemFailures`).
    """
    again = [rung for rung in rungs if rung.due_ms is not None]
    if again:
        now_ms = now() * 1000
        clock.client.change_message_visibility_batch(
            QueueUrl=clock.queue_url,
            Entries=[
                {
                    "Id": str(number),
                    "ReceiptHandle": rung.receipt_handle,
                    "VisibilityTimeout": _visibility_s((rung.due_ms or 0) - now_ms),
                }
                for number, rung in enumerate(again)
            ],
        )
    return {"batchItemFailures": [{"itemIdentifier": rung.message_id} for rung in again]}


def _visibility_s(wait_ms: float) -> int:
    return max(_SHORTEST_S, min(ceil(wait_ms / 1000), _LONGEST_S))


def _row_id(body: str) -> str:
    try:
        message = json.loads(body)
    except ValueError as exc:
        reason = "the body is not JSON"
        raise MessageError(reason) from exc
    match message:
        case {"version": 1, "row": str(row_id)}:
            return row_id
        case _:
            reason = f"the body is no clock of version {VERSION}"
            raise MessageError(reason)
