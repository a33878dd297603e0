"""What invalidations may cost a day: items are counted when a plan commits them.

An item costs half a cent after the first thousand of an account in a month, whatever kind it is of:
https://aws.amazon.com/cloudfront/pricing/pay-as-you-go/
Counted are the suite's own; whoever else invalidates uses up free ones, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING

from cdn.aws import rows, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdn.aws.table import Table

FREE_ITEMS_A_MONTH = 1_000
_ITEMS_A_CENT = 2


def reserve(ledger: Table, item_count: int, *, limit: int | None, now_ms: int) -> bool:
    """
    Count items as committed today, unless they are more than the day has left.

    Whoever dies before it has committed them leaves them counted: the day then ends earlier.

    Args:
        limit: Of the day; None lets them go whatever they cost.
    """
    written = ledger.create_or_update(
        rows.budget(day(now_ms)),
        put={"expires_at_s": now_ms // 1000 + rows.BUDGET_TTL_S},
        add={"item_count": item_count},
        condition=None if limit is None else table.at_most("item_count", limit - item_count),
    )
    return written is not None


def release(ledger: Table, item_count: int, *, reserved_at_ms: int) -> None:
    """Count items as not committed after all."""
    ledger.update(rows.budget(day(reserved_at_ms)), add={"item_count": -item_count})


def items_left(ledger: Table, *, limit: int, now_ms: int) -> int:
    """Return how many items of *limit* the day has left."""
    row = ledger.get(rows.budget(day(now_ms))) or {}
    return max(0, limit - row.get("item_count", 0))


def cents_today(ledger: Table, *, now_ms: int) -> int:
    """Return what the items that were committed today cost, beyond the month's free ones."""
    counts = _counts(ledger, day(now_ms))
    return _cents_of_last(counts, counts.get(day(now_ms), 0))


def cents_of_last(ledger: Table, item_count: int, *, now_ms: int) -> int:
    """Return what the last *item_count* of the month's items cost, beyond its free ones."""
    return _cents_of_last(_counts(ledger, day(now_ms)), item_count)


def _counts(ledger: Table, today: str) -> dict[str, int]:
    """Return the items of each day of the month, up to *today*."""
    days = {
        row["sk"].removeprefix("day#"): row.get("item_count", 0)
        for row in ledger.query(rows.budget_of_month(today[:7]))
    }
    return {name: count for name, count in days.items() if name <= today}


def _cents_of_last(counts: Mapping[str, int], item_count: int) -> int:
    total = sum(counts.values())
    return cents(total) - cents(total - item_count)


def cents(items_of_month: int) -> int:
    """
    Return what so many items cost in one month, rounded up.

    >>> cents(1_000), cents(1_001), cents(3_000)
    (0, 1, 1000)
    """
    return ceil(max(0, items_of_month - FREE_ITEMS_A_MONTH) / _ITEMS_A_CENT)


def day(at_ms: int) -> str:
    """
    Return the day of UTC.

    >>> day(1_790_000_000_000)
    '2026-09-21'
    """
    return _moment(at_ms).date().isoformat()


def ends_at_ms(at_ms: int) -> int:
    """
    Return when the day ends.

    >>> ends_at_ms(1_790_000_000_000)
    1790035200000
    """
    midnight = _moment(at_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight + timedelta(days=1)).timestamp() * 1000)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
