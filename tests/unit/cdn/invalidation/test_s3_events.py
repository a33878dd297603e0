"""What S3 says is read as S3 means it, by whichever way it comes."""

import json
from pathlib import Path

import pytest

from cdn.invalidation import s3_events
from cdn.invalidation.changes import Change

EVENTS = Path(__file__).parents[4] / "events"
AT_MS = 1_795_305_600_000
CREATED = Change("css/main+theme v2 100%.css", "created", "0066A4D1C3B2A1F0E1", AT_MS)
DELETED = Change("old/übung.html", "deleted", "0066A4D1C3B2A1F0E2", AT_MS)
MARKED = Change("old/page.html", "deleted", "0066A4D1C3B2A1F0E3", AT_MS)
EXPIRED = Change("tmp/old#draft.html", "deleted", "0066A4D1C3B2A1F0E4", AT_MS)


def bodies(name):
    sample = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return [record["body"] for record in sample["Records"]]


def body(**changes):
    """Write a notification of one record, with members changed or, as None, left out."""
    (record,) = json.loads(bodies("object_created_notified")[0])["Records"]
    record |= changes
    return json.dumps({"Records": [{k: v for k, v in record.items() if v is not None}]})


def changed(bucket="site", **members):
    """Write a notification whose object has these members."""
    return body(s3={"bucket": {"name": bucket}, "object": {"key": "a", "sequencer": "1"} | members})


def event(detail_type="Object Created", **members):
    """Write an event of EventBridge's whose object has these members."""
    document = json.loads(bodies("object_created")[0]) | {"detail-type": detail_type}
    document["detail"]["object"] = {"key": "a", "sequencer": "1"} | members
    return json.dumps(document)


def versioned(form, version_id, reason, kind):
    """Write that a version was deleted, in either form."""
    if form == "event":
        members = {} if version_id is None else {"version-id": version_id}
        document = json.loads(event("Object Deleted", **members))
        document["detail"] |= {"reason": reason, "deletion-type": kind}
        return json.dumps(document)
    members = {} if version_id is None else {"versionId": version_id}
    source = "LifecycleExpiration" if reason == "Lifecycle Expiration" else "ObjectRemoved"
    end = "DeleteMarkerCreated" if kind == "Delete Marker Created" else "Delete"
    return changed(**members).replace('"ObjectCreated:Put"', f'"{source}:{end}"')


def read(text):
    return s3_events.read(text, buckets=("site",))


def changes_of(text):
    """Return the changes of a message in which everything can be read."""
    reading = read(text)
    assert reading.unreadable == []
    return reading.changes


