"""A committed batch is sent once, by its own timer, whatever refuses or dies in between."""

import json
from contextlib import contextmanager, suppress
from itertools import count
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from cdn.aws import rows
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import batches, flushes
from cdn.invalidation.flushes import FlushDelays
from cdn.telemetry import StepResult
from local.demo import outside
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
    return suite.ledger(cloud)


def token():
    return f"token-{next(TOKENS)}"


@pytest.fixture
def commit(cloud):
    """Upload keys, have a plan of them committed, and return the ids of its batches' rows."""

    def commit(*keys):
        invocation_count = len(cloud.world.invocations)
        suite.upload(cloud, *keys)
        cloud.world.run(
            until=lambda: any(
                invocation.function == "collect_changes"
                for invocation in cloud.world.invocations[invocation_count:]
            )
        )
        empty(cloud, "FlushTimersUrl")
        cloud.world.virtual_time.advance(3)
        *_, last = flushes.steps(suite.flush_context(cloud, token=token), DELAYS, "site")
        assert last.outcome == "flush finished"
        empty(cloud, "BatchTimersUrl")
        return suite.waiting_batches(cloud)

    return commit


def empty(cloud, queue):
    sqs = cloud.world.client("sqs")
    with suppress(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=cloud.world.outputs[queue])


def send(cloud, row_id, **changes):
    """Take one step of a batch."""
    (result,) = batches.steps(suite.batch_context(cloud, token=token, **changes), row_id)
    return result


def send_all(cloud):
    """Send every batch that waits, each when it is due, until none does; return the outcomes."""
    outcomes = []
    for _ in suite.rounds():
        waiting = suite.waiting_batches(cloud)
        if not waiting:
            break
        for row_id in waiting:
            result = send(cloud, row_id)
            outcomes.append(result.outcome)
        if result.due_at_ms is not None:
            now = cloud.world.virtual_time.now()
            cloud.world.virtual_time.jump_to(max(now, result.due_at_ms / 1000))
    return outcomes


def sent(cloud):
    return [one.items for one in cloud.invalidations()[1:]]


def refused(cloud, operation, *, code, status=400):
    rule = Rule(does=Does.FAIL, operation=operation, code=code, status=status, times=99)
    cloud.world.faults.rules.append(rule)
    return rule


def kinds(cloud):
    """Have all announcements made, and return their detail types."""
    cloud.world.settle()
    return [event["detail-type"] for event in cloud.announcements()]


class TestSaid:
    def test_created(self, cloud, ledger, commit):
        """
        A batch that is sent says so with all ids and counts, and waits for nothing then.
        """
        (row_id,) = commit("a.css", "b.css")

        created = send(cloud, row_id)

        (invalidation,) = cloud.invalidations()[1:]
        row = ledger.get(rows.batch_of(row_id))
        assert (created.outcome, created.due_at_ms) == ("invalidation created", None)
        assert created.ids == {
            "bucket": "site",
            "plan_id": row["plan_id"],
            "distribution_id": cloud.distribution_id,
            "invalidation_id": invalidation.id,
            "caller_reference": row["caller_reference"],
            "paths": 2,
            "wildcards": 0,
        }
        assert row["invalidation_id"] == invalidation.id
        assert row["watch_id"].endswith(invalidation.id)
        assert row.keys().isdisjoint({"timer", "due_at_ms", "lock", "retry_count"})

    def test_kept(self, cloud, ledger, commit):
        """
        A batch that was sent is kept for as long as the history.
        """
        (row_id,) = commit("a.css")

        send(cloud, row_id, history_ttl_s=1_000_000)

        expires_at_s = ledger.get(rows.batch_of(row_id))["expires_at_s"]
        assert 0 <= cloud.world.virtual_time.now() + 1_000_000 - expires_at_s < 2

    def test_again(self, cloud, commit):
        """
        A timer too many finds nothing to do, of a batch that was sent and of one that never was.
        """
        (row_id,) = commit("a.css")
        send(cloud, row_id)

        assert send(cloud, row_id).outcome == "nothing pending"
        assert send(cloud, "site/0017#gone#0000").outcome == "nothing pending"
        assert len(sent(cloud)) == 1

    def test_own_quota(self, cloud, commit):
        """
        A batch that the stack's own limits hold up says so, and when it comes again.
        """
        limits = Limits(1, 1, items_per_second=1, wildcards_per_minute=1)
        (first,) = commit("a.css")
        send(cloud, first, limits=limits)
        (second,) = commit("b.css")

        held_up = send(cloud, second, limits=limits)

        assert (held_up.outcome, held_up.ids["code"]) == ("quota exhausted", "QuotaExhausted")
        assert held_up.due_at_ms is not None
        assert send(cloud, second).outcome == "batch not due"

    def test_target_gone(self, cloud, commit):
        """
        A batch whose distribution is gone says which, and is announced.
        """
        refused(cloud, "CreateInvalidation", code="NoSuchDistribution", status=404)
        (row_id,) = commit("a.css")

        gone = send(cloud, row_id)

        assert gone.outcome == "invalidation target gone"
        assert gone.ids["distribution_id"] == cloud.distribution_id
        assert cloud.distribution_id in gone.reason
        assert kinds(cloud) == ["Invalidation Gone"]


