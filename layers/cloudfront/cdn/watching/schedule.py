"""When to poll something that takes a while: late enough to find it done, and not much later."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DURATIONS = 200
"""So many of the latest durations are learned from."""

_MIN_DURATIONS = 8


@dataclass(frozen=True, slots=True)
class PollingRules:
    """
    How a kind of thing is polled while little is known of it, and what a poll is worth.

    Attributes:
        pause_s: Between two polls: the waiter's own delay.
        max_pause_s: No poll is later than this after one that found no end: few durations leave
            gaps between the late ones.
        latency_cost_s: So many seconds of hearing sooner of an end are worth one poll more.
    """

    pause_s: int
    max_pause_s: int
    latency_cost_s: float


def schedule(durations_s: Sequence[int], rules: PollingRules) -> list[int]:
    """
    Return when to poll, in seconds from the start, by how long others took.

    Of all schedules this is the one with the least sum of waiting (from the end to the poll that
    finds it) and polls at their cost, had it been in force for *durations_s*: found by dynamic
    programming over the moments at which something ended. Empty while too little is known.

    >>> schedule([10] * 9 + [31], PollingRules(pause_s=20, max_pause_s=30, latency_cost_s=4))
    [10, 31]
    >>> schedule([10, 31], PollingRules(pause_s=20, max_pause_s=30, latency_cost_s=4))
    []
    """
    if len(durations_s) < _MIN_DURATIONS:
        return []
    durations = sorted(durations_s)
    sums = [0, *accumulate(durations)]
    moments = _moments(durations, rules.max_pause_s)
    done = [bisect_right(durations, moment) for moment in moments]

    def cost(poll: int, following: int) -> float:
        ended = done[following] - done[poll]
        waited = moments[following] * ended - (sums[done[following]] - sums[done[poll]])
        return rules.latency_cost_s * (len(durations) - done[poll]) + waited

    # From the last moment back: what the rest costs at least from each, and when to poll next.
    least = [0.0] * len(moments)
    best = [len(moments) - 1] * len(moments)
    for poll in range(len(moments) - 2, -1, -1):
        latest = moments[poll] + rules.max_pause_s if poll else moments[-1]
        least[poll], best[poll] = min(
            (cost(poll, following) + least[following], following)
            for following in range(poll + 1, bisect_right(moments, latest))
        )
    polls, poll = [], 0
    while poll < len(moments) - 1:
        poll = best[poll]
        polls.append(moments[poll])
    return polls


def next_poll_s(polls_s: Sequence[int], elapsed_s: float, rules: PollingRules) -> float:
    """
    Return when to poll next, in seconds from the start, *elapsed_s* after it.

    >>> rules = PollingRules(pause_s=20, max_pause_s=30, latency_cost_s=4)
    >>> next_poll_s([10, 31], 10, rules), next_poll_s([10, 31], 31, rules)
    (31, 61)
    >>> next_poll_s([], 40.5, rules)
    60.5
    """
    following = bisect_right(polls_s, elapsed_s)
    if following < len(polls_s):
        return polls_s[following]
    return elapsed_s + (rules.max_pause_s if polls_s else rules.pause_s)


def _moments(durations: Sequence[int], max_pause_s: int) -> list[int]:
    """Return the start and the ends, and between them as many moments as polls each needs."""
    moments = [0, durations[0]]
    for duration in durations:
        while duration - moments[-1] > max_pause_s:
            moments.append(moments[-1] + max_pause_s)
        if duration > moments[-1]:
            moments.append(duration)
    return moments
