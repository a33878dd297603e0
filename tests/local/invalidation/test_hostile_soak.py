"""Thousands of messages that nobody should send, among the uploads of two buckets."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from local.demo import outside
from local.demo.hardship import NASTY
from tests.local import suite

BUCKETS = ("site", "media")
FOLDERS = 12
# What no path can name is another test's.
NAMES = [name for name in NASTY if "~" not in name]
MOMENT = "2026-11-22T08:00:00Z"


def event(bucket, key, sequencer, detail_type="Object Created"):
    return {
        "source": "aws.s3",
        "detail-type": detail_type,
        "time": MOMENT,
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key, "sequencer": sequencer},
        },
    }


def deep(random, depth):
    """Return JSON that is nested in lists and objects."""
    return '{"a":' * depth + "[" * depth + random.choice(["]", "", "1"])


# What is wrong with a field whose value must be a text of no great length.
NO_TEXTS: list[Any] = [
    None,
    5,
    -1.5,
    True,
    [],
    {},
    ["a"],
    "\ud800",
    "a\udfff",
    "x" * 5_000,
    [[[[[[[[]]]]]]]],
]
FIELDS = [
    ("detail-type",),
    ("time",),
    ("detail", "bucket", "name"),
    ("detail", "object", "key"),
    ("detail", "object", "sequencer"),
]
RECORD_FIELDS = [
    ("eventVersion",),
    ("eventName",),
    ("eventTime",),
    ("s3",),
    ("s3", "bucket", "name"),
    ("s3", "object", "key"),
    ("s3", "object", "sequencer"),
]
PARENTS = [("detail",), ("detail", "bucket"), ("detail", "object")]
WRONG = {
    "time": ["", "yesterday", "2026-11-22", "2026-13-45T00:00:00Z", "NaN"],
    "detail-type": ["", "Object Tagged", "object created"],
    "name": ["", "another-bucket", "site\x00", "SITE"],
    "key": ["", "k" * 1_025, "ü" * 513],
}


def spoiled(random, good):
    """Return a message, made from a good one, that nobody can read."""
    match random.randrange(6):
        case 0:
            return put(good, random.choice(FIELDS), random.choice(NO_TEXTS))
        case 1:
            return put(good, random.choice(PARENTS), random.choice(NO_TEXTS))
        case 2:
            names = random.choice([names for names in FIELDS if names[-1] in WRONG])
            return put(good, names, random.choice(WRONG[names[-1]]))
        case 3:
            text = json.dumps(good)
            return text[: random.randrange(1, len(text) - 1)]
        case 4:
            return deep(random, random.choice([10, 1_000, 50_000]))
        case _:
            return put(good, random.choice(FIELDS[:4]), None, remove=True)


def put(document, names, value, *, remove=False):
    """Return the text of *document* with another value in one place, or without it."""
    document = json.loads(json.dumps(document))
    *parents, last = names
    inner = document
    for name in parents:
        inner = inner[name]
    if remove:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(document)


def as_record(document):
    """Return a record of a notification that says the same."""
    detail = document["detail"]
    return {
        "eventVersion": "2.1",
        "eventName": "ObjectCreated:Put",
        "eventTime": document["time"],
        "s3": {
            "bucket": detail["bucket"],
            "object": detail["object"] | {"key": quote_plus(detail["object"]["key"], safe="/")},
        },
    }


@dataclass
class Sent:
    """What was sent: good changes by their buckets, and messages that hold a bad record."""

    good: set[tuple[str, str]] = field(default_factory=set)
    bad_count: int = 0


def flood(cloud, random, count):
    """Send so many events to the queue, half of them bad, and return what was sent."""
    sqs, url = cloud.world.client("sqs"), cloud.world.outputs["UploadsUrl"]
    sent = Sent()
    for number in range(count // 2):
        bucket = random.choice(BUCKETS)
        name = random.choice([*NAMES, f"{random.randrange(40)}.html"])
        key = f"{random.randrange(FOLDERS):02}/{name}"
        good = event(bucket, key, f"{number:X}")
        sent.good.add((bucket, key))
        sent.bad_count += 1
        if random.random() < 0.3:
            record = as_record(good)
            bad = json.loads(put(record, random.choice(RECORD_FIELDS), random.choice(NO_TEXTS)))
            bodies = [json.dumps({"Records": random.choice([[bad, record], [record, bad]])})]
        else:
            bodies = [json.dumps(good), spoiled(random, good)]
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body)
        if number % 50 == 0:
            cloud.world.run(limit_s=random.choice([1, 5, 20]))
    return sent


def letters(cloud):
    """Return all dead letters of the uploads, and take them out."""
    sqs = cloud.world.client("sqs")
    url = cloud.world.deployment.resources["UploadsDeadLetters"]
    found = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def soak(count):
    parameters = {"UploadBuckets": ",".join(BUCKETS), "DailyItems": "1000000"}
    with suite.running(parameters=parameters) as cloud:
        s3 = cloud.world.client("s3")
        s3.create_bucket(Bucket="media")
        media = outside.distribute(cloud.world, bucket="media")["Id"]
        for bucket in BUCKETS:
            for folder in range(FOLDERS):
                # So that no wildcard stands for a whole folder.
                s3.put_object(Bucket=bucket, Key=f"{folder:02}/stays", Body=b"")
        cloud.world.settle()
        cloud.world.invocations.clear()

        sent = flood(cloud, Random(10), count)
        cloud.world.settle(limit_s=6 * 3_600)

        distributions = {"site": cloud.distribution_id, "media": media}
        items = {
            bucket: [
                item
                for one in cloud.world.cloudfront.invalidations_of(distribution_id)
                for item in one.items
            ]
            for bucket, distribution_id in distributions.items()
        }
        invalidated = {
            bucket: outside.Invalidation("", "", 0, tuple(paths)) for bucket, paths in items.items()
        }
        missing = [
            (bucket, key)
            for bucket, key in sorted(sent.good)
            if not invalidated[bucket].covers("/" + quote(key))
        ]
        errors = {one.outcome.error for one in cloud.world.invocations}
        return sent, missing, letters(cloud), errors


@pytest.mark.parametrize(
    "count",
    [
        200,
        pytest.param(1_000, marks=pytest.mark.prove),
        pytest.param(10_000, marks=pytest.mark.full),
    ],
)
def test_soak(count):
    """
    Every good upload is invalidated, every bad record is a dead letter, and no run fails.
    """
    sent, missing, found, errors = soak(count)

    assert missing == []
    assert len(found) == sent.bad_count
    reasons = [message["MessageAttributes"]["reason"]["StringValue"] for message in found]
    assert all(0 < len(reason) <= 500 for reason in reasons)
    assert errors == {None}