class TestLock:
    def test_locked(self, cloud, commit):
        """
        While somebody sends a batch, nobody else does, but comes back in case they die.
        """
        (row_id,) = commit("a.css")
        others: list[StepResult] = []

        def at_once(**_):
            others.extend(batches.steps(suite.batch_context(cloud, token=token), row_id))

        client = cloud.world.client("cloudfront")
        event = "before-call.cloudfront.CreateInvalidation"
        client.meta.events.register_first(event, at_once)
        send(cloud, row_id)
        client.meta.events.unregister(event, at_once)

        (other,) = others
        assert other.outcome == "batch not due"
        assert other.due_at_ms - cloud.world.virtual_time.now() * 1000 > 60_000
        assert len(sent(cloud)) == 1

    def test_died(self, cloud, commit):
        """
        When they have died, the batch is sent with the same reference: it is billed once.
        """
        (row_id,) = commit("a.css")
        cloud.world.faults.restart()
        rule = Rule(does=Does.CRASH_AFTER, operation="CreateInvalidation", nth=1)
        cloud.world.faults.rules.append(rule)
        with suppress(Crash):
            send(cloud, row_id)
        cloud.world.virtual_time.advance(batches.LOCK_MS / 1000 + 1)

        assert send(cloud, row_id).outcome == "invalidation created"
        assert sent(cloud) == [("/a.css",)]

    def test_network_error(self, cloud, ledger, commit):
        """
        An error of the network releases the lock, and the batch is retried soon.
        """
        (row_id,) = commit("a.css")
        client = cloud.world.client("cloudfront")

        def unplug(**_):
            raise EndpointConnectionError(endpoint_url="https://cloudfront.amazonaws.com")

        event = "before-call.cloudfront.CreateInvalidation"
        client.meta.events.register_first(event, unplug)
        failed = send(cloud, row_id, cloudfront=client)
        client.meta.events.unregister(event, unplug)

        assert failed.outcome == "step failed"
        assert failed.meaning == ("warning", "StepsFailed")
        assert failed.ids["code"] == "EndpointConnectionError"
        assert "lock" not in ledger.get(rows.batch_of(row_id))
        cloud.world.virtual_time.jump_to(failed.due_at_ms / 1000)
        assert send(cloud, row_id).outcome == "invalidation created"


