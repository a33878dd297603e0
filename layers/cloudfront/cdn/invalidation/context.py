"""What flushes work with, and what batches do: clients, limits, the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdn.aws import table
from cdn.watching.watches import WatchContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from boto3.dynamodb.conditions import ConditionBase
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_s3 import S3Client

    from cdn.aws.dead_letters import DeadLetterQueue
    from cdn.aws.rows import FlushRow
    from cdn.aws.table import Table
    from cdn.aws.timers import TimerQueue
    from cdn.cloudfront.quotas import Limits, Share
    from cdn.invalidation.changes import Change


@dataclass(frozen=True, slots=True)
class FlushContext:
    """
    All that planning works with.

    Attributes:
        dead_letters: Of the timers of flushes.
        change_letters: Of changes, as S3 would report them.
        max_share: What one batch may take.
        daily_items: So many items a day are committed without a person's leave.
        history_ttl_s: For so long one can look up what was done.
        access_points: Buckets by other names that origins have for them; see `origins.bucket_of`.
        both_forms: See `paths.forms`.
        token: Returns a new random text.
    """

    ledger: Table
    cloudfront: CloudFrontClient
    s3: S3Client
    batch_timers: TimerQueue
    watch_timers: TimerQueue
    dead_letters: DeadLetterQueue
    change_letters: DeadLetterQueue
    max_share: Share
    daily_items: int
    history_ttl_s: int
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


LOCK = ("lock", "lock_expires_at_ms", "attempt_count")
"""What goes from a flush row when its lock is released."""


@dataclass(slots=True)
class FlushRun:
    """
    The flush of a bucket while its lock is held.

    Attributes:
        planning: What is being planned right now, by its identities: if that raises, these are why.
    """

    bucket: str
    flush: FlushRow
    planning: Mapping[bytes, Change] = field(default_factory=dict)

    @property
    def is_mine(self) -> ConditionBase:
        """Hold while this run has the lock."""
        return table.equal("lock", self.flush["lock"])


@dataclass(frozen=True, slots=True)
class BatchContext:
    """
    All that sending works with.

    Attributes:
        dead_letters: Of the timers of batches.
        history_ttl_s, token: See `FlushContext`.
    """

    ledger: Table
    cloudfront: CloudFrontClient
    batch_timers: TimerQueue
    watch_timers: TimerQueue
    dead_letters: DeadLetterQueue
    limits: Limits
    history_ttl_s: int
    now: Callable[[], float]
    token: Callable[[], str]

    def now_ms(self) -> int:
        """Return the time as rows have it."""
        return int(self.now() * 1000)

    def watch_context(self) -> WatchContext:
        """Return as much of this as watches work with."""
        return WatchContext(self.ledger, self.cloudfront, self.watch_timers, self.now)
