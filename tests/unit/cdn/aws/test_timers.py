"""Timers bring rows back, one apart from the other, and come again when their rows are due."""

import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from cdn.aws import timers
from cdn.aws.timers import TimerQueue, TimerRun
from cdn.errors import RetryLaterError
from cdn.telemetry import StepResult

NOW_S = 1_000.0
DONE = StepResult("flush finished")


def timer(row_id, number=1):
    return record(json.dumps({"version": 1, "row": row_id}), number)


def record(body, number=1):
    return {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body}


def now():
    return NOW_S


@pytest.fixture
def reported():
    return []


@pytest.fixture
def run(reported):
    """Run timers, whose steps are given by row, and remember what is reported."""

    def run(records, steps):
        return timers.run(records, steps, report=reported.append, now=now)

    return run


class TestRun:
    def test_step(self, run, reported):
        """
        Each row takes its step, and says when its timer must come back.
        """
        results = {"a": DONE, "b": StepResult("flush not due", due_at_ms=5_000)}

        runs = run([timer("a", 1), timer("b", 2)], lambda row_id: [results[row_id]])

        assert [
            TimerRun("m1", "r1", "a", results["a"]),
            TimerRun("m2", "r2", "b", results["b"]),
        ] == runs
        assert [None, 5_000] == [one.due_at_ms for one in runs]
        assert reported == [*results.values()]

    def test_told_at_once(self, run, reported):
        """
        What was done before a step failed has been reported.
        """

        def steps(_):
            yield StepResult("plan committed")
            raise RetryLaterError("CreateInvalidation", "Throttling", due_at_ms=9_000)

        (failed,) = run([timer("a")], steps)

        assert [result.outcome for result in reported] == ["plan committed", "throttled"]
        assert failed.last.ids == {
            "row_id": "a",
            "operation": "CreateInvalidation",
            "code": "Throttling",
        }
        assert failed.due_at_ms == 9_000

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (RetryLaterError("PutEvents", "ThrottlingException"), "throttled"),
            (RetryLaterError("BatchWriteItem", "UnprocessedItems"), "throttled"),
            (RetryLaterError("CreateInvalidation", "QuotaContended"), "throttled"),
            (RetryLaterError("PutEvents", "NotAuthorizedForSourceException"), "step failed"),
            (RetryLaterError("a request to AWS", "EndpointConnectionError"), "step failed"),
            (ClientError({"Error": {"Code": "x"}}, "GetItem"), "step failed"),
            (EndpointConnectionError(endpoint_url="https://dynamodb"), "step failed"),
        ],
    )
    def test_apart(self, run, error, outcome):
        """
        A row whose step AWS or the network fails comes back in 30 s, and its neighbours go on.
        """

        def steps(row_id):
            if row_id == "bad":
                raise error
            return [DONE]

        bad, good = run([timer("bad", 1), timer("good", 2)], steps)

        assert (1_030_000, outcome) == (bad.due_at_ms, bad.last.outcome)
        assert good.due_at_ms is None

    def test_exhausted(self, run):
        """
        A row whose retries are exhausted does not come back by itself.
        """

        def steps(_):
            return [StepResult("retries exhausted", "five errors in a row")]

        (exhausted,) = run([timer("a")], steps)

        assert ("retries exhausted", None) == (exhausted.last.outcome, exhausted.due_at_ms)

    def test_our_own_fault(self, run):
        """
        Nor does a fault of the code stop its neighbours: whatever flies out is counted.
        """

        def steps(row_id):
            if row_id == "bad":
                raise ZeroDivisionError
            return [DONE]

        bad, good = run([timer("bad", 1), timer("good", 2)], steps)

        assert (bad.last.outcome, bad.last.ids["code"]) == ("step failed", "ZeroDivisionError")
        assert bad.last.meaning.metric == "StepsFailed"
        assert bad.due_at_ms == 1_030_000
        assert good.due_at_ms is None

    @pytest.mark.parametrize("body", ["no json", "[]", '{"version": 2, "row": "a"}', "{}"])
    def test_not_a_timer(self, run, body):
        """
        A message of another form stays, for its queue to dead-letter at last.
        """
        (unreadable,) = run([record(body)], lambda _: [DONE])

        assert "step failed" == unreadable.last.outcome
        assert "the body is" in unreadable.last.reason
        assert unreadable.due_at_ms is not None


@pytest.fixture
def client(client_of):
    return client_of("sqs")


def due(message, at_ms):
    return TimerRun(f"m{message}", f"r{message}", "row", StepResult("throttled", due_at_ms=at_ms))


class TestReschedule:
    @pytest.mark.parametrize(
        ("due_at_ms", "visibility_s"),
        [
            (1_000_001, 2),  # SQS would deliver it at once
            (999_000, 2),
            (1_010_500, 11),
            (10**12, 42_300),  # under SQS's 12 hours
        ],
    )
    def test_visibility(self, client, due_at_ms, visibility_s):
        """
        A timer comes back when its row is due, never before, within what SQS allows.
        """
        with Stubber(client) as stub:
            stub.add_response(
                "change_message_visibility_batch",
                {"Successful": [{"Id": "0"}], "Failed": []},
                {
                    "QueueUrl": "https://timers",
                    "Entries": [
                        {"Id": "0", "ReceiptHandle": "r1", "VisibilityTimeout": visibility_s}
                    ],
                },
            )

            response = timers.reschedule(
                TimerQueue(client, "https://timers"), [due(1, due_at_ms), due(2, None)], now=now
            )

        assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == response

    def test_all_done(self, client):
        """
        When no row waits for anything, SQS is asked for nothing but to delete the timers.
        """
        queue = TimerQueue(client, "https://timers")
        with Stubber(client):
            response = timers.reschedule(queue, [due(1, None)], now=now)

        assert {"batchItemFailures": []} == response
