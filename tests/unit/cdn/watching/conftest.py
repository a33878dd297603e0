"""An event bus and a topic that take one announcement."""

import pytest
from botocore.stub import Stubber

from cdn.aws.announcements import Announcer
from cdn.telemetry import Topic


@pytest.fixture
def announcer(client_of):
    topic_arns: dict[Topic, str] = {"attention": "arn:attention", "routine": "arn:routine"}
    announcer = Announcer(client_of("events"), "default", client_of("sns"), topic_arns)
    with Stubber(announcer.events) as bus, Stubber(announcer.sns) as topic:
        bus.add_response("put_events", {"FailedEntryCount": 0})
        topic.add_response("publish", {"MessageId": "m"})
        yield announcer
