"""Polls come when something is likely to have ended, once it is known how long that takes."""

from itertools import pairwise
from math import ceil, exp, log
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.watching import schedule, watches
from cdn.watching.schedule import PollingRules

RULES = PollingRules(pause_s=20, max_pause_s=30, latency_cost_s=4)


def cost(durations_s, polls_s, rules):
    """Add up what a schedule would have cost, by following it."""
    total = 0.0
    for duration_s in durations_s:
        at, polls = 0.0, 0
        while at < duration_s:
            at = schedule.next_poll_s(polls_s, at, rules)
            polls += 1
        total += at - duration_s + rules.latency_cost_s * polls
    return total


class TestSchedule:
    @given(st.lists(st.integers(1, 31), min_size=8, max_size=10), st.integers(1, 9))
    def test_cheapest(self, durations_s, latency_cost_s):
        """
        No other choice of moments would have cost less.
        """
        rules = PollingRules(pause_s=20, max_pause_s=30, latency_cost_s=latency_cost_s)
        moments = sorted(set(durations_s))

        least = min(
            cost(durations_s, [m for bit, m in enumerate(moments) if choice >> bit & 1], rules)
            for choice in range(1, 1 << len(moments))
            if choice >> (len(moments) - 1)
        )

        assert cost(durations_s, schedule.schedule(durations_s, rules), rules) <= least + 1e-9

    @given(st.lists(st.integers(1, 2_000), min_size=8, max_size=200))
    def test_covers(self, durations_s):
        """
        The last poll comes when all have ended, and no pause after the first is too long.
        """
        polls_s = schedule.schedule(durations_s, RULES)

        assert polls_s == sorted(set(polls_s))
        assert polls_s[-1] == max(durations_s)
        assert all(b - a <= 30 for a, b in pairwise(polls_s))

    def test_little_known(self):
        """
        While little is known, the waiter's own pause is kept.
        """
        assert schedule.schedule([12] * 7, RULES) == []
        assert schedule.next_poll_s([], 0, RULES) == 20


def lognormal(random, *, p50, p95):
    return p50 * exp(random.gauss(0, 1) * log(p95 / p50) / 1.645)


def invalidation_s(random):
    """CloudFront says under 25 s for 95 of 100; the tail is assumed."""
    slow = random.random() < 0.01
    return random.uniform(60, 300) if slow else lognormal(random, p50=12, p95=25)


def deployment_s(random):
    """Minutes, by the guide; the figures are assumed."""
    return lognormal(random, p50=180, p95=300)


def follow(draw, rules, *, learning):
    """Watch 1,000 things one after the other; tell the mean of the polls, and of the lag."""
    random = Random(1)
    known: list[int] = []
    polls_s: list[int] = []
    polls, lags = [], []
    for _ in range(1_000):
        duration_s = draw(random)
        moments = [0]
        while moments[-1] < duration_s:
            moments.append(ceil(schedule.next_poll_s(polls_s, moments[-1], rules)))
        polls.append(len(moments) - 1)
        lags.append(moments[-1] - duration_s)
        if learning:
            # As `watches` does: the end was at some moment between the last two polls.
            known = [*known, max(1, round(sum(moments[-2:]) / 2))][-schedule.MAX_DURATIONS :]
            polls_s = schedule.schedule(known, rules)
    return mean(polls[200:]), mean(lags[200:])


class TestAgainstTheWaiter:
    @pytest.mark.parametrize(
        ("kind", "delay_s", "draw", "most_polls", "most_lag"),
        [
            ("invalidation", 20, invalidation_s, 1.25, 1 / 2.5),
            ("deployment", 60, deployment_s, 0.8, 0.8),
        ],
    )
    def test_sooner(self, kind, delay_s, draw, most_polls, most_lag):
        """
        Ends are heard of much sooner than by botocore's waiter, for hardly more polls or fewer.
        """
        known = watches._POLLING[kind]
        rules = PollingRules(delay_s, known.max_pause_s, known.latency_cost_s)
        # The waiter's first poll comes at once; ours saves that one.
        waiter_polls, waiter_lag = follow(draw, rules, learning=False)

        polls, lag = follow(draw, rules, learning=True)

        assert polls <= most_polls * (waiter_polls + 1)
        assert lag <= most_lag * waiter_lag
