"""All flushes share one row of reservations, also when they come at the same moment."""

import pytest

from cdn.aws import rows
from cdn.cloudfront import quota_reservations
from cdn.cloudfront.quotas import Limits, Share
from cdn.errors import RetryLaterError
from local.faults import Does, Rule

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

    @pytest.mark.parametrize("share", [Share(50, 0), Share(0, 5)])
    def test_says_when(self, ledger, share):
        """
        A rate, that of wildcards as well, says when it allows the next batch.
        """
        reserve(ledger, "a", share)
        quota_reservations.release(ledger, "a")

        with pytest.raises(RetryLaterError) as refused:
            reserve(ledger, "b", share, now_ms=10)
        assert refused.value.due_at_ms == 50

    @pytest.mark.parametrize("there", [(), ("before",)])
    @pytest.mark.parametrize(
        ("does", "at_ms"),
        [(Does.SECOND_ACTOR_BEFORE, 10_000), (Does.SECOND_ACTOR_AFTER, 30_000)],
    )
    def test_race(self, ledger, faults, there, does, at_ms):
        """
        Of two at the same moment, both are counted, the first ones ever as well.
        """
        for reservation_id in there:
            reserve(ledger, reservation_id, Share(30, 0))
        faults.restart()
        faults.second_actor = lambda: reserve(ledger, "other", Share(30, 0), now_ms=at_ms)
        faults.rules.append(Rule(does=does, conditional=True))

        reserve(ledger, "a", Share(30, 0), now_ms=20_000)

        row = ledger.get(rows.quota_reservations())
        assert {*row["reservations"]} == {"a", "other", *there}

    def test_race_of_release(self, ledger, faults):
        """
        What is reserved while something else is released stays reserved.
        """
        reserve(ledger, "a", Share(30, 0))
        faults.restart()
        faults.second_actor = lambda: reserve(ledger, "other", Share(30, 0), now_ms=10_000)
        faults.rules.append(Rule(does=Does.SECOND_ACTOR_BEFORE, conditional=True))

        quota_reservations.release(ledger, "a")

        assert {*ledger.get(rows.quota_reservations())["reservations"]} == {"other"}
