"""A sweep finds what no timer will bring back, and measures what waits."""

from typing import Any

import pytest

from cdn import sweeping
from cdn.aws import rows
from cdn.invalidation import budget, collecting
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext, Source
from cdn.invalidation.flushes import FlushDelays

BATCH = rows.batch("site", rows.plan_id(at_ms=1_000, token="a"), 0)
INDEX_LAG_S = 1


@pytest.fixture
def timers(recorded_timers) -> Any:
    return {"flush": recorded_timers(), "batch": recorded_timers(), "watch": recorded_timers()}


@pytest.fixture
def context(ledger, timers, time_source):
    delays = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
    return CollectContext(ledger, timers["flush"], delays, time_source)


@pytest.fixture
def sweep(context, timers):
    def sweep(*, left_ms=lambda: 60_000):
        return list(sweeping.steps(context, timers, ["site", "other"], left_ms=left_ms))

    return sweep


def overdue_at(ledger, key, timer, due_at_ms):
    ledger.replace(key, {"timer": timer, "due_at_ms": due_at_ms, "first_change_at_ms": 1})


class TestSteps:
    def test_overdue(self, ledger, timers, sweep, time_source):
        """
        Each overdue row gets a timer of its own kind, and the sweep says which.
        """
        overdue_at(ledger, rows.flush("site"), "flush", 1)
        overdue_at(ledger, BATCH, "batch", 1)
        overdue_at(ledger, rows.watch("invalidation/E1/I1"), "watch", 1)
        time_source.s += INDEX_LAG_S

        results = sweep()

        assert [(one.outcome, one.ids) for one in results] == [
            ("timer rescheduled", {"timer": "flush", "row_id": "site"}),
            ("timer rescheduled", {"timer": "batch", "row_id": rows.row_id(BATCH)}),
            ("timer rescheduled", {"timer": "watch", "row_id": "invalidation/E1/I1"}),
        ]
        assert timers["flush"].scheduled == [("site", 0)]
        assert timers["batch"].scheduled == [(rows.row_id(BATCH), 0)]
        assert timers["watch"].scheduled == [("invalidation/E1/I1", 0)]

    @pytest.mark.parametrize(("late_ms", "swept"), [(120_000, []), (120_001, ["site"])])
    def test_two_minutes(self, ledger, timers, sweep, time_source, late_ms, swept):
        """
        A timer that may still come back by itself is waited for.
        """
        due_at_ms = time_source.now_ms() + INDEX_LAG_S * 1_000 - late_ms
        overdue_at(ledger, rows.flush("site"), "flush", due_at_ms)
        time_source.s += INDEX_LAG_S

        sweep()

        assert [row_id for row_id, _ in timers["flush"].scheduled] == swept

    def test_stops_in_time(self, ledger, timers, sweep, time_source):
        """
        A sweep stops while it has time left, with what was due first, and the next one goes on.
        """
        for number in range(9):
            overdue_at(ledger, rows.watch(f"invalidation/E1/I{number}"), "watch", 9 - number)
        time_source.s += INDEX_LAG_S
        left_ms = iter([60_000, 40_000, 20_000, 19_999])

        *_, stopped = sweep(left_ms=lambda: next(left_ms))

        assert (stopped.outcome, stopped.meaning.level) == ("sweep stopped", "warning")
        assert [row_id for row_id, _ in timers["watch"].scheduled] == [
            f"invalidation/E1/I{number}" for number in (8, 7, 6)
        ]

    def test_changes_first(self, ledger, timers, sweep, time_source):
        """
        Changes without a flush are found however many rows are overdue.
        """
        overdue_at(ledger, rows.watch("invalidation/E1/I1"), "watch", 1)
        ledger.replace(rows.changes("site", at_ms=1, token="a"), {"changes": b""})
        time_source.s += INDEX_LAG_S

        resumed, stopped = sweep(left_ms=lambda: 0)

        assert (resumed.outcome, stopped.outcome) == ("flush resumed", "sweep stopped")

    def test_without_flush(self, ledger, timers, sweep, time_source):
        """
        Changes whose flush row could not be written get one, and a timer, once.
        """
        ledger.replace(rows.changes("site", at_ms=1, token="a"), {"changes": b""})

        (resumed,) = sweep()
        assert sweep() == []

        flush = ledger.get(rows.flush("site"))
        assert (resumed.outcome, resumed.ids) == ("flush resumed", {"bucket": "site"})
        assert flush["first_change_at_ms"] == time_source.now_ms()
        assert flush["due_at_ms"] == time_source.now_ms() + 60_000
        assert flush["timer"] == "flush"
        assert timers["flush"].scheduled == [("site", 2_000)]


class TestGauges:
    def gauges(self, ledger, time_source):
        return sweeping.gauges(ledger, ["site", "other"], now_ms=time_source.now_ms())

    def test_nothing(self, ledger, time_source):
        """
        Where nothing waits, everything is 0.
        """
        assert self.gauges(ledger, time_source) == {
            "OverdueRowAge": 0,
            "UnsentChangesAge": 0,
            "BucketsHeld": 0,
            "CostTodayCents": 0,
        }

    def test_overdue(self, ledger, time_source):
        """
        The most overdue row is the one that was due first, whatever timer should have come.
        """
        for key, timer, late_ms in [
            (rows.flush("site"), "flush", 7_000),
            (rows.flush("other"), "flush", 900_000),
            (rows.watch("invalidation/E1/I1"), "watch", 949_500),
            (rows.watch("invalidation/E1/I2"), "watch", -1),
        ]:
            overdue_at(ledger, key, timer, time_source.now_ms() - late_ms)
        time_source.s += INDEX_LAG_S

        assert self.gauges(ledger, time_source)["OverdueRowAge"] == 950

    def test_due(self, ledger, time_source):
        """
        A row that is due later is not overdue.
        """
        overdue_at(ledger, rows.flush("site"), "flush", time_source.now_ms() + 1_001)
        time_source.s += INDEX_LAG_S

        assert self.gauges(ledger, time_source)["OverdueRowAge"] == 0

    def test_pending(self, context, ledger, time_source):
        """
        The oldest change that waits for its plan is as old as its bucket's flush.
        """
        change = Change("a.css", "created", "1", 0)
        collecting.collect(context, "site", [change], Source("a", time_source.now_ms()))
        time_source.s += 100

        assert self.gauges(ledger, time_source)["UnsentChangesAge"] == 100

    def test_batch(self, ledger, time_source):
        """
        So is a batch that waits, as old as its plan, however far in the future it is due.
        """
        plan_id = rows.plan_id(at_ms=time_source.now_ms() - 6_000, token="a")
        due_at_ms = time_source.now_ms() + 10**9
        overdue_at(ledger, rows.batch("site", plan_id, 0), "batch", due_at_ms)
        time_source.s += INDEX_LAG_S

        assert self.gauges(ledger, time_source)["UnsentChangesAge"] == 7

    def test_held(self, ledger, time_source):
        """
        Buckets whose changes are held are counted.
        """
        ledger.replace(rows.flush("other"), {"held_item_count": 3})

        assert self.gauges(ledger, time_source)["BucketsHeld"] == 1

    def test_cost(self, ledger, time_source):
        """
        What today costs is in cents.
        """
        budget.reserve(ledger, 1_100, limit=None, now_ms=time_source.now_ms())

        assert self.gauges(ledger, time_source)["CostTodayCents"] == 50
