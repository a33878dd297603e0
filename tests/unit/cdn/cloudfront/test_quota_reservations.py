"""All flushes share one row of reservations, also when they come at the same moment."""

import pytest

from cdn.cloudfront import quota_reservations
from cdn.cloudfront.quotas import Limits, Share
from cdn.errors import RetryLaterError

LIMITS = Limits(100, 5, items_per_second=1_000, wildcards_per_minute=6_000)


def reserve(ledger, reservation_id, share, *, now_ms=0):
    quota_reservations.reserve(ledger, reservation_id, share, limits=LIMITS, now_ms=now_ms)


class TestReserve:
    def test_shared(self, ledger):
        """
        What one has reserved, another cannot, until it is released.
        """
        reserve(ledger, "a", Share(100, 0))
        with pytest.raises(RetryLaterError) as refused:
            reserve(ledger, "b", Share(1, 0))
        quota_reservations.release(ledger, "a")
        quota_reservations.release(ledger, "a")

        reserve(ledger, "b", Share(1, 0), now_ms=100)
        assert refused.value.due_at_ms is None

    def test_again(self, ledger):
        """
        Whoever sends a batch again has its reservation already.
        """
        reserve(ledger, "a", Share(100, 5))
        reserve(ledger, "a", Share(100, 5))

        quota_reservations.release(ledger, "a")
        reserve(ledger, "b", Share(100, 5), now_ms=100)

    def test_says_when(self, ledger):
        """
        A rate says when it allows the next batch.
        """
        reserve(ledger, "a", Share(50, 0))

        with pytest.raises(RetryLaterError) as refused:
            reserve(ledger, "b", Share(1, 0), now_ms=10)
        assert refused.value.due_at_ms == 50

    def test_race(self, ledger):
        """
        Of two at the same moment, both are counted.
        """

        class Racing:
            """The ledger, in which somebody else reserves a share just before each write."""

            def __init__(self):
                self.others = iter(["x", "y"])

            def get(self, key):
                return ledger.get(key)

            def create(self, key, row):
                self._somebody_else()
                return ledger.create(key, row)

            def update_if(self, condition, key, **how):
                self._somebody_else()
                return ledger.update_if(condition, key, **how)

            def _somebody_else(self):
                if other := next(self.others, None):
                    reserve(ledger, other, Share(30, 0), now_ms=10_000)

        with pytest.raises(RetryLaterError):
            reserve(Racing(), "a", Share(50, 0), now_ms=20_000)

        reserve(ledger, "b", Share(40, 0), now_ms=20_000)
