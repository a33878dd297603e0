"""What S3 tells EventBridge about an object, shaped as S3 shapes it."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends

from local.function import ACCOUNT
from local.patching import all_replaced

# S3 names the API call that made the object. Moto's other events (tags, ACLs, its half of the
# deletions) are not ours: tags come with every multipart upload, deletions are reported below.
_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
# S3 gives a delete marker the ETag of nothing.
_EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"  # pragma: allowlist secret


@dataclass(slots=True)
class Events:
    """Makes events with rising sequencers."""

    now: Callable[[], float]
    random: random.Random
    _last: int = field(default=0, init=False)

    def created(
        self, *, bucket: FakeBucket, key: str, size: int, etag: str, version_id: str, reason: str
    ) -> dict[str, Any]:
        what = {"key": key, "size": size, "etag": etag, "version-id": version_id}
        return self._event("Object Created", bucket=bucket, what=what, reason=reason)

    def deleted(
        self,
        *,
        bucket: FakeBucket,
        key: str,
        version_id: str,
        marker: bool,
        reason: str = "DeleteObject",
    ) -> dict[str, Any]:
        what = {"key": key, "etag": _EMPTY_ETAG if marker else "", "version-id": version_id}
        event = self._event("Object Deleted", bucket=bucket, what=what, reason=reason)
        event["detail"]["deletion-type"] = (
            "Delete Marker Created" if marker else "Permanently Deleted"
        )
        return event

    def _event(
        self, detail_type: str, *, bucket: FakeBucket, what: dict[str, Any], reason: str
    ) -> dict[str, Any]:
        what = {name: value for name, value in what.items() if value != ""}
        return {
            "version": "0",
            "id": str(uuid.UUID(int=self.random.getrandbits(128), version=4)),
            "detail-type": detail_type,
            "source": "aws.s3",
            "account": bucket.account_id,
            "time": f"{datetime.fromtimestamp(self.now(), UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": bucket.region_name,
            "resources": [bucket.arn],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": {**what, "sequencer": self._sequencer()},
                "request-id": "".join(
                    self.random.choices(string.ascii_uppercase + string.digits, k=16)
                ),
                "requester": bucket.account_id,
                "source-ip-address": "127.0.0.1",
                "reason": reason,
            },
        }

    def _sequencer(self) -> str:
        # Milliseconds and then a count, so that it rises while time stands still, too.
        self._last = max(self._last + 1, int(self.now() * 1000) << 24)
        return f"{self._last:018X}"


Expire = Callable[[str, str], None]
"""Takes a bucket and a key."""


@contextmanager
def reported(events: Events, *, report: Callable[[dict[str, Any]], None]) -> Iterator[Expire]:
    """
    Let moto's S3 *report* the buckets' events, where their notifications to EventBridge are on.

    What is yielded deletes an object as a lifecycle rule does when its day has come: moto has none
    that come.
    """
    original_delete = S3Backend.delete_object

    def object_created(account: str, bucket: FakeBucket, event_name: str, key: FakeKey) -> None:
        del account
        reason = _REASONS.get(event_name)
        # Moto puts the finished multipart upload once more: one event is enough.
        if reason is None or (reason == "PutObject" and key.multipart is not None):
            return
        report(
            events.created(
                bucket=bucket,
                key=key.name,
                size=key.size,
                etag=key.etag.strip('"'),
                version_id=key.version_id if bucket.is_versioned else "",
                reason=reason,
            )
        )

    def delete_object(
        backend: S3Backend,
        bucket_name: str,
        key_name: str,
        version_id: str | None = None,
        bypass: bool = False,  # noqa: FBT001, FBT002  (moto's own signature)
    ) -> tuple[bool, dict[str, Any]]:
        bucket = backend.get_bucket(bucket_name)
        versions = {str(key.version_id) for key in bucket.keys.getlist(key_name, [])}
        done, meta = original_delete(backend, bucket_name, key_name, version_id, bypass)
        # Deleting what is not there succeeds, and is reported: in a versioned bucket as the delete
        # marker that it makes, in any other as a deletion. No page of AWS's says so of the
        # latter; MinIO reports it too (minio/minio#19037), and who listens must bear it.
        if version_id is not None and version_id not in versions:
            return done, meta
        marker = bucket.is_versioned and version_id is None
        if _notifies_event_bridge(bucket):
            made = meta.get("version-id") or str(
                uuid.UUID(int=events.random.getrandbits(128), version=4)
            )
            report(
                events.deleted(
                    bucket=bucket,
                    key=key_name,
                    version_id=made if bucket.is_versioned else "",
                    marker=marker,
                )
            )
        return done, meta

    def expire(bucket_name: str, key_name: str) -> None:
        backend = s3_backends[ACCOUNT]["aws"]
        bucket = backend.get_bucket(bucket_name)
        _, meta = original_delete(backend, bucket_name, key_name)
        if _notifies_event_bridge(bucket):
            event = events.deleted(
                bucket=bucket,
                key=key_name,
                version_id=meta.get("version-id", "") if bucket.is_versioned else "",
                marker=bucket.is_versioned,
                reason="Lifecycle Expiration",
            )
            event["detail"]["requester"] = "s3.amazonaws.com"
            report(event)

    with all_replaced(
        (notifications, "_send_event_bridge_message", object_created),
        (S3Backend, "delete_object", delete_object),
    ):
        yield expire


def _notifies_event_bridge(bucket: FakeBucket) -> bool:
    configuration = bucket.notification_configuration
    return configuration is not None and configuration.event_bridge is not None
