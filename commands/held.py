"""Changes of a stack that are held, because they cost more than the day may: let them go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cdn.aws import rows, table
from cdn.aws.table import Table
from cdn.aws.timers import TimerQueue
from cdn.invalidation import changes, plans
from cdn.telemetry import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from commands.account import Stack
    from commands.output import Output


@dataclass(frozen=True, slots=True)
class HeldChanges:
    """What is held of one bucket."""

    bucket: str
    change_count: int
    since: str


def read(stack: Stack, output: Output, *, now: Callable[[], float]) -> list[HeldChanges]:
    """Return what is held of each bucket of *stack* that has anything held."""
    ledger = _ledger(stack)
    with output.status(f"Reading what stack {stack.name} holds"):
        flushes = {
            bucket: ledger.get(rows.flush(bucket)) or {}
            for bucket in stack.parameters["UploadBuckets"].split(",")
        }
        return [
            HeldChanges(
                bucket,
                _pending_count(ledger, bucket, now_ms=int(now() * 1000)),
                moment(flush["first_change_at_ms"]),
            )
            for bucket, flush in flushes.items()
            if "held_item_count" in flush
        ]


def _pending_count(ledger: Table, bucket: str, *, now_ms: int) -> int:
    collected = [
        change
        for row in ledger.query_all(rows.all_changes(bucket))
        for change in changes.unpack(row["changes"])
    ]
    if not collected:
        return 0
    # Some of a row's changes may be planned, and others held.
    planned_ids = plans.planned_ids(ledger, bucket, collected, now_ms=now_ms)
    return len(changes.distinct(collected, seen=planned_ids))


def question(held: Sequence[HeldChanges]) -> str:
    """
    Return what a person is asked before all of *held* goes.

    >>> question([HeldChanges("my-site", 7_000, "2026-11-28T12:00:00.000Z")])
    'Let 7000 changes of my-site go, whatever they cost?'
    """
    counts = " and ".join(f"{one.change_count} changes of {one.bucket}" for one in held)
    return f"Let {counts} go, whatever they cost?"


def release(
    stack: Stack, held: Sequence[HeldChanges], output: Output, *, now: Callable[[], float]
) -> None:
    """
    Let the next plan of each bucket go, whatever it costs, and print that.

    What goes by itself since it was read, is passed over: the next that is held is another's.
    """
    ledger = _ledger(stack)
    timers = TimerQueue(stack.client("sqs"), stack.outputs["FlushTimersUrl"])
    released = [
        one
        for one in held
        if ledger.update_if(
            table.present("held_item_count"),
            rows.flush(one.bucket),
            put={"released": True, "due_at_ms": int(now() * 1000)},
            remove=("retry_at_ms",),
        )
    ]
    for one in released:
        timers.schedule(one.bucket)
    if output.as_json:
        output.json({"released": [asdict(one) for one in released]})
        return
    for one in released:
        output.line(f"{one.bucket}: {one.change_count} changes, held since {one.since}, go now")
    output.line(
        "What changes from now on is held again, until the day ends." if released else _NOTHING
    )


_NOTHING = "Nothing is held."


def _ledger(stack: Stack) -> Table:
    return Table(stack.client("dynamodb"), stack.outputs["LedgerTable"])
