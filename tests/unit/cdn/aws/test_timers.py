"""Clocks ring for rows, one apart from the other, and are set again by their visibility."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from cdn.aws import timers
from cdn.aws.timers import Clock, Rung
from cdn.errors import MessageError, RetryLaterError

NOW_S = 1_000.0


def ring(row_id, number=1):
    return record(json.dumps({"version": 1, "row": row_id}), number)


def record(body, number=1):
    return {"messageId": f"m{number}", "receiptHandle": f"r{number}", "body": body}


def now():
    return NOW_S


class TestAnswer:
    def test_step(self):
        """
        Each rung row takes its step, and says when it wants to be rung again.
        """
        due = {"a": None, "b": 5_000}

        rungs = timers.answer([ring("a", 1), ring("b", 2)], due.get, now=now)

        assert [Rung("m1", "r1", "a", None), Rung("m2", "r2", "b", 5_000)] == rungs

    @pytest.mark.parametrize(
        "error",
        [RetryLaterError("PutEvents", "busy"), ClientError({"Error": {"Code": "x"}}, "GetItem")],
    )
    def test_apart(self, error):
        """
        A row whose step AWS spoils is rung again in 30 s, and its neighbours go on.
        """

        def step(row_id):
            if row_id == "bad":
                raise error

        bad, good = timers.answer([ring("bad", 1), ring("good", 2)], step, now=now)

        assert (1_030_000, error) == (bad.due_ms, bad.error)
        assert good.due_ms is None

    def test_our_own_fault(self):
        """
        A fault of the code is not taken for one of AWS's.
        """
        with pytest.raises(ZeroDivisionError):
            timers.answer([ring("a")], lambda _: 1 // 0, now=now)

    @pytest.mark.parametrize("body", ["no json", "[]", '{"version": 2, "row": "a"}', "{}"])
    def test_not_a_clock(self, body):
        """
        A message of another form is kept, for its queue to set aside at last.
        """
        (rung,) = timers.answer([record(body)], lambda _: None, now=now)

        assert isinstance(rung.error, MessageError)
        assert rung.due_ms is not None


@pytest.fixture
def client():
    return boto3.client(
        "sqs", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )


class TestSetAgain:
    @pytest.mark.parametrize(
        ("due_ms", "visibility_s"),
        [
            (1_000_001, 2),  # SQS would hand it over at once
            (999_000, 2),
            (1_010_500, 11),
            (10**12, 42_300),  # under SQS's 12 hours
        ],
    )
    def test_visibility(self, client, due_ms, visibility_s):
        """
        A clock rings when its row is due, never before, within what SQS allows.
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

            answer = timers.set_again(
                Clock(client, "https://timers"),
                [Rung("m1", "r1", "a", due_ms), Rung("m2", "r2", "b", None)],
                now=now,
            )

        assert {"batchItemFailures": [{"itemIdentifier": "m1"}]} == answer

    def test_all_done(self, client):
        """
        When all clocks have done their work, SQS is told nothing but to delete them.
        """
        timer_queue = Clock(client, "https://timers")
        with Stubber(client):
            answer = timers.set_again(timer_queue, [Rung("m1", "r1", "a", None)], now=now)

        assert {"batchItemFailures": []} == answer
