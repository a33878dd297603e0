"""The objects that a bucket has right now, by ListObjectsV2."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cdn.aws import retryable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MAX_PAGES_PER_PREFIX = 10
_MAX_PAGES = 100


class ObjectListing:
    """
    List keys of *bucket*, prefix by prefix, as long as that stays cheap.

    A page of 1,000 keys costs a thousandth of what an invalidation item costs, so asking
    pays; but no prefix is read past 10 pages, and no listing past 100 in all.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._pages = 0

    def keys(self, prefix: str) -> list[str] | None:
        """
        Return all keys that start with *prefix*, sorted, or None when they cannot be listed.

        None also stands for a bucket that may not be listed: not folding costs less than not
        invalidating.
        """
        max_pages = min(_MAX_PAGES_PER_PREFIX, _MAX_PAGES - self._pages)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        keys: list[str] = []
        try:
            for page in islice(pages, max_pages):
                self._pages += 1
                keys += (item["Key"] for item in page.get("Contents", ()))
                if not page["IsTruncated"]:
                    return sorted(keys)
        except self._client.exceptions.NoSuchBucket:
            # Deleted after its objects were: their copies are still to go.
            return []
        except ClientError as exc:
            if retryable.error_code(exc.response) != "AccessDenied":
                raise
        return None
