"""An object changed in S3: note it, so that its cached copies go away with the next flush."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote_plus
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from cdn import clients, settings
from cdn.aws import dead_letters
from cdn.aws.table import Ledger
from cdn.aws.timers import Clock
from cdn.errors import MessageError
from cdn.invalidation import collecting
from cdn.invalidation.changes import Change
from cdn.invalidation.flushes import Pace
from cdn.settings import CollectChangesSettings

logger = Logger()

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
_KINDS: dict[str, Literal["created", "deleted"]] = {
    "Object Created": "created",
    "Object Deleted": "deleted",
    "ObjectCreated": "created",
    "ObjectRemoved": "deleted",
    "LifecycleExpiration": "deleted",
}


@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Note every change of a batch from the queue `Uploads`; set aside what cannot be read."""
    told = settings.read(CollectChangesSettings)
    noted = defaultdict[str, list[Change]](list)
    for record in event["Records"]:
        try:
            for bucket, change in _changes(record["body"], buckets=told.upload_buckets):
                noted[bucket].append(change)
        except MessageError as exc:
            logger.warning("message set aside", message_id=record["messageId"], why=exc.reason)
            dead_letters.send(
                clients.sqs(), told.dead_letters_url, body=record["body"], reason=exc.reason
            )

    desk = collecting.Desk(
        ledger=Ledger(clients.dynamodb(), told.ledger_table),
        flush_timers=Clock(clients.sqs(), told.flush_timers_url),
        pace=Pace(told.quiet_period_s * 1000, told.max_wait_s * 1000),
        now=time.time,
        token=lambda: uuid4().hex,
    )
    for bucket, changes in noted.items():
        collecting.note(desk, bucket, changes)
        logger.info("changes noted", bucket=bucket, changes=len(changes))
    return {"batchItemFailures": []}


def _changes(body: str, *, buckets: tuple[str, ...]) -> list[tuple[str, Change]]:
    """
    Read the changes of *buckets* that a message tells.

    Understood are S3's events by EventBridge, its notifications, and either inside an SNS
    envelope.

    Raises:
        MessageError: It is none of these, lacks what these have, or tells of another bucket.
    """
    try:
        told = list(_read(json.loads(body)))
    except (ValueError, TypeError, AttributeError) as exc:
        raise MessageError(f"the body is no S3 event: {exc}") from exc
    except KeyError as exc:
        raise MessageError(f"the body is no S3 event: it lacks {exc.args[0]!r}") from exc
    for bucket, _ in told:
        if bucket not in buckets:
            raise MessageError(f"bucket {bucket!r} is not among UploadBuckets")
    return told


def _read(message: Any) -> Iterator[tuple[str, Change]]:  # noqa: ANN401  # whatever JSON holds
    match message:
        case {"Type": "Notification", "Message": str(inner)}:
            yield from _read(json.loads(inner))
        case {"detail-type": str(kind), "detail": detail} if kind in _KINDS:
            yield detail["bucket"]["name"], _of_event(message)
        case {"Records": list(records)} if records:
            for record in records:
                # Restored, tagged or replicated objects are the same objects.
                if record["eventName"].partition(":")[0] in _KINDS:
                    yield record["s3"]["bucket"]["name"], _of_record(record)
        case {"Event": "s3:TestEvent"}:
            # S3 sends one when a notification is configured.
            return
        case _:
            raise MessageError("the body is neither an S3 event nor an S3 notification")


def _of_event(event: dict[str, Any]) -> Change:
    """
    Read an event as EventBridge delivers it.

    Its key is raw. Powertools' accessor would decode it, and so lose every `+` and `%`.
    """
    changed = event["detail"]["object"]
    return Change(
        key=changed["key"],
        kind=_KINDS[event["detail-type"]],
        sequencer=changed.get("sequencer", ""),
        at_ms=_epoch_ms(event["time"]),
    )


def _of_record(record: dict[str, Any]) -> Change:
    """
    Read one record of an S3 notification.

    Its key is form-encoded. Powertools' accessor for records would leave it so.
    """
    if not record["eventVersion"].startswith("2."):
        raise MessageError(f"eventVersion {record['eventVersion']!r} is not 2.x")
    changed = record["s3"]["object"]
    return Change(
        key=unquote_plus(changed["key"], errors="strict"),
        kind=_KINDS[record["eventName"].partition(":")[0]],
        sequencer=changed.get("sequencer", ""),
        at_ms=_epoch_ms(record["eventTime"]),
    )


def _epoch_ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
