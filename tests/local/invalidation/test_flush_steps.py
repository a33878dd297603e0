"""A flush says what it did, keeps no lock that it does not use, and needs no row that may go."""

from itertools import count
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from cdn.aws import retryable, rows
from cdn.invalidation import flushes, plans
from cdn.invalidation.flushes import FlushDelays
from cdn.telemetry import StepResult, log_fields
from local.faults import Does, Rule
from tests.local import suite

DELAYS = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
TOKENS = count()


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def ledger(cloud):
    return suite.ledger(cloud)


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


def waiting(ledger):
    """Return the items of every batch that is committed and not sent."""
    return [tuple(rows.unpack(row["items"])) for row in suite.due_batches(ledger)]


def refused(cloud, operation, *, code, status=400):
    rule = Rule(does=Does.FAIL, operation=operation, code=code, status=status, times=99)
    cloud.world.faults.rules.append(rule)
    return rule


class TestSaid:
    def test_planned(self, cloud, ledger):
        """
        A flush says what was planned, with all ids and counts, and ends with its commitment.
        """
        change(cloud, "a.css", "b.css")

        planned, finished = flush(cloud)

        assert planned.outcome == "plan committed"
        assert planned.ids == {
            "bucket": "site",
            "plan_id": planned.ids["plan_id"],
            "changes": 2,
            "skipped": 0,
            "widened": 0,
            "batches": 1,
            "paths": 2,
            "wildcards": 0,
            "cost_cents": 0,
        }
        assert (finished.outcome, finished.due_at_ms) == ("flush finished", None)
        assert waiting(ledger) == [("/a.css", "/b.css")]

    def test_skipped(self, cloud):
        """
        A plan that covers nothing says why.
        """
        change(cloud, "~a.css")

        planned, finished = flush(cloud)

        assert (planned.outcome, planned.ids["skipped"]) == ("plan committed", 1)
        assert planned.reason == "CloudFront invalidates no path with ~"
        assert finished.outcome == "flush finished"

    def test_widened(self, cloud):
        """
        A plan whose item takes more than its own copies says why.
        """
        change(cloud, "a*", "~b")

        planned, _ = flush(cloud)

        assert planned.ids["widened"] == 1

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

    def test_repeated(self, cloud, ledger):
        """
        Changes that a plan had before are said to be planned already.
        """
        change(cloud, "a.css")
        (row,) = ledger.query_all(rows.all_changes("site"))
        flush(cloud)
        ledger.replace(rows.key_of(row), row)
        now_ms = int(cloud.world.virtual_time.now() * 1000)
        ledger.create_or_update(
            rows.flush("site"), put={"first_change_at_ms": 0, "last_change_at_ms": now_ms - 5_000}
        )

        repeated, finished = flush(cloud)

        assert (repeated.outcome, repeated.ids["changes"]) == ("changes already planned", 1)
        assert finished.outcome == "flush finished"
        assert waiting(ledger) == [("/a.css",)]


