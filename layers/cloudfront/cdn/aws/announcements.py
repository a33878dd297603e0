"""Announcements: what came to its end, on the event bus for machines and by SNS for people.

Neither PutEvents nor Publish takes a token, so an announcement may come twice. It has one
id for ever, by which whoever listens can tell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

SOURCE = "cloudfront.autopilot"

_LONGEST_SUBJECT = 100


@dataclass(frozen=True, slots=True)
class Announcement:
    """
    One end of one thing.

    Attributes:
        id: Names the thing and its end, and so is the same however often it is published.
        kind: The event's detail-type, such as `Invalidation Completed`.
        sentence: The same for people.
    """

    id: str
    kind: str
    sentence: str
    at_ms: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears of it."""

    events: EventBridgeClient
    bus_name: str
    sns: SNSClient
    topic_arn: str


def publish(audience: Audience, announcement: Announcement) -> None:
    """
    Say it on the event bus and on the topic.

    Raises:
        RetryLaterError: The event bus did not take it.
    """
    detail = {"id": announcement.id, "at": moment(announcement.at_ms), **announcement.facts}
    answer = audience.events.put_events(
        Entries=[
            {
                "EventBusName": audience.bus_name,
                "Source": SOURCE,
                "DetailType": announcement.kind,
                "Time": datetime.fromtimestamp(announcement.at_ms / 1000, tz=UTC),
                "Detail": json.dumps(detail),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise RetryLaterError("PutEvents", answer["Entries"][0].get("ErrorCode", ""))
    audience.sns.publish(
        TopicArn=audience.topic_arn,
        Subject=f"CloudFront: {announcement.kind}"[:_LONGEST_SUBJECT],
        Message="\n".join(
            [announcement.sentence, "", *(f"{name}: {value}" for name, value in detail.items())]
        ),
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": announcement.kind},
            "id": {"DataType": "String", "StringValue": announcement.id},
        },
    )


def moment(at_ms: int) -> str:
    """
    Write a moment as people and JSON readers expect it.

    >>> moment(1_790_000_000_500)
    '2026-09-21T14:13:20.500Z'
    """
    text = datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
