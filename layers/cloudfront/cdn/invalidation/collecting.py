"""Note what changed in a bucket, and see to it that a flush is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.aws.table import FLUSH, of_bucket
from cdn.invalidation import changes, flushes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cdn.aws.table import Ledger
    from cdn.aws.timers import Clock
    from cdn.invalidation.changes import Change
    from cdn.invalidation.flushes import Pace

# A flush that is this late has lost its clock: messages are redelivered long before.
_LOST_AFTER_MS = 30_000


@dataclass(frozen=True, slots=True)
class Desk:
    """Where changes are noted, and the clock of the flushes that they cause."""

    ledger: Ledger
    flush_timers: Clock
    pace: Pace
    now: Callable[[], float]
    token: Callable[[], str]


def note(desk: Desk, bucket: str, noted: Sequence[Change]) -> None:
    """
    Write *noted* to the ledger first, then make sure that one flush of *bucket* is due.

    Whatever dies in between, the event comes again: rows that tell the same change twice
    count once, and a clock too many finds nothing to do.
    """
    now_ms = int(desk.now() * 1000)
    for blob in changes.pack(noted):
        desk.ledger.put(flushes.changes_row(bucket, blob, at_ms=now_ms, token=desk.token()))
    before = desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        put={"timer": flushes.CLOCK, "last_change_ms": now_ms},
        keep={
            "first_change_ms": now_ms,
            "due_at_ms": now_ms + desk.pace.max_wait_ms,
        },
        add={"noted": 1},
        returning="ALL_OLD",
    )
    due_at_ms = (before or {}).get("due_at_ms")
    if due_at_ms is None or due_at_ms + _LOST_AFTER_MS < now_ms:
        desk.flush_timers.ring(bucket, after_ms=desk.pace.quiet_period_ms)
