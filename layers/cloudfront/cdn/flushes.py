"""A flush turns all that changed in a bucket into one plan, and sends its batches.

The rows of one bucket share a partition of the ledger:

    flush                   what was noted since when, who holds the lease, the plan at work
    change#<ms>#<token>     what one invocation noted, until a committed plan has taken it
    plan#<ms>#<token>       the identities that a plan took, for as long as they may come again
    batch#<plan>#<number>   one CreateInvalidation: its items and its reference

A plan and its batches are written as drafts and become real by one conditional write, which
names the plan in the flush row and holds only for whoever holds the lease. Drafts that no
flush row ever named are never sent. While a plan is named, nothing else is planned; whoever
takes the lease next finishes it first, from the rows alone.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from cdn import (
    buckets,
    changes,
    distributions,
    invalidations,
    ledger,
    plans,
    pushback,
    routes,
    watches,
)
from cdn.errors import DistributionGoneError, TryAgainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_s3 import S3Client

    from cdn.changes import Change
    from cdn.clocks import Clock
    from cdn.ledger import Ledger, Row

FLUSH = "flush"
CLOCK = "flush"

# Longer than the function may run, shorter than its clock's visibility timeout.
LEASE_MS = 75_000

# SQS keeps a message for 14 days at most, so no event comes again after that.
_PLANS_LIVE_S = 15 * 24 * 60 * 60

# S3's clock and Lambda's may disagree about which came first.
_SKEW_MS = 60_000

# What keeps a plan row under DynamoDB's 400 kB: 8 bytes an identity, some 30 a row's key.
_MOST_ROWS = 2_000
_MOST_CHANGES = 20_000
_MOST_REASONS = 1_000

_LEASE = ("lease", "lease_until_ms")
_REFUSED = ("refusals", "not_before_ms")


@dataclass(frozen=True, slots=True)
class Pace:
    """A flush is due after a quiet period without a change, or after the longest wait."""

    quiet_period_ms: int
    longest_wait_ms: int


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a flush works with."""

    ledger: Ledger
    cloudfront: CloudFrontClient
    s3: S3Client
    watch_clock: Clock
    pace: Pace
    both_forms: bool
    now: Callable[[], float]
    token: Callable[[], str]

    def now_ms(self) -> int:
        """Tell the time as rows do."""
        return int(self.now() * 1000)


def partition(bucket: str) -> str:
    """Name the partition that holds the rows of *bucket*."""
    return f"bucket#{bucket}"


def changes_row(bucket: str, blob: bytes, *, at_ms: int, token: str) -> Row:
    """Make the row that holds what one invocation noted."""
    return {"pk": partition(bucket), "sk": f"change#{at_ms:015d}#{token}", "changes": blob}


def due_ms(flush: Row, pace: Pace) -> int:
    """
    Tell when *flush* is due.

    >>> pace = Pace(quiet_period_ms=2_000, longest_wait_ms=60_000)
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 5_000}, pace)
    7000
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 59_000}, pace)
    60000
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 5_000, "not_before_ms": 90_000}, pace)
    90000
    """
    quiet: int = flush["last_change_ms"] + pace.quiet_period_ms
    longest: int = flush["first_change_ms"] + pace.longest_wait_ms
    not_before: int = flush.get("not_before_ms", 0)
    return max(min(quiet, longest), not_before)


def step(desk: Desk, bucket: str) -> int | None:
    """
    Flush *bucket* if that is due.

    Returns:
        When to look again, in epoch milliseconds, or None when all that was noted is sent.
    """
    flush = desk.ledger.get(partition(bucket), FLUSH)
    if flush is None or "first_change_ms" not in flush:
        return None
    due = due_ms(flush, desk.pace)
    if desk.now_ms() < due:
        return due
    held = _take_lease(desk, bucket)
    if held is None:
        # Somebody else is at it; look again in case it dies.
        return desk.now_ms() + LEASE_MS
    try:
        all_taken = _work(desk, bucket, held)
    except TryAgainError:
        return _come_back_later(desk, bucket, held)
    if all_taken and _end(desk, bucket, held):
        return None
    return _start_over(desk, bucket, held)


