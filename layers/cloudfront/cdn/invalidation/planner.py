"""What to invalidate for a set of changes: one plan, cut into batches that CloudFront takes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cdn.aws import rows
from cdn.cloudfront import paths, quotas, targets
from cdn.cloudfront.quotas import Share
from cdn.cloudfront.targets import Target
from cdn.invalidation import folding
from cdn.invalidation.routes import Route

# Far under what CloudFront lets be in progress (3,000 items, and 15 wildcards), so that a batch
# fits beside others and beside what people send by hand.
MAX_SHARE = Share(items=1_000, wildcards=10)

NO_ROUTE = "no enabled distribution serves it"

_MAX_UNRESOLVED = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """The items of one CreateInvalidation call."""

    target: Target
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

    @property
    def share(self) -> Share:
        """How many paths it has without and with a wildcard."""
        return quotas.share_of(item for batch in self.batches for item in batch.items)

    @property
    def item_count(self) -> int:
        """How many items CloudFront bills: paths of either kind."""
        return self.share.items + self.share.wildcards


ListKeys = Callable[[str], Sequence[str] | None]


def max_share(in_progress: Share) -> Share:
    """
    Return how much a batch may take to fit what may be *in_progress* when nothing else is.

    >>> max_share(Share(500, 15))
    Share(items=500, wildcards=10)
    """
    return Share(
        items=min(MAX_SHARE.items, in_progress.items),
        wildcards=min(MAX_SHARE.wildcards, in_progress.wildcards),
    )


def make(
    keys: Iterable[str],
    *,
    routes: Iterable[Route],
    list_keys: ListKeys,
    max_share: Share = MAX_SHARE,
    unresolved: Sequence[str] = (),
) -> Plan:
    """
    Cover *keys* on every route that reaches them.

    Args:
        list_keys: Returns all keys under a prefix, sorted; None when too many to list.
        max_share: What a batch may take.
        unresolved: Sentences about origins that may lead to the bucket as well; the first are said.
    """
    keys = frozenset(keys)
    reached = set[str]()
    unnamed: dict[str, str] = {}
    widened: dict[str, str] = {}
    items: dict[Target, set[str]] = {}
    for route in routes:
        changed = sorted(key for key in keys if route.reaches(key))
        reached.update(changed)
        folded = folding.fold(changed, list_keys=list_keys, foldable=route.foldable)
        needed = {alias for key in changed for alias in route.aliases(key)}
        for prefix in folded.prefixes:
            needed.update(route.wildcards(prefix))
        for key in folded.keys:
            named = route.paths(key)
            if reason := next(filter(None, map(paths.why_not, named)), None):
                prefix_items = _by_prefix(route, key, changed, list_keys)
                needed.update(prefix_items)
                if not prefix_items:
                    unnamed[key] = reason
            else:
                needed.update(route.items(key))
                if any(map(paths.is_wildcard, named)):
                    widened[key] = "its last * is a wildcard to CloudFront"
        if needed:
            target = targets.distribution(route.distribution.id)
            items.setdefault(target, set()).update(needed)
    return Plan(
        batches=tuple(
            batch
            for target in sorted(items)
            for batch in _cut(target, without_covered(items[target]), max_share)
        ),
        skipped=unnamed
        | dict.fromkeys(
            sorted(keys - reached), "; ".join([NO_ROUTE, *unresolved[:_MAX_UNRESOLVED]])
        ),
        widened=widened,
    )


def without_covered(items: Iterable[str]) -> list[str]:
    """
    Return the items that no wildcard among them covers, sorted.

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


def _by_prefix(
    route: Route, key: str, changed: Sequence[str], list_keys: ListKeys
) -> tuple[str, ...]:
    """Return items for *key*, which no path can name, by a prefix that only changed keys share."""
    prefix = key.partition("~")[0]
    if prefix in {key, route.key_prefix} or not route.foldable(prefix):
        return ()
    listed = list_keys(prefix)
    return () if listed is None or set(listed) - set(changed) else route.wildcards(prefix)


def _stem(item: str) -> str:
    return item.removesuffix("*")


def _cut(target: Target, items: Sequence[str], max_share: Share) -> list[Batch]:
    batches: list[list[str]] = []
    room = (0, 0, 0)
    for item in items:
        wildcards = int(paths.is_wildcard(item))
        room = (room[0] - 1, room[1] - wildcards, room[2] - len(item))
        if min(room) < 0:
            batches.append([])
            room = (
                max_share.items - 1,
                max_share.wildcards - wildcards,
                rows.MAX_PACKED_BYTES - len(item),
            )
        batches[-1].append(item)
    return [Batch(target, tuple(batch)) for batch in batches]
