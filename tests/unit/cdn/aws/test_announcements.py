"""An announcement says the same to machines and to people, under one id."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.stub import ANY, Stubber

from cdn.aws import announcements
from cdn.aws.announcements import Announcement, Announcer
from cdn.errors import RetryLaterError
from cdn.telemetry import Topic

END = Announcement(
    id="invalidation/E1/I1/completed",
    detail_type="Invalidation Completed",
    message="Invalidation Completed: I1 of distribution E1, 20 s after it began.",
    at_ms=1_795_305_600_000,
    details={"distribution_id": "E1"},
)
DETAIL = {
    "id": "invalidation/E1/I1/completed",
    "at": "2026-11-22T00:00:00.000Z",
    "distribution_id": "E1",
}
ENTRY = {
    "EventBusName": "default",
    "Source": "cloudfront.autopilot",
    "DetailType": "Invalidation Completed",
    "Time": datetime(2026, 11, 22, tzinfo=UTC),
    "Detail": json.dumps(DETAIL),
}
MESSAGE = """\
Invalidation Completed: I1 of distribution E1, 20 s after it began.

id: invalidation/E1/I1/completed
at: 2026-11-22T00:00:00.000Z
distribution_id: E1"""


@pytest.fixture
def announcer(client_of):
    topic_arns: dict[Topic, str] = {"attention": "arn:attention", "routine": "arn:routine"}
    return Announcer(client_of("events"), "default", client_of("sns"), topic_arns)


class TestPublish:
    def test_both(self, announcer):
        """
        The bus gets the details, the topic a sentence and the details.
        """
        with Stubber(announcer.events) as bus, Stubber(announcer.sns) as topic:
            bus.add_response("put_events", {"FailedEntryCount": 0}, {"Entries": [ENTRY]})
            topic.add_response(
                "publish",
                {"MessageId": "m"},
                {
                    "TopicArn": "arn:routine",
                    "Subject": "CloudFront: Invalidation Completed",
                    "Message": MESSAGE,
                    "MessageAttributes": {
                        "detail_type": {"DataType": "String", "StringValue": END.detail_type},
                        "id": {"DataType": "String", "StringValue": END.id},
                    },
                },
            )

            announcements.publish(announcer, END)

            bus.assert_no_pending_responses()
            topic.assert_no_pending_responses()

    @pytest.mark.parametrize(
        ("detail_type", "topic_arn"),
        [
            ("Deployment Superseded", "arn:routine"),
            ("Signing Key Deleted", "arn:routine"),
            ("Invalidation Refused", "arn:attention"),
            ("Changes Skipped", "arn:attention"),
            ("Changes Held", "arn:attention"),
            ("Signing Key Revoked", "arn:attention"),
        ],
    )
    def test_topic(self, announcer, detail_type, topic_arn):
        """
        What a person must act on has a topic of its own; the bus gets everything.
        """
        end = replace(END, detail_type=detail_type)
        expected = {"TopicArn": topic_arn} | dict.fromkeys(
            ("Subject", "Message", "MessageAttributes"), ANY
        )
        with Stubber(announcer.events) as bus, Stubber(announcer.sns) as topic:
            bus.add_response(
                "put_events",
                {"FailedEntryCount": 0},
                {"Entries": [ENTRY | {"DetailType": detail_type}]},
            )
            topic.add_response("publish", {"MessageId": "m"}, expected)

            announcements.publish(announcer, end)

            topic.assert_no_pending_responses()

    def test_not_taken(self, announcer):
        """
        An entry that the bus does not take is an error, though the call is none.
        """
        answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
        with Stubber(announcer.events) as bus:
            bus.add_response("put_events", answer, {"Entries": [ENTRY]})

            with pytest.raises(RetryLaterError, match="ThrottlingException"):
                announcements.publish(announcer, END)
