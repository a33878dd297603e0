"""What S3 says of its objects: events by EventBridge, notifications, and either inside SNS.

Whoever may upload chooses keys, and whoever may send to the queue chooses everything. So types and
sizes are checked here, record by record: what is read further on is what S3 can have written.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote_plus

from cdn import telemetry
from cdn.errors import MessageError
from cdn.invalidation.changes import Change

MAX_KEY_BYTES = 1_024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

# Each byte may be written as three characters.
_MAX_ENCODED_KEY_BYTES = 3 * MAX_KEY_BYTES
_MAX_TEXT_BYTES = 128
_MAX_SHOWN_CHARS = 80

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
_KINDS: dict[str, Literal["created", "deleted"]] = {
    "Object Created": "created",
    "Object Deleted": "deleted",
    "ObjectCreated": "created",
    "ObjectRemoved": "deleted",
    "LifecycleExpiration": "deleted",
}

TEST_EVENT = "S3 sends it when a notification is configured"
SAME_OBJECT = "the object is the same after it"
VERSION_EXPIRED = "a lifecycle rule removed one version by its id, and the current one stays"


class Unreadable(NamedTuple):
    """A record that nobody can read: what is dead-lettered of the message, and why."""

    body: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What one message says.

    Attributes:
        changes: Each with its bucket.
        unreadable: Records, each in a message of its own that can be sent again.
        ignored: How many records change nothing that viewers see, by the reason.
    """

    changes: list[tuple[str, Change]] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def read(body: str, *, buckets: tuple[str, ...]) -> Reading:
    """
    Return what a message says of objects in *buckets*, record by record.

    Understood are S3's events by EventBridge, its notifications, and either inside an SNS
    envelope. A record that is none of these, has not what these have, or is of another bucket is
    unreadable, and no other is for its sake.
    """
    reading = Reading()
    try:
        message = _parsed(body)
        if _is_from_topic(message):
            message = _parsed(message["Message"])
    except MessageError as exc:
        reading.unreadable.append(Unreadable(body, exc.reason))
        return reading
    match message:
        case {"Records": list(records)} if len(records) > 1:
            for record in records:
                alone = json.dumps({"Records": [record]})
                _add(reading, alone, _of_record, record, buckets)
        case {"Records": [record]}:
            _add(reading, body, _of_record, record, buckets)
        case {"detail-type": _, "detail": _}:
            _add(reading, body, _of_event, message, buckets)
        case {"Event": "s3:TestEvent"}:
            reading.ignored[TEST_EVENT] += 1
        case _:
            reason = "the body is neither an S3 event nor an S3 notification"
            reading.unreadable.append(Unreadable(body, reason))
    return reading


def written(bucket: str, change: Change) -> str:
    """
    Return *change* as a message that `read` understands, so that it can be sent again.

    >>> change = Change("a.css", "deleted", "55AE", 1_790_000_000_000)
    >>> read(written("site", change), buckets=("site",)).changes == [("site", change)]
    True
    """
    kinds = {"created": "Object Created", "deleted": "Object Deleted"}
    detail = {
        "bucket": {"name": bucket},
        "object": {"key": change.key, "sequencer": change.sequencer},
    }
    return json.dumps(
        {
            "source": "aws.s3",
            "detail-type": kinds[change.kind],
            "time": telemetry.moment(change.at_ms),
            "detail": detail,
        }
    )


def _parsed(text: str) -> Any:  # noqa: ANN401  # whatever JSON holds
    try:
        return json.loads(text)
    except ValueError as exc:
        raise MessageError(f"the body is no S3 event: {exc}") from exc
    except RecursionError as exc:
        raise MessageError("the body is no S3 event: it is nested too deeply") from exc


def _is_from_topic(message: Any) -> bool:  # noqa: ANN401  # whatever JSON holds
    match message:
        case {"Type": "Notification", "Message": str()}:
            return True
        case _:
            return False


def _add(
    reading: Reading,
    body: str,
    change_of: Callable[[Any], tuple[str, Change] | str],
    record: Any,  # noqa: ANN401  # whatever JSON holds
    buckets: tuple[str, ...],
) -> None:
    try:
        change = change_of(record)
    except MessageError as exc:
        reading.unreadable.append(Unreadable(body, exc.reason))
        return
    if isinstance(change, str):
        reading.ignored[change] += 1
    elif change[0] in buckets:
        reading.changes.append(change)
    else:
        reason = f"bucket {_shown(change[0])} is not among UploadBuckets"
        reading.unreadable.append(Unreadable(body, reason))


