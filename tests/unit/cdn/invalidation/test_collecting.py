"""What is collected is in the ledger before anything else, and one flush is due."""

from typing import Any

import pytest

from cdn.aws import rows
from cdn.invalidation import changes, collecting
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext
from cdn.invalidation.flushes import FlushDelays

CHANGES = [Change("a.css", "created", "01", 1), Change("b.css", "deleted", "02", 2)]


@pytest.fixture
def context(ledger, time_source, recorded_timers):
    timers: Any = recorded_timers()
    tokens = iter(f"token-{number}" for number in range(99))
    delays = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
    return CollectContext(ledger, timers, delays, time_source, lambda: next(tokens))


class TestCollect:
    def test_first(self, context, ledger, time_source):
        """
        The first changes are written, start a flush, and schedule it after the quiet period.
        """
        result = collecting.collect(context, "site", CHANGES)

        (row,) = ledger.query(rows.all_changes("site"))
        assert changes.unpack(row["changes"]) == CHANGES
        flush = ledger.get(rows.flush("site"))
        assert flush["first_change_at_ms"] == flush["last_change_at_ms"] == time_source.now_ms()
        assert flush["collected_count"] == 1
        assert context.flush_timers.scheduled == [("site", 2_000)]
        assert (result.outcome, result.ids) == (
            "changes collected",
            {"bucket": "site", "changes": 2},
        )
        assert result.due_at_ms == time_source.now_ms() + 60_000

    def test_more(self, context, ledger, time_source):
        """
        More changes join the flush that is due, without a timer of their own.
        """
        collecting.collect(context, "site", CHANGES[:1])
        first_at_ms = time_source.now_ms()
        time_source.s += 1

        collecting.collect(context, "site", CHANGES[1:])

        flush = ledger.get(rows.flush("site"))
        assert flush["first_change_at_ms"] == first_at_ms
        assert flush["last_change_at_ms"] == time_source.now_ms()
        assert flush["collected_count"] == 2
        assert len(context.flush_timers.scheduled) == 1

    def test_lost_timer(self, context, time_source):
        """
        A flush that is half a minute late has lost its timer, and gets a new one.
        """
        collecting.collect(context, "site", CHANGES[:1])
        time_source.s += 91

        collecting.collect(context, "site", CHANGES[1:])

        assert len(context.flush_timers.scheduled) == 2
