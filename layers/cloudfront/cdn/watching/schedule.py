"""When to look at something that takes a while: late enough to find it done, and not much later."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ENDS = 200
"""So many of the latest ends are learned from."""

_FEWEST_ENDS = 8


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How a kind of thing is looked at while little is known of it, and what a look is worth.

    Attributes:
        pause_s: Between two looks: the waiter's own delay.
        longest_pause_s: No look is later than this after one that found no end: few ends leave
            holes between the late ones.
        price_s: So many seconds of hearing sooner of an end are worth one look more.
    """

    pause_s: int
    longest_pause_s: int
    price_s: float


def schedule(ends_s: Sequence[int], manner: Manner) -> list[int]:
    """
    Choose the moments to look at, in seconds from the start, from how long others took.

    Of all schedules this is the one with the least sum of waiting (from the end to the look that
    finds it) and looks at their price, had it been in force for *ends_s*: found by dynamic
    programming over the moments at which something ended. Empty while too little is known.

    >>> schedule([10] * 9 + [31], Manner(pause_s=20, longest_pause_s=30, price_s=4))
    [10, 31]
    >>> schedule([10, 31], Manner(pause_s=20, longest_pause_s=30, price_s=4))
    []
    """
    if len(ends_s) < _FEWEST_ENDS:
        return []
    ends = sorted(ends_s)
    sums = [0, *accumulate(ends)]
    moments = _moments(ends, manner.longest_pause_s)
    done = [bisect_right(ends, moment) for moment in moments]

    def cost(at: int, following: int) -> float:
        ended = done[following] - done[at]
        waited = moments[following] * ended - (sums[done[following]] - sums[done[at]])
        return manner.price_s * (len(ends) - done[at]) + waited

    # From the last moment back: what the rest costs at least from each, and where to look next.
    least = [0.0] * len(moments)
    best = [len(moments) - 1] * len(moments)
    for at in range(len(moments) - 2, -1, -1):
        furthest = moments[at] + manner.longest_pause_s if at else moments[-1]
        reach = bisect_right(moments, furthest)
        least[at], best[at] = min(
            (cost(at, following) + least[following], following)
            for following in range(at + 1, reach)
        )
    chosen, at = [], 0
    while at < len(moments) - 1:
        at = best[at]
        chosen.append(moments[at])
    return chosen


def next_look_s(chosen: Sequence[int], elapsed_s: float, manner: Manner) -> float:
    """
    Tell when to look next, in seconds from the start, *elapsed_s* after it.

    >>> manner = Manner(pause_s=20, longest_pause_s=30, price_s=4)
    >>> next_look_s([10, 31], 10, manner), next_look_s([10, 31], 31, manner)
    (31, 61)
    >>> next_look_s([], 40.5, manner)
    60.5
    """
    following = bisect_right(chosen, elapsed_s)
    if following < len(chosen):
        return chosen[following]
    return elapsed_s + (manner.longest_pause_s if chosen else manner.pause_s)


def _moments(ends: Sequence[int], longest_pause_s: int) -> list[int]:
    """List the start and the ends, and between the ends as many moments as a look each needs."""
    moments = [0, ends[0]]
    for end in ends:
        while end - moments[-1] > longest_pause_s:
            moments.append(moments[-1] + longest_pause_s)
        if end > moments[-1]:
            moments.append(end)
    return moments
