"""What S3 says is read as S3 means it, by whichever way it comes."""

import json
from pathlib import Path

import pytest

from cdn.errors import MessageError
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


def changes_of(text):
    return s3_events.changes(text, buckets=("site",))


class TestChanges:
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
        assert [] == changes_of(body(eventName="ObjectRestore:Completed"))
        assert [] == changes_of(body(eventName="ObjectTagging:Put"))

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
            ("no json", "no S3 event"),
            ("[]", "neither"),
            ("{}", "neither"),
            ('"x"', "neither"),
            ('{"Records": []}', "neither"),
            ('{"detail-type": "Object Restored", "detail": {}}', "neither"),
            ('{"detail-type": "Object Created", "detail": {}}', "lacks 'bucket'"),
            ('{"detail-type": "Object Created", "detail": "x"}', "no S3 event"),
            ('{"Type": "Notification", "Message": "hello"}', "no S3 event"),
            (body(eventVersion="3.0"), r"eventVersion '3.0' is not 2.x"),
            (body(eventTime="yesterday"), "no S3 event"),
            (body(s3=None), "lacks 's3'"),
            (body(s3={"bucket": {"name": "site"}, "object": {"key": "%FF"}}), "no S3 event"),
        ],
    )
    def test_not_understood(self, text, reason):
        """
        Anything else is refused with what is wrong with it.
        """
        with pytest.raises(MessageError, match=reason):
            changes_of(text)

    def test_other_bucket(self):
        """
        A bucket that is not looked after is named.
        """
        text = body(s3={"bucket": {"name": "x"}, "object": {"key": "a", "sequencer": "1"}})

        with pytest.raises(MessageError, match="bucket 'x' is not among UploadBuckets"):
            changes_of(text)
