"""SQS is linear, strict, and visible to pollers."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local import aws
from local.queues import Queues
from local.virtual_time import VirtualTime
from tests import work

START = 1_800_000_000.0


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


class Queue:
    """One queue, from outside and as a poller sees it."""

    def __init__(self, virtual_time: VirtualTime) -> None:
        self.virtual_time = virtual_time
        self.sqs = client("sqs")
        self.dead_url = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.url = self.sqs.create_queue(
            QueueName="queue",
            Attributes={
                "VisibilityTimeout": "30",
                "MessageRetentionPeriod": "3600",
                "RedrivePolicy": '{"maxReceiveCount": 2, "deadLetterTargetArn": '
                f'"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:dead"}}',
            },
        )["QueueUrl"]
        self.view: Queues = aws.queues_of_account()

    def send(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def receive(self, limit: int = 10) -> list[dict[str, Any]]:
        return self.view.receive(self.url, limit=limit)

    def bodies(self) -> list[str]:
        return [message["Body"] for message in self.receive()]


@pytest.fixture
def queue() -> Iterator[Queue]:
    with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended():
        yield Queue(virtual_time)


class TestReceive:
    def test_once_while_hidden(self, queue):
        """
        A message that was received comes again only after its visibility timeout.
        """
        queue.send("a")

        seen = [queue.bodies(), queue.bodies()]
        queue.virtual_time.advance(30.001)
        seen.append(queue.bodies())

        assert seen == [["a"], [], ["a"]]

    def test_attributes(self, queue):
        """
        A message tells when it was sent, and how often it was received.
        """
        queue.send("a")
        queue.receive()
        queue.virtual_time.advance(31)

        attributes = queue.receive()[0]["Attributes"]

        assert attributes["SentTimestamp"] == str(int(START * 1000))
        assert attributes["ApproximateReceiveCount"] == "2"
        assert attributes["ApproximateFirstReceiveTimestamp"] == str(int(START * 1000))

    def test_delayed(self, queue):
        """
        A delayed message waits, and says until when.
        """
        queue.send("a", DelaySeconds=5)

        assert queue.bodies() == []
        assert queue.view.next_visible_at(queue.url) == START + 5

    def test_long_poll(self, queue):
        """
        Polling long takes no time, real or virtual: nobody sleeps until a message comes.
        """
        with queue.virtual_time.sleeping_jumps():
            queue.sqs.receive_message(QueueUrl=queue.url, WaitTimeSeconds=20)

        assert queue.virtual_time.now() == START

    def test_dead_letters(self, queue):
        """
        What was received as often as allowed goes to the dead letters.
        """
        queue.send("a")
        for _ in range(3):
            queue.receive()
            queue.virtual_time.advance(31)

        assert queue.view.size(queue.url) == 0
        assert queue.view.size(queue.dead_url) == 1

    def test_retention(self, queue):
        """
        A message that is too old is gone.
        """
        queue.send("a")
        queue.virtual_time.advance(3600)

        assert queue.bodies() == []
        assert queue.view.size(queue.url) == 0

    def test_linear(self, queue):
        """
        The work for a message does not grow with the queue, as it does in stock moto.
        """

        def drain() -> None:
            while batch := queue.receive():
                queue.view.delete(queue.url, receipt_handles=[m["ReceiptHandle"] for m in batch])

        calls_per_message = []
        for count in (100, 1_000):
            for first in range(0, count, 10):
                ids = [str(number) for number in range(first, first + 10)]
                queue.sqs.send_message_batch(
                    QueueUrl=queue.url,
                    Entries=[{"Id": message_id, "MessageBody": "a"} for message_id in ids],
                )
            calls_per_message.append(work.calls(drain) / count)
            assert queue.view.size(queue.url) == 0

        assert calls_per_message[1] < 1.2 * calls_per_message[0]


class TestDelete:
    def test_gone(self, queue):
        """
        A deleted message does not come again.
        """
        queue.send("a", "b")
        first = queue.receive(1)[0]

        queue.view.delete(queue.url, receipt_handles=[first["ReceiptHandle"]])

        queue.virtual_time.advance(31)
        assert queue.bodies() == ["b"]

    def test_twice(self, queue):
        """
        Deleting twice, or after the message ran out, is no error.
        """
        queue.send("a")
        handles = [queue.receive()[0]["ReceiptHandle"]]

        queue.view.delete(queue.url, receipt_handles=handles)
        queue.view.delete(queue.url, receipt_handles=[*handles, "unknown"])

        assert queue.view.size(queue.url) == 0


class TestChangeVisibility:
    def change(self, queue: Queue, handle: str, seconds: int) -> None:
        queue.sqs.change_message_visibility(
            QueueUrl=queue.url, ReceiptHandle=handle, VisibilityTimeout=seconds
        )

    def test_longer(self, queue):
        """
        The new timeout counts from the change.
        """
        queue.send("a")
        handle = queue.receive()[0]["ReceiptHandle"]
        queue.virtual_time.advance(10)

        self.change(queue, handle, 60)

        assert queue.view.next_visible_at(queue.url) == pytest.approx(START + 70)

    def test_at_once(self, queue):
        """
        A timeout of nothing gives the message back at once.
        """
        queue.send("a")

        self.change(queue, queue.receive()[0]["ReceiptHandle"], 0)

        assert queue.bodies() == ["a"]

    def test_too_late(self, queue):
        """
        What is visible again is not in flight, and refuses.
        """
        queue.send("a")
        handle = queue.receive()[0]["ReceiptHandle"]
        queue.virtual_time.advance(31)

        with pytest.raises(queue.sqs.exceptions.MessageNotInflight):
            self.change(queue, handle, 60)

    def test_twelve_hours(self, queue):
        """
        The twelve hours count from the last receiving, not from the sending.
        """
        queue.sqs.set_queue_attributes(
            QueueUrl=queue.url, Attributes={"MessageRetentionPeriod": "1209600"}
        )
        queue.send("a")
        queue.virtual_time.advance(86_400)
        handle = queue.receive()[0]["ReceiptHandle"]

        self.change(queue, handle, 43_200)
        queue.virtual_time.advance(10)
        with pytest.raises(ClientError, match="43200"):
            self.change(queue, handle, 43_199)

    def test_batch(self, queue):
        """
        In a batch each entry succeeds or fails by itself.
        """
        queue.send("a")
        handle = queue.receive()[0]["ReceiptHandle"]
        queue.virtual_time.advance(31)
        queue.send("b")
        good = queue.receive(2)[-1]["ReceiptHandle"]

        answer = queue.sqs.change_message_visibility_batch(
            QueueUrl=queue.url,
            Entries=[
                {"Id": "unknown", "ReceiptHandle": "x", "VisibilityTimeout": 5},
                {"Id": "good", "ReceiptHandle": good, "VisibilityTimeout": 5},
            ],
        )

        assert handle != good
        assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
        assert [entry["Id"] for entry in answer["Failed"]] == ["unknown"]


class TestCounters:
    def test_three(self, queue):
        """
        The queue's attributes count what waits, what is delayed and what is in flight.
        """
        queue.send("a", "b", "c")
        queue.send("d", DelaySeconds=60)
        queue.receive(1)

        attributes = queue.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])

        counted = {
            name.removeprefix("ApproximateNumberOfMessages"): value
            for name, value in attributes["Attributes"].items()
            if name.startswith("Approximate")
        }
        assert counted == {"": "2", "Delayed": "1", "NotVisible": "1"}


class TestUnreliable:
    def test_shuffle(self, queue):
        """
        A shuffled queue loses and doubles nothing.
        """
        bodies = [str(number) for number in range(10)]
        queue.send(*bodies)

        queue.view.shuffle(queue.url, random=random.Random(1))

        received = queue.bodies()
        assert received != bodies
        assert sorted(received) == bodies

    def test_delay(self, queue):
        """
        A message can be kept back before its first delivery, without counting as received.
        """
        queue.send("a")
        (message_id,) = queue.view.never_received(queue.url)

        queue.view.delay(queue.url, message_id=message_id, seconds=7)

        assert queue.bodies() == []
        queue.virtual_time.advance(7.001)
        assert queue.receive()[0]["Attributes"]["ApproximateReceiveCount"] == "1"

    def test_duplicate(self, queue):
        """
        A duplicate is the same message again, which the deletion of the first does not reach.
        """
        queue.send("a")
        first = queue.receive()[0]
        queue.view.duplicate(queue.url, message_id=first["MessageId"], after_s=5)
        queue.view.delete(queue.url, receipt_handles=[first["ReceiptHandle"]])
        queue.virtual_time.advance(5.001)

        (again,) = queue.receive()

        assert again["MessageId"] == first["MessageId"]
        assert again["ReceiptHandle"] != first["ReceiptHandle"]
