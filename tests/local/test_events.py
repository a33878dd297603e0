"""The samples in `events/` are what Lambda hands over, and each function takes its own."""

import json
from pathlib import Path

import pytest

from tests.local import signed, suite

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = {
    "object_created": ("UploadsUrl", "notice_upload"),
    "object_created_notified": ("UploadsUrl", "notice_upload"),
    "object_created_notified_by_topic": ("UploadsUrl", "notice_upload"),
    "object_deleted": ("UploadsUrl", "notice_upload"),
    "object_deleted_notified": ("UploadsUrl", "notice_upload"),
    "object_expired": ("UploadsUrl", "notice_upload"),
    "notification_configured": ("UploadsUrl", "notice_upload"),
    "message_not_understood": ("UploadsUrl", "notice_upload"),
    "flush_clock_rang": ("FlushClockUrl", "send_invalidations"),
    "watch_clock_rang": ("WatchClockUrl", "watch_deployment"),
}


# What `rotate_keys` is called with, and what it then says.
INVOKED = {
    "rotation_due": "taken",
    "plan_wanted": "next",
    "revocation_wanted": "refused",
}


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_all_known():
    """
    There is no sample that no test reads.
    """
    assert {*SAMPLES, *INVOKED, "sweep_due", "key_group_wanted"} == {
        path.stem for path in EVENTS.glob("*.json")
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_queued(name):
    """
    What the pollers make of a sample's bodies has the sample's form, and is taken whole.
    """
    output, function = SAMPLES[name]
    with suite.running() as cloud:
        world = cloud.world
        world.invocations.clear()
        for record in sample(name)["Records"]:
            world.client("sqs").send_message(
                QueueUrl=world.outputs[output], MessageBody=record["body"]
            )
        world.run(until=lambda: world.invocations)

    (first,) = world.invocations
    assert function == first.function
    assert {"batchItemFailures": []} == first.outcome.answer
    for given, taken in zip(sample(name)["Records"], first.event["Records"], strict=True):
        assert given.keys() == taken.keys()
        assert given["attributes"].keys() == taken["attributes"].keys()
        assert given["body"] == taken["body"]
        assert given["md5OfBody"] == taken["md5OfBody"]


def test_scheduled():
    """
    The schedule's event has the form of its sample.
    """
    with suite.running() as cloud:
        world = cloud.world
        world.invocations.clear()
        world.run(until=lambda: world.invocations, limit_s=600)

    (first,) = world.invocations
    assert "sweep" == first.function
    assert {"rung": []} == first.outcome.answer
    assert sample("sweep_due").keys() == first.event.keys()


@pytest.mark.parametrize("name", INVOKED)
def test_invoked(name):
    """
    What the function that rotates keys is called with, it understands.
    """
    with signed.running() as cloud:
        outcome = cloud.world.invoke("rotate_keys", sample(name))

    assert outcome.error is None
    assert INVOKED[name] in outcome.answer


def test_custom_resource():
    """
    CloudFormation's request for the key group has the form of its sample.
    """
    with signed.running() as cloud:
        cloud.world.invocations.clear()
        cloud.world.custom("KeyGroup", "Update")

        (asked,) = [one.event for one in cloud.world.invocations]
        assert sample("key_group_wanted").keys() <= asked.keys() | {"PhysicalResourceId"}
