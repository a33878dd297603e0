"""From an upload to the announcement that its cached copies are gone, whatever gets in the way."""

import copy
import json
from pathlib import Path

import pytest

from local.cloudfront import Lags
from local.demo import outside
from local.faults import Does, Rule
from local.pollers import Delivery
from tests.local import suite

EVENTS = Path(__file__).parents[3] / "events"


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


def sent(cloud):
    """Name the items of every invalidation since the site was published."""
    return [one.items for one in cloud.invalidations()[1:]]


def kinds(cloud):
    return [event["detail-type"] for event in cloud.announcements()]


class TestUpload:
    def test_quiet_period(self, cloud):
        """
        A lone upload is invalidated two seconds later.
        """
        began = cloud.world.virtual_time.now()
        suite.upload(cloud, "a.css")

        cloud.world.run(until=lambda: sent(cloud))

        assert sent(cloud) == [("/a.css",)]
        assert 2 <= cloud.world.virtual_time.now() - began < 3

    def test_longest_wait(self, cloud):
        """
        Uploads that never pause are invalidated after the longest wait all the same.
        """
        began = cloud.world.virtual_time.now()
        for _ in suite.rounds():
            if sent(cloud):
                break
            suite.upload(cloud, "a.css")
            cloud.world.run(limit_s=1)

        assert 60 <= cloud.world.virtual_time.now() - began < 65

    def test_every_upload_counts(self, cloud):
        """
        The same key uploaded again is invalidated again.
        """
        for _ in range(2):
            suite.upload(cloud, "a.css")
            cloud.world.settle()

        assert sent(cloud) == [("/a.css",), ("/a.css",)]

    def test_change_during_a_flush(self, cloud):
        """
        What is noted while a flush is being sent goes with the next one.
        """
        cloud.world.faults.rules.append(
            Rule(does=Does.CRASH_BEFORE, caller="plan_invalidations", operation="BatchWriteItem")
        )
        suite.upload(cloud, "a.css")
        cloud.world.run(until=lambda: sent(cloud))
        suite.upload(cloud, "b.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",), ("/b.css",)]

    def test_not_reachable(self, cloud):
        """
        A distribution that is switched off is sent nothing.
        """
        suite.update(cloud, Enabled=False)
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert sent(cloud) == []


class TestRoutes:
    def cached(self, cloud, made, url):
        """Ask twice, so that the edge of this distribution has a copy for sure."""
        for _ in range(2):
            answer = cloud.world.edge.fetch("GET", made["DomainName"], url)
        return answer.status, answer.headers["x-cache"].startswith("Hit")

    def test_query_strings(self, cloud):
        """
        Where copies differ by the query string, all of an object's copies go.
        """
        policy_id = outside.cache_policy_by_query(cloud.world)
        by_query = outside.distribute(cloud.world, bucket="site", cache_policy_id=policy_id)
        urls = ["/stays.html", "/stays.html?v=1", "/stays.html?v=2&x"]
        for url in urls:
            assert self.cached(cloud, by_query, url) == (200, True)

        cloud.put("stays.html", b"changed", content_type="text/plain")
        cloud.world.settle()

        for url in urls:
            answer = cloud.world.edge.fetch("GET", by_query["DomainName"], url)
            assert answer.body == b"changed"

    def test_origin_path(self, cloud):
        """
        Behind an OriginPath, a path is named as viewers see it, and others are not touched.
        """
        below = outside.distribute(cloud.world, bucket="site", origin_path="/v2")
        suite.upload(cloud, "v2/a.css", "a.css")
        cloud.world.settle()
        assert self.cached(cloud, below, "/a.css") == (200, True)

        cloud.put("v2/a.css", b"changed", content_type="text/css")
        cloud.world.settle()
        assert cloud.world.edge.fetch("GET", below["DomainName"], "/a.css").body == b"changed"

        before = len(cloud.world.cloudfront.invalidations_of(below["Id"]))
        suite.upload(cloud, "a.css")
        cloud.world.settle()
        assert len(cloud.world.cloudfront.invalidations_of(below["Id"])) == before


class TestBilledOnce:
    def test_duplicates(self):
        """
        Events that are delivered twice, late and in any order are billed once.
        """
        delivery = Delivery(duplicate=0.5, late=0.5, reorder=0.5, split=0.5)
        with suite.running(delivery=delivery, seed=7) as cloud:
            keys = [f"page-{number}.html" for number in range(30)]
            suite.upload(cloud, *keys)
            cloud.world.settle()
            cloud.world.run(limit_s=900)

            items = [item for batch in sent(cloud) for item in batch]

        assert len(items) == len(set(items))
        assert set(items) in ({f"/{key}" for key in keys}, {"/page-*"})

    def test_long_after(self, cloud):
        """
        An event that comes again after its batch was sent is not sent again.
        """
        sqs = cloud.world.client("sqs")
        heard = []
        suite.upload(cloud, "a.css")
        cloud.world.settle()
        for one in cloud.world.invocations:
            if one.function == "collect_changes":
                heard += [record["body"] for record in one.event["Records"]]
        cloud.world.run(limit_s=7_200)

        for body in heard:
            sqs.send_message(QueueUrl=cloud.world.outputs["UploadsUrl"], MessageBody=body)
        suite.upload(cloud, "b.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",), ("/b.css",)]


