"""What a plan did and why, for people: as much of it as one row holds."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cdn.aws import rows
from cdn.cloudfront import quotas

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from cdn.aws.rows import HistoryRow
    from cdn.invalidation.planner import Plan

MAX_KEYS = 1_000

_MAX_REASONS = 100
_MAX_KEYS_OF_REASON = 10

# Whoever uploads chooses keys, and may choose such as do not compress: all of it fits one row.
_MAX_KEY_BYTES = 150_000
_MAX_REASON_BYTES = 80_000


class Skipped(NamedTuple):
    """Why keys are in no item (or in one that takes more), how many, and the first of them."""

    reason: str
    key_count: int
    first_keys: list[str]


def row(plan: Plan, keys: Collection[str], *, cost_cents: int, expires_at_s: int) -> HistoryRow:
    """Return what is kept of *plan*, which is for *keys*."""
    items = {
        batch.target.id: quotas.share_of(
            item for other in plan.batches if other.target == batch.target for item in other.items
        )
        for batch in plan.batches
    }
    return {
        "keys": rows.pack(_first(sorted(keys), max_count=MAX_KEYS, max_bytes=_MAX_KEY_BYTES)),
        "key_count": len(keys),
        "skipped": rows.pack(by_reason(plan.skipped)),
        "widened": rows.pack(by_reason(plan.widened)),
        "items": rows.pack({name: [of.items, of.wildcards] for name, of in items.items()}),
        "item_count": sum(of.items + of.wildcards for of in items.values()),
        "cost_cents": cost_cents,
        "expires_at_s": expires_at_s,
    }


def by_reason(reasons: Mapping[str, str]) -> list[Skipped]:
    """
    Return keys by their reasons, the most frequent first.

    >>> by_reason({"a": "no route", "~b": "~", "c": "no route"})[0]
    Skipped(reason='no route', key_count=2, first_keys=['a', 'c'])
    """
    counts = Counter(reasons.values())
    left = _MAX_REASON_BYTES
    found: list[Skipped] = []
    for reason, count in counts.most_common(_MAX_REASONS):
        left -= _size(reason)
        keys = sorted(key for key in reasons if reasons[key] == reason)
        first_keys = _first(keys, max_count=_MAX_KEYS_OF_REASON, max_bytes=left)
        left -= sum(map(_size, first_keys))
        found.append(Skipped(reason, count, first_keys))
    return found


def _first(keys: Iterable[str], *, max_count: int, max_bytes: int) -> list[str]:
    first: list[str] = []
    for key in keys:
        max_bytes -= _size(key)
        if max_bytes < 0 or len(first) == max_count:
            break
        first.append(key)
    return first


def _size(text: str) -> int:
    return len(json.dumps(text)) + 1


def skipped(history: HistoryRow) -> list[Skipped]:
    """Return what no item of a plan covers."""
    return [Skipped(*values) for values in rows.unpack(history["skipped"])]
