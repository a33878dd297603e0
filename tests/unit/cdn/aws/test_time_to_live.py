"""Rows live as long as somebody may need them."""

from cdn.aws import rows

DAY_S = 24 * 60 * 60


def test_plan():
    """
    A plan outlives every message of SQS, so that no event is planned twice.
    """
    assert rows.PLAN_TTL_S > 14 * DAY_S


def test_watch():
    """
    For a month one can look up what became of an invalidation.
    """
    assert rows.WATCH_TTL_S >= 30 * DAY_S


def test_signing_key():
    """
    For more than a year one can look up what became of a deleted signing key.
    """
    assert rows.SIGNING_KEY_TTL_S > 366 * DAY_S


def test_budget():
    """
    For more than a year one can look up what a day cost.
    """
    assert rows.BUDGET_TTL_S > 366 * DAY_S