class TestRead:
    @pytest.mark.parametrize(
        ("sample", "changes"),
        [
            ("object_created", [CREATED]),
            ("object_deleted", [DELETED, MARKED]),
            ("object_expired", [EXPIRED]),
            ("object_created_notified", [CREATED]),
            ("object_deleted_notified", [DELETED, MARKED, EXPIRED]),
            ("object_created_notified_by_topic", [CREATED]),
        ],
    )
    def test_forms(self, sample, changes):
        """
        EventBridge's raw keys and the notifications' form-encoded ones lead to the same change.
        """
        read = [change for text in bodies(sample) for change in changes_of(text)]

        assert [("site", change) for change in changes] == read

    @pytest.mark.parametrize("text", bodies("notification_configured"))
    def test_test_event(self, text):
        """
        What S3 sends when a notification is configured tells of no change.
        """
        assert [] == changes_of(text)

    def test_other_events(self):
        """
        A restored or tagged object is still the same object.
        """
        for name in ("ObjectRestore:Completed", "ObjectTagging:Put"):
            assert [] == changes_of(body(eventName=name))
            assert read(body(eventName=name)).ignored == {s3_events.SAME_OBJECT: 1}

    def test_several_records(self):
        """
        Every record of a notification counts, not the first or last alone.
        """
        records = [json.loads(text)["Records"][0] for text in bodies("object_deleted_notified")]

        read = changes_of(json.dumps({"Records": records}))

        assert [DELETED, MARKED, EXPIRED] == [change for _, change in read]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("no json", "no S3 event: Expecting value"),
            ("[" * 100_000, "no S3 event: it is nested too deeply"),
            ('{"a":' * 100_000, "no S3 event: it is nested too deeply"),
            ("[]", "neither"),
            ("{}", "neither"),
            ('"x"', "neither"),
            ("1" * 5_000, "no S3 event: Exceeds the limit"),
            ('{"Records": []}', "neither"),
            ('{"Records": "x"}', "neither"),
            ('{"Records": [null]}', "lacks eventVersion"),
            ('{"detail-type": "Object Restored", "detail": {}}', "it is 'Object Restored'"),
            ('{"detail-type": ["Object Created"], "detail": {}}', "detail-type must be a text"),
            ('{"detail-type": "Object Created", "detail": {}}', "lacks detail.object.key"),
            ('{"detail-type": "Object Created", "detail": "x"}', "lacks detail.object.key"),
            ('{"Type": "Notification", "Message": "hello"}', "no S3 event: Expecting value"),
            (body(eventVersion="3.0"), "eventVersion '3.0' is not 2.x"),
            (body(eventVersion=2.1), "eventVersion must be a text, and is 'float'"),
            (body(eventTime="yesterday"), "the time 'yesterday' is no time"),
            (body(eventTime="2026-11-22T00:00:00"), "has no time zone"),
            (body(eventTime=1_795_305_600), "eventTime must be a text, and is 'int'"),
            (body(s3=None), "lacks s3.object.key"),
            (changed(key="%FF"), "s3.object.key is no UTF-8: '%FF'"),
            (changed(key="%ED%A0%80"), "s3.object.key is no UTF-8"),
            (changed(key="\ud800"), "s3.object.key has half of a surrogate pair"),
            (changed(key=5), "s3.object.key must be a text, and is 'int'"),
            (changed(key=""), "the object's key is empty"),
            (changed(key="a" * 3_073), "s3.object.key has 3073 bytes, and S3 writes no more than"),
            (changed(key="a" * 1_025), "s3.object.key has more than 1024 bytes"),
            (changed(sequencer=None), "s3.object.sequencer must be a text, and is 'NoneType'"),
            (changed(sequencer="f" * 300_000), "s3.object.sequencer has 300000 bytes"),
            (changed(bucket=["site"]), "s3.bucket.name must be a text, and is 'list'"),
            (changed(bucket="x" * 129), "s3.bucket.name has 129 bytes"),
            (changed(bucket="x\x1b[2J"), r"bucket 'x\x1b[2J' is not among UploadBuckets"),
            (event(key="\udfff"), "detail.object.key has half of a surrogate pair"),
            (event(key={"a": 1}), "detail.object.key must be a text, and is 'dict'"),
            (event(sequencer=None), "detail.object.sequencer must be a text"),
        ],
    )
    def test_unreadable(self, text, reason):
        """
        What S3 cannot have written is unreadable, with what is wrong with it in few plain words.
        """
        reading = read(text)

        (letter,) = reading.unreadable
        assert reason in letter.reason
        assert len(letter.reason) < 300
        assert letter.reason.isascii()
        assert letter.reason.isprintable()
        assert letter.body == text
        assert reading.changes == []

    def test_alone(self):
        """
        Of a message with good and bad records only the bad are unreadable, each by itself.
        """
        records = [json.loads(text)["Records"][0] for text in bodies("object_deleted_notified")]
        bad, worse = json.loads(changed(key=5))["Records"] + [7]

        reading = read(json.dumps({"Records": [bad, *records, worse]}))

        assert [DELETED, MARKED, EXPIRED] == [change for _, change in reading.changes]
        assert [json.loads(letter.body) for letter in reading.unreadable] == [
            {"Records": [bad]},
            {"Records": [worse]},
        ]

    @pytest.mark.parametrize("form", ["event", "record"])
    @pytest.mark.parametrize(
        ("version_id", "reason", "kind", "changes"),
        [
            ("v1", "Lifecycle Expiration", "Permanently Deleted", 0),
            ("v1", "Lifecycle Expiration", "Delete Marker Created", 1),
            ("v1", "DeleteObject", "Permanently Deleted", 1),
            ("null", "Lifecycle Expiration", "Permanently Deleted", 1),
            (None, "Lifecycle Expiration", "Permanently Deleted", 1),
        ],
    )
    def test_versions(self, form, version_id, reason, kind, changes):
        """
        Only a lifecycle rule's removal of one version by its id changes nothing for viewers.
        """
        text = versioned(form, version_id, reason, kind)

        reading = read(text)

        assert len(reading.changes) == changes
        assert reading.unreadable == []
        assert reading.ignored == ({} if changes else {s3_events.VERSION_EXPIRED: 1})
