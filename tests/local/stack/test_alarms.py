"""Each alarm of the template fires by its cause and not without it, and the right people hear."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from cdn.invalidation import budget
from local.cloudformation import TemplateError
from local.faults import Does, Rule
from tests.local import signed, suite

ALARMS = [
    name
    for name, about in yaml_parse(suite.TEMPLATE.read_text())["Resources"].items()
    if about["Type"] == "AWS::CloudWatch::Alarm"
]
HOUR_S = 3_600


@contextmanager
def running(**how):
    """Run the suite with its endpoint, after its first sweep; it hears of a bucket's changes."""
    with signed.running(**how) as cloud:
        cloud.world.client("s3").put_bucket_notification_configuration(
            Bucket="site", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        cloud.world.run(limit_s=60)
        yield cloud


def subscribed(world, topic):
    """Subscribe a queue to *topic* (its name in the template), and return where it is."""
    url = world.client("sqs").create_queue(QueueName=f"heard-{topic}")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:123456789012:heard-{topic}"
    world.client("sns").subscribe(
        TopicArn=world.deployment.resources[topic], Protocol="sqs", Endpoint=arn
    )
    return url


def heard(world, url):
    """Return the messages that came to a subscribed queue."""
    bodies = []
    while messages := (
        world.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages")
    ):
        for message in messages:
            bodies.append(json.loads(message["Body"])["Message"])
            world.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def upload(cloud, count=1):
    for number in range(count):
        cloud.world.client("s3").put_object(
            Bucket="site", Key=f"users/42/{number}.html", Body=b"new"
        )


def deny(cloud, **calls):
    """Have AWS refuse these calls from now on."""
    rule = Rule(does=Does.FAIL, times=None, status=403, code="AccessDenied", **calls)
    cloud.world.faults.rules.append(rule)


def crash(cloud, *, function):
    """Have a function end at its first call to AWS, whenever it runs."""
    cloud.world.faults.rules.append(Rule(does=Does.CRASH_BEFORE, caller=function, times=None))
    upload(cloud)


def crash_signing(cloud):
    """Call the function that signs with what is no request."""
    cloud.world.invoke("sign_access", {})


def stop(cloud, *, function):
    """Set a function's reserved concurrency to 0."""
    cloud.world.stopped.add(function)
    upload(cloud)


def stop_signing(cloud):
    cloud.world.stopped.add("sign_access")
    assert cloud.urls(f"https://{signed.HOST}/users/42/a.jpg").status == 500


def time_out(cloud):
    """Have the first call to AWS of a function last too long, twice."""
    rule = Rule(does=Does.TIME_OUT, caller="collect_changes", times=2)
    cloud.world.faults.rules.append(rule)
    upload(cloud)


def refuse_lists(cloud):
    deny(cloud, operation="ListDistributions")
    upload(cloud)


def refuse_invalidations(cloud):
    deny(cloud, operation="CreateInvalidation")
    upload(cloud)


def forget_key(cloud):
    """Have the secret hold no key any more."""
    cloud.keep({"placeholder": True})
    signed.forget()
    assert cloud.urls(f"https://{signed.HOST}/users/42/a.jpg").status == 503


def send(cloud, *, queue, body="?"):
    """Send a message to a queue by hand."""
    url = cloud.world.deployment.resources[queue]
    cloud.world.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def use_up_free_items(cloud):
    """Have the month's free items be used up already, and a few more sent."""
    now_ms = int(cloud.world.virtual_time.now() * 1000)
    yesterday_ms = now_ms - 24 * HOUR_S * 1000
    budget.reserve(suite.ledger(cloud), 1_000, limit=None, now_ms=yesterday_ms)
    upload(cloud, count=3)


def throttle_rotation(cloud):
    """Have AWS throttle what rotation does with a new key after its hold time."""
    rule = Rule(does=Does.THROTTLE, caller="rotate_keys", operation="PutSecretValue", times=None)
    cloud.world.faults.rules.append(rule)


def delay_rotation(cloud):
    """Have that throttled for days, from when a first key signs."""
    cloud.world.run(limit_s=3 * HOUR_S)
    throttle_rotation(cloud)
    cloud.world.virtual_time.advance(5 * 24 * HOUR_S)


CAUSES: dict[str, Callable[[Any], object]] = {
    "StepsFailedAlarm": refuse_lists,
    "FunctionTimeoutsAlarm": time_out,
    "ScheduleDeadLettersAlarm": partial(crash, function="sweep"),
    "CollectChangesFailedAlarm": partial(crash, function="collect_changes"),
    "CollectChangesThrottledAlarm": partial(stop, function="collect_changes"),
    "UploadsAgeAlarm": partial(stop, function="collect_changes"),
    "UploadsDeadLettersAlarm": partial(send, queue="Uploads"),
    "PlanInvalidationsFailedAlarm": partial(crash, function="plan_invalidations"),
    "PlanInvalidationsThrottledAlarm": partial(stop, function="plan_invalidations"),
    "FlushTimersDeadLettersAlarm": refuse_lists,
    "UnsentChangesAlarm": partial(stop, function="plan_invalidations"),
    "ChangesHeldAlarm": partial(upload, count=3),
    "ItemsLastHourAlarm": partial(upload, count=3),
    "CostTodayAlarm": use_up_free_items,
    "SendInvalidationsFailedAlarm": partial(crash, function="send_invalidations"),
    "SendInvalidationsThrottledAlarm": partial(stop, function="send_invalidations"),
    "BatchTimersDeadLettersAlarm": refuse_invalidations,
    "PollWatchesFailedAlarm": partial(crash, function="poll_watches"),
    "PollWatchesThrottledAlarm": partial(stop, function="poll_watches"),
    "WatchTimersDeadLettersAlarm": partial(send, queue="WatchTimersDeadLetters"),
    "SweepFailedAlarm": partial(crash, function="sweep"),
    "SweepThrottledAlarm": partial(stop, function="sweep"),
    "OverdueRowsAlarm": partial(stop, function="plan_invalidations"),
    "SigningErrorsAlarm": forget_key,
    "SignAccessFailedAlarm": crash_signing,
    "SignAccessThrottledAlarm": stop_signing,
    "RotationFailedAlarm": partial(crash, function="rotate_keys"),
    "RotateKeysThrottledAlarm": partial(stop, function="rotate_keys"),
    "RotationStepsFailedAlarm": throttle_rotation,
    "RotationOverdueAlarm": delay_rotation,
}
# A key that signs for a day, and whose successor is late by three more.
ROTATING = {"key": None, "parameters": {"RotationDays": "1", "HoldHours": "1"}}
SETTINGS: dict[str, dict[str, Any]] = {
    "ChangesHeldAlarm": {"parameters": {"DailyItems": "1"}},
    "ItemsLastHourAlarm": {"parameters": {"AlarmItemsAnHour": "3"}},
    "CostTodayAlarm": {"parameters": {"AlarmCentsToday": "1"}},
    "RotationStepsFailedAlarm": ROTATING,
    "RotationOverdueAlarm": ROTATING,
}
# What AWS refuses is tried for half a day.
LIMITS_S = {"FlushTimersDeadLettersAlarm": 24 * HOUR_S, "BatchTimersDeadLettersAlarm": 24 * HOUR_S}


# One of each kind; all others only move virtual time for longer.
SHORT = {
    "CollectChangesFailedAlarm",
    "FunctionTimeoutsAlarm",
    "ScheduleDeadLettersAlarm",
    "SignAccessThrottledAlarm",
    "UnsentChangesAlarm",
    "UploadsDeadLettersAlarm",
}


def test_causes():
    """
    Each alarm of the template has a cause here, and no other has.
    """
    assert {*CAUSES} == {*ALARMS}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in SHORT else [pytest.mark.prove]) for name in ALARMS],
)
def test_fires(name):
    """
    An alarm that is OK fires by its cause, and whoever must act hears of it.
    """
    with running(**SETTINGS.get(name, {})) as cloud:
        world = cloud.world
        assert world.cloudwatch.states()[name] == "OK"
        url = subscribed(world, "AttentionTopic")

        CAUSES[name](cloud)

        for _ in range(0, LIMITS_S.get(name, 3 * HOUR_S), 300):
            world.run(limit_s=300)
            if world.cloudwatch.states()[name] == "ALARM":
                break
        told = [json.loads(text) for text in heard(world, url) if text.startswith("{")]
        states = [
            (about["NewStateValue"], "First step:" in about["AlarmDescription"])
            for about in told
            if about["AlarmName"] == f"autopilot-{name}"
        ]
        assert states[0] == ("ALARM", True)