def _work(desk: Desk, bucket: str, held: Row) -> bool:
    """Finish the plan at work, then plan and send what is noted; tell whether that was all."""
    if "plan" in held:
        _finish(desk, bucket, held["plan"], held["lease"])
    rows, all_read = _read_changes(desk, bucket)
    if not rows:
        return all_read
    noted = [change for row in rows for change in changes.unpack(row["changes"])]
    fresh = changes.distinct(noted, seen=_planned(desk, bucket, noted))
    sks = [row["sk"] for row in rows]
    if not fresh:
        desk.ledger.delete(partition(bucket), sks)
        return all_read
    plan_id = _draft(desk, bucket, fresh, sks)
    if not _commit(desk, bucket, plan_id, held["lease"]):
        return False
    _finish(desk, bucket, plan_id, held["lease"])
    return all_read


def _take_lease(desk: Desk, bucket: str) -> Row | None:
    now_ms = desk.now_ms()
    return desk.ledger.change(
        partition(bucket),
        FLUSH,
        put={"lease": desk.token(), "lease_until_ms": now_ms + LEASE_MS},
        when=ledger.passed("lease_until_ms", now_ms) & ledger.present("first_change_ms"),
    )


def _read_changes(desk: Desk, bucket: str) -> tuple[list[Row], bool]:
    """Read as many changes rows as one plan takes, and tell whether these are all."""
    rows: list[Row] = []
    count = 0
    for row in desk.ledger.rows(partition(bucket), first="change#", last="change#~"):
        count += len(changes.unpack(row["changes"]))
        if rows and (count > _MOST_CHANGES or len(rows) == _MOST_ROWS):
            return rows, False
        rows.append(row)
    return rows, True


def _planned(desk: Desk, bucket: str, noted: Sequence[Change]) -> frozenset[bytes]:
    oldest_ms = min(change.at_ms for change in noted) - _SKEW_MS
    rows = desk.ledger.rows(
        partition(bucket), first=f"plan#{max(oldest_ms, 0):015d}", last="plan#~"
    )
    committed = (row for row in rows if "committed_ms" in row)
    return frozenset().union(*(changes.identities(row["identities"]) for row in committed))


