"""How much may be asked of CloudFront at once, and how soon the next batch may go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdn.cloudfront import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESERVATION_TTL_MS = 15 * 60 * 1000
"""An invalidation whose end nobody recorded counts as in progress for so long, and no longer."""

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
class Share:
    """What a batch takes: paths without and with a wildcard, which have quotas of their own."""

    items: int
    wildcards: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was reserved for a batch, and when."""

    share: Share
    at_ms: int


@dataclass(frozen=True, slots=True)
class State:
    """
    What is reserved.

    Attributes:
        reservations: By their ids, those that nobody has released.
        items_free_at_ms: When the rate of items allows the next batch that has any.
        wildcards_free_at_ms: The same of wildcards.
    """

    reservations: Mapping[str, Reservation]
    items_free_at_ms: int = 0
    wildcards_free_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """
    Not now.

    Attributes:
        until_ms: When to ask again; None if that depends on when CloudFront is done.
    """

    until_ms: int | None


def share_of(items: Iterable[str]) -> Share:
    """
    Return what a batch of *items* takes.

    >>> share_of(["/a", "/b/*", "/c"])
    Share(items=2, wildcards=1)
    """
    kinds = [paths.is_wildcard(item) for item in items]
    return Share(items=kinds.count(False), wildcards=kinds.count(True))


def admit(
    state: State, reservation_id: str, share: Share, *, limits: Limits, now_ms: int
) -> State | Wait:
    """
    Return the state with *share* reserved, or when to ask again.

    A batch goes whole. One that is larger than a rate makes the next one wait for as long as the
    rate needs for it; one that is larger than what may be in progress goes when nothing is. What
    was let through before stays so.

    >>> limits = Limits(3_000, 15, items_per_second=100, wildcards_per_minute=60)
    >>> first = admit(State({}), "a", Share(500, 0), limits=limits, now_ms=0)
    >>> admit(first, "b", Share(1, 0), limits=limits, now_ms=1_000)
    Wait(until_ms=5000)
    >>> admit(first, "b", Share(2_501, 0), limits=limits, now_ms=9_000)
    Wait(until_ms=None)
    """
    reservations = {
        name: reservation
        for name, reservation in state.reservations.items()
        if reservation.at_ms > now_ms - RESERVATION_TTL_MS
    }
    if reservation_id in reservations:
        return state
    items = sum(one.share.items for one in reservations.values()) + share.items
    wildcards = sum(one.share.wildcards for one in reservations.values()) + share.wildcards
    # What is wanted of neither kind, its quota does not hold up.
    full = (share.items and items > limits.items_in_progress) or (
        share.wildcards and wildcards > limits.wildcards_in_progress
    )
    if reservations and full:
        return Wait(None)
    free_ms = max(
        state.items_free_at_ms if share.items else 0,
        state.wildcards_free_at_ms if share.wildcards else 0,
    )
    if free_ms > now_ms:
        return Wait(free_ms)
    items_ms = share.items * 1_000 // limits.items_per_second
    wildcards_ms = share.wildcards * _MINUTE_MS // limits.wildcards_per_minute
    return State(
        reservations=reservations | {reservation_id: Reservation(share, now_ms)},
        items_free_at_ms=max(state.items_free_at_ms, now_ms + items_ms),
        wildcards_free_at_ms=max(state.wildcards_free_at_ms, now_ms + wildcards_ms),
    )


def release(state: State, reservation_id: str) -> State:
    """Return the state without a reservation."""
    left = {
        name: reservation
        for name, reservation in state.reservations.items()
        if name != reservation_id
    }
    return replace(state, reservations=left)
