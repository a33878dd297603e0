"""What is collected is in the ledger before anything else, and one flush is due."""

import random
from typing import Any

import pytest

from cdn.aws import rows
from cdn.invalidation import changes, collecting
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext, Source
from cdn.invalidation.flushes import FlushDelays
from local.faults import Does, Rule

FIRST, SECOND = Source("first", 1_790_000_000_000), Source("second", 1_790_000_000_500)
CHANGES = [Change("a.css", "created", "01", 1), Change("b.css", "deleted", "02", 2)]


@pytest.fixture
def context(ledger, time_source, recorded_timers):
    timers: Any = recorded_timers()
    delays = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
    return CollectContext(ledger, timers, delays, time_source)


class TestSourceOf:
    def test_same(self):
        """
        The same messages give the same source in whatever order, others another.
        """
        first = collecting.source_of({"a": 2, "b": 1})

        assert first == collecting.source_of({"b": 1, "a": 2})
        assert first.sent_at_ms == 1
        assert first.digest != collecting.source_of({"a": 2}).digest
        assert first.digest != collecting.source_of({"ab": 1}).digest


class TestCollect:
    def test_first(self, context, ledger, time_source):
        """
        The first changes are written, start a flush, and schedule it after the quiet period.
        """
        result = collecting.collect(context, "site", CHANGES, FIRST)

        (row,) = ledger.query_all(rows.all_changes("site"))
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

    def test_again(self, context, ledger, time_source):
        """
        Messages that come again are written over what they wrote before, not beside it.
        """
        collecting.collect(context, "site", CHANGES, FIRST)
        time_source.s += 90

        collecting.collect(context, "site", CHANGES, FIRST)

        (row,) = ledger.query_all(rows.all_changes("site"))
        assert changes.unpack(row["changes"]) == CHANGES

    def test_large(self, context, ledger):
        """
        Changes that fill several rows are all there, once, though they come again.
        """
        keys = (f"{random.Random(number).getrandbits(128):x}" for number in range(20_000))
        many = [Change(key, "created", f"{number:x}", number) for number, key in enumerate(keys)]

        for _ in range(2):
            collecting.collect(context, "site", many, FIRST)

        written = list(ledger.query_all(rows.all_changes("site")))
        assert len(written) == 2
        assert [change for row in written for change in changes.unpack(row["changes"])] == many

    def test_more(self, context, ledger, time_source):
        """
        More changes join the flush that is due, without a timer of their own.
        """
        collecting.collect(context, "site", CHANGES[:1], FIRST)
        first_at_ms = time_source.now_ms()
        time_source.s += 1

        collecting.collect(context, "site", CHANGES[1:], SECOND)

        flush = ledger.get(rows.flush("site"))
        assert flush["first_change_at_ms"] == first_at_ms
        assert flush["last_change_at_ms"] == time_source.now_ms()
        assert flush["collected_count"] == 2
        assert len(context.flush_timers.scheduled) == 1

    def test_lost_timer(self, context, time_source):
        """
        A flush that is half a minute late has lost its timer, and gets a new one.
        """
        collecting.collect(context, "site", CHANGES[:1], FIRST)
        time_source.s += 91

        collecting.collect(context, "site", CHANGES[1:], SECOND)

        assert len(context.flush_timers.scheduled) == 2

    def test_one_timer(self, context, ledger, time_source):
        """
        However many find it late, it gets one new timer at a time.
        """
        collecting.collect(context, "site", CHANGES[:1], FIRST)
        time_source.s += 91

        for number in range(5):
            collecting.collect(context, "site", CHANGES[1:], Source(f"{number}", 1))

        assert context.flush_timers.scheduled == [("site", 2_000)] * 2

    def test_late_at_once(self, context, ledger, time_source):
        """
        So it is if another has seen to it since the row was read.
        """
        collecting.collect(context, "site", CHANGES[:1], FIRST)
        time_source.s += 91
        seen: list[Any] = []

        def see_to_it(params, **_):
            if b"if_not_exists" in params["body"] and not seen:
                seen.append(params)
                return
            if len(seen) == 1:
                seen.append(params)
                collecting.collect(context, "site", CHANGES[1:], FIRST)

        event = "before-call.dynamodb.UpdateItem"
        ledger.client.meta.events.register_first(event, see_to_it)
        collecting.collect(context, "site", CHANGES[1:], SECOND)
        ledger.client.meta.events.unregister(event, see_to_it)

        assert len(seen) == 2
        assert context.flush_timers.scheduled == [("site", 2_000)] * 2

    @pytest.mark.parametrize("hours", [1, 4])
    def test_backing_off(self, context, ledger, time_source, hours):
        """
        A new change waits a quarter of an hour at most for a flush that backs off for hours.
        """
        collecting.collect(context, "site", CHANGES[:1], FIRST)
        retry_at_ms = time_source.now_ms() + hours * 3_600_000
        put = {"retry_at_ms": retry_at_ms, "due_at_ms": retry_at_ms}
        ledger.update(rows.flush("site"), put=put)

        for number in range(3):
            collecting.collect(context, "site", CHANGES[1:], Source(f"{number}", 1))

        flush = ledger.get(rows.flush("site"))
        soon_ms = time_source.now_ms() + 900_000
        assert (flush["retry_at_ms"], flush["due_at_ms"]) == (soon_ms, soon_ms)
        assert context.flush_timers.scheduled == [("site", 2_000), ("site", 900_000)]


class TestResume:
    @pytest.fixture
    def forgotten(self, ledger):
        """Changes of which no flush row tells."""
        (packed,) = changes.pack(CHANGES)
        key = rows.changes("site", at_ms=FIRST.sent_at_ms, token="first")
        ledger.replace(key, {"changes": packed})

    def test_forgotten(self, context, ledger, time_source, forgotten):
        """
        Changes that no flush row tells of start a flush, and schedule it.
        """
        result: Any = collecting.resume(context, "site")

        flush = ledger.get(rows.flush("site"))
        assert result is not None
        assert result.outcome == "flush resumed"
        assert flush["first_change_at_ms"] == flush["last_change_at_ms"] == time_source.now_ms()
        assert context.flush_timers.scheduled == [("site", 2_000)]

    def test_collected_meanwhile(self, context, ledger, faults, forgotten):
        """
        A flush that others have started meanwhile stays theirs.
        """
        others: list[Any] = []

        def collect():
            collecting.collect(context, "site", CHANGES, SECOND)
            others.append(ledger.get(rows.flush("site")))

        faults.second_actor = collect
        faults.rules.append(Rule(does=Does.SECOND_ACTOR_BEFORE, conditional=True))

        assert collecting.resume(context, "site") is None

        assert [ledger.get(rows.flush("site"))] == others
        assert len(context.flush_timers.scheduled) == 1