class TestErrors:
    def flush_until_due(self, cloud, **changes):
        """Take the steps of one flush, and wait until it is due again."""
        *_, last = flush(cloud, **changes)
        if last.due_at_ms is not None:
            cloud.world.virtual_time.jump_to(last.due_at_ms / 1000)
        return last

    def test_retries_exhausted(self, cloud):
        """
        A flush that meets error after error backs off for hours, and then lies where people look.
        """
        refused(cloud, "ListDistributions", code="AccessDenied", status=403)
        change(cloud, "a.css")
        began = cloud.world.virtual_time.now()

        *failed, exhausted = [self.flush_until_due(cloud) for _ in range(retryable.MAX_ERRORS)]

        assert {result.outcome for result in failed} == {"step failed"}
        assert {result.ids["code"] for result in failed} == {"AccessDenied"}
        assert (exhausted.outcome, exhausted.due_at_ms) == ("retries exhausted", None)
        assert "bucket site met 12 errors in a row" in exhausted.reason
        assert 12 * 3_600 < cloud.world.virtual_time.now() - began < 13 * 3_600
        (letter,) = suite.letters(cloud, "FlushTimersDeadLetters")
        assert "AccessDenied" in letter["MessageAttributes"]["reason"]["StringValue"]

    def test_lock_lost(self, cloud):
        """
        Whoever fails for the last time after the lock has expired says nothing of what was flushed.
        """
        rule = refused(cloud, "ListDistributions", code="AccessDenied", status=403)
        change(cloud, "a.css")
        for _ in range(retryable.MAX_ERRORS - 1):
            self.flush_until_due(cloud)
        cloud.world.faults.rules.remove(rule)
        client = cloud.world.client("cloudfront")
        others: list[StepResult] = []

        def refuse(**_):
            client.meta.events.unregister(event, refuse)
            cloud.world.virtual_time.advance(flushes.LOCK_MS / 1000 + 1)
            others.extend(flush(cloud))
            refusal = {"Error": {"Code": "AccessDenied"}}
            return SimpleNamespace(status_code=403), refusal

        event = "before-call.cloudfront.ListDistributions"
        client.meta.events.register_first(event, refuse)
        *_, late = flush(cloud)

        assert others[-1].outcome == "flush finished"
        assert suite.letters(cloud, "FlushTimersDeadLetters") == []
        assert (late.outcome, late.reason) == ("flush locked", "the lock was lost")

    def test_redriven(self, cloud, ledger):
        """
        When its timer is sent again, its attempts begin anew.
        """
        rule = refused(cloud, "ListDistributions", code="AccessDenied", status=403)
        change(cloud, "a.css")
        for _ in range(retryable.MAX_ERRORS):
            self.flush_until_due(cloud)

        assert self.flush_until_due(cloud).outcome == "step failed"
        cloud.world.faults.rules.remove(rule)
        assert self.flush_until_due(cloud).outcome == "flush finished"
        assert waiting(ledger) == [("/a.css",)]

    def test_alternating(self, cloud):
        """
        An error of the network in between does not let the count begin anew.
        """
        change(cloud, "a.css")
        outcomes = []
        for code in ["AccessDenied", "Throttling"] * retryable.MAX_ERRORS:
            rule = refused(cloud, "ListDistributions", code=code)
            outcomes.append(self.flush_until_due(cloud).outcome)
            cloud.world.faults.rules.remove(rule)

        assert outcomes[2 * retryable.MAX_ERRORS - 2] == "retries exhausted"

    def test_our_own_fault(self, cloud, ledger):
        """
        Whatever flies out of a flush is counted like an error of AWS's, and releases the lock.
        """
        change(cloud, "a.css")
        broken = ledger.client

        def fault(**_):
            raise ZeroDivisionError("a fault of ours")

        broken.meta.events.register_first("before-call.dynamodb.Query", fault)
        (failed,) = flush(cloud)
        broken.meta.events.unregister("before-call.dynamodb.Query", fault)

        assert failed.outcome == "step failed"
        assert failed.ids["code"] == "ZeroDivisionError"
        assert ledger.get(rows.flush("site"))["error_count"] == 1
        assert "lock" not in ledger.get(rows.flush("site"))
        cloud.world.virtual_time.jump_to(failed.due_at_ms / 1000)
        assert flush(cloud)[-1].outcome == "flush finished"

    def test_network_error(self, cloud, ledger):
        """
        An error of the network counts as a failure, releases the lock, and is retried soon.
        """
        change(cloud, "a.css")
        client = cloud.world.client("cloudfront")

        def unplug(**_):
            raise EndpointConnectionError(endpoint_url="https://cloudfront.amazonaws.com")

        client.meta.events.register_first("before-call.cloudfront.ListDistributions", unplug)
        *_, failed = flush(cloud, cloudfront=client)
        client.meta.events.unregister("before-call.cloudfront.ListDistributions", unplug)

        assert failed.outcome == "step failed"
        assert failed.meaning == ("warning", "StepsFailed")
        assert failed.ids["code"] == "EndpointConnectionError"
        assert "lock" not in ledger.get(rows.flush("site"))
        cloud.world.virtual_time.jump_to(failed.due_at_ms / 1000)
        assert flush(cloud)[-1].outcome == "flush finished"
        assert waiting(ledger) == [("/a.css",)]


def test_commitment_repeated(cloud, ledger):
    """
    A commitment whose answer is lost is repeated, and holds: botocore repeats it by itself.
    """
    change(cloud, "a.css")
    ledger.update(rows.flush("site"), put={"lock": "mine"})
    context = suite.flush_context(cloud, token=token)

    assert plans.commit(context, "site", "one", "mine")
    assert plans.commit(context, "site", "one", "mine")
    assert not plans.commit(context, "site", "one", "another's")


