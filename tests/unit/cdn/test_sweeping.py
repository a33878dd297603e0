"""A sweep schedules a timer for each row that should have been brought back long ago."""

from typing import Any

import pytest

from cdn import sweeping
from cdn.aws import rows

NOW_S = 1_000.0


@pytest.fixture
def timers(recorded_timers) -> Any:
    return {"flush": recorded_timers(), "watch": recorded_timers()}


def overdue_at(ledger, key, timer, due_at_ms):
    ledger.replace(key, {"timer": timer, "due_at_ms": due_at_ms})


class TestOverdueRowAge:
    def test_oldest(self, ledger):
        """
        What counts is the row that was due first, whatever timer should have brought it back.
        """
        overdue_at(ledger, rows.flush("new"), "flush", 998_000)
        overdue_at(ledger, rows.flush("old"), "flush", 700_000)
        overdue_at(ledger, rows.watch("invalidation/E1/I1"), "watch", 600_500)

        age_s = sweeping.overdue_row_age_s(ledger, ["flush", "watch"], now_ms=int(NOW_S * 1000))

        assert age_s == 399

    def test_none(self, ledger):
        """
        A row that is not due yet is not overdue.
        """
        overdue_at(ledger, rows.flush("site"), "flush", 1_000_001)

        assert sweeping.overdue_row_age_s(ledger, ["flush", "watch"], now_ms=1_000_000) == 0


class TestSteps:
    def test_overdue(self, ledger, timers):
        """
        Each overdue row gets a timer of its own kind, and the sweep says which.
        """
        overdue_at(ledger, rows.flush("site"), "flush", 1)
        overdue_at(ledger, rows.watch("invalidation/E1/I1"), "watch", 1)

        results = list(sweeping.steps(ledger, timers, now=lambda: NOW_S))

        assert [(one.outcome, one.ids) for one in results] == [
            ("timer rescheduled", {"timer": "flush", "row_id": "site"}),
            ("timer rescheduled", {"timer": "watch", "row_id": "invalidation/E1/I1"}),
        ]
        assert timers["flush"].scheduled == [("site", 0)]
        assert timers["watch"].scheduled == [("invalidation/E1/I1", 0)]

    @pytest.mark.parametrize(("late_s", "swept"), [(119, []), (121, ["site"])])
    def test_two_minutes(self, ledger, timers, late_s, swept):
        """
        A timer that may still come back by itself is waited for.
        """
        overdue_at(ledger, rows.flush("site"), "flush", int((NOW_S - late_s) * 1000))

        list(sweeping.steps(ledger, timers, now=lambda: NOW_S))

        assert [row_id for row_id, _ in timers["flush"].scheduled] == swept
