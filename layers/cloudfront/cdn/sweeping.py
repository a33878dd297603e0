"""Ring again for whatever should have rung long ago: clocks get lost, rows do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdn.invalidation import flushes
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdn.aws.table import Ledger
    from cdn.aws.timers import Clock

# A clock whose function died comes back by itself within its visibility timeout, 90 s.
_OVERDUE_AFTER_MS = 120_000


def ring_overdue(
    ledger: Ledger, *, flush_timers: Clock, watch_timers: Clock, now: Callable[[], float]
) -> list[str]:
    """Ring every overdue row's clock, and name the rows."""
    before_ms = int(now() * 1000) - _OVERDUE_AFTER_MS
    rung = []
    for name, clock in ((flushes.CLOCK, flush_timers), (watches.CLOCK, watch_timers)):
        for pk, _ in ledger.overdue(name, before_ms=before_ms):
            row_id = pk.partition("#")[2]
            clock.ring(row_id)
            rung.append(row_id)
    return rung
