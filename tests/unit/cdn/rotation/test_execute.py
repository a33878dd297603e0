"""
Every step has its executor: `assert_never` lets mypy refuse a step without one.

What the executors do is held end to end, with crashes between any two of their calls:
tests/local/rotation/test_rotation_crashes.py and test_rotation_storm.py. What they record,
however often and in whatever order, is held here.
"""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from cdn.aws import rows
from cdn.rotation import execute, steps
from cdn.rotation.context import Observation

NAME = "stack-1"


def test_every_step_matched():
    """
    The match names each step of the union once.
    """
    source = inspect.getsource(execute.take)

    for step in steps.Step.__args__:
        assert source.count(f"case steps.{step.__name__}():") == 1


@pytest.fixture
def take(ledger):
    """Take steps that only record, and return the key's row after each."""
    context: Any = SimpleNamespace(ledger=ledger)
    observed: Any = None

    def take(step, at_ms):
        execute.take(step, context, Observation(observed, at_ms))
        return ledger.get(rows.signing_key(NAME))

    return take


class TestRecordPromoted:
    def test_again(self, take):
        """
        Since when a key signs stays as it was recorded first.
        """
        promoted = steps.RecordPromoted(NAME, "K1")

        assert take(promoted, 1_000)["promoted_at_ms"] == 1_000
        assert take(promoted, 2_000)["promoted_at_ms"] == 1_000

    def test_back(self, take):
        """
        A key that was replaced and signs again does so from then on.
        """
        take(steps.RecordPromoted(NAME, "K1"), 1_000)
        take(steps.RecordReplaced(NAME, "K1", ""), 2_000)

        row = take(steps.RecordPromoted(NAME, "K1"), 3_000)

        assert row["promoted_at_ms"] == 3_000
        assert "replaced_at_ms" not in row


class TestRecordMaxLifetime:
    def test_highest(self, take):
        """
        The highest lifetime that links of a key may have had is never lowered.
        """
        recorded = [
            take(steps.RecordMaxLifetime(NAME, lifetime_s), 1_000)["max_lifetime_s"]
            for lifetime_s in (60, 3_600, 600)
        ]

        assert recorded == [60, 3_600, 3_600]


class TestRecordDeleted:
    def test_time_to_live(self, take):
        """
        What is known of a key expires only once it is deleted, 400 days later.
        """
        assert "expires_at_s" not in take(steps.RecordPromoted(NAME, "K1"), 1_000)

        row = take(steps.RecordDeleted(NAME), 2_000)

        assert row["expires_at_s"] == 2 + 400 * 86_400
