"""Dead letters of a stack: list them with their reasons, or send them back where they came from.

Sending back is always safe: what was done already is not done again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from commands.account import Stack
    from commands.output import Output

_HIDDEN_S = 30
# In a terminal; elsewhere nothing is cut.
_SHOWN_CHARACTERS = 200
_EXHAUSTED = "its function failed again and again: see the function's log"


@dataclass(frozen=True, slots=True)
class Pair:
    """A queue, and the one that takes what its function could not handle."""

    name: str
    source_url: str
    letters_url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A message dead-lettered by its function with a reason, or by SQS after many tries."""

    queue: str
    sent_at: str
    reason: str
    body: str


def pairs(sqs: SQSClient, queue_urls: Mapping[str, str]) -> list[Pair]:
    """Return those of *queue_urls* that have a dead-letter queue, by their own settings."""
    by_arn = {}
    policies = {}
    for name, url in queue_urls.items():
        answer = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"]
        )
        by_arn[answer["Attributes"]["QueueArn"]] = url
        if "RedrivePolicy" in answer["Attributes"]:
            policies[name] = json.loads(answer["Attributes"]["RedrivePolicy"])
    return [
        Pair(name, queue_urls[name], by_arn[policy["deadLetterTargetArn"]])
        for name, policy in policies.items()
    ]


def letters(sqs: SQSClient, pair: Pair) -> list[Letter]:
    """Return the letters of *pair*, and leave them where they are."""
    messages = {message["MessageId"]: message for message in _received(sqs, pair.letters_url)}
    for message in messages.values():
        sqs.change_message_visibility(
            QueueUrl=pair.letters_url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=0,
        )
    return [
        Letter(pair.name, _moment(message), _reason(message), message["Body"])
        for message in messages.values()
    ]


def redrive(sqs: SQSClient, pair: Pair, *, now: Callable[[], float]) -> int:
    """
    Send the letters of *pair* back, and return how many.

    Each is sent before it is deleted, so that none is lost. Those that are dead-lettered
    again meanwhile stay.
    """
    began_ms = int(now() * 1000)
    count = 0
    for message in _received(sqs, pair.letters_url):
        if int(message["Attributes"]["SentTimestamp"]) >= began_ms:
            continue
        sqs.send_message(QueueUrl=pair.source_url, MessageBody=message["Body"])
        sqs.delete_message(QueueUrl=pair.letters_url, ReceiptHandle=message["ReceiptHandle"])
        count += 1
    return count


def _received(sqs: SQSClient, url: str) -> Iterator[Any]:
    # Each is hidden for a while, or the same ten would come again and again.
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["SentTimestamp"],
        MessageAttributeNames=["reason"],
        VisibilityTimeout=_HIDDEN_S,
    ).get("Messages"):
        yield from messages


def _moment(message: Mapping[str, Any]) -> str:
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, tz=UTC)
    return f"{sent:%Y-%m-%d %H:%M:%SZ}"


def _reason(message: Mapping[str, Any]) -> str:
    reason: str = (
        message.get("MessageAttributes", {}).get("reason", {}).get("StringValue", _EXHAUSTED)
    )
    return reason


def list_all(stack: Stack, output: Output) -> int:
    """Print the dead letters of *stack*, and return how many there are."""
    sqs = stack.client("sqs")
    with output.status(f"Reading the queues of stack {stack.name}"):
        found = [letter for pair in pairs(sqs, stack.queue_urls) for letter in letters(sqs, pair)]
    show(found, output, stack_name=stack.name)
    return len(found)


def show(found: Sequence[Letter], output: Output, *, stack_name: str) -> None:
    """Print *found* as JSON, as a table, or that there are none."""
    if output.as_json:
        output.json({"letters": [asdict(letter) for letter in found]})
        return
    if not found:
        output.line("There are no dead letters.")
        return
    in_terminal = output.stdout.file.isatty()
    output.table(
        ("queue", "since", "reason", "message"),
        (
            (letter.queue, letter.sent_at, letter.reason, _shown(letter.body, cut=in_terminal))
            for letter in found
        ),
    )
    output.notice(f"When the causes are gone: autopilot redrive --stack {stack_name}")


def _shown(body: str, *, cut: bool) -> str:
    return f"{body[:_SHOWN_CHARACTERS]}…" if cut and len(body) > _SHOWN_CHARACTERS else body


def redrive_all(stack: Stack, output: Output, *, now: Callable[[], float]) -> None:
    """Send all dead letters of *stack* back, and print how many of each queue."""
    sqs = stack.client("sqs")
    with output.status(f"Sending the dead letters of stack {stack.name} back"):
        counts = {pair.name: redrive(sqs, pair, now=now) for pair in pairs(sqs, stack.queue_urls)}
    if output.as_json:
        output.json({"redriven": counts})
        return
    for name, count in counts.items():
        output.line(f"{name}: {count} sent back")
    output.line("What was done already is not done again. What fails again is listed again.")