@pytest.mark.prove
def test_quiet():
    """
    Where all goes as it should no alarm ever fires, and nobody who must act is told anything.
    """
    with running() as cloud:
        world = cloud.world
        assert set(world.cloudwatch.states()) == {*ALARMS}
        urls = {topic: subscribed(world, topic) for topic in ("AttentionTopic", "RoutineTopic")}
        for _ in range(6):
            upload(cloud, count=3)
            assert cloud.urls(f"https://{signed.HOST}/users/42/a.jpg").status == 200
            world.run(limit_s=600)

        assert set(world.cloudwatch.states().values()) == {"OK"}
        assert heard(world, urls["AttentionTopic"]) == []
        assert "Invalidation Completed" in heard(world, urls["RoutineTopic"])[0]


@pytest.mark.prove
def test_first_minutes():
    """
    Before the first datum nobody is alarmed, and only what the sweep must tell is not known yet.
    """
    with suite.running() as cloud:
        world = cloud.world
        url = subscribed(world, "AttentionTopic")
        world.run(limit_s=120)

        states = world.cloudwatch.states()
        assert {name for name, state in states.items() if state != "OK"} == {"OverdueRowsAlarm"}
        assert states["OverdueRowsAlarm"] == "INSUFFICIENT_DATA"
        told = [json.loads(text) for text in heard(world, url)]
        assert {about["NewStateValue"] for about in told} <= {"OK"}


