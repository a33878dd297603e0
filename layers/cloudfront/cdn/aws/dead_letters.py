"""Dead letters: messages that nobody here can handle, kept with the reason for people to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from cdn.aws import retryable
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON = "reason"

_MAX_REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A queue that nobody reads but people."""

    client: SQSClient
    queue_url: str

    def send(self, *, body: str, reason: str) -> None:
        """
        Dead-letter *body* at once, as SQS itself would after many receives, but with the reason.

        Args:
            reason: For people; only its first 500 characters are kept, and those that SQS does not
                take are escaped.

        Raises:
            RetryLaterError: SQS did not take it: let the message come again.
        """
        shortened = "".join(map(_shown, reason[:_MAX_REASON_CHARS]))
        try:
            self.client.send_message(
                QueueUrl=self.queue_url,
                MessageBody=body,
                MessageAttributes={REASON: {"DataType": "String", "StringValue": shortened}},
            )
        except (ClientError, BotoCoreError) as exc:
            raise RetryLaterError("SendMessage", retryable.code_of(exc)) from exc


def _shown(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
