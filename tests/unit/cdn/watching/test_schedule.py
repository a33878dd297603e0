"""Looks come when something is likely to have ended, as soon as it is known how long that takes."""

from itertools import pairwise
from math import ceil, exp, log
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.watching import schedule, watches
from cdn.watching.schedule import Manner

MANNER = Manner(pause_s=20, longest_pause_s=30, price_s=4)


def cost(ends, chosen, manner):
    """Add up what a schedule would have cost, by following it."""
    total = 0.0
    for end in ends:
        at, looks = 0.0, 0
        while at < end:
            at = schedule.next_look_s(chosen, at, manner)
            looks += 1
        total += at - end + manner.price_s * looks
    return total


class TestSchedule:
    @given(st.lists(st.integers(1, 31), min_size=8, max_size=10), st.integers(1, 9))
    def test_cheapest(self, ends, price_s):
        """
        No other choice of moments would have cost less.
        """
        manner = Manner(pause_s=20, longest_pause_s=30, price_s=price_s)
        moments = sorted(set(ends))

        least = min(
            cost(ends, [m for bit, m in enumerate(moments) if chosen >> bit & 1], manner)
            for chosen in range(1, 1 << len(moments))
            if chosen >> (len(moments) - 1)
        )

        assert cost(ends, schedule.schedule(ends, manner), manner) <= least + 1e-9

    @given(st.lists(st.integers(1, 2_000), min_size=8, max_size=200))
    def test_covers(self, ends):
        """
        The last look comes when all have ended, and no pause after the first is too long.
        """
        chosen = schedule.schedule(ends, MANNER)

        assert chosen == sorted(set(chosen))
        assert chosen[-1] == max(ends)
        assert all(b - a <= 30 for a, b in pairwise(chosen))

    def test_little_known(self):
        """
        While little is known, the waiter's own pause is kept.
        """
        assert schedule.schedule([12] * 7, MANNER) == []
        assert schedule.next_look_s([], 0, MANNER) == 20


def lognormal(random, *, p50, p95):
    return p50 * exp(random.gauss(0, 1) * log(p95 / p50) / 1.645)


def invalidation_s(random):
    """CloudFront says under 25 s for 95 of 100; the tail is assumed."""
    slow = random.random() < 0.01
    return random.uniform(60, 300) if slow else lognormal(random, p50=12, p95=25)


def deployment_s(random):
    """Minutes, by the guide; the figures are assumed."""
    return lognormal(random, p50=180, p95=300)


def follow(draw, manner, *, learning):
    """Watch 1,000 things one after the other; tell the mean of the looks, and of the lag."""
    random = Random(1)
    known: list[int] = []
    chosen: list[int] = []
    looks, lags = [], []
    for _ in range(1_000):
        end = draw(random)
        moments = [0]
        while moments[-1] < end:
            moments.append(ceil(schedule.next_look_s(chosen, moments[-1], manner)))
        looks.append(len(moments) - 1)
        lags.append(moments[-1] - end)
        if learning:
            # As `watches` does: the end was at some moment between the last two looks.
            known = [*known, max(1, round(sum(moments[-2:]) / 2))][-schedule.MOST_ENDS :]
            chosen = schedule.schedule(known, manner)
    return mean(looks[200:]), mean(lags[200:])


class TestAgainstTheWaiter:
    @pytest.mark.parametrize(
        ("kind", "delay_s", "draw", "most_looks", "most_lag"),
        [
            ("invalidation", 20, invalidation_s, 1.25, 1 / 2.5),
            ("deployment", 60, deployment_s, 0.8, 0.8),
        ],
    )
    def test_sooner(self, kind, delay_s, draw, most_looks, most_lag):
        """
        Ends are heard of much sooner than by botocore's waiter, for hardly more looks or fewer.
        """
        known = watches._KINDS[kind]
        manner = Manner(delay_s, known.longest_pause_s, known.price_s)
        # The waiter's first look comes at once; ours saves that one.
        waiter_looks, waiter_lag = follow(draw, manner, learning=False)

        looks, lag = follow(draw, manner, learning=True)

        assert looks <= most_looks * (waiter_looks + 1)
        assert lag <= most_lag * waiter_lag