@pytest.mark.prove
def test_no_sweep():
    """
    A sweep that does not run any more is told of, though it writes nothing.
    """
    with running() as cloud:
        world = cloud.world
        assert world.cloudwatch.states()["OverdueRowsAlarm"] == "OK"
        url = subscribed(world, "AttentionTopic")

        stop(cloud, function="sweep")
        world.run(limit_s=1_500)

        assert world.cloudwatch.states()["OverdueRowsAlarm"] == "INSUFFICIENT_DATA"
        told = [json.loads(text) for text in heard(world, url)]
        assert "autopilot-OverdueRowsAlarm" in {about["AlarmName"] for about in told}


BUCKETS = [f"{number:02d}{'x' * 61}" for number in range(26)]


def test_many_buckets():
    """
    The rule has room for as many buckets as UploadBuckets takes, however long their names are.
    """
    with suite.running(parameters={"UploadBuckets": ",".join(["site", *BUCKETS[:24]])}) as cloud:
        rules = cloud.world.client("events").list_rules()["Rules"]

        (pattern,) = (
            rule["EventPattern"] for rule in rules if "aws.s3" in rule.get("EventPattern", "")
        )
        assert len(json.loads(pattern)["detail"]["bucket"]["name"]) == 25
        assert cloud.invalidations()


def test_too_many_buckets():
    """
    One bucket more is refused, with the reason.
    """
    with (
        pytest.raises(TemplateError, match="25 at most"),
        suite.running(parameters={"UploadBuckets": ",".join(BUCKETS)}),
    ):
        pass