class TestRefused:
    def fail(self, cloud, row_id):
        """Try a batch until it comes back no more; return what each attempt said."""
        results = [send(cloud, row_id)]
        for _ in suite.rounds():
            if results[-1].due_at_ms is None:
                break
            cloud.world.virtual_time.jump_to(results[-1].due_at_ms / 1000)
            results.append(send(cloud, row_id))
        return results

    def test_backs_off(self, cloud, commit):
        """
        A batch that is refused backs off for half a day, is dead-lettered then, and names its row.
        """
        refused(cloud, "CreateInvalidation", code="AccessDenied", status=403)
        (row_id,) = commit("a.css")
        began = cloud.world.virtual_time.now()

        *retried, failed = self.fail(cloud, row_id)

        assert [result.outcome for result in retried] == ["batch retried later"] * 11
        assert failed.outcome == "batch failed"
        assert {result.meaning.metric for result in (*retried, failed)} == {"StepsFailed"}
        assert 12 * 3_600 < cloud.world.virtual_time.now() - began < 13 * 3_600
        (letter,) = suite.letters(cloud, "BatchTimersDeadLetters")
        assert json.loads(letter["Body"]) == {"version": 1, "row": row_id}
        reason = letter["MessageAttributes"]["reason"]["StringValue"]
        assert cloud.distribution_id in reason
        assert "/a.css" in reason
        assert "AccessDenied" in reason

    def test_announced(self, cloud, commit):
        """
        It is announced once when it begins to fail, and once when it has failed.
        """
        rule = refused(cloud, "CreateInvalidation", code="AccessDenied", status=403)
        (row_id,) = commit("a.css")
        send(cloud, row_id)
        assert kinds(cloud) == ["Invalidation Refused"]
        refusal = cloud.announcements()[0]["detail"]
        assert refusal["error"] == "AccessDenied"
        assert refusal["distribution_id"] == cloud.distribution_id

        cloud.world.run(limit_s=13 * 3_600)

        assert kinds(cloud) == ["Invalidation Refused", "Invalidation Failed"]
        assert rule in cloud.world.faults.rules

    def test_redriven(self, cloud, commit):
        """
        When its dead letter is sent back, its attempts begin anew.
        """
        rule = refused(cloud, "CreateInvalidation", code="AccessDenied", status=403)
        (row_id,) = commit("a.css")
        self.fail(cloud, row_id)
        assert suite.waiting_batches(cloud) == []

        assert send(cloud, row_id).outcome == "batch retried later"
        cloud.world.faults.rules.remove(rule)
        cloud.world.virtual_time.advance(31)
        assert send(cloud, row_id).outcome == "invalidation created"
        assert sent(cloud) == [("/a.css",)]

    def test_lock_lost(self, cloud, commit):
        """
        Whoever fails for the last time after the lock has expired says nothing of what was sent.
        """
        (row_id,) = commit("bad.css")

        with refusing_late(cloud, row_id):
            assert send(cloud, row_id).outcome == "batch locked"

        assert suite.letters(cloud, "BatchTimersDeadLetters") == []
        assert kinds(cloud) == ["Invalidation Completed"]

    def test_lock_lost_meanwhile(self, cloud, ledger, commit):
        """
        Whoever has begun to halve a batch, and lost the lock, leaves the rest to who has it.
        """
        (row_id,) = commit("a.css", "b.css")
        ledger.update(rows.batch_of(row_id), put={"halved_at_ms": 1})
        others: list[StepResult] = []

        def at_once(params, **_):
            if b"halved_at_ms" in params["body"]:
                client.meta.events.unregister(event, at_once)
                cloud.world.virtual_time.advance(batches.LOCK_MS / 1000 + 1)
                others.append(send(cloud, row_id))

        client = cloud.world.client("dynamodb")
        event = "before-call.dynamodb.UpdateItem"
        client.meta.events.register_first(event, at_once)
        late_result = send(cloud, row_id)

        assert [other.outcome for other in others] == ["batch halved"]
        assert late_result.outcome == "batch locked"
        assert len(suite.waiting_batches(cloud)) == 2

    def test_frees_its_quota(self, cloud, commit):
        """
        What is refused is not in progress, and holds up no other.
        """
        limits = Limits(1, 1, items_per_second=100, wildcards_per_minute=60)
        rule = refused(cloud, "CreateInvalidation", code="AccessDenied", status=403)
        (first,) = commit("a.css")
        send(cloud, first, limits=limits)
        cloud.world.faults.rules.remove(rule)
        (second,) = {*commit("b.css")} - {first}

        assert send(cloud, second, limits=limits).outcome == "invalidation created"

    def test_apart(self, cloud, commit):
        """
        Batches of different distributions never wait for each other.
        """
        policy_id = outside.cache_policy_by_query(cloud.world)
        other = outside.distribute(cloud.world, bucket="site", cache_policy_id=policy_id)
        first, second = commit("a.css")
        rule = refused(cloud, "CreateInvalidation", code="AccessDenied", status=403)
        send(cloud, first)
        cloud.world.faults.rules.remove(rule)

        assert send(cloud, second).outcome == "invalidation created"
        assert {other["Id"], cloud.distribution_id} == {
            suite.ledger(cloud).get(rows.batch_of(row_id))["target_id"]
            for row_id in (first, second)
        }


INVALID_PATHS = "Your request contains one or more invalid invalidation paths."
USED_REFERENCE = "Your request contains a caller reference that was used for a previous batch."


