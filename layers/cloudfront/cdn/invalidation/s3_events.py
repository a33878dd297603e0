"""What S3 says of its objects: events by EventBridge, notifications, and either inside SNS."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote_plus

from cdn.errors import MessageError
from cdn.invalidation.changes import Change

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
_KINDS: dict[str, Literal["created", "deleted"]] = {
    "Object Created": "created",
    "Object Deleted": "deleted",
    "ObjectCreated": "created",
    "ObjectRemoved": "deleted",
    "LifecycleExpiration": "deleted",
}


def changes(body: str, *, buckets: tuple[str, ...]) -> list[tuple[str, Change]]:
    """
    Return the changes of *buckets* in a message, each with its bucket.

    Understood are S3's events by EventBridge, its notifications, and either inside an SNS
    envelope.

    Raises:
        MessageError: It is none of these, lacks what these have, or is of another bucket.
    """
    try:
        found = list(_read(json.loads(body)))
    except (ValueError, TypeError, AttributeError) as exc:
        raise MessageError(f"the body is no S3 event: {exc}") from exc
    except KeyError as exc:
        raise MessageError(f"the body is no S3 event: it lacks {exc.args[0]!r}") from exc
    for bucket, _ in found:
        if bucket not in buckets:
            raise MessageError(f"bucket {bucket!r} is not among UploadBuckets")
    return found


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
