"""What S3 says is read as S3 means it."""

import json
from pathlib import Path

import pytest

from cdn.changes import Change
from cdn.errors import MessageError
from functions.notice_upload import app

EVENTS = Path(__file__).parents[3] / "events"


def bodies(name):
    return [record["body"] for record in json.loads((EVENTS / name).read_text())["Records"]]


class TestChange:
    def test_created(self):
        """
        A key from EventBridge is raw: its plus and percent signs are the object's own.
        """
        (body,) = bodies("object_created.json")

        assert app._change(body) == (
            "site",
            Change(
                key="css/main+theme v2 100%.css",
                kind="created",
                sequencer="0066A4D1C3B2A1F0E1",
                at_ms=1_795_305_600_000,
            ),
        )

    def test_deleted(self):
        """
        A deletion for good and a delete marker are both deletions.
        """
        changes = [app._change(body)[1] for body in bodies("object_deleted.json")]

        assert [("old/übung.html", "deleted"), ("old/page.html", "deleted")] == [
            (change.key, change.kind) for change in changes
        ]

    @pytest.mark.parametrize(
        "body", ["no json", "[]", "{}", '{"detail-type": "Object Restored", "detail": {}}', '"x"']
    )
    def test_not_understood(self, body):
        """
        Anything else is refused with what is wrong with it.
        """
        with pytest.raises(MessageError, match="no S3 event"):
            app._change(body)
