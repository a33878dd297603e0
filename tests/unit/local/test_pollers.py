"""Pollers deliver as Lambda's do, and schedules invoke by virtual time."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from local import aws
from local.function import Function, Outcome, QueueTrigger, ScheduleTrigger
from local.pollers import Delivery, Pollers, ScheduleError
from local.queues import Queues
from local.virtual_time import VirtualTime

START = 1_800_000_000.0
OK = Outcome(answer={"batchItemFailures": []})


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


class Runner:
    """A queue with messages, its pollers, and what they would have invoked."""

    def __init__(self, virtual_time: VirtualTime) -> None:
        self.virtual_time = virtual_time
        self.url = client("sqs").create_queue(
            QueueName="queue", Attributes={"VisibilityTimeout": "30"}
        )["QueueUrl"]
        self.queues: Queues = aws.queues_of_account()
        self.events: list[Mapping[str, Any]] = []
        self.waiting: list[Future[Outcome]] = []

    def pollers(
        self,
        *,
        schedules: tuple[str, ...] = (),
        event: str | None = None,
        delivery: Delivery | None = None,
        timeout_s: int = 20,
        dead_letters: str = "",
        **about: Any,
    ) -> Pollers:
        trigger = {
            "url": self.url,
            "arn": self.queues.arn(self.url),
            "batch_size": 10,
            "report_batch_item_failures": True,
            "concurrency": 5,
            **about,
        }
        function = Function(
            name="relay",
            logical_id="Relay",
            physical_name="stack-Relay",
            folder=Path(),
            handler="app.lambda_handler",
            timeout_s=timeout_s,
            memory_mb=128,
            environment={},
            dead_letters=dead_letters,
            queues=(QueueTrigger(**trigger),),
            schedules=tuple(
                ScheduleTrigger(arn="arn:rule", expression=expression, event=event)
                for expression in schedules
            ),
        )
        return Pollers(
            [function],
            queues=self.queues,
            invoke=self.invoke,
            now=self.virtual_time.now,
            delivery=delivery,
            random=random.Random(0),
        )

    def invoke(self, _function: Function, event: Mapping[str, Any]) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self.events.append(event)
        self.waiting.append(future)
        return future

    def send(self, count: int = 1) -> None:
        for number in range(count):
            client("sqs").send_message(QueueUrl=self.url, MessageBody=str(number))

    def batches(self) -> list[list[str]]:
        return [[record["body"] for record in event["Records"]] for event in self.events]

    def end(self, pollers: Pollers, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            done = self.waiting.pop(0)
            done.set_result(outcome)
            pollers.finish(done)

    def drain(self, pollers: Pollers, end_s: float = 3600) -> None:
        """Let everything succeed until nothing is left."""
        while not pollers.idle() and self.virtual_time.now() < START + end_s:
            pollers.start()
            self.end(pollers, *[OK] * len(self.waiting))
            due_at = pollers.next_due_at()
            if due_at is not None:
                self.virtual_time.jump_to(due_at + 0.001)


@pytest.fixture
def runner() -> Iterator[Runner]:
    with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended():
        yield Runner(virtual_time)


class TestBatches:
    def test_five_at_once(self, runner):
        """
        Five pollers take a batch each, and no sixth is taken before one of them is done.
        """
        runner.send(70)
        pollers = runner.pollers()

        pollers.start()
        assert [len(batch) for batch in runner.batches()] == [10] * 5

        runner.end(pollers, OK)
        pollers.start()
        assert len(runner.events) == 6

    def test_in_order(self, runner):
        """
        Batches come in the order of sending, each message once.
        """
        runner.send(12)

        runner.pollers().start()

        assert list(itertools.chain(*runner.batches())) == [str(number) for number in range(12)]

    def test_batch_size(self, runner):
        """
        A batch is at most as large as the mapping says.
        """
        runner.send(7)

        runner.pollers(batch_size=3, concurrency=2).start()

        assert runner.batches() == [["0", "1", "2"], ["3", "4", "5"]]

    def test_large_batch(self, runner):
        """
        A batch may be larger than what SQS gives at once.
        """
        runner.send(25)

        runner.pollers(batch_size=100).start()

        assert [len(batch) for batch in runner.batches()] == [25]

    def test_nothing(self, runner):
        """
        An empty queue starts nothing, and nothing is due.
        """
        pollers = runner.pollers()

        assert not pollers.start()
        assert pollers.next_due_at() is None
        assert pollers.idle()

    def test_shape(self, runner):
        """
        A function gets records as Lambda shapes them.
        """
        client("sqs").send_message(
            QueueUrl=runner.url,
            MessageBody="hello",
            MessageAttributes={"kind": {"DataType": "String", "StringValue": "timer"}},
        )

        runner.pollers().start()

        ((record,),) = [event["Records"] for event in runner.events]
        assert record == {
            "messageId": record["messageId"],
            "receiptHandle": record["receiptHandle"],
            "body": "hello",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(int(START * 1000)),
                "SenderId": record["attributes"]["SenderId"],
                "ApproximateFirstReceiveTimestamp": str(int(START * 1000)),
            },
            "messageAttributes": {
                "kind": {
                    "stringValue": "timer",
                    "binaryValue": None,
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                }
            },
            "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:{aws.ACCOUNT}:queue",
            "awsRegion": "us-east-1",
        }

    def test_short_visibility(self, runner):
        """
        A queue that hides its messages for less than the function may run is refused.
        """
        with pytest.raises(ScheduleError, match="relay may run longer"):
            runner.pollers(timeout_s=31)


Answer = Callable[[list[str]], Any]


class TestAnswers:
    def left(self, runner: Runner, answer: Answer, **about: Any) -> list[int]:
        """Answer a batch of three, and tell which of them come again."""
        runner.send(3)
        pollers = runner.pollers(**about)
        pollers.start()
        ids = [record["messageId"] for record in runner.events[0]["Records"]]
        given = answer(ids)
        runner.end(pollers, given if isinstance(given, Outcome) else Outcome(answer=given))
        runner.events.clear()
        runner.virtual_time.advance(30.001)
        pollers.start()
        again = [r["messageId"] for event in runner.events for r in event["Records"]]
        return [ids.index(message_id) for message_id in again]

    @pytest.mark.parametrize(
        ("answer", "left"),
        [
            (lambda ids: {"batchItemFailures": []}, []),
            (lambda ids: {"batchItemFailures": None}, []),
            (lambda ids: {}, []),
            (lambda ids: None, []),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": ids[1]}]}, [1]),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": i} for i in ids]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": ""}]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": None}]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": "other"}]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": [{"wrong": ids[1]}]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": [ids[1]]}]}, [0, 1, 2]),
            (lambda ids: {"batchItemFailures": ids[1]}, [0, 1, 2]),
            (lambda ids: "nonsense", [0, 1, 2]),
            (lambda ids: Outcome(error="Task timed out"), [0, 1, 2]),
        ],
    )
    def test_partial(self, runner, answer, left):
        """
        What the answer names as failed comes again, and all of it if it makes no sense.
        """
        assert self.left(runner, answer) == left

    @pytest.mark.parametrize(
        ("answer", "left"),
        [
            (lambda ids: {"batchItemFailures": [{"itemIdentifier": ids[1]}]}, []),
            (lambda ids: "nonsense", []),
            (lambda ids: Outcome(error="ValueError"), [0, 1, 2]),
        ],
    )
    def test_whole(self, runner, answer, left):
        """
        Without partial answers a batch succeeds or fails as one.
        """
        assert self.left(runner, answer, report_batch_item_failures=False) == left

    def test_own_visibility(self, runner):
        """
        A message that was given a time by its function comes again then.
        """
        runner.send()
        pollers = runner.pollers()
        pollers.start()
        (record,) = runner.events[0]["Records"]
        client("sqs").change_message_visibility(
            QueueUrl=runner.url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=300
        )

        failed = [{"itemIdentifier": record["messageId"]}]
        runner.end(pollers, Outcome(answer={"batchItemFailures": failed}))

        assert not pollers.idle()
        assert pollers.next_due_at() == START + 300

    def test_raised(self, runner):
        """
        An invocation that could not be made is raised, and its poller is free again.
        """
        runner.send()
        pollers = runner.pollers(concurrency=1)
        pollers.start()
        done = runner.waiting.pop()
        done.set_exception(RuntimeError("broken"))

        with pytest.raises(RuntimeError, match="broken"):
            pollers.finish(done)

        runner.virtual_time.advance(30.001)
        assert pollers.start()


class TestDelivery:
    def received(self, runner: Runner, delivery: Delivery, count: int = 30) -> list[str]:
        runner.send(count)
        runner.drain(runner.pollers(delivery=delivery))
        return list(itertools.chain(*runner.batches()))

    def test_reliable(self, runner):
        """
        By default each message comes once, in order, in full batches.
        """
        bodies = self.received(runner, Delivery())

        assert bodies == [str(number) for number in range(30)]
        assert len(runner.events) == 3

    def test_duplicate(self, runner):
        """
        Some messages come again, and none is lost.
        """
        bodies = self.received(runner, Delivery(random=random.Random(1), duplicate=0.3))

        assert len(bodies) > 30
        assert set(bodies) == {str(number) for number in range(30)}

    def test_duplicates_end(self, runner):
        """
        However often messages come again, whoever deals with each is done in the end.
        """
        bodies = self.received(runner, Delivery(random=random.Random(1), duplicate=1))

        assert sorted(bodies, key=int) == [str(number) for number in range(30) for _ in range(2)]

    def test_late(self, runner):
        """
        Some messages come later, each once.
        """
        bodies = self.received(runner, Delivery(random=random.Random(1), late=0.3))

        assert sorted(bodies, key=int) == [str(number) for number in range(30)]
        assert bodies != sorted(bodies, key=int)
        assert runner.virtual_time.now() > START + 1

    def test_reorder(self, runner):
        """
        Messages come in another order, each once.
        """
        bodies = self.received(runner, Delivery(random=random.Random(1), reorder=1))

        assert sorted(bodies, key=int) == [str(number) for number in range(30)]
        assert bodies != sorted(bodies, key=int)

    def test_split(self, runner):
        """
        Batches are cut, without losing anything.
        """
        bodies = self.received(runner, Delivery(random=random.Random(1), split=1))

        assert bodies == [str(number) for number in range(30)]
        assert len(runner.events) > 3

    def test_repeats(self):
        """
        The same seed gives the same deliveries.
        """
        seen = []
        for _ in range(2):
            with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended():
                runner = Runner(virtual_time)
                unreliable = Delivery(
                    random=random.Random(7), duplicate=0.2, late=0.2, reorder=0.5, split=0.5
                )
                self.received(runner, unreliable)
                seen.append(runner.batches())

        assert seen[0] == seen[1]


class TestSchedules:
    def test_rate(self, runner):
        """
        A rate first invokes one period after the deployment, and then each period.
        """
        pollers = runner.pollers(schedules=("rate(5 minutes)",))
        assert pollers.next_due_at() == START + 300
        invoked_at = []
        for _ in range(3):
            runner.virtual_time.jump_to(pollers.next_due_at())
            pollers.start()
            invoked_at.append(runner.virtual_time.now() - START)
            runner.end(pollers, OK)

        assert invoked_at == [300, 600, 900]

    @pytest.mark.parametrize(
        ("expression", "seconds"),
        [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("rate(1 day)", 86_400)],
    )
    def test_units(self, runner, expression, seconds):
        """
        A rate counts minutes, hours or days.
        """
        assert runner.pollers(schedules=(expression,)).next_due_at() == START + seconds

    @pytest.mark.parametrize("expression", ["cron(0 12 * * ? *)", "at(2026-01-01T00:00:00)"])
    def test_refused(self, runner, expression):
        """
        What is not emulated is refused by its name.
        """
        with pytest.raises(ScheduleError, match="only rate"):
            runner.pollers(schedules=(expression,))

    def test_shape(self, runner):
        """
        A scheduled invocation has an event of the moment when it was due.
        """
        pollers = runner.pollers(schedules=("rate(5 minutes)",))
        runner.virtual_time.advance(301)

        pollers.start()

        (event,) = runner.events
        assert event == {
            "version": "0",
            "id": event["id"],
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": aws.ACCOUNT,
            "time": "2027-01-15T08:05:00Z",
            "region": "us-east-1",
            "resources": ["arn:rule"],
            "detail": {},
        }

    def test_input(self, runner):
        """
        A schedule may send an event of its own.
        """
        pollers = runner.pollers(schedules=("rate(5 minutes)",), event=json.dumps({"a": 1}))
        runner.virtual_time.advance(301)

        pollers.start()

        assert runner.events == [{"a": 1}]

    def test_duplicate(self, runner):
        """
        EventBridge may deliver a scheduled event twice: the same one, a while later.
        """
        delivery = Delivery(random=random.Random(0), duplicate=1, lateness_s=100)
        pollers = runner.pollers(schedules=("rate(5 minutes)",), delivery=delivery)
        runner.virtual_time.advance(301)

        pollers.start()
        again_at = pollers.next_due_at()
        runner.virtual_time.jump_to(again_at)
        pollers.start()

        first, second = runner.events
        assert first == second
        assert START + 301 < again_at < START + 401

    def test_missed(self, runner):
        """
        Invocations that were missed meanwhile are made up for once, and the rhythm stays.
        """
        pollers = runner.pollers(schedules=("rate(5 minutes)",))
        runner.virtual_time.advance(1000)

        pollers.start()

        assert len(runner.events) == 1
        assert pollers.next_due_at() == START + 1200

    def test_retries(self, runner):
        """
        A scheduled invocation that fails is retried after one minute, after two more, then dropped.
        """
        pollers = runner.pollers(schedules=("rate(1 hour)",))
        runner.virtual_time.advance(3600)
        tried = []
        for _ in range(3):
            pollers.start()
            tried.append(runner.virtual_time.now() - START)
            runner.end(pollers, Outcome(error="ValueError"))
            runner.virtual_time.jump_to(pollers.next_due_at())

        assert tried == [3600, 3660, 3780]
        assert runner.virtual_time.now() == START + 7200

    @pytest.mark.parametrize(("failures", "letters"), [(2, []), (3, ['{"a": 1}'])])
    def test_dead_letters(self, runner, failures, letters):
        """
        What a function fails at three times goes to its dead-letter queue, if it has one.
        """
        url = client("sqs").create_queue(QueueName="letters")["QueueUrl"]
        pollers = runner.pollers(
            schedules=("rate(1 hour)",), event='{"a": 1}', dead_letters=runner.queues.arn(url)
        )
        runner.virtual_time.advance(3600)
        for number in range(3):
            pollers.start()
            runner.end(pollers, Outcome(error="ValueError") if number < failures else OK)
            runner.virtual_time.jump_to(pollers.next_due_at())

        messages = client("sqs").receive_message(QueueUrl=url).get("Messages", [])
        assert [message["Body"] for message in messages] == letters
