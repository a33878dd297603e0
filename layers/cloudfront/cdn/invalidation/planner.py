"""What to invalidate for a set of changes: one plan, cut into batches that CloudFront takes."""

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cdn.cloudfront import paths
from cdn.cloudfront.quotas import Limits, Load
from cdn.invalidation import folding
from cdn.invalidation.routes import Route

# Far under what CloudFront lets be in progress (3,000 items, and 15 wildcards), so that a batch
# fits beside others and beside what people send by hand.
LARGEST = Load(items=1_000, wildcards=10)

# A DynamoDB item ends at 400 kB; a path may have 4,000 characters.
_MOST_BYTES = 300_000

NO_ROUTE = "no enabled distribution serves it"


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one CreateInvalidation call."""

    distribution_id: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Batches that cover what changed.

    Attributes:
        skipped: Why a key is in none of them.
        widened: Why a key's items take more than its own copies.
    """

    batches: tuple[Batch, ...]
    skipped: dict[str, str] = field(default_factory=dict)
    widened: dict[str, str] = field(default_factory=dict)


Listed = Callable[[str], Sequence[str] | None]


def largest(limits: Limits) -> Load:
    """
    Tell how large a batch may be to fit *limits* when nothing else is in progress.

    >>> largest(Limits(500, 15, items_per_second=150, wildcards_per_minute=60))
    Load(items=500, wildcards=10)
    """
    return Load(
        items=min(LARGEST.items, limits.items_in_progress),
        wildcards=min(LARGEST.wildcards, limits.wildcards_in_progress),
    )


def make(
    keys: Iterable[str],
    *,
    routes: Iterable[Route],
    listed: Listed,
    largest: Load = LARGEST,
    unresolved: Sequence[str] = (),
) -> Plan:
    """
    Cover *keys* on every route that reaches them.

    Args:
        listed: All keys of the bucket under a prefix, sorted; None when too many to list.
        largest: What a batch may hold.
        unresolved: Sentences about origins that may lead to the bucket as well.
    """
    keys = frozenset(keys)
    reached = set[str]()
    unnamed: dict[str, str] = {}
    widened: dict[str, str] = {}
    items: dict[str, set[str]] = {}
    for route in routes:
        here = sorted(key for key in keys if route.reaches(key))
        reached.update(here)
        cover = folding.fold(here, listed=listed, foldable=route.foldable)
        wanted = {alias for key in here for alias in route.aliases(key)}
        for prefix in cover.prefixes:
            wanted.update(route.wildcards(prefix))
        for key in cover.keys:
            named = route.paths(key)
            if reason := next(filter(None, map(paths.why_not, named)), None):
                rescue = _lossless(route, key, here, listed)
                wanted.update(rescue)
                if not rescue:
                    unnamed[key] = reason
            else:
                wanted.update(route.items(key))
                if any(map(paths.is_wildcard, named)):
                    widened[key] = "its last * is a wildcard to CloudFront"
        if wanted:
            items.setdefault(route.distribution.id, set()).update(wanted)
    return Plan(
        batches=tuple(
            batch
            for distribution_id in sorted(items)
            for batch in _cut(distribution_id, without_covered(items[distribution_id]), largest)
        ),
        skipped=unnamed | dict.fromkeys(sorted(keys - reached), "; ".join([NO_ROUTE, *unresolved])),
        widened=widened,
    )


def without_covered(items: Iterable[str]) -> list[str]:
    """
    Drop the items that a wildcard among them covers, and sort the rest.

    >>> without_covered(["/a/b.css", "/a/*", "/", "/a/b/*", "/index.html"])
    ['/', '/a/*', '/index.html']
    """
    kept: list[str] = []
    widest: str | None = None
    # In the order of their stems, all that a wildcard covers follows it at once.
    for item in sorted(set(items), key=lambda item: (_stem(item), not paths.is_wildcard(item))):
        if widest is not None and _stem(item).startswith(widest):
            continue
        kept.append(item)
        if paths.is_wildcard(item):
            widest = _stem(item)
    return sorted(kept)


def pack(items: Sequence[str]) -> bytes:
    """
    Compress a batch's items for its row.

    >>> unpack(pack(["/a", "/b*"]))
    ['/a', '/b*']
    """
    return zlib.compress(json.dumps(items).encode())


def unpack(blob: bytes) -> list[str]:
    """Read back what `pack` wrote."""
    items: list[str] = json.loads(zlib.decompress(blob))
    return items


def _lossless(route: Route, key: str, here: Sequence[str], listed: Listed) -> tuple[str, ...]:
    """Name *key*, which has no name of its own, by a prefix that only changed keys share."""
    prefix = key.partition("~")[0]
    if prefix in {key, route.key_prefix} or not route.foldable(prefix):
        return ()
    known = listed(prefix)
    return () if known is None or set(known) - set(here) else route.wildcards(prefix)


def _stem(item: str) -> str:
    return item.removesuffix("*")


def _cut(distribution_id: str, items: Sequence[str], largest: Load) -> list[Batch]:
    batches: list[list[str]] = []
    room = (0, 0, 0)
    for item in items:
        wildcards = int(paths.is_wildcard(item))
        room = (room[0] - 1, room[1] - wildcards, room[2] - len(item))
        if min(room) < 0:
            batches.append([])
            room = (
                largest.items - 1,
                largest.wildcards - wildcards,
                _MOST_BYTES - len(item),
            )
        batches[-1].append(item)
    return [Batch(distribution_id, tuple(batch)) for batch in batches]