class TestDeadLetters:
    def test_unreadable(self, cloud):
        """
        What cannot be read, or is of another bucket, is dead-lettered with the reason.
        """
        world, sqs = cloud.world, cloud.world.client("sqs")
        sample = json.loads((EVENTS / "message_unreadable.json").read_text())
        poison = [record["body"] for record in sample["Records"]]
        suite.upload(cloud, "a.css")
        for body in poison:
            sqs.send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody=body)
        suite.upload(cloud, "b.css")
        world.settle()

        found = sqs.receive_message(
            QueueUrl=world.deployment.resources["UploadsDeadLetters"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["reason"],
        )["Messages"]
        assert sent(cloud) == [("/a.css", "/b.css")]
        assert poison == [message["Body"] for message in found]
        reasons = [message["MessageAttributes"]["reason"]["StringValue"] for message in found]
        assert "no S3 event" in reasons[0]
        assert reasons[1] == "bucket 'another' is not among UploadBuckets"

    def test_alone(self, cloud):
        """
        One bad record of a message, and a message that is nested too deeply, stop no other.
        """
        world, sqs = cloud.world, cloud.world.client("sqs")
        sample = json.loads((EVENTS / "object_created_notified.json").read_text())
        (good,) = json.loads(sample["Records"][0]["body"])["Records"]
        bad = copy.deepcopy(good)
        bad["s3"]["object"]["sequencer"] = None
        nested = "[" * 100_000
        for body in (json.dumps({"Records": [bad, good]}), nested):
            sqs.send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody=body)
        suite.upload(cloud, "a.css")
        world.settle()

        found = sqs.receive_message(
            QueueUrl=world.deployment.resources["UploadsDeadLetters"], MaxNumberOfMessages=10
        )["Messages"]
        assert [("/a.css", "/css/main+theme%20v2%20100%25.css")] == [
            tuple(path for path in paths if "%2B" not in path) for paths in sent(cloud)
        ]
        assert [message["Body"] for message in found] == [json.dumps({"Records": [bad]}), nested]
        assert all(one.outcome.error is None for one in world.invocations)

    def test_not_taken(self, cloud):
        """
        A letter that SQS does not take is sent when its message comes again; the good have gone.
        """
        world, sqs = cloud.world, cloud.world.client("sqs")
        # The first call schedules the flush.
        world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="collect_changes",
                operation="SendMessage",
                nth=2,
                status=400,
                code="InvalidParameterValue",
            )
        )
        invocation_count = len(world.invocations)
        sqs.send_message(QueueUrl=world.outputs["UploadsUrl"], MessageBody="no event")
        suite.upload(cloud, "a.css")
        world.settle()

        found = sqs.receive_message(QueueUrl=world.deployment.resources["UploadsDeadLetters"])
        assert [message["Body"] for message in found["Messages"]] == ["no event"]
        assert sent(cloud) == [("/a.css",)]
        assert [
            len(invocation.outcome.answer["batchItemFailures"])
            for invocation in world.invocations[invocation_count:]
            if invocation.function == "collect_changes"
        ] == [1, 0]


class TestRefused:
    @pytest.mark.parametrize(
        ("function", "operation"),
        [
            ("send_invalidations", "CreateInvalidation"),
            ("plan_invalidations", "ListDistributions"),
        ],
    )
    def test_refused_for_long(self, cloud, function, operation):
        """
        However often CloudFront refuses, the upload is invalidated once it does not.
        """
        cloud.world.faults.rules.append(
            Rule(does=Does.THROTTLE, caller=function, operation=operation, times=9)
        )
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",)]
        assert kinds(cloud) == ["Invalidation Completed"]

    def test_for_minutes(self, cloud):
        """
        What was refused for minutes is sent all the same; that it began to be is announced once.
        """
        self.refuse(cloud, "AccessDenied", times=4)
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",)]
        assert kinds(cloud) == ["Invalidation Refused", "Invalidation Completed"]

    def test_never_taken(self, cloud):
        """
        A path that CloudFront never takes ends as failed, is announced, and blocks no other.
        """
        self.refuse(cloud, "InvalidArgument", times=1)
        suite.upload(cloud, "a.css")
        cloud.world.settle()
        suite.upload(cloud, "b.css")
        cloud.world.settle()

        assert sent(cloud) == [("/b.css",)]
        assert kinds(cloud) == ["Invalidation Failed", "Invalidation Completed"]
        assert cloud.announcements()[0]["detail"]["error"] == "InvalidArgument"

    def refuse(self, cloud, code, *, times):
        cloud.world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="send_invalidations",
                operation="CreateInvalidation",
                status=400,
                code=code,
                times=times,
            )
        )


