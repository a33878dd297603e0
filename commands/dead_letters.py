"""Dead letters of a stack: list them with their reasons, or send them back where they came from.

Sending back is always safe: what was done already is not done again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

    from commands.account import Stack
    from commands.output import Output

_HIDDEN_S = 120
# Those hidden first come again when there are so many that to receive all takes longer. Then a
# batch of nothing new may be chance, and several in a row are the end.
_MAX_BATCHES_OF_NOTHING_NEW = 10
# In a terminal; elsewhere nothing is cut.
_SHOWN_CHARACTERS = 200
_EXHAUSTED = "its function failed again and again: see the function's log"


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A queue, and the one that takes what its function could not handle.

    Attributes:
        hidden_count: About how many letters somebody else was reading or sending back.
    """

    name: str
    source_url: str
    letters_url: str
    hidden_count: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message dead-lettered by its function with a reason, or by SQS after many tries."""

    queue: str
    sent_at: str
    reason: str
    body: str


def pairs(sqs: SQSClient, queue_urls: Mapping[str, str]) -> list[Pair]:
    """Return those of *queue_urls* that have a dead-letter queue, by their own settings."""
    attributes = {name: _attributes(sqs, url) for name, url in queue_urls.items()}
    urls = {attributes[name]["QueueArn"]: url for name, url in queue_urls.items()}
    hidden_counts = {of["QueueArn"]: int(of.get(_HIDDEN, "0")) for of in attributes.values()}
    targets = {
        name: json.loads(of["RedrivePolicy"])["deadLetterTargetArn"]
        for name, of in attributes.items()
        if "RedrivePolicy" in of
    }
    return [
        Pair(
            name,
            queue_urls[name],
            urls[arn] if arn in urls else _url(sqs, arn),
            hidden_counts.get(arn, 0),
        )
        for name, arn in targets.items()
    ]


def _attributes(sqs: SQSClient, url: str) -> Mapping[str, str]:
    answer = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy", _HIDDEN]
    )
    return {str(name): value for name, value in answer["Attributes"].items()}


_HIDDEN: Literal["ApproximateNumberOfMessagesNotVisible"] = "ApproximateNumberOfMessagesNotVisible"


def _url(sqs: SQSClient, arn: str) -> str:
    """Return the address of a queue that is not the stack's: somebody has set another one."""
    account_id, name = arn.split(":")[-2:]
    return sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)["QueueUrl"]


def letters(sqs: SQSClient, pair: Pair) -> list[Letter]:
    """Return the letters of *pair*, and leave them where they are."""
    messages: dict[str, Any] = {}
    try:
        for message in _received(sqs, pair.letters_url):
            messages[message["MessageId"]] = message
    finally:
        handles = [message["ReceiptHandle"] for message in messages.values()]
        _show_again(sqs, pair.letters_url, handles)
    return [
        Letter(pair.name, _moment(message), _reason(message), message["Body"])
        for message in messages.values()
    ]


def _show_again(sqs: SQSClient, url: str, handles: Sequence[str]) -> None:
    for start in range(0, len(handles), 10):
        # What fails is one that is visible again, or gone: as it shall be.
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[start : start + 10])
            ],
        )


def redrive(sqs: SQSClient, pair: Pair, *, now: Callable[[], float]) -> int:
    """
    Send the letters of *pair* back, and return how many.

    Each is sent before it is deleted, so that none is lost. Those that are dead-lettered
    again meanwhile stay.
    """
    began_ms = int(now() * 1000)
    count = 0
    staying: dict[str, str] = {}
    try:
        for message in _received(sqs, pair.letters_url):
            handle = message["ReceiptHandle"]
            if int(message["Attributes"]["SentTimestamp"]) >= began_ms:
                staying[message["MessageId"]] = handle
                continue
            sqs.send_message(QueueUrl=pair.source_url, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=pair.letters_url, ReceiptHandle=handle)
            count += 1
    finally:
        _show_again(sqs, pair.letters_url, list(staying.values()))
    return count


def _received(sqs: SQSClient, url: str) -> Iterator[Any]:
    # Each is hidden for a while, or the same ten would come again and again.
    seen_ids: set[str] = set()
    batches_of_nothing_new = 0
    while messages := sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["SentTimestamp"],
        MessageAttributeNames=["reason"],
        VisibilityTimeout=_HIDDEN_S,
        # Without a wait SQS asks only some of its servers, and may find nothing where letters are.
        WaitTimeSeconds=1,
    ).get("Messages"):
        ids = {message["MessageId"] for message in messages}
        batches_of_nothing_new = batches_of_nothing_new + 1 if ids <= seen_ids else 0
        if batches_of_nothing_new == _MAX_BATCHES_OF_NOTHING_NEW:
            return
        seen_ids |= ids
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
    """Print the dead letters of *stack*, and return about how many there are."""
    sqs = stack.client("sqs")
    with output.status(f"Reading the queues of stack {stack.name}"):
        read = pairs(sqs, stack.queue_urls)
        found = [letter for pair in read for letter in letters(sqs, pair)]
    hidden_count = sum(pair.hidden_count for pair in read)
    show(found, output, stack_name=stack.name, hidden_count=hidden_count)
    return len(found) + hidden_count


def show(
    found: Sequence[Letter], output: Output, *, stack_name: str, hidden_count: int = 0
) -> None:
    """Print *found* as JSON, as a table, or that there are none."""
    _say_hidden(hidden_count, output)
    if output.as_json:
        output.json({"letters": [asdict(letter) for letter in found], "hidden_count": hidden_count})
        return
    if not found:
        output.line(
            "No dead letter can be read now." if hidden_count else "There are no dead letters."
        )
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


def _say_hidden(count: int, output: Output) -> None:
    if count:
        output.notice(
            f"About {count} dead letters are hidden for up to {_HIDDEN_S} s: somebody else has "
            "just read them, or is sending them back. Ask again then."
        )


def _shown(body: str, *, cut: bool) -> str:
    return f"{body[:_SHOWN_CHARACTERS]}…" if cut and len(body) > _SHOWN_CHARACTERS else body


def redrive_all(stack: Stack, output: Output, *, now: Callable[[], float]) -> None:
    """Send all dead letters of *stack* back, and print how many of each queue."""
    sqs = stack.client("sqs")
    with output.status(f"Sending the dead letters of stack {stack.name} back"):
        read = pairs(sqs, stack.queue_urls)
        counts = {pair.name: redrive(sqs, pair, now=now) for pair in read}
    _say_hidden(sum(pair.hidden_count for pair in read), output)
    if output.as_json:
        output.json({"redriven": counts})
        return
    for name, count in counts.items():
        output.line(f"{name}: {count} sent back")
    output.line("What was done already is not done again. What fails again is listed again.")
