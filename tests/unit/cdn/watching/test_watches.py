"""A watch polls when it is due, ends once, and says each time what it saw."""

from typing import Any

import pytest

from cdn.aws import rows
from cdn.cloudfront import targets
from cdn.watching import watches
from cdn.watching.watches import WatchContext
from local.cloudfront import ServiceError


@pytest.fixture
def context(ledger, account, time_source, recorded_timers):
    timers: Any = recorded_timers()
    return WatchContext(ledger, account.client, timers, time_source)


@pytest.fixture
def watched(context, account):
    """Begin an invalidation and its watch."""
    distribution_id = account.distribute("one")
    invalidation_id = account.invalidate(distribution_id, "reference")
    watched = watches.invalidation(targets.distribution(distribution_id), invalidation_id)
    watches.create(context, watched, details={"bucket": "site", "items": 1})
    return watched


def step(context, announcer, watched):
    return list(watches.steps(context, announcer, watched.id))


class TestSteps:
    def test_not_due(self, context, announcer, watched):
        """
        A watch that is not due says when it is.
        """
        (result,) = step(context, announcer, watched)

        assert result.outcome == "watch not due"
        assert result.due_at_ms == context.now_ms() + 20_000

    def test_gone(self, context, announcer):
        """
        A timer of a watch that is not there any more has nothing to do.
        """
        (result,) = watches.steps(context, announcer, "invalidation/E1/I1")

        assert (result.outcome, result.due_at_ms) == ("watch gone", None)

    def test_in_progress(self, context, announcer, account, time_source, watched):
        """
        A poll that finds no end says the status, how often it polled, and when it polls again.
        """
        account.core.lags = None
        time_source.s += 20
        account.call = lambda *_: {
            "InvalidationList": {
                "Marker": "",
                "MaxItems": 100,
                "IsTruncated": False,
                "Quantity": 1,
                "Items": [
                    {
                        "Id": watched.parameters["Id"],
                        "CreateTime": "2026-11-22T00:00:00Z",
                        "Status": "InProgress",
                    }
                ],
            }
        }

        (result,) = step(context, announcer, watched)

        assert result.outcome == "still in progress"
        assert (result.ids["status"], result.ids["poll_count"]) == ("InProgress", 1)
        assert result.ids["distribution_id"] == watched.target.id
        assert result.due_at_ms == context.now_ms() + 20_000

    @pytest.mark.parametrize(
        ("code", "status", "outcome"),
        [
            ("Throttling", 400, "throttled"),
            ("InternalFailure", 500, "step failed"),
            ("AccessDenied", 403, "step failed"),
        ],
    )
    def test_refused(
        self, context, announcer, account, time_source, watched, code, status, outcome
    ):
        """
        A poll that CloudFront refuses says so, and ends no watch, however late it is.
        """

        def refuse(*_):
            raise ServiceError(code, "Rate exceeded", status=status)

        account.call = refuse
        time_source.s += 86_400

        (result,) = step(context, announcer, watched)

        assert (result.outcome, result.ids["status"]) == (outcome, code)
        assert result.due_at_ms > context.now_ms()

    def test_ended(self, context, announcer, time_source, watched):
        """
        A poll that finds the end says so, and then that it was announced, and as what.
        """
        time_source.s += 21

        ended, announced = step(context, announcer, watched)

        assert (ended.outcome, ended.reason) == ("watch ended", "completed")
        assert ended.ids["bucket"] == "site"
        assert (announced.outcome, announced.due_at_ms) == ("end announced", None)
        assert announced.ids["detail_type"] == "Invalidation Completed"

    def test_again(self, context, announcer, time_source, watched):
        """
        A timer that comes after the announcement makes no second one.
        """
        time_source.s += 21
        step(context, announcer, watched)

        (result,) = step(context, announcer, watched)

        assert (result.outcome, result.reason) == ("end announced", "it was before")

    def test_time_to_live(self, context, announcer, ledger, time_source, watched):
        """
        A watch expires only once its end was announced.
        """
        key = rows.watch(watched.id)
        assert "expires_at_s" not in ledger.get(key)
        time_source.s += 21

        step(context, announcer, watched)

        assert ledger.get(key)["expires_at_s"] == int(time_source.s) + rows.WATCH_TTL_S
        assert "timer" not in ledger.get(key)

    def test_announced_later(self, context, announcer, ledger, time_source, watched):
        """
        An announcement that nobody took is made again when its pause is over, not before.
        """
        key, now_ms = rows.watch(watched.id), time_source.now_ms()
        ledger.update(
            key, put={"outcome": "completed", "ended_at_ms": now_ms, "due_at_ms": now_ms + 9_000}
        )

        (result,) = step(context, announcer, watched)
        assert (result.outcome, result.due_at_ms) == ("watch not due", now_ms + 9_000)
        time_source.s += 9
        (result,) = step(context, announcer, watched)

        assert result.outcome == "end announced"


class TestCreate:
    def test_twice(self, context, ledger, watched):
        """
        However often it is created, there is one row; each time its timer is scheduled.
        """
        before = ledger.get(rows.watch(watched.id))

        watches.create(context, watched, details={"bucket": "another"})

        assert ledger.get(rows.watch(watched.id)) == before
        assert context.timers.scheduled == [(watched.id, 20_000)] * 2


class TestAnnounce:
    def test_twice(self, context, ledger, announcer):
        """
        An end that was announced stays so, whoever says again that it ended.
        """
        watched = watches.flush("site", 1)
        for _ in range(2):
            watches.announce(context, watched, outcome="failed", details={})
            list(watches.steps(context, announcer, watched.id))

        row = ledger.get(rows.watch(watched.id))
        assert (row["outcome"], "timer" in row) == ("failed", False)