class TestRetriesExhausted:
    @pytest.mark.prove
    def test_announced(self, cloud):
        """
        A flush that meets error after error is announced as failed, and dead-lettered.
        """
        suite.break_lists(cloud, times=12)
        suite.upload(cloud, "a.css")
        cloud.world.run(limit_s=13 * 3_600)

        assert sent(cloud) == []
        assert kinds(cloud) == ["Flush Failed"]
        assert cloud.announcements()[0]["detail"]["error"] == "AccessDenied"
        (letter,) = suite.letters(cloud, "FlushTimersDeadLetters")
        assert json.loads(letter["Body"]) == {"version": 1, "row": "site"}
        assert "AccessDenied" in letter["MessageAttributes"]["reason"]["StringValue"]

    def test_in_a_row(self, cloud):
        """
        Some of them are borne.
        """
        suite.break_lists(cloud, times=6)
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css",)]
        assert suite.letters(cloud, "FlushTimersDeadLetters") == []

    @pytest.mark.prove
    def test_next_upload(self, cloud):
        """
        What a failed flush has left undone goes with the next upload.
        """
        suite.break_lists(cloud, times=12)
        suite.upload(cloud, "a.css")
        cloud.world.run(limit_s=13 * 3_600)
        suite.upload(cloud, "b.css")
        cloud.world.settle()

        assert sent(cloud) == [("/a.css", "/b.css")]


class TestOwnQuotas:
    def limits(self, **limits):
        return suite.running(parameters={"UploadBuckets": "site", **limits})

    def most_in_progress(self, cloud, *, wildcards):
        records = cloud.world.cloudfront.invalidations_of(cloud.distribution_id)

        def weight(moment):
            return sum(
                sum(item.endswith("*") == wildcards for item in one.items)
                for one in records
                if one.created_at <= moment < one.completed_at
            )

        return max(weight(one.created_at) for one in records)

    @pytest.mark.parametrize("wildcards", [False, True])
    def test_in_progress(self, wildcards):
        """
        No more is in progress than may be, and everything gets its turn.
        """
        folders = range(12)
        keys = [f"{folder:02}/{name}" for folder in folders for name in "ab"]
        # Where something does not change, a folder is no wildcard.
        others = [f"{folder:02}{'-' if wildcards else '/c'}" for folder in folders]
        with self.limits(ItemsInProgress="5", WildcardsInProgress="4") as cloud:
            suite.upload(cloud, *keys, *others)
            cloud.world.settle()
            before = len(cloud.invalidations())
            suite.upload(cloud, *keys)
            cloud.world.settle()

            items = {item for one in cloud.invalidations()[before:] for item in one.items}
            assert len(items) == (12 if wildcards else 24)
            assert self.most_in_progress(cloud, wildcards=wildcards) <= (4 if wildcards else 5)

    def test_rate(self):
        """
        What is sent keeps to the rates, on average.
        """
        keys = [f"{number:02}.css" for number in range(30)]
        with self.limits(ItemsInProgress="10", ItemsPerSecond="1") as cloud:
            suite.upload(cloud, *keys)
            cloud.world.settle()
            before = len(cloud.invalidations())
            # Every other one, so that no wildcard stands for all.
            suite.upload(cloud, *(f"{number:02}.css" for number in (0, 2, 4, 6, 8, 10, 12, 14)))
            suite.upload(cloud, *(f"{number:02}.css" for number in (16, 18, 20, 22, 24, 26, 28)))
            cloud.world.settle()

            first, second = cloud.invalidations()[before:]
            assert len(first.items) + len(second.items) == 15
            assert second.created_at - first.created_at >= len(first.items)


class TestSharedPoll:
    def test_many(self):
        """
        What one poll finds completed, no other watch of the distribution polls for.
        """
        with suite.running(lags=Lags(invalidation_completed_s=8)) as cloud:
            world = cloud.world
            for number in range(10):
                suite.upload(cloud, f"{number}.css")
                world.run(until=lambda number=number: len(sent(cloud)) > number)
            world.settle()

            polls = [
                call.operation
                for call in world.faults.calls
                if call.caller == "poll_watches" and call.service == "cloudfront"
            ]
            assert kinds(cloud) == ["Invalidation Completed"] * 10
            assert len(polls) <= 3


