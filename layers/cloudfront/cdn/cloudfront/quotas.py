"""How much may be asked of CloudFront at once, and how soon the next batch may go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdn.cloudfront import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LEASE_MS = 15 * 60 * 1000
"""An invalidation whose end nobody noted counts as in progress for so long, and no longer."""

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What the suite takes of CloudFront's quotas; the rest is left for people.

    CloudFront's own pages disagree about which of them are in force, so all are kept:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
    https://docs.aws.amazon.com/general/latest/gr/cf_region.html
    """

    items_in_progress: int
    wildcards_in_progress: int
    items_per_second: int
    wildcards_per_minute: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a batch weighs: paths without and with a wildcard, which have quotas of their own."""

    items: int
    wildcards: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A batch that was let through, and when."""

    load: Load
    at_ms: int


@dataclass(frozen=True, slots=True)
class State:
    """
    What was let through so far.

    Attributes:
        leases: By the batches' references, those whose end is not known.
        items_free_ms: When the rate of items allows the next batch that has any.
        wildcards_free_ms: The same of wildcards.
    """

    leases: Mapping[str, Lease]
    items_free_ms: int = 0
    wildcards_free_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Not now.

    Attributes:
        until_ms: When to ask again; None if that depends on when CloudFront is done.
    """

    until_ms: int | None


def load(items: Iterable[str]) -> Load:
    """
    Weigh a batch.

    >>> load(["/a", "/b/*", "/c"])
    Load(items=2, wildcards=1)
    """
    kinds = [paths.is_wildcard(item) for item in items]
    return Load(items=kinds.count(False), wildcards=kinds.count(True))


def admit(
    state: State, reference: str, wanted: Load, *, limits: Limits, now_ms: int
) -> State | Wait:
    """
    Let the batch *reference* through, or say when to ask again.

    A batch goes whole. One that is larger than a rate makes the next one wait for as long as the
    rate needs for it; one that is larger than what may be in progress goes when nothing is. What
    was let through before stays so.

    >>> limits = Limits(3_000, 15, items_per_second=100, wildcards_per_minute=60)
    >>> first = admit(State({}), "a", Load(500, 0), limits=limits, now_ms=0)
    >>> admit(first, "b", Load(1, 0), limits=limits, now_ms=1_000)
    Wait(until_ms=5000)
    >>> admit(first, "b", Load(2_501, 0), limits=limits, now_ms=9_000)
    Wait(until_ms=None)
    """
    leases = {
        name: lease for name, lease in state.leases.items() if lease.at_ms > now_ms - LEASE_MS
    }
    if reference in leases:
        return state
    items = sum(lease.load.items for lease in leases.values()) + wanted.items
    wildcards = sum(lease.load.wildcards for lease in leases.values()) + wanted.wildcards
    # What is wanted of neither kind, its quota does not hold up.
    full = (wanted.items and items > limits.items_in_progress) or (
        wanted.wildcards and wildcards > limits.wildcards_in_progress
    )
    if leases and full:
        return Wait(None)
    free_ms = max(
        state.items_free_ms if wanted.items else 0,
        state.wildcards_free_ms if wanted.wildcards else 0,
    )
    if free_ms > now_ms:
        return Wait(free_ms)
    items_ms = wanted.items * 1_000 // limits.items_per_second
    wildcards_ms = wanted.wildcards * _MINUTE_MS // limits.wildcards_per_minute
    return State(
        leases=leases | {reference: Lease(wanted, now_ms)},
        items_free_ms=max(state.items_free_ms, now_ms + items_ms),
        wildcards_free_ms=max(state.wildcards_free_ms, now_ms + wildcards_ms),
    )


def release(state: State, reference: str) -> State:
    """Count the batch *reference* as in progress no longer."""
    left = {name: lease for name, lease in state.leases.items() if name != reference}
    return replace(state, leases=left)