def _draft(desk: Desk, bucket: str, fresh: dict[bytes, Change], sks: Sequence[str]) -> str:
    listing = buckets.Listing(desk.s3, bucket)
    plan = plans.make(
        (change.key for change in fresh.values()),
        routes=routes.into(
            bucket,
            distributions.serving(desk.cloudfront, bucket),
            both_forms=desk.both_forms,
        ),
        listed=listing.keys,
    )
    now_ms = desk.now_ms()
    plan_id = f"{now_ms:015d}#{desk.token()}"
    fate = {"pk": partition(bucket), "expires_at": now_ms // 1000 + _PLANS_LIVE_S}
    for number, batch in enumerate(plan.batches):
        desk.ledger.put(
            {
                **fate,
                "sk": f"batch#{plan_id}#{number:04d}",
                "distribution_id": batch.distribution_id,
                "items": plans.pack(batch.items),
                "item_count": len(batch.items),
                "plan": plan_id,
                # Random, never made from the paths: the same paths change again.
                "reference": desk.token(),
            }
        )
    desk.ledger.put(
        {
            **fate,
            "sk": f"plan#{plan_id}",
            "identities": b"".join(fresh),
            "takes": zlib.compress(json.dumps(sks).encode()),
            "change_count": len(fresh),
            "skipped_count": len(plan.skipped),
            "skipped": _reasons(plan.skipped),
            "widened": _reasons(plan.widened),
        }
    )
    return plan_id


def _reasons(reasons: Mapping[str, str]) -> bytes:
    return zlib.compress(json.dumps(dict(islice(reasons.items(), _MOST_REASONS))).encode())


def _commit(desk: Desk, bucket: str, plan_id: str, lease: str) -> bool:
    return (
        desk.ledger.change(
            partition(bucket),
            FLUSH,
            put={"plan": plan_id},
            when=ledger.equal("lease", lease) & ledger.absent("plan"),
        )
        is not None
    )


def _finish(desk: Desk, bucket: str, plan_id: str, lease: str) -> None:
    """Send what a committed plan has left to send, then let its changes go."""
    pk = partition(bucket)
    plan = desk.ledger.change(pk, f"plan#{plan_id}", keep={"committed_ms": desk.now_ms()}) or {}
    first, last = f"batch#{plan_id}#", f"batch#{plan_id}#~"
    for batch in desk.ledger.rows(pk, first=first, last=last):
        if "sent_ms" not in batch:
            _send(desk, bucket, batch)
    desk.ledger.delete(pk, json.loads(zlib.decompress(plan["takes"])))
    desk.ledger.change(
        pk,
        FLUSH,
        remove=("plan",),
        when=ledger.equal("lease", lease) & ledger.equal("plan", plan_id),
    )


def _send(desk: Desk, bucket: str, batch: Row) -> None:
    distribution_id, reference = batch["distribution_id"], batch["reference"]
    outcome: watches.Outcome | None = None
    try:
        invalidation_id = invalidations.create(
            desk.cloudfront,
            distribution_id=distribution_id,
            items=plans.unpack(batch["items"]),
            reference=reference,
        )
        subject = watches.invalidation(distribution_id, invalidation_id)
    except DistributionGoneError:
        # There is nothing left to invalidate, and nothing to look at: only an end to tell.
        subject, outcome = watches.invalidation(distribution_id, reference), "gone"
    watches.begin(
        watches.Desk(desk.ledger, desk.cloudfront, desk.watch_clock, desk.now),
        subject,
        facts={"bucket": bucket, "items": batch["item_count"], "plan": batch["plan"]},
        outcome=outcome,
    )
    desk.ledger.change(
        batch["pk"], batch["sk"], put={"sent_ms": desk.now_ms(), "watch": subject.id}
    )


def _end(desk: Desk, bucket: str, held: Row) -> bool:
    """End the flush, unless a change was noted since the lease was taken."""
    ended = desk.ledger.change(
        partition(bucket),
        FLUSH,
        remove=("first_change_ms", "last_change_ms", "clock", "due_at_ms", *_LEASE, *_REFUSED),
        when=ledger.equal("lease", held["lease"]) & ledger.equal("noted", held["noted"]),
    )
    return ended is not None


def _start_over(desk: Desk, bucket: str, held: Row) -> int:
    """Let go of the lease; what was noted since it was taken is the start of a new flush."""
    leased_ms = held["lease_until_ms"] - LEASE_MS
    after = desk.ledger.change(
        partition(bucket),
        FLUSH,
        put={
            "first_change_ms": leased_ms,
            "due_at_ms": leased_ms + desk.pace.longest_wait_ms,
        },
        remove=(*_LEASE, *_REFUSED),
        when=ledger.equal("lease", held["lease"]),
    )
    return desk.now_ms() + LEASE_MS if after is None else due_ms(after, desk.pace)


def _come_back_later(desk: Desk, bucket: str, held: Row) -> int:
    """Let go of the lease; whatever is committed stays so until CloudFront is less busy."""
    refusals = held.get("refusals", 0) + 1
    later = desk.now_ms() + pushback.pause_ms(refusals)
    desk.ledger.change(
        partition(bucket),
        FLUSH,
        put={"refusals": refusals, "not_before_ms": later, "due_at_ms": later},
        remove=_LEASE,
        when=ledger.equal("lease", held["lease"]),
    )
    return later