class TestSweep:
    def test_lost_flush_timers(self, cloud):
        """
        A flush whose timer is lost gets a new one.
        """
        suite.upload(cloud, "a.css")
        cloud.world.run(until=lambda: "collect_changes" in cloud.world.invocations[-1].function)
        cloud.world.client("sqs").purge_queue(QueueUrl=cloud.world.outputs["FlushTimersUrl"])
        cloud.world.run(until=lambda: kinds(cloud), limit_s=1_000)

        assert sent(cloud) == [("/a.css",)]
        assert kinds(cloud) == ["Invalidation Completed"]

    def test_lost_watch_timers(self, cloud):
        """
        A watch whose timer is lost gets a new one, and ends with its announcement.
        """
        suite.upload(cloud, "a.css")
        cloud.world.run(until=lambda: sent(cloud))
        cloud.world.client("sqs").purge_queue(QueueUrl=cloud.world.outputs["WatchTimersUrl"])
        cloud.world.run(until=lambda: kinds(cloud), limit_s=1_000)

        assert kinds(cloud) == ["Invalidation Completed"]


class TestWatch:
    def test_deployment(self, cloud):
        """
        A deployment is watched until CloudFront says Deployed, and announced once.
        """
        began = cloud.world.virtual_time.now()
        etag = suite.update(cloud, Comment="new")
        suite.watch(cloud, etag)
        suite.watch(cloud, etag)
        cloud.world.settle()

        assert kinds(cloud) == ["Deployment Completed"]
        assert 180 <= cloud.world.virtual_time.now() - began <= 250

    def test_superseded(self, cloud):
        """
        A deployment that another one overtakes is not announced as completed.
        """
        suite.watch(cloud, suite.update(cloud, Comment="new"))
        suite.update(cloud, Comment="newer")
        cloud.world.settle()

        assert kinds(cloud) == ["Deployment Superseded"]

    @pytest.mark.prove
    def test_timed_out(self):
        """
        What never ends times out when botocore's own waiter would, and is announced as that.
        """
        with suite.running(lags=Lags(invalidation_completed_s=86_400)) as cloud:
            began = cloud.world.virtual_time.now()
            suite.upload(cloud, "a.css")
            cloud.world.run(until=lambda: kinds(cloud), limit_s=3_600)

            assert "Watch Timed Out" in kinds(cloud)
            assert 600 <= cloud.world.virtual_time.now() - began < 700

    def test_busy(self, cloud):
        """
        A poll that is throttled is no end.
        """
        cloud.world.faults.rules.append(
            Rule(does=Does.THROTTLE, caller="poll_watches", operation="ListInvalidations")
        )
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert kinds(cloud) == ["Invalidation Completed"]

    def test_gone(self, cloud):
        """
        An invalidation whose distribution is not there any more ends its watch as gone.
        """
        cloud.world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="poll_watches",
                operation="ListInvalidations",
                status=404,
                code="NoSuchDistribution",
            )
        )
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert kinds(cloud) == ["Invalidation Gone"]

    @pytest.mark.prove
    @pytest.mark.parametrize(("times", "kind"), [(6, "Completed"), (12, "Failed")])
    def test_unexpected(self, cloud, times, kind):
        """
        A poll that is refused unexpectedly is no end, unless that happens for half a day.
        """
        cloud.world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="poll_watches",
                operation="ListInvalidations",
                status=403,
                code="AccessDenied",
                times=times,
            )
        )
        suite.upload(cloud, "a.css")
        cloud.world.run(limit_s=13 * 3_600)

        assert kinds(cloud) == [f"Invalidation {kind}"]

    def test_distribution_gone(self, cloud):
        """
        A batch whose distribution is deleted before it is sent ends as gone, and is announced.
        """
        cloud.world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="send_invalidations",
                operation="CreateInvalidation",
                status=404,
                code="NoSuchDistribution",
            )
        )
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        assert sent(cloud) == []
        assert kinds(cloud) == ["Invalidation Gone"]


class TestWarnings:
    def test_error(self, cloud, caplog):
        """
        A step that AWS refuses is warned of, with what was refused, where an alarm counts it.
        """
        cloud.world.faults.rules.append(
            Rule(
                does=Does.FAIL,
                caller="plan_invalidations",
                operation="ListDistributions",
                status=403,
                code="AccessDenied",
            )
        )
        suite.upload(cloud, "a.css")
        cloud.world.settle()

        (warned,) = [record for record in caplog.records if record.levelname == "WARNING"]
        assert warned.message == "step failed"
        assert vars(warned)["code"] == "AccessDenied"
        assert "ListDistributions" in vars(warned)["reason"]
        assert sent(cloud) == [("/a.css",)]
