"""A flush says what it did, keeps no lock that it does not use, and needs no row that may go."""

from contextlib import suppress
from itertools import count
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from cdn.aws import retryable, rows
from cdn.aws.table import Table
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import flushes
from cdn.invalidation.flushes import FlushDelays
from cdn.telemetry import log_fields
from local.faults import Crash, Does, Rule
from tests.local import suite

DELAYS = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
TOKENS = count()


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def ledger(cloud):
    return Table(cloud.world.client("dynamodb"), cloud.world.outputs["LedgerTable"])


def token():
    return f"token-{next(TOKENS)}"


def change(cloud, *keys):
    """Upload *keys* and have them collected, but not flushed; then let the quiet period pass."""
    suite.upload(cloud, *keys)
    cloud.world.run(until=lambda: "collect_changes" in cloud.world.invocations[-1].function)
    cloud.world.client("sqs").purge_queue(QueueUrl=cloud.world.outputs["FlushTimersUrl"])
    cloud.world.virtual_time.advance(3)


def flush(cloud, **changes):
    """Take the steps of one flush."""
    return list(flushes.steps(suite.flush_context(cloud, token=token, **changes), DELAYS, "site"))


def sent(cloud):
    return [one.items for one in cloud.invalidations()[1:]]


def refused(cloud, operation, *, code, status=400):
    rule = Rule(does=Does.FAIL, operation=operation, code=code, status=status, times=99)
    cloud.world.faults.rules.append(rule)
    return rule


class TestSaid:
    def test_invalidated(self, cloud):
        """
        A flush says what was planned and what was created, with all ids and counts.
        """
        change(cloud, "a.css", "b.css")

        planned, created, finished = flush(cloud)

        (invalidation,) = cloud.invalidations()[1:]
        assert planned.outcome == "plan committed"
        assert planned.ids == {
            "bucket": "site",
            "plan_id": planned.ids["plan_id"],
            "changes": 2,
            "skipped": 0,
            "batches": 1,
            "paths": 2,
            "wildcards": 0,
        }
        assert created.outcome == "invalidation created"
        assert created.ids == {
            "bucket": "site",
            "plan_id": planned.ids["plan_id"],
            "distribution_id": cloud.distribution_id,
            "invalidation_id": invalidation.id,
            "caller_reference": created.ids["caller_reference"],
            "paths": 2,
            "wildcards": 0,
        }
        assert (finished.outcome, finished.due_at_ms) == ("flush finished", None)

    def test_skipped(self, cloud):
        """
        A plan that covers nothing says why.
        """
        change(cloud, "~a.css")

        planned, finished = flush(cloud)

        assert (planned.outcome, planned.ids["skipped"]) == ("plan committed", 1)
        assert planned.reason == "CloudFront invalidates no path with ~"
        assert finished.outcome == "flush finished"

    def test_throttled(self, cloud):
        """
        A throttled flush says which operation, by which code, and when it is retried.
        """
        refused(cloud, "ListDistributions", code="Throttling")
        change(cloud, "a.css")
        now_ms = int(cloud.world.virtual_time.now() * 1000)

        (throttled,) = flush(cloud)

        assert throttled.outcome == "throttled"
        assert throttled.ids == {
            "bucket": "site",
            "operation": "ListDistributions",
            "code": "Throttling",
        }
        assert throttled.due_at_ms is not None
        assert 0 <= throttled.due_at_ms - now_ms - retryable.backoff_ms(1) < 100
        assert {"operation", "code", "retry_at"} <= log_fields(throttled).keys()

    def test_own_quota(self, cloud):
        """
        A flush that the stack's own limits hold up says so.
        """
        limits = Limits(1, 1, items_per_second=1, wildcards_per_minute=1)
        change(cloud, "a.css", "b.css")

        planned, created, last = flush(cloud, limits=limits)

        assert (planned.ids["batches"], created.outcome) == (2, "invalidation created")
        assert (last.outcome, last.ids["code"]) == ("quota exhausted", "QuotaExhausted")
        assert last.due_at_ms is not None

    def test_repeated(self, cloud, ledger):
        """
        Changes that a plan had before are said to be planned already.
        """
        change(cloud, "a.css")
        (row,) = ledger.query(rows.all_changes("site"))
        flush(cloud)
        ledger.replace(rows.key_of(row), row)
        now_ms = int(cloud.world.virtual_time.now() * 1000)
        ledger.create_or_update(
            rows.flush("site"), put={"first_change_at_ms": 0, "last_change_at_ms": now_ms - 5_000}
        )

        repeated, finished = flush(cloud)

        assert (repeated.outcome, repeated.ids["changes"]) == ("changes already planned", 1)
        assert finished.outcome == "flush finished"
        assert len(sent(cloud)) == 1

    def test_target_gone(self, cloud):
        """
        A batch whose distribution is gone says which.
        """
        refused(cloud, "CreateInvalidation", code="NoSuchDistribution", status=404)
        change(cloud, "a.css")

        _, gone, _ = flush(cloud)

        assert gone.outcome == "invalidation target gone"
        assert gone.ids["distribution_id"] == cloud.distribution_id
        assert cloud.distribution_id in gone.reason

    def test_batch_failed(self, cloud):
        """
        A batch says each time that it failed, and at last that it is not retried.
        """
        refused(cloud, "CreateInvalidation", code="InvalidArgument")
        change(cloud, "a.css")
        outcomes, counted = [], []
        for _ in range(retryable.MAX_ERRORS):
            results = flush(cloud)
            outcomes += [result.outcome for result in results]
            counted += [result.meaning.metric for result in results if result.meaning.metric]
            cloud.world.virtual_time.advance(150)

        assert outcomes.count("batch retried later") == retryable.MAX_ERRORS - 1
        assert outcomes.count("flush retried later") == retryable.MAX_ERRORS - 1
        assert outcomes[-2:] == ["batch failed", "flush finished"]
        assert counted == ["StepsFailed"] * retryable.MAX_ERRORS

    def test_retries_exhausted(self, cloud):
        """
        A flush that meets five unexpected errors says so, and does not come back by itself.
        """
        refused(cloud, "ListDistributions", code="AccessDenied", status=403)
        change(cloud, "a.css")
        results = []
        for _ in range(retryable.MAX_ERRORS):
            results += flush(cloud)
            cloud.world.virtual_time.advance(31)

        *failed, exhausted = results
        assert {result.outcome for result in failed} == {"step failed"}
        assert {result.ids["code"] for result in failed} == {"AccessDenied"}
        assert (exhausted.outcome, exhausted.due_at_ms) == ("retries exhausted", None)
        assert "bucket site met 5 errors in a row, the last one AccessDenied" in exhausted.reason


