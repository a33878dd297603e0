"""Announcements: what came to its end, on the event bus for machines and by SNS for people.

Neither PutEvents nor Publish takes a token, so an announcement may come twice. It has one
id for ever, by which whoever listens can tell.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cdn import telemetry
from cdn.errors import RetryLaterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

    from cdn.telemetry import Topic

SOURCE = "cloudfront.autopilot"

_MAX_SUBJECT = 100


@dataclass(frozen=True, slots=True)
class Announcement:
    """
    One end of one thing.

    Attributes:
        id: Names the thing and its end, and so is the same however often it is published.
        detail_type: See `telemetry.DETAIL_TYPES`.
        message: The same for people.
    """

    id: str
    detail_type: str
    message: str
    at_ms: int
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Announcer:
    """Where announcements are published: an event bus, and a topic for those who must act."""

    events: EventBridgeClient
    bus_name: str
    sns: SNSClient
    topic_arns: Mapping[Topic, str]


def publish(announcer: Announcer, announcement: Announcement) -> None:
    """
    Publish on the event bus and on the topic of the detail type.

    Raises:
        RetryLaterError: The event bus did not take it.
    """
    detail = {
        "id": announcement.id,
        "at": telemetry.moment(announcement.at_ms),
        **announcement.details,
    }
    response = announcer.events.put_events(
        Entries=[
            {
                "EventBusName": announcer.bus_name,
                "Source": SOURCE,
                "DetailType": announcement.detail_type,
                "Time": datetime.fromtimestamp(announcement.at_ms / 1000, tz=UTC),
                "Detail": json.dumps(detail),
            }
        ]
    )
    if response["FailedEntryCount"]:
        raise RetryLaterError("PutEvents", response["Entries"][0].get("ErrorCode", ""))
    announcer.sns.publish(
        TopicArn=announcer.topic_arns[telemetry.DETAIL_TYPES[announcement.detail_type]],
        Subject=f"CloudFront: {announcement.detail_type}"[:_MAX_SUBJECT],
        Message="\n".join(
            [announcement.message, "", *(f"{name}: {value}" for name, value in detail.items())]
        ),
        MessageAttributes={
            "detail_type": {"DataType": "String", "StringValue": announcement.detail_type},
            "id": {"DataType": "String", "StringValue": announcement.id},
        },
    )
