"""SQS as moto has it, made linear and strict, and seen as Lambda's pollers see it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from typing import Any

from moto.sqs import models
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid, SQSException
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends
from moto.sqs.utils import generate_receipt_handle

from local.patching import all_replaced

_MAX_HOLD_MS = 12 * 3600 * 1000
_MAX_AGED_RECEIVES = 3


def _now_ms() -> float:
    return time.time() * 1000


def _visible(queue: Queue) -> list[Message]:
    """Moto asks for the time twice a message."""
    now = _now_ms()
    return [m for m in queue._messages if m.visible_at < now and m.delayed_until <= now]


def _expire(queue: Queue) -> None:
    oldest = _now_ms() - int(queue.message_retention_period) * 1000  # type: ignore[attr-defined]
    if any(_sent(message) <= oldest for message in queue._messages):
        queue._messages = [m for m in queue._messages if _sent(m) > oldest]


def _sent(message: Message) -> int:
    return message.sent_timestamp or 0


def _delete(queue: Queue, receipt_handle: str) -> None:
    """Moto copies the whole queue for each message."""
    if receipt_handle in queue.deleted_messages:
        return
    for index, message in enumerate(queue._messages):
        if message.had_receipt_handle(receipt_handle):
            queue.pending_messages.discard(message)
            queue.deleted_messages.update(h for h in message.all_receipt_handles if h)
            del queue._messages[index]
            return
    raise ReceiptHandleIsInvalid


def _change_visibility(
    backend: SQSBackend, queue_name: str, receipt_handle: str, visibility_timeout: int
) -> None:
    """Moto counts the twelve hours from the sending, and lets what is not in flight be changed."""
    queue = backend.get_queue(queue_name)
    for message in queue._messages:
        if message.had_receipt_handle(receipt_handle):
            break
    else:
        raise ReceiptHandleIsInvalid
    now = _now_ms()
    if message.visible_at <= now:
        raise SQSException("MessageNotInflight", "The specified message isn't in flight.")
    held = now - message.__dict__.get("received_at", now)
    if held + int(visibility_timeout) * 1000 > _MAX_HOLD_MS:
        raise InvalidParameterValue(
            f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. Reason: "
            "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
        )
    message.change_visibility(visibility_timeout)
    if not int(visibility_timeout):
        # Visible from now on, not from a millisecond later.
        message.visible_at = 0.0
        queue.pending_messages.discard(message)


@contextmanager
def mended() -> Iterator[None]:
    """Replace what is slow or lax in moto's SQS."""
    receive, change_batch = SQSBackend.receive_message, SQSBackend.change_message_visibility_batch
    mark_received = Message.mark_received

    def receive_message(
        backend: SQSBackend,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        *rest: Any,
    ) -> list[Message]:
        # Waiting would be real while time is virtual: whoever polls long gets what is there.
        del wait_seconds_timeout
        _expire(backend.get_queue(queue_name))
        return receive(backend, queue_name, count, 0, *rest)

    def change_message_visibility_batch(
        backend: SQSBackend, queue_name: str, entries: list[dict[str, Any]]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        done: list[str] = []
        failed: list[dict[str, Any]] = []
        for entry in entries:
            try:
                good, bad = change_batch(backend, queue_name, [entry])
            except SQSException as error:
                good, bad = [], []
                failed.append(
                    {
                        "Id": entry["Id"],
                        "Code": error.code,
                        "Message": error.message,
                        "SenderFault": True,
                    }
                )
            done += good
            failed += bad
        return done, failed

    def mark(message: Message, visibility_timeout: int | None = None) -> None:
        mark_received(message, visibility_timeout)
        message.__dict__["received_at"] = _now_ms()

    with all_replaced(
        (models, "unix_time_millis", _now_ms),
        (Queue, "messages", property(_visible)),
        (Queue, "delete_message", _delete),
        (Message, "mark_received", mark),
        (SQSBackend, "receive_message", receive_message),
        (SQSBackend, "change_message_visibility", _change_visibility),
        (SQSBackend, "change_message_visibility_batch", change_message_visibility_batch),
        # Moto lists every attribute, its counters too, for each message received.
        (SQSBackend, "is_message_valid_based_on_retention_period", lambda *_: True),
    ):
        yield


class Queues:
    """The queues of one account and region, without HTTP: what Lambda does is nobody's call."""

    def __init__(self, *, lock: AbstractContextManager[Any], account: str, region: str) -> None:
        self._backend = sqs_backends[account][region]
        self._lock = lock

    def _queue(self, url: str) -> Queue:
        return self._backend.get_queue(url.rsplit("/", 1)[-1])

    def arn(self, url: str) -> str:
        return self._queue(url).queue_arn

    def visibility_timeout_s(self, url: str) -> int:
        return int(self._queue(url).visibility_timeout)  # type: ignore[attr-defined]

    def receive(self, url: str, *, limit: int) -> list[dict[str, Any]]:
        """Receive up to *limit* messages, as ReceiveMessage with all attributes gives them."""
        queue = self._queue(url)
        with self._lock:
            messages = self._backend.receive_message(
                queue.name,
                limit,
                0,
                queue.visibility_timeout,  # type: ignore[attr-defined]
                ["All"],
            )
        return [_as_received(message) for message in messages]

    def delete(self, url: str, *, receipt_handles: list[str]) -> None:
        with self._lock:
            for receipt_handle in receipt_handles:
                # The message may have run out of its retention meanwhile.
                with suppress(ReceiptHandleIsInvalid):
                    self._queue(url).delete_message(receipt_handle)

    def size(self, url: str) -> int:
        """Count the messages: waiting, delayed and in flight."""
        with self._lock:
            _expire(self._queue(url))
            return len(self._queue(url)._messages)

    def next_visible_at(self, url: str) -> float | None:
        """Return when the first message can be received (epoch seconds); None for no message."""
        with self._lock:
            moments = [max(m.visible_at, m.delayed_until) for m in self._queue(url)._messages]
        return min(moments) / 1000 if moments else None

    def send(self, arn: str, *, body: str) -> None:
        """Send a message, as Lambda sends an event to a function's dead-letter queue."""
        with self._lock:
            self._backend.send_message(arn.rsplit(":", 1)[-1], body)

    def names(self) -> list[str]:
        """Return the names of all queues."""
        with self._lock:
            return list(self._backend.queues)

    def level(self, name: str) -> tuple[int, float | None]:
        """
        Count the messages that can be received, and return when the oldest in the queue was sent.

        SQS measures the age of no message that was received three times without being deleted.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        with self._lock:
            queue = self._queue(name)
            _expire(queue)
            sent = [
                _sent(m)
                for m in queue._messages
                if m.approximate_receive_count < _MAX_AGED_RECEIVES
            ]
            return len(_visible(queue)), min(sent) / 1000 if sent else None

    def never_received(self, url: str) -> list[str]:
        """Return the ids of the messages that wait for their first delivery, oldest first."""
        with self._lock:
            return [m.id for m in _visible(self._queue(url)) if not m.approximate_receive_count]

    def delay(self, url: str, *, message_id: str, seconds: float) -> None:
        """Keep the message *message_id* from everybody for *seconds*."""
        with self._lock:
            for message in self._queue(url)._messages:
                if message.id == message_id:
                    message.delayed_until = _now_ms() + seconds * 1000

    def shuffle(self, url: str, *, random: random.Random) -> None:
        with self._lock:
            random.shuffle(self._queue(url)._messages)

    def duplicate(self, url: str, *, message_id: str, after_s: float) -> None:
        """
        Leave a copy of a message that its deletion misses, as SQS's servers do now and then.

        A copy has no copies: they would breed until their receive count dead-letters them, which
        says nothing of who consumes them.
        """
        with self._lock:
            queue = self._queue(url)
            for message in queue._messages:
                if message.id == message_id and not message.__dict__.get("is_copy"):
                    twin = copy(message)
                    twin.__dict__["is_copy"] = True
                    twin.receipt_handle = generate_receipt_handle()
                    twin._old_receipt_handles = []
                    twin.visible_at = 0.0
                    twin.delayed_until = _now_ms() + after_s * 1000
                    queue._messages.append(twin)
                    return


def _as_received(message: Message) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "SequenceNumber": message.sequence_number,
        "AWSTraceHeader": message.system_attributes.get("AWSTraceHeader", {}).get("StringValue"),
    }
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.body_md5,
        "Body": message.body,
        "Attributes": {name: value for name, value in attributes.items() if value is not None},
        "MessageAttributes": message.message_attributes,
    }