class TestHalved:
    @pytest.fixture
    def refused_paths(self, cloud):
        """Paths for which CloudFront refuses a whole request."""
        client = cloud.world.client("cloudfront")
        refused = {b"/bad.css"}
        message = "Your request contains one or more invalid invalidation paths."
        refusal = {
            "Error": {"Code": "InvalidArgument", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

        def refuse(params, **_):
            hit = any(b"<Path>%b</Path>" % path in params["body"] for path in refused)
            return (SimpleNamespace(status_code=400), refusal) if hit else None

        event = "before-call.cloudfront.CreateInvalidation"
        client.meta.events.register_first(event, refuse)
        yield refused
        client.meta.events.unregister(event, refuse)

    def flush_again(self, cloud):
        """Take the steps of some flushes, each after the last one's pause."""
        outcomes = []
        for _ in range(8):
            outcomes += [result.outcome for result in flush(cloud)]
            cloud.world.virtual_time.advance(121)
        return outcomes

    def items(self, cloud):
        return sorted(item for invalidation in sent(cloud) for item in invalidation)

    def test_alone(self, cloud, refused_paths):
        """
        One item that is refused is halved off: all others go, and it fails by itself.
        """
        change(cloud, "a.css", "bad.css", "c.css", "d.css", "e.css")

        outcomes = self.flush_again(cloud)

        assert outcomes.count("batch halved") == 2
        assert outcomes.count("batch failed") == 1
        assert outcomes[-1] == "nothing pending"
        assert self.items(cloud) == ["/a.css", "/c.css", "/d.css", "/e.css"]

    @pytest.mark.parametrize("nth", range(1, 12))
    def test_dies(self, cloud, ledger, refused_paths, nth):
        """
        Wherever it dies, and though the whole would be taken then, nothing is paid for twice.
        """
        change(cloud, "a.css", "bad.css")
        steps = flushes.steps(suite.flush_context(cloud, token=token), DELAYS, "site")
        assert next(steps).outcome == "plan committed"
        cloud.world.faults.restart()
        cloud.world.faults.rules.append(Rule(does=Does.CRASH_BEFORE, service="dynamodb", nth=nth))
        with suppress(Crash):
            list(steps)
        cloud.world.faults.rules.clear()
        refused_paths.clear()
        cloud.world.virtual_time.advance(200)

        self.flush_again(cloud)

        assert self.items(cloud) == ["/a.css", "/bad.css"]
        assert list(ledger.query(rows.all_changes("site"))) == []

    def test_reference_conflict(self, cloud):
        """
        A CallerReference that was used before is no matter of items: halves would be paid for anew.
        """
        change(cloud, "a.css", "b.css")
        client = cloud.world.client("cloudfront")
        message = "Your request contains a caller reference that was used for a previous batch."
        refusal = {
            "Error": {"Code": "InvalidArgument", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

        def refuse(**_):
            return SimpleNamespace(status_code=400), refusal

        event = "before-call.cloudfront.CreateInvalidation"
        client.meta.events.register_first(event, refuse)
        outcomes = [result.outcome for result in flush(cloud, cloudfront=client)]
        client.meta.events.unregister(event, refuse)

        assert outcomes == ["plan committed", "batch retried later", "flush retried later"]


class TestLock:
    @pytest.mark.parametrize("operation", ["ListDistributions", "CreateInvalidation"])
    def test_network_error(self, cloud, ledger, operation):
        """
        An error of the network counts as a failure, releases the lock, and is retried later.
        """
        change(cloud, "a.css")
        client = cloud.world.client("cloudfront")

        def unplug(**_):
            raise EndpointConnectionError(endpoint_url="https://cloudfront.amazonaws.com")

        client.meta.events.register_first(f"before-call.cloudfront.{operation}", unplug)
        *_, failed = flush(cloud, cloudfront=client)
        client.meta.events.unregister(f"before-call.cloudfront.{operation}", unplug)

        assert failed.outcome == "step failed"
        assert failed.meaning == ("warning", "StepsFailed")
        assert failed.ids["code"] == "EndpointConnectionError"
        assert "lock" not in (ledger.get(rows.flush("site")) or {})
        assert failed.due_at_ms is not None
        cloud.world.virtual_time.jump_to(failed.due_at_ms / 1000)
        assert flush(cloud)[-1].outcome == "flush finished"
        assert sent(cloud) == [("/a.css",)]


class TestPlanGone:
    @pytest.fixture
    def committed(self, cloud, ledger):
        """Commit a plan of one changed file, of which nothing is sent yet, and return its id."""
        rule = refused(cloud, "CreateInvalidation", code="Throttling")
        change(cloud, "a.css")
        planned, _ = flush(cloud)
        cloud.world.faults.rules.remove(rule)
        cloud.world.virtual_time.advance(150)
        return planned.ids["plan_id"]

    def test_planned_anew(self, cloud, ledger, committed):
        """
        A flush whose plan is gone plans what is pending anew, and its bucket goes on.
        """
        ledger.delete([rows.plan("site", committed)])

        gone, planned, created, finished = flush(cloud)

        assert (gone.outcome, gone.ids["plan_id"]) == ("plan gone", committed)
        assert planned.ids["plan_id"] != committed
        assert created.outcome == "invalidation created"
        assert finished.outcome == "flush finished"
        assert sent(cloud) == [("/a.css",)]
        assert ledger.get(rows.plan("site", committed)) is None

    def test_no_time_to_live(self, cloud, ledger, committed):
        """
        What a flush still depends on does not expire: a committed plan, and its unsent batches.
        """
        plan = ledger.get(rows.plan("site", committed))
        (batch,) = ledger.query(rows.batches("site", committed))

        assert plan is not None
        assert "expires_at_s" not in plan
        assert "expires_at_s" not in batch

    def test_expires_afterwards(self, cloud, ledger, committed):
        """
        A finished plan is kept for as long as an event may come again, and then goes.
        """
        flush(cloud)

        plan = ledger.get(rows.plan("site", committed))
        (batch,) = ledger.query(rows.batches("site", committed))
        finished_at_s = int(cloud.world.virtual_time.now())
        assert plan is not None
        for row in (plan, batch):
            assert 0 <= finished_at_s + rows.PLAN_TTL_S - row["expires_at_s"] <= 1
