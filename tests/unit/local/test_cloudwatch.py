"""CloudWatch counts what functions write and how they end, and what waits in queues."""

import json
from functools import cache
from pathlib import Path

import pytest
from moto import mock_aws

from local import aws
from local.cloudwatch import CloudWatch
from local.function import Function, Outcome
from local.log_metrics import MetricFilter
from local.metrics import Metric
from local.template import Deployment
from local.virtual_time import VirtualTime

START = 1_800_000_000
TIMEOUTS = MetricFilter.read(
    "Timeouts",
    {
        "LogGroupName": "relay-log",
        "FilterPattern": '{ $.type = "platform.report" && $.record.status = "timeout" }',
        "MetricTransformations": [
            {"MetricNamespace": "toy", "MetricName": "Timeouts", "MetricValue": "1"}
        ],
    },
)


def function(name="relay"):
    return Function(
        name=name,
        logical_id=name.title(),
        physical_name=f"toy-{name}",
        folder=Path(),
        handler="app.lambda_handler",
        timeout_s=20,
        memory_mb=128,
        environment={},
        log_group=f"{name}-log",
    )


@cache
def client(service):
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


@pytest.fixture
def virtual_time():
    with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended():
        yield virtual_time


@pytest.fixture
def cloudwatch(virtual_time):
    cloudwatch = CloudWatch(
        queues=aws.queues_of_account(), now=virtual_time.now, tell=lambda *_: None
    )
    cloudwatch.watch(
        Deployment(
            functions=(function(), function("other")),
            apis=(),
            alarms=(),
            metric_filters=(TIMEOUTS,),
            outputs={},
            resources={},
            absent=(),
        )
    )
    return cloudwatch


def measured(cloudwatch, metric, statistic="Sum", *, minutes=60):
    return cloudwatch.metrics.statistic(
        metric, statistic, start_s=START, end_s=START + minutes * 60
    )


class TestFunctions:
    @pytest.mark.parametrize(
        ("outcome", "counts"),
        [
            (Outcome(answer=1), {"Invocations": 1, "Errors": 0, "Throttles": 0}),
            (Outcome(error="broken"), {"Invocations": 1, "Errors": 1, "Throttles": 0}),
            (Outcome(error="late", timed_out=True), {"Invocations": 1, "Errors": 1}),
            (
                Outcome(error="too many", throttled=True),
                {"Invocations": None, "Errors": None, "Throttles": 1, "Duration": None},
            ),
        ],
    )
    def test_counts(self, cloudwatch, outcome, counts):
        """
        An invocation is counted by its end; one that was throttled is none.
        """
        cloudwatch.ended(function(), outcome, began_at=START)

        dimensions = frozenset({("FunctionName", "toy-relay")})
        assert counts == {
            name: measured(cloudwatch, Metric("AWS/Lambda", name, dimensions)) for name in counts
        }

    @pytest.mark.parametrize(
        ("name", "outcome", "count"),
        [
            ("relay", Outcome(error="late", timed_out=True), 1),
            ("relay", Outcome(error="broken"), None),
            ("other", Outcome(error="late", timed_out=True), None),
        ],
    )
    def test_report(self, cloudwatch, name, outcome, count):
        """
        A filter on a function's log group finds the platform's own lines of that function.
        """
        cloudwatch.ended(function(name), outcome, began_at=START)

        assert measured(cloudwatch, Metric("toy", "Timeouts")) == count

    def test_written(self, cloudwatch):
        """
        A line in the embedded metric format is a metric, and every other line is none.
        """
        about = {"Namespace": "toy", "Dimensions": [[]], "Metrics": [{"Name": "Paths"}]}
        line = {"_aws": {"Timestamp": START * 1000, "CloudWatchMetrics": [about]}, "Paths": 7}

        cloudwatch.wrote("relay", ["Traceback", '{"level": "INFO"}', json.dumps(line)])

        assert measured(cloudwatch, Metric("toy", "Paths")) == 7


class TestQueues:
    DIMENSIONS = frozenset({("QueueName", "queue")})
    VISIBLE = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", DIMENSIONS)
    AGE = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", DIMENSIONS)

    @pytest.fixture
    def url(self, virtual_time):
        return client("sqs").create_queue(QueueName="queue")["QueueUrl"]

    def test_unused(self, cloudwatch, virtual_time, url):
        """
        A queue that nobody has used yet has no data.
        """
        cloudwatch.sample()
        virtual_time.advance(600)
        cloudwatch.sample()

        assert measured(cloudwatch, self.VISIBLE) is None

    def test_waiting(self, cloudwatch, virtual_time, url):
        """
        What waits is counted in each minute, and grows older, until it is received.
        """
        client("sqs").send_message(QueueUrl=url, MessageBody="a")
        cloudwatch.sample()
        virtual_time.advance(600)
        cloudwatch.sample()
        client("sqs").purge_queue(QueueUrl=url)
        virtual_time.advance(60)
        cloudwatch.sample()

        assert measured(cloudwatch, self.VISIBLE, "SampleCount", minutes=10) == 10
        assert measured(cloudwatch, self.VISIBLE, "Minimum", minutes=10) == 1
        assert measured(cloudwatch, self.AGE, "Maximum", minutes=10) == 540
        assert (
            cloudwatch.metrics.statistic(
                self.VISIBLE, "Maximum", start_s=START + 660, end_s=START + 720
            )
            == 0
        )

    def test_jump(self, cloudwatch, virtual_time, url):
        """
        Before time leaves a minute what is there then is taken.
        """
        cloudwatch.sample()
        client("sqs").send_message(QueueUrl=url, MessageBody="a")
        cloudwatch.sample_before(START + 59)
        assert measured(cloudwatch, self.VISIBLE) is None

        cloudwatch.sample_before(START + 60)
        assert measured(cloudwatch, self.VISIBLE) == 1

    def test_poisoned(self, cloudwatch, virtual_time, url):
        """
        A message that came three times has no age any more.
        """
        client("sqs").send_message(QueueUrl=url, MessageBody="a")
        for _ in range(3):
            client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0)
        virtual_time.advance(120)
        cloudwatch.sample()

        assert measured(cloudwatch, self.VISIBLE, "Maximum") == 1
        assert measured(cloudwatch, self.AGE, "Maximum") == 0