def _of_event(event: dict[str, Any]) -> tuple[str, Change] | str:
    """
    Return the bucket and the change of an event of EventBridge's, or why it is ignored.

    Its key is raw. Powertools' accessor would decode it, and so lose every `+` and `%`.
    """
    kind = _text(event, "detail-type")
    if kind not in _KINDS:
        raise MessageError(f"the body is no S3 event of a change: it is {_shown(kind)}")
    key = _text(event, "detail", "object", "key", max_bytes=MAX_KEY_BYTES)
    change = Change(
        key=_nonempty(key),
        kind=_KINDS[kind],
        sequencer=_optional(event, "detail", "object", "sequencer"),
        at_ms=_epoch_ms(_text(event, "time")),
    )
    detail = event["detail"]
    if (
        (detail.get("reason"), detail.get("deletion-type"))
        == ("Lifecycle Expiration", "Permanently Deleted")
    ) and _is_version(detail["object"].get("version-id")):
        return VERSION_EXPIRED
    return _text(event, "detail", "bucket", "name"), change


def _of_record(record: Any) -> tuple[str, Change] | str:  # noqa: ANN401  # whatever JSON holds
    """
    Return the bucket and the change of one record of a notification, or why it is ignored.

    Its key is form-encoded. Powertools' accessor for records would leave it so.
    """
    version = _text(record, "eventVersion")
    if not version.startswith("2."):
        raise MessageError(f"eventVersion {_shown(version)} is not 2.x")
    name = _text(record, "eventName")
    kind = _KINDS.get(name.partition(":")[0])
    if kind is None:
        # It was restored, tagged or replicated.
        return SAME_OBJECT
    encoded = _text(record, "s3", "object", "key", max_bytes=_MAX_ENCODED_KEY_BYTES)
    change = Change(
        key=_nonempty(_decoded(encoded)),
        kind=kind,
        sequencer=_optional(record, "s3", "object", "sequencer"),
        at_ms=_epoch_ms(_text(record, "eventTime")),
    )
    if name == "LifecycleExpiration:Delete" and _is_version(
        record["s3"]["object"].get("versionId")
    ):
        return VERSION_EXPIRED
    return _text(record, "s3", "bucket", "name"), change


def _is_version(version_id: Any) -> bool:  # noqa: ANN401  # whatever JSON holds
    # "null" is the id of what was written without versioning, and may be all that there is.
    return isinstance(version_id, str) and version_id not in {"", "null"}


def _text(source: Any, *names: str, max_bytes: int = _MAX_TEXT_BYTES) -> str:  # noqa: ANN401
    """Return the text under *names*, one within the other."""
    where = ".".join(names)
    value = source
    for name in names:
        if not isinstance(value, dict) or name not in value:
            raise MessageError(f"the body is no S3 event: it lacks {where}")
        value = value[name]
    if not isinstance(value, str):
        raise MessageError(f"{where} must be a text, and is {_shown(value)}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as exc:
        raise MessageError(f"{where} has half of a surrogate pair: {_shown(value)}") from exc
    if size > max_bytes:
        raise MessageError(f"{where} has {size} bytes, and S3 writes no more than {max_bytes}")
    return value


def _optional(source: dict[str, Any], *names: str) -> str:
    """Return the text under *names*, which exists but for its last name; empty without that."""
    *parents, last = names
    value = source
    for name in parents:
        value = value[name]
    return _text(source, *names) if last in value else ""


def _decoded(encoded: str) -> str:
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as exc:
        raise MessageError(f"s3.object.key is no UTF-8: {_shown(encoded)}") from exc
    if len(key.encode()) > MAX_KEY_BYTES:
        raise MessageError(f"s3.object.key has more than {MAX_KEY_BYTES} bytes")
    return key


def _nonempty(key: str) -> str:
    if not key:
        raise MessageError("the object's key is empty")
    return key


def _epoch_ms(moment: str) -> int:
    try:
        at = datetime.fromisoformat(moment)
    except ValueError as exc:
        raise MessageError(f"the time {_shown(moment)} is no time of ISO 8601") from exc
    if at.tzinfo is None:
        raise MessageError(f"the time {_shown(moment)} has no time zone")
    return int(at.timestamp() * 1000)


def _shown(value: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    """Return *value* in few plain characters: it goes to logs, and to people."""
    text = value if isinstance(value, str) else type(value).__name__
    shown = ascii(text[:_MAX_SHOWN_CHARS])
    return f"{shown} …" if len(text) > _MAX_SHOWN_CHARS else shown