def refusal_of(message):
    return {
        "Error": {"Code": "InvalidArgument", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }


@contextmanager
def refusing(cloud, message, *, paths=None):
    """Have CloudFront refuse requests that name one of *paths*, or all of them."""
    client = cloud.world.client("cloudfront")
    refusal = refusal_of(message)

    def refuse(params, **_):
        hit = paths is None or any(b"<Path>%b</Path>" % path in params["body"] for path in paths)
        return (SimpleNamespace(status_code=400), refusal) if hit else None

    event = "before-call.cloudfront.CreateInvalidation"
    client.meta.events.register_first(event, refuse)
    yield
    client.meta.events.unregister(event, refuse)


@contextmanager
def refusing_late(cloud, row_id):
    """Have CloudFront refuse a request after the lock, when another has sent the batch."""
    client = cloud.world.client("cloudfront")
    others: list[StepResult] = []

    def refuse(**_):
        client.meta.events.unregister(event, refuse)
        cloud.world.virtual_time.advance(batches.LOCK_MS / 1000 + 1)
        others.append(send(cloud, row_id))
        return SimpleNamespace(status_code=400), refusal_of(INVALID_PATHS)

    event = "before-call.cloudfront.CreateInvalidation"
    client.meta.events.register_first(event, refuse)
    yield
    assert [other.outcome for other in others] == ["invalidation created"]


class TestHalved:
    def items(self, cloud):
        return sorted(item for invalidation in sent(cloud) for item in invalidation)

    def test_alone(self, cloud, commit):
        """
        One item that is refused is halved off: all others go, and it is dead-lettered by itself.
        """
        commit("a.css", "bad.css", "c.css", "d.css", "e.css")

        with refusing(cloud, INVALID_PATHS, paths={b"/bad.css"}):
            outcomes = send_all(cloud)

        assert outcomes.count("batch halved") == 2
        assert outcomes.count("batch failed") == 1
        assert self.items(cloud) == ["/a.css", "/c.css", "/d.css", "/e.css"]
        (letter,) = suite.letters(cloud, "BatchTimersDeadLetters")
        assert "/bad.css" in letter["MessageAttributes"]["reason"]["StringValue"]

    def test_by_timers(self, cloud):
        """
        Halves come by timers of their own.
        """
        rule = Rule(
            does=Does.FAIL, operation="CreateInvalidation", status=400, code="InvalidArgument"
        )
        cloud.world.faults.restart()
        cloud.world.faults.rules.append(rule)
        suite.upload(cloud, "a.css", "b.css", "c.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",), ("/b.css", "/c.css")]

    @pytest.mark.parametrize("nth", range(1, 12))
    def test_dies(self, cloud, ledger, commit, nth):
        """
        Wherever it dies, and though the whole would be taken then, nothing is paid for twice.
        """
        (row_id,) = commit("a.css", "bad.css")
        cloud.world.faults.restart()
        cloud.world.faults.rules.append(Rule(does=Does.CRASH_BEFORE, service="dynamodb", nth=nth))
        with refusing(cloud, INVALID_PATHS, paths={b"/bad.css"}), suppress(Crash):
            send(cloud, row_id)
        cloud.world.faults.rules.clear()
        cloud.world.virtual_time.advance(200)

        send_all(cloud)

        assert self.items(cloud) == ["/a.css", "/bad.css"]

    def test_lock_lost(self, cloud, commit):
        """
        Whoever is refused after the lock has expired halves nothing that another has sent.
        """
        (row_id,) = commit("a.css", "b.css")

        with refusing_late(cloud, row_id):
            refused_late = send(cloud, row_id)

        assert (refused_late.outcome, refused_late.reason) == ("batch locked", "the lock was lost")
        assert suite.waiting_batches(cloud) == []
        assert sent(cloud) == [("/a.css", "/b.css")]

    def test_again(self, cloud, ledger, commit):
        """
        A half that was sent before its whole is halved to the end stays sent.
        """
        (row_id,) = commit("a.css", "b.css")
        with refusing(cloud, INVALID_PATHS):
            send(cloud, row_id)
        cloud.world.virtual_time.advance(60)
        first_half = rows.row_id(rows.half_batch(rows.batch_of(row_id), 0))
        assert send(cloud, first_half).outcome == "invalidation created"
        ledger.update(
            rows.batch_of(row_id),
            put={"timer": "batch", "due_at_ms": 0},
            remove=("sent_at_ms", "expires_at_s"),
        )

        assert send_all(cloud) == ["batch halved", "invalidation created"]

        assert self.items(cloud) == ["/a.css", "/b.css"]

    def test_reference_conflict(self, cloud, commit):
        """
        A CallerReference that was used before is no matter of items: halves would be paid for anew.
        """
        (row_id,) = commit("a.css", "b.css")

        with refusing(cloud, USED_REFERENCE):
            assert send(cloud, row_id).outcome == "batch retried later"
