"""What a flush works with, and its batches do: clients, limits, the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.watching.watches import WatchContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_s3 import S3Client

    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.cloudfront.quotas import Limits


@dataclass(frozen=True, slots=True)
class FlushContext:
    """
    All that planning and sending work with.

    Attributes:
        access_points: Buckets by other names that origins have for them; see `origins.bucket_of`.
        both_forms: See `paths.forms`.
        token: Returns a new random text.
    """

    ledger: Table
    cloudfront: CloudFrontClient
    s3: S3Client
    watch_timers: TimerQueue
    limits: Limits
    access_points: Mapping[str, str]
    both_forms: bool
    now: Callable[[], float]
    token: Callable[[], str]

    def now_ms(self) -> int:
        """Return the time as rows have it."""
        return int(self.now() * 1000)

    def watch_context(self) -> WatchContext:
        """Return as much of this as watches work with."""
        return WatchContext(self.ledger, self.cloudfront, self.watch_timers, self.now)
