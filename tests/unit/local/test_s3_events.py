"""S3's events are shaped and sent as S3 does it."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from moto import mock_aws

from local import aws
from local.s3_events import Expire
from local.virtual_time import VirtualTime


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


class Bucket:
    """A bucket whose events end in a queue."""

    name = "site"

    def __init__(self, expire: Expire) -> None:
        self.expire = expire
        self.s3 = client("s3")
        self._sqs = client("sqs")
        events = client("events")
        self._url = self._sqs.create_queue(QueueName="seen")["QueueUrl"]
        events.put_rule(Name="seen", EventPattern='{"source": ["aws.s3"]}')
        events.put_targets(
            Rule="seen",
            Targets=[{"Id": "seen", "Arn": f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:seen"}],
        )
        self.s3.create_bucket(Bucket=self.name)
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )

    def put(self, key: str = "a.css", body: bytes = b"hello") -> Any:
        return self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def version(self) -> None:
        self.s3.put_bucket_versioning(
            Bucket=self.name, VersioningConfiguration={"Status": "Enabled"}
        )

    def seen(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            events += [json.loads(message["Body"]) for message in messages]
        return events


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with (
        VirtualTime(1_800_000_000.0, ticking=False),
        mock_aws(),
        aws.mended(seed=1) as expire,
    ):
        yield Bucket(expire)


class TestCreated:
    def test_shape(self, bucket):
        """
        The event of an upload has all that AWS's has, and nothing else.
        """
        bucket.put()

        (event,) = bucket.seen()

        detail = event["detail"]
        assert event == {
            "version": "0",
            "id": event["id"],
            "detail-type": "Object Created",
            "source": "aws.s3",
            "account": aws.ACCOUNT,
            "time": "2027-01-15T08:00:00Z",
            "region": "us-east-1",
            "resources": ["arn:aws:s3:::site"],
            "detail": {
                "version": "0",
                "bucket": {"name": "site"},
                "object": {
                    "key": "a.css",
                    "size": 5,
                    "etag": "5d41402abc4b2a76b9719d911017c592",
                    "sequencer": detail["object"]["sequencer"],
                },
                "request-id": detail["request-id"],
                "requester": aws.ACCOUNT,
                "source-ip-address": "127.0.0.1",
                "reason": "PutObject",
            },
        }

    def test_key_is_raw(self, bucket):
        """
        A key arrives as it is, encoded in no way.
        """
        bucket.put("a+b %20 ü/c.css")

        assert bucket.seen()[0]["detail"]["object"]["key"] == "a+b %20 ü/c.css"

    def test_sequencers_rise(self, bucket):
        """
        Each event's sequencer is hexadecimal, as long as the others, and greater than the last.
        """
        for _ in range(20):
            bucket.put()

        sequencers = [event["detail"]["object"]["sequencer"] for event in bucket.seen()]
        assert sequencers == sorted(set(sequencers), key=lambda text: int(text, 16))
        assert {len(text) for text in sequencers} == {18}

    def test_versioned(self, bucket):
        """
        A version id is there where the bucket is versioned, and is the version's.
        """
        bucket.version()

        version_id = bucket.put()["VersionId"]

        assert bucket.seen()[0]["detail"]["object"]["version-id"] == version_id

    def test_copy(self, bucket):
        """
        A copy is reported once, as such.
        """
        bucket.put()
        bucket.seen()

        bucket.s3.copy_object(Bucket="site", Key="b.css", CopySource="site/a.css")

        (event,) = bucket.seen()
        assert event["detail"]["reason"] == "CopyObject"
        assert event["detail"]["object"]["key"] == "b.css"
        assert event["detail"]["object"]["size"] == 5

    def test_multipart(self, bucket):
        """
        A multipart upload is reported once, when it is complete.
        """
        upload = bucket.s3.create_multipart_upload(Bucket="site", Key="film")["UploadId"]
        part = {"Bucket": "site", "Key": "film", "UploadId": upload}
        etag = bucket.s3.upload_part(**part, PartNumber=1, Body=b"x")["ETag"]

        bucket.s3.complete_multipart_upload(
            **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
        )

        (event,) = bucket.seen()
        assert event["detail"]["reason"] == "CompleteMultipartUpload"
        assert event["detail"]["object"]["etag"].endswith("-1")

    def test_tags(self, bucket):
        """
        Tags are set without a word: they change no object.
        """
        bucket.put()
        bucket.seen()

        bucket.s3.put_object_tagging(
            Bucket="site", Key="a.css", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}
        )

        assert bucket.seen() == []

    def test_notifications_off(self, bucket):
        """
        A bucket whose notifications to EventBridge are off reports nothing.
        """
        bucket.s3.put_bucket_notification_configuration(Bucket="site", NotificationConfiguration={})

        bucket.put()
        bucket.s3.delete_object(Bucket="site", Key="a.css")

        assert bucket.seen() == []


class TestDeleted:
    def test_shape(self, bucket):
        """
        A deletion reports key and sequencer of the object, and that it is gone for ever.
        """
        bucket.put()
        created = bucket.seen()[0]["detail"]["object"]["sequencer"]

        bucket.s3.delete_object(Bucket="site", Key="a.css")

        (event,) = bucket.seen()
        assert event["detail-type"] == "Object Deleted"
        assert event["detail"]["reason"] == "DeleteObject"
        assert event["detail"]["deletion-type"] == "Permanently Deleted"
        assert event["detail"]["object"].keys() == {"key", "sequencer"}
        assert event["detail"]["object"]["sequencer"] > created

    def test_marker(self, bucket):
        """
        In a versioned bucket a deletion is a delete marker, with an id of its own.
        """
        bucket.version()
        bucket.put()
        bucket.seen()

        marker = bucket.s3.delete_object(Bucket="site", Key="a.css")["VersionId"]

        (event,) = bucket.seen()
        assert event["detail"]["deletion-type"] == "Delete Marker Created"
        assert event["detail"]["object"]["version-id"] == marker
        assert event["detail"]["object"]["etag"] == "d41d8cd98f00b204e9800998ecf8427e"

    def test_version(self, bucket):
        """
        Deleting a version names it, and is for ever.
        """
        bucket.version()
        version_id = bucket.put()["VersionId"]
        bucket.seen()

        bucket.s3.delete_object(Bucket="site", Key="a.css", VersionId=version_id)

        (event,) = bucket.seen()
        assert event["detail"]["deletion-type"] == "Permanently Deleted"
        assert event["detail"]["object"]["version-id"] == version_id

    def test_batch(self, bucket):
        """
        A batch of deletions is one event a key.
        """
        bucket.put("a")
        bucket.put("b")
        bucket.seen()

        bucket.s3.delete_objects(Bucket="site", Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})

        assert [e["detail"]["object"]["key"] for e in bucket.seen()] == ["a", "b"]

    @pytest.mark.parametrize(
        ("versioned", "kind"),
        [(False, "Permanently Deleted"), (True, "Delete Marker Created")],
    )
    def test_nothing_there(self, bucket, versioned, kind):
        """
        Deleting a key that is not there is reported like any other deletion.
        """
        if versioned:
            bucket.version()

        bucket.s3.delete_object(Bucket="site", Key="never")

        (event,) = bucket.seen()
        assert event["detail"]["deletion-type"] == kind
        assert event["detail"]["object"]["key"] == "never"

    def test_no_such_version(self, bucket):
        """
        Deleting a version that is not there changes nothing, and is not reported.
        """
        bucket.version()
        bucket.put()
        bucket.seen()

        bucket.s3.delete_object(Bucket="site", Key="a.css", VersionId="none")

        assert bucket.seen() == []


class TestExpired:
    @pytest.mark.parametrize(
        ("versioned", "kind"), [(False, "Permanently Deleted"), (True, "Delete Marker Created")]
    )
    def test_shape(self, bucket, versioned, kind):
        """
        A lifecycle rule's deletion says whose it is, and the object is gone.
        """
        if versioned:
            bucket.version()
        bucket.put()
        bucket.seen()

        bucket.expire("site", "a.css")

        (event,) = bucket.seen()
        assert event["detail-type"] == "Object Deleted"
        assert event["detail"]["reason"] == "Lifecycle Expiration"
        assert event["detail"]["requester"] == "s3.amazonaws.com"
        assert event["detail"]["deletion-type"] == kind
        assert bucket.s3.list_objects_v2(Bucket="site")["KeyCount"] == 0