class TestCommitted:
    @pytest.fixture
    def committed(self, cloud, ledger):
        """Commit a plan of one changed file, die before its batch is due, and return its id."""
        change(cloud, "a.css")
        steps = flushes.steps(suite.flush_context(cloud, token=token), DELAYS, "site")
        planned = next(steps)
        steps.close()
        cloud.world.virtual_time.advance(400)
        return planned.ids["plan_id"]

    def test_finished(self, cloud, ledger, committed):
        """
        Whoever finds a committed plan makes its batches due, from the rows alone.
        """
        assert waiting(ledger) == []

        assert [result.outcome for result in flush(cloud)] == ["flush finished"]

        assert waiting(ledger) == [("/a.css",)]
        assert list(ledger.query_all(rows.all_changes("site"))) == []

    def test_gone(self, cloud, ledger, committed):
        """
        A flush whose plan is gone plans what is pending anew, and its bucket goes on.
        """
        ledger.delete([rows.plan("site", committed)])

        gone, planned, finished = flush(cloud)

        assert (gone.outcome, gone.ids["plan_id"]) == ("plan gone", committed)
        assert planned.ids["plan_id"] != committed
        assert finished.outcome == "flush finished"
        assert waiting(ledger) == [("/a.css",)]
        assert ledger.get(rows.plan("site", committed)) is None
        assert list(ledger.query(rows.batches("site", committed))) == []

    def test_no_time_to_live(self, cloud, ledger, committed):
        """
        A batch that is due does not expire.
        """
        flush(cloud)

        (batch,) = ledger.query(rows.batches("site", committed))
        assert "expires_at_s" not in batch

    def test_draft_expires(self, cloud, ledger, committed):
        """
        A draft does, and so does all that belongs to it.
        """
        (batch,) = ledger.query(rows.batches("site", committed))
        draft = ledger.get(rows.plan("site", committed))
        history = ledger.get(rows.history("site", committed))
        ttls = [
            row["expires_at_s"] - cloud.world.virtual_time.now() for row in (batch, draft, history)
        ]
        # From when it was written, some minutes ago.
        assert all(rows.PLAN_TTL_S - 1_000 < ttl <= rows.PLAN_TTL_S for ttl in ttls)

    def test_plan_is_kept(self, cloud, ledger, committed):
        """
        A plan is kept for as long as an event may come again, from its commitment on.
        """
        flush(cloud)

        plan = ledger.get(rows.plan("site", committed))
        now_s = int(cloud.world.virtual_time.now())
        assert 0 <= now_s + rows.PLAN_TTL_S - plan["expires_at_s"] <= 1

    def test_history(self, cloud, ledger, committed):
        """
        What was planned can be looked up for as long as the setting says.
        """
        draft = ledger.get(rows.history("site", committed))
        assert "committed_at_ms" not in draft

        flush(cloud, history_ttl_s=1_000_000)

        history = ledger.get(rows.history("site", committed))
        now_s = int(cloud.world.virtual_time.now())
        assert rows.unpack(history["keys"]) == ["a.css"]
        assert history["item_count"] == 1
        assert 0 <= now_s + 1_000_000 - history["expires_at_s"] <= 1
        assert history["committed_at_ms"] // 1000 in (now_s - 1, now_s)

    def test_sent_meanwhile(self, cloud, ledger, committed):
        """
        A batch that was sent before its flush went on stays sent.
        """
        (batch,) = ledger.query(rows.batches("site", committed))
        ledger.update(rows.key_of(batch), put={"sent_at_ms": 1}, remove=("expires_at_s",))

        flush(cloud)

        assert waiting(ledger) == []

    @pytest.mark.parametrize("nth", range(1, 7))
    def test_sent_at_the_same_moment(self, cloud, ledger, committed, nth):
        """
        So does one that is sent before whichever conditional write of a flush.
        """
        (batch,) = ledger.query(rows.batches("site", committed))

        def send():
            removed = ("expires_at_s", "timer", "due_at_ms")
            ledger.update(rows.key_of(batch), put={"sent_at_ms": 1}, remove=removed)

        cloud.world.faults.restart()
        cloud.world.faults.second_actor = send
        cloud.world.faults.rules.append(
            Rule(does=Does.SECOND_ACTOR_BEFORE, conditional=True, nth=nth)
        )

        assert flush(cloud)[-1].outcome == "flush finished"

        assert waiting(ledger) == []
        assert "sent_at_ms" in ledger.get(rows.key_of(batch))


class TestSkipped:
    def skipped(self, cloud):
        cloud.world.settle()
        return [
            event["detail"]
            for event in cloud.announcements()
            if event["detail-type"] == "Changes Skipped"
        ]

    def test_announced(self, cloud):
        """
        What no item covers is announced with its bucket, reason, count and first keys.
        """
        suite.upload(cloud, "~a.css", "~b.css", "c.css")

        (skipped,) = self.skipped(cloud)

        assert skipped["bucket"] == "site"
        assert skipped["reason"] == "CloudFront invalidates no path with ~"
        assert skipped["key_count"] == 2
        assert skipped["first_keys"] == ["~a.css", "~b.css"]

    def test_once_an_hour(self, cloud):
        """
        The same reason is announced once an hour.
        """
        for wait_s in (60, 3_600, 0):
            suite.upload(cloud, "~a.css")
            cloud.world.settle()
            cloud.world.run(limit_s=wait_s)

        assert len(self.skipped(cloud)) == 2

    def test_not_served(self, cloud):
        """
        So it is with what no distribution serves.
        """
        suite.update(cloud, Enabled=False)
        suite.upload(cloud, "a.css")

        (skipped,) = self.skipped(cloud)

        assert skipped["reason"].startswith("no enabled distribution serves it")
