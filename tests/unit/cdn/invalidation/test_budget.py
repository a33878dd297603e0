"""A day costs no more than it may; the month's free items are free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn.aws import rows
from cdn.invalidation import budget

NOON_MS = 1_790_000_000_000
DAY_MS = 24 * 60 * 60 * 1_000


def reserve(ledger, item_count, *, limit=10, now_ms=NOON_MS):
    return budget.reserve(ledger, item_count, limit=limit, now_ms=now_ms)


class TestReserve:
    def test_up_to_the_limit(self, ledger):
        """
        Items are reserved up to the limit, and not one more.
        """
        assert reserve(ledger, 7)
        assert not reserve(ledger, 4)
        assert reserve(ledger, 3)
        assert not reserve(ledger, 1)
        assert budget.items_left(ledger, limit=10, now_ms=NOON_MS) == 0

    def test_too_many_at_once(self, ledger):
        """
        The first of a day may not exceed it either.
        """
        assert not reserve(ledger, 11)
        assert budget.items_left(ledger, limit=10, now_ms=NOON_MS) == 10

    def test_without_limit(self, ledger):
        """
        What a person lets go is counted, but not limited.
        """
        assert reserve(ledger, 25, limit=None)
        assert not reserve(ledger, 1)
        assert budget.items_left(ledger, limit=30, now_ms=NOON_MS) == 5

    def test_next_day(self, ledger):
        """
        The next day has as many again.
        """
        reserve(ledger, 10)

        assert reserve(ledger, 10, now_ms=NOON_MS + DAY_MS)

    def test_released(self, ledger):
        """
        What was not committed after all can be reserved again.
        """
        reserve(ledger, 10)

        budget.release(ledger, 4, reserved_at_ms=NOON_MS)

        assert reserve(ledger, 4)
        assert not reserve(ledger, 1)

    def test_time_to_live(self, ledger):
        """
        A day can be looked up for more than a year.
        """
        reserve(ledger, 1)

        row = ledger.get(rows.budget("2026-09-21"))
        assert row["expires_at_s"] == NOON_MS // 1000 + 400 * 24 * 60 * 60


class TestCost:
    def test_free_first(self, ledger):
        """
        What earlier days left of the month's free items is free today.
        """
        reserve(ledger, 900, limit=None, now_ms=NOON_MS - DAY_MS)
        assert budget.cents_today(ledger, now_ms=NOON_MS) == 0

        reserve(ledger, 300, limit=None)
        assert budget.cents_today(ledger, now_ms=NOON_MS) == 100

    def test_other_month(self, ledger):
        """
        Each month begins with its own.
        """
        reserve(ledger, 5_000, limit=None, now_ms=NOON_MS - 30 * DAY_MS)
        reserve(ledger, 5_000, limit=None, now_ms=NOON_MS + DAY_MS)
        reserve(ledger, 1_000, limit=None)

        assert budget.cents_today(ledger, now_ms=NOON_MS) == 0

    def test_of_last(self, ledger):
        """
        What was reserved last is paid for first.
        """
        reserve(ledger, 1_000, limit=None)
        assert budget.cents_of_last(ledger, 10, now_ms=NOON_MS) == 0
        reserve(ledger, 10, limit=None)
        assert budget.cents_of_last(ledger, 10, now_ms=NOON_MS) == 5

    @given(first=st.integers(0, 5_000), second=st.integers(0, 5_000))
    def test_monotonous(self, first, second):
        """
        More items never cost less.
        """
        assert budget.cents(first) <= budget.cents(first + second)


class TestDay:
    @pytest.mark.parametrize("at_ms", [NOON_MS, 0, 1_798_761_599_999])
    def test_ends(self, at_ms):
        """
        A day ends where the next one begins.
        """
        ends_at_ms = budget.ends_at_ms(at_ms)

        assert budget.day(ends_at_ms - 1) == budget.day(at_ms)
        assert budget.day(ends_at_ms) != budget.day(at_ms)
