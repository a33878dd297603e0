"""What invokes functions, by virtual time: Lambda's SQS pollers, EventBridge's schedules."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.function import (
    ACCOUNT,
    ASYNC_RETRIES_S,
    REGION,
    Function,
    Outcome,
    QueueTrigger,
    ScheduleTrigger,
)
from local.queues import Queues

_RATE = re.compile(r"rate\((?P<count>[1-9]\d*) (?P<unit>minute|hour|day)s?\)")
_UNITS_S = {"minute": 60, "hour": 3600, "day": 86_400}
# SQS gives no more than this to one ReceiveMessage.
_MAX_RECEIVED = 10


class ScheduleError(Exception):
    """A schedule's expression is none that is emulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    How unreliably SQS and EventBridge deliver; by default in order, once, at once, in full batches.

    Each number is a probability: that a message or a schedule's event comes again, that a message's
    first delivery is late, that the queue is shuffled before a batch is taken, that a batch is cut.
    """

    random: random.Random = field(default_factory=lambda: random.Random(0))
    duplicate: float = 0.0
    late: float = 0.0
    reorder: float = 0.0
    split: float = 0.0
    lateness_s: float = 30.0

    def happens(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability


@dataclass(slots=True)
class _Mapping:
    function: Function
    queue: QueueTrigger
    busy: int = 0
    judged: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _AsyncInvocation:
    """An asynchronous invocation that is due."""

    function: Function
    due_at: float
    event: str
    tries: int = 0


@dataclass(slots=True)
class _Schedule:
    function: Function
    trigger: ScheduleTrigger
    every_s: int
    due_at: float


Invoke = Callable[[Function, Mapping[str, Any]], "Future[Outcome]"]


class Pollers:
    """Takes turns over all queues and schedules; whoever calls decides when."""

    def __init__(
        self,
        functions: Sequence[Function],
        *,
        queues: Queues,
        invoke: Invoke,
        now: Callable[[], float],
        delivery: Delivery | None = None,
        random: random.Random,
    ) -> None:
        self._queues = queues
        self._invoke = invoke
        self._now = now
        self._random = random
        self.delivery = delivery or Delivery()
        self._mappings = [
            _Mapping(function, queue) for function in functions for queue in function.queues
        ]
        for mapping in self._mappings:
            _check_visibility(mapping, queues)
        self._schedules = [
            _Schedule(function, trigger, every_s, now() + every_s)
            for function in functions
            for trigger in function.schedules
            for every_s in [_every_s(trigger.expression)]
        ]
        self._async_invocations: list[_AsyncInvocation] = []
        self._in_flight: dict[Future[Outcome], Callable[[Outcome], None]] = {}

    @property
    def in_flight(self) -> Sequence[Future[Outcome]]:
        return list(self._in_flight)

    def idle(self) -> bool:
        """Return whether no message waits or is worked on, and no failed invocation is retried."""
        return (
            not self._in_flight
            and not self._async_invocations
            and not any(self._queues.size(mapping.queue.url) for mapping in self._mappings)
        )

    def start(self) -> bool:
        """Begin every invocation that can begin now; return whether there was one."""
        return sum(1 for _ in self._due_invocations()) + sum(1 for _ in self._batches()) > 0

    def finish(self, done: Future[Outcome]) -> None:
        """Take the answer of an invocation: delete what it dealt with, retry what failed."""
        end = self._in_flight.pop(done)
        broken = done.exception()
        if broken is not None:
            end(Outcome(error=str(broken)))
            raise broken
        end(done.result())

    def next_due_at(self) -> float | None:
        """Return when something can begin that cannot now."""
        moments = [schedule.due_at for schedule in self._schedules]
        moments += [invocation.due_at for invocation in self._async_invocations]
        for mapping in self._mappings:
            visible_at = self._queues.next_visible_at(mapping.queue.url)
            if visible_at is not None:
                moments.append(visible_at)
        return min(moments, default=None)

    def _batches(self) -> Iterator[Future[Outcome]]:
        """Begin one batch for each free poller of each queue, queue after queue in turns."""
        waiting = list(self._mappings)
        while waiting:
            for mapping in list(waiting):
                batch = self._receive(mapping) if mapping.busy < mapping.queue.concurrency else []
                if batch:
                    yield self._begin_batch(mapping, batch)
                else:
                    waiting.remove(mapping)

    def _receive(self, mapping: _Mapping) -> list[dict[str, Any]]:
        url, delivery = mapping.queue.url, self.delivery
        if delivery.late:
            for message_id in self._queues.never_received(url):
                if message_id not in mapping.judged and delivery.happens(delivery.late):
                    late_s = delivery.random.uniform(0, delivery.lateness_s)
                    self._queues.delay(url, message_id=message_id, seconds=late_s)
                mapping.judged.add(message_id)
        if delivery.happens(delivery.reorder):
            self._queues.shuffle(url, random=delivery.random)
        size = mapping.queue.batch_size
        if delivery.happens(delivery.split):
            size = delivery.random.randint(1, size)
        batch: list[dict[str, Any]] = []
        while len(batch) < size:
            more = self._queues.receive(url, limit=min(_MAX_RECEIVED, size - len(batch)))
            batch += more
            if not more:
                break
        for message in batch:
            if delivery.happens(delivery.duplicate):
                after_s = delivery.random.uniform(0, delivery.lateness_s)
                self._queues.duplicate(url, message_id=message["MessageId"], after_s=after_s)
        return batch

    def _begin_batch(self, mapping: _Mapping, batch: list[dict[str, Any]]) -> Future[Outcome]:
        ids = {message["MessageId"] for message in batch}

        def end(outcome: Outcome) -> None:
            mapping.busy -= 1
            kept = _kept(outcome, ids, partial=mapping.queue.report_batch_item_failures)
            gone = [m["ReceiptHandle"] for m in batch if m["MessageId"] not in kept]
            self._queues.delete(mapping.queue.url, receipt_handles=gone)

        mapping.busy += 1
        return self._begin(mapping.function, sqs_event(batch, arn=mapping.queue.arn), end)

    def _due_invocations(self) -> Iterator[Future[Outcome]]:
        now = self._now()
        for schedule in self._schedules:
            if schedule.due_at <= now:
                event = self._scheduled_event(schedule)
                self._async_invocations.append(_AsyncInvocation(schedule.function, now, event))
                if self.delivery.happens(self.delivery.duplicate):
                    late_s = self.delivery.random.uniform(0, self.delivery.lateness_s)
                    self._async_invocations.append(
                        _AsyncInvocation(schedule.function, now + late_s, event)
                    )
                # What was missed while nobody drove the stack is not made up for.
                missed = (now - schedule.due_at) // schedule.every_s
                schedule.due_at += (missed + 1) * schedule.every_s
        for invocation in [due for due in self._async_invocations if due.due_at <= now]:
            self._async_invocations.remove(invocation)
            yield self._begin_async(invocation)

    def _begin_async(self, invocation: _AsyncInvocation) -> Future[Outcome]:
        def end(outcome: Outcome) -> None:
            if outcome.error is not None and invocation.tries < len(ASYNC_RETRIES_S):
                invocation.due_at = self._now() + ASYNC_RETRIES_S[invocation.tries]
                invocation.tries += 1
                self._async_invocations.append(invocation)
            elif outcome.error is not None and invocation.function.dead_letters:
                self._queues.send(invocation.function.dead_letters, body=invocation.event)

        return self._begin(invocation.function, json.loads(invocation.event), end)

    def _begin(
        self, function: Function, event: Mapping[str, Any], end: Callable[[Outcome], None]
    ) -> Future[Outcome]:
        future = self._invoke(function, event)
        self._in_flight[future] = end
        return future

    def _scheduled_event(self, schedule: _Schedule) -> str:
        return schedule.trigger.event or json.dumps(
            {
                "version": "0",
                "id": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": ACCOUNT,
                "time": f"{datetime.fromtimestamp(schedule.due_at, UTC):%Y-%m-%dT%H:%M:%SZ}",
                "region": REGION,
                "resources": [schedule.trigger.arn],
                "detail": {},
            }
        )


def _check_visibility(mapping: _Mapping, queues: Queues) -> None:
    # Lambda refuses such a mapping: the message would come again while it is worked on.
    if queues.visibility_timeout_s(mapping.queue.url) < mapping.function.timeout_s:
        raise ScheduleError(
            f"{mapping.function.name} may run longer than {mapping.queue.arn} hides its messages"
        )


def _every_s(expression: str) -> int:
    rate = _RATE.fullmatch(expression)
    if rate is None:
        raise ScheduleError(f"{expression}: only rate(…) is emulated, no cron(…) and no at(…)")
    return int(rate["count"]) * _UNITS_S[rate["unit"]]


def sqs_event(batch: Sequence[Mapping[str, Any]], *, arn: str) -> dict[str, Any]:
    """Shape received messages as Lambda hands them to a function."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {
                        "stringValue": value.get("StringValue"),
                        "binaryValue": value.get("BinaryValue"),
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": value["DataType"],
                    }
                    for name, value in message["MessageAttributes"].items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
                "awsRegion": arn.split(":")[3],
            }
            for message in batch
        ]
    }


def _kept(outcome: Outcome, batch: set[str], *, partial: bool) -> set[str]:
    """
    Return the ids of the messages of *batch* that stay in the queue.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html: an answer that
    names no failures, or is nothing at all, is a success; one that makes no sense fails the batch.
    """
    if outcome.error is not None:
        return batch
    if not partial or outcome.answer is None or outcome.answer == {}:
        return set()
    if not isinstance(outcome.answer, Mapping):
        return batch
    failures = outcome.answer.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return batch
    named = [f.get("itemIdentifier") if isinstance(f, Mapping) else None for f in failures]
    sensible = all(isinstance(name, str) and name in batch for name in named)
    return {str(name) for name in named} if sensible else batch
