"""An end is announced once, after what the watch had reserved was released."""

import pytest
from botocore.stub import Stubber

from cdn.aws import rows
from cdn.aws.announcements import Announcer
from cdn.cloudfront import quota_reservations, quotas
from cdn.cloudfront.quotas import Share
from cdn.telemetry import Topic
from cdn.watching import announcing

WATCH_ID = "invalidation/E1/I1"
WATCH = {
    "kind": "invalidation",
    "name": "I1 of distribution E1",
    "outcome": "completed",
    "details": {"bucket": "site"},
    "reservation_id": "batch-1",
    "started_at_ms": 1_790_000_000_000,
    "ended_at_ms": 1_790_000_021_400,
    "poll_count": 2,
    "last_status": "Completed",
}


@pytest.fixture
def watch(ledger):
    """Write the row of an ended watch that still holds a reservation."""
    limits = quotas.Limits(100, 5, items_per_second=1_000, wildcards_per_minute=6_000)
    quota_reservations.reserve(ledger, "batch-1", Share(1, 0), limits=limits, now_ms=0)
    ledger.replace(rows.watch(WATCH_ID), WATCH)
    return WATCH


def announce(ledger, announcer, watch):
    return announcing.announce(ledger, announcer, WATCH_ID, watch, now_ms=1_790_000_022_000)


class TestAnnounce:
    def test_published(self, ledger, announcer, watch):
        """
        After it is published the row says when, has no timer any more, and may expire.
        """
        ledger.update(rows.watch(WATCH_ID), put={"timer": "watch", "due_at_ms": 1})

        result = announce(ledger, announcer, watch)

        row = ledger.get(rows.watch(WATCH_ID))
        assert (result.outcome, result.reason) == ("end announced", "completed")
        assert result.ids == {"watch_id": WATCH_ID, "detail_type": "Invalidation Completed"}
        assert row["announced_at_ms"] == 1_790_000_022_000
        assert row["expires_at_s"] == 1_790_000_022 + rows.WATCH_TTL_S
        assert not {"timer", "due_at_ms"} & row.keys()

    @pytest.mark.parametrize(
        ("outcome", "reserved"), [("completed", set()), ("timed_out", {"batch-1"})]
    )
    def test_reservation(self, ledger, announcer, watch, outcome, reserved):
        """
        What was reserved is free again, unless CloudFront may be at it still.
        """
        announce(ledger, announcer, watch | {"outcome": outcome})

        row = ledger.get(rows.quota_reservations())
        assert set(row["reservations"]) == reserved

    def test_again(self, ledger, announcer, watch):
        """
        Once that is recorded, nothing is published or written again.
        """
        announce(ledger, announcer, watch)
        row = ledger.get(rows.watch(WATCH_ID))

        result = announce(ledger, announcer, row)

        assert (result.outcome, result.reason) == ("end announced", "it was before")
        assert ledger.get(rows.watch(WATCH_ID)) == row

    @pytest.mark.parametrize(
        ("code", "status", "outcome", "pauses_s"),
        [
            ("AuthorizationError", 403, "step failed", [30, 60, 120]),
            ("Throttling", 400, "throttled", [5, 10, 20]),
        ],
    )
    def test_refused(self, ledger, client_of, watch, code, status, outcome, pauses_s):
        """
        What does not take it is asked again after longer and longer pauses.
        """
        topic_arns: dict[Topic, str] = {"attention": "arn:attention", "routine": "arn:routine"}
        announcer = Announcer(client_of("events"), "default", client_of("sns"), topic_arns)
        results = []
        with Stubber(announcer.events) as bus, Stubber(announcer.sns) as topic:
            for _ in pauses_s:
                bus.add_response("put_events", {"FailedEntryCount": 0})
                topic.add_client_error("publish", code, http_status_code=status)
                results.append(announce(ledger, announcer, ledger.get(rows.watch(WATCH_ID))))

        row = ledger.get(rows.watch(WATCH_ID))
        assert {result.outcome for result in results} == {outcome}
        due_at_ms = [result.due_at_ms for result in results]
        assert due_at_ms == [1_790_000_022_000 + pause_s * 1_000 for pause_s in pauses_s]
        assert row["due_at_ms"] == due_at_ms[-1]
        assert "announced_at_ms" not in row
