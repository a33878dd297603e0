"""List the dead letters of a stack with their reasons, or send them back to where they came from.

Sending back is always safe: what was done already is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from commands import account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_sqs import SQSClient

_HIDDEN_S = 30
_EXHAUSTED = "its function failed again and again: see the function's log"


@dataclass(frozen=True, slots=True)
class Pair:
    """A queue, and the one that takes what its function could not handle."""

    name: str
    source_url: str
    letters_url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that was set aside, by its function with a reason or by SQS after many tries."""

    queue: str
    sent_at: str
    reason: str
    body: str


def pairs(sqs: SQSClient, queue_urls: Mapping[str, str]) -> list[Pair]:
    """Find the queues among *queue_urls* that have a dead-letter queue, by their own settings."""
    by_arn = {}
    policies = {}
    for name, url in queue_urls.items():
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])
        by_arn[told["Attributes"]["QueueArn"]] = url
        if "RedrivePolicy" in told["Attributes"]:
            policies[name] = json.loads(told["Attributes"]["RedrivePolicy"])
    return [
        Pair(name, queue_urls[name], by_arn[policy["deadLetterTargetArn"]])
        for name, policy in policies.items()
    ]


def letters(sqs: SQSClient, pair: Pair) -> list[Letter]:
    """Look at the letters of *pair*, and leave them where they are."""
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
    Send the letters of *pair* back, and count them.

    Each is sent before it is deleted, so that none is lost. Those that are set aside again
    meanwhile stay.
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


def main() -> int:
    """Speak to the deployed stack that is named."""
    told = _arguments()
    console = Console(stderr=told.json)
    try:
        with console.status(f"Looking at stack {told.stack} …"):
            stack = account.deployed(told.stack)
            found = pairs(stack.client("sqs"), stack.queue_urls)
        return _act(told, stack.client("sqs"), found, console)
    except (BotoCoreError, ClientError) as exc:
        console.print(f"dead letters: {exc}", markup=False)
        console.print(account.HELP)
        return 2


def _act(told: argparse.Namespace, sqs: SQSClient, found: list[Pair], console: Console) -> int:
    if told.redrive:
        counts = {pair.name: redrive(sqs, pair, now=time.time) for pair in found}
        for name, count in counts.items():
            console.print(f"{name}: {count} sent back")
        console.print("What was done already is not done again. What dies again shows up here.")
        if told.json:
            json.dump({"redriven": counts}, sys.stdout)
        return 0
    listed = [letter for pair in found for letter in letters(sqs, pair)]
    if told.json:
        json.dump({"letters": [asdict(letter) for letter in listed]}, sys.stdout)
        return 0
    table = Table("queue", "since", "reason", "message")
    for letter in listed:
        table.add_row(letter.queue, letter.sent_at, letter.reason, letter.body[:200])
    console.print(table if listed else "There are no dead letters.")
    if listed:
        console.print(
            f"When the causes are gone: make dead-letters STACK={told.stack} REDRIVE=1",
            markup=False,
        )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make dead-letters", description=__doc__)
    parser.add_argument("--stack", required=True, help="the deployed stack's name")
    parser.add_argument("--redrive", action="store_true", help="send them back")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
