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
    "flush_timer_due": ("FlushTimersUrl", "send_invalidations"),
    "watch_timer_due": ("WatchTimersUrl", "poll_watches"),
}
ASKED = ("rotation_plan_requested", "revocation_requested")


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def test_all_known():
    """
    There is no sample that no test reads.
    """
    others = {"sweep_due", "rotation_due", "key_group_requested", *ASKED}
    assert {*SAMPLES, *others} == {path.stem for path in EVENTS.glob("*.json")}


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


def test_rotation():
    """
    So has that of rotation; and CloudFormation's request for the key group.
    """
    with signed.running(key=None) as cloud:
        world = cloud.world
        world.run(until=lambda: any(one.function == "rotate_keys" for one in world.invocations))
        world.custom_resources.send("KeyGroup", "Create", {})

    due, *_, wanted = (one for one in world.invocations if one.function == "rotate_keys")
    assert sample("rotation_due").keys() == due.event.keys()
    assert sample("key_group_requested").keys() == wanted.event.keys()
    properties = wanted.event["ResourceProperties"]
    assert sample("key_group_requested")["ResourceProperties"].keys() == properties.keys()


@pytest.mark.parametrize("name", ASKED)
def test_asked(name):
    """
    What people ask of rotation is answered.
    """
    with signed.running(key=None) as cloud:
        (function,) = (one for one in cloud.world.deployment.functions if one.name == "rotate_keys")
        outcome = cloud.world.call(function, sample(name))

    assert outcome.error is None
    assert {"next", "refused"} & outcome.answer.keys()
