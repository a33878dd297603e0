"""All flushes share one row of permits, also when they come at the same moment."""

import pytest

from cdn.cloudfront import quota_reservations
from cdn.cloudfront.quotas import Limits, Load
from cdn.errors import RetryLaterError

LIMITS = Limits(100, 5, items_per_second=1_000, wildcards_per_minute=6_000)


def take(rows, reference, load, *, now_ms=0):
    quota_reservations.take(rows, reference, load, limits=LIMITS, now_ms=now_ms)


class TestTake:
    def test_shared(self, rows):
        """
        What one has taken, another cannot, until it is given back.
        """
        take(rows, "a", Load(100, 0))
        with pytest.raises(RetryLaterError) as refused:
            take(rows, "b", Load(1, 0))
        quota_reservations.give_back(rows, "a")
        quota_reservations.give_back(rows, "a")

        take(rows, "b", Load(1, 0), now_ms=100)
        assert refused.value.due_ms is None

    def test_again(self, rows):
        """
        Whoever sends a batch again has its permit already.
        """
        take(rows, "a", Load(100, 5))
        take(rows, "a", Load(100, 5))

        quota_reservations.give_back(rows, "a")
        take(rows, "b", Load(100, 5), now_ms=100)

    def test_says_when(self, rows):
        """
        A rate says when it allows the next batch.
        """
        take(rows, "a", Load(50, 0))

        with pytest.raises(RetryLaterError) as refused:
            take(rows, "b", Load(1, 0), now_ms=10)
        assert refused.value.due_ms == 50

    def test_race(self, rows):
        """
        Of two at the same moment, both are counted.
        """

        class Racing:
            """The ledger, in which somebody else takes a permit just before each write."""

            def __init__(self):
                self.others = iter(["x", "y"])

            def get(self, pk, sk):
                return rows.get(pk, sk)

            def change(self, pk, sk, **how):
                if other := next(self.others, None):
                    take(rows, other, Load(30, 0), now_ms=10_000)
                return rows.change(pk, sk, **how)

        with pytest.raises(RetryLaterError):
            take(Racing(), "a", Load(50, 0), now_ms=20_000)

        take(rows, "b", Load(40, 0), now_ms=20_000)
