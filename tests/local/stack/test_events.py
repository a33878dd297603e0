"""The samples in `events/` are what Lambda hands over, and each function takes its own."""

import json
from pathlib import Path

import pytest

from tests.local import signed, suite

EVENTS = Path(__file__).parents[3] / "events"
SAMPLES = {
    "object_created": ("UploadsUrl", "collect_changes"),
    "object_created_notified": ("UploadsUrl", "collect_changes"),
    "object_created_notified_by_topic": ("UploadsUrl", "collect_changes"),
    "object_deleted": ("UploadsUrl", "collect_changes"),
    "object_deleted_notified": ("UploadsUrl", "collect_changes"),
    "object_expired": ("UploadsUrl", "collect_changes"),
    "notification_configured": ("UploadsUrl", "collect_changes"),
    "message_unreadable": ("UploadsUrl", "collect_changes"),
    "flush_timer_due": ("FlushTimersUrl", "plan_invalidations"),
    "batch_timer_due": ("BatchTimersUrl", "send_invalidations"),
    "watch_timer_due": ("WatchTimersUrl", "poll_watches"),
}
REQUESTED = ("rotation_plan_requested", "revocation_requested")


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_all_known():
    """
    Every sample is read by a test.
    """
    others = {"sweep_due", "rotation_due", "key_group_requested", *REQUESTED}
    assert {*SAMPLES, *others} == {path.stem for path in EVENTS.glob("*.json")}


@pytest.mark.parametrize("name", SAMPLES)
def test_queued(name):
    """
    What the pollers make of a sample's bodies has the sample's form, and no message fails.
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

    (invocation,) = world.invocations
    assert function == invocation.function
    assert {"batchItemFailures": []} == invocation.outcome.answer
    for expected, record in zip(sample(name)["Records"], invocation.event["Records"], strict=True):
        assert expected.keys() == record.keys()
        assert expected["attributes"].keys() == record["attributes"].keys()
        assert expected["body"] == record["body"]
        assert expected["md5OfBody"] == record["md5OfBody"]


def test_scheduled():
    """
    The schedule's event has the form of its sample.
    """
    with suite.running() as cloud:
        world = cloud.world
        world.invocations.clear()
        world.run(until=lambda: world.invocations, limit_s=600)

    (invocation,) = world.invocations
    assert "sweep" == invocation.function
    assert {"rescheduled_count": 0} == invocation.outcome.answer
    assert sample("sweep_due").keys() == invocation.event.keys()


def rotations(world):
    """Return the invocations of the function that rotates keys."""
    return [invocation for invocation in world.invocations if invocation.function == "rotate_keys"]


def test_rotation():
    """
    The event of rotation and CloudFormation's request for the key group have theirs.
    """
    with signed.running(key=None) as cloud:
        world = cloud.world
        world.run(until=lambda: rotations(world))
        world.custom_resources.send("KeyGroup", "Create", {})

    due, *_, requested = rotations(world)
    assert sample("rotation_due").keys() == due.event.keys()
    assert sample("key_group_requested").keys() == requested.event.keys()
    properties = requested.event["ResourceProperties"]
    assert sample("key_group_requested")["ResourceProperties"].keys() == properties.keys()


@pytest.mark.parametrize("name", REQUESTED)
def test_requested(name):
    """
    What a person requests of rotation is answered.
    """
    with signed.running(key=None) as cloud:
        functions = {function.name: function for function in cloud.world.deployment.functions}
        outcome = cloud.world.call(functions["rotate_keys"], sample(name))

    assert outcome.error is None
    assert {"next", "refused"} & outcome.answer.keys()
