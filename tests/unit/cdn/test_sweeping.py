"""A sweep schedules a timer for each row that should have been brought back long ago."""

from typing import Any

import pytest

from cdn import sweeping
from cdn.aws import rows

NOW_S = 1_000.0
INDEX_LAG_S = 1


@pytest.fixture
def timers(recorded_timers) -> Any:
    return {"flush": recorded_timers(), "watch": recorded_timers()}


def overdue_at(ledger, key, timer, due_at_ms):
    ledger.replace(key, {"timer": timer, "due_at_ms": due_at_ms})


class TestSteps:
    def test_overdue(self, ledger, timers, time_source):
        """
        Each overdue row gets a timer of its own kind, and the sweep says which.
        """
        overdue_at(ledger, rows.flush("site"), "flush", 1)
        overdue_at(ledger, rows.watch("invalidation/E1/I1"), "watch", 1)
        time_source.s += INDEX_LAG_S

        results = list(sweeping.steps(ledger, timers, now=lambda: NOW_S))

        assert [(one.outcome, one.ids) for one in results] == [
            ("timer rescheduled", {"timer": "flush", "row_id": "site"}),
            ("timer rescheduled", {"timer": "watch", "row_id": "invalidation/E1/I1"}),
        ]
        assert timers["flush"].scheduled == [("site", 0)]
        assert timers["watch"].scheduled == [("invalidation/E1/I1", 0)]

    @pytest.mark.parametrize(("late_s", "swept"), [(119, []), (121, ["site"])])
    def test_two_minutes(self, ledger, timers, time_source, late_s, swept):
        """
        A timer that may still come back by itself is waited for.
        """
        overdue_at(ledger, rows.flush("site"), "flush", int((NOW_S - late_s) * 1000))
        time_source.s += INDEX_LAG_S

        list(sweeping.steps(ledger, timers, now=lambda: NOW_S))

        assert [row_id for row_id, _ in timers["flush"].scheduled] == swept
