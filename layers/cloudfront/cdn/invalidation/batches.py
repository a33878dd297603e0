"""A plan becomes real by one write, and is then sent to its end by whoever finds it.

Two more kinds of rows in the partition of a bucket:

    plan#<ms>#<token>       the identities that a plan took, for as long as they may come again
    batch#<plan>#<number>   one CreateInvalidation: its items and its reference

Both are written as drafts. The commitment is one conditional write, which names the plan in the
flush row and holds only for whoever holds the lease. Drafts that no flush row ever named are
never sent.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdn.aws import object_listing, retryable, table
from cdn.aws.table import FLUSH, of_bucket
from cdn.cloudfront import invalidations, quota_reservations, quotas
from cdn.errors import RetryLaterError, TargetGoneError
from cdn.invalidation import changes, planner, route_table, routes
from cdn.watching import watches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_s3 import S3Client

    from cdn.aws.table import Ledger, Row
    from cdn.aws.timers import Clock
    from cdn.cloudfront.quotas import Limits
    from cdn.invalidation.changes import Change
    from cdn.watching.watches import Outcome, Subject

# SQS keeps a message for 14 days at most, so no event comes again after that.
_PLANS_LIVE_S = 15 * 24 * 60 * 60

# S3's clock and Lambda's may disagree about which came first.
_SKEW_MS = 60_000

_MOST_REASONS = 1_000
_MOST_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Desk:
    """
    All that planning and sending work with.

    Attributes:
        access_points: Buckets by other names that origins have for them; see `routes.bucket_of`.
    """

    ledger: Ledger
    cloudfront: CloudFrontClient
    s3: S3Client
    watch_timers: Clock
    limits: Limits
    access_points: Mapping[str, str]
    both_forms: bool
    now: Callable[[], float]
    token: Callable[[], str]

    def now_ms(self) -> int:
        """Tell the time as rows do."""
        return int(self.now() * 1000)

    def watching(self) -> watches.Desk:
        """Give as much of this desk as watches work with."""
        return watches.Desk(self.ledger, self.cloudfront, self.watch_timers, self.now)


def taken(desk: Desk, bucket: str, noted: Sequence[Change]) -> frozenset[bytes]:
    """Collect the identities that committed plans took since the oldest of *noted* happened."""
    oldest_ms = min(change.at_ms for change in noted) - _SKEW_MS
    rows = desk.ledger.rows(
        of_bucket(bucket), first=f"plan#{max(oldest_ms, 0):015d}", last="plan#~"
    )
    committed = (row for row in rows if "committed_ms" in row)
    return frozenset().union(*(changes.identities(row["identities"]) for row in committed))


def draft(
    desk: Desk,
    bucket: str,
    fresh: Mapping[bytes, Change],
    *,
    sks: Sequence[str],
    newest_ms: int,
) -> str:
    """
    Plan the changes *fresh*, by their identities, and write the plan and its batches as drafts.

    Args:
        sks: The changes rows that go when the plan is finished.
        newest_ms: When the last of the changes was noted: no older routes will do.

    Returns:
        The plan's id.
    """
    known = route_table.read(
        desk.ledger,
        desk.cloudfront,
        access_points=desk.access_points,
        since_ms=newest_ms,
        now=desk.now,
    )
    plan = planner.make(
        (change.key for change in fresh.values()),
        routes=routes.into(
            bucket, known, both_forms=desk.both_forms, access_points=desk.access_points
        ),
        listed=object_listing.Listing(desk.s3, bucket).keys,
        largest=planner.largest(desk.limits),
        unresolved=routes.undeclared(known, desk.access_points),
    )
    now_ms = desk.now_ms()
    plan_id = f"{now_ms:015d}#{desk.token()}"
    fate = {"pk": of_bucket(bucket), "expires_at": now_ms // 1000 + _PLANS_LIVE_S}
    for number, batch in enumerate(plan.batches):
        desk.ledger.put(
            {
                **fate,
                "sk": f"batch#{plan_id}#{number:04d}",
                "distribution_id": batch.distribution_id,
                "items": planner.pack(batch.items),
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


def commit(desk: Desk, bucket: str, plan_id: str, lease: str) -> bool:
    """Make a drafted plan real, unless the lease was lost; tell whether it is."""
    return (
        desk.ledger.change(
            of_bucket(bucket),
            FLUSH,
            put={"plan": plan_id},
            when=table.equal("lease", lease) & table.absent("plan"),
        )
        is not None
    )


def finish(desk: Desk, bucket: str, plan_id: str, lease: str) -> None:
    """
    Send what a committed plan has left to send, then let its changes go.

    Raises:
        RetryLaterError: Something is left, because CloudFront is busy or because of an error that
            was not expected. A batch that meets five of those ends as failed, and is announced:
            one that CloudFront never takes must not hold up all others for ever.
    """
    pk = of_bucket(bucket)
    plan = desk.ledger.change(pk, f"plan#{plan_id}", keep={"committed_ms": desk.now_ms()}) or {}
    first, last = f"batch#{plan_id}#", f"batch#{plan_id}#~"
    _send_all(
        desk,
        bucket,
        [row for row in desk.ledger.rows(pk, first=first, last=last) if "sent_ms" not in row],
    )
    desk.ledger.delete(pk, json.loads(zlib.decompress(plan["takes"])))
    desk.ledger.change(
        pk,
        FLUSH,
        remove=("plan",),
        when=table.equal("lease", lease) & table.equal("plan", plan_id),
    )


def _send_all(desk: Desk, bucket: str, batches: Sequence[Row]) -> None:
    spoiled = 0
    for number, batch in enumerate(batches):
        try:
            spoiled += not _sent(desk, bucket, batch)
        except RetryLaterError as exc:
            raise RetryLaterError(
                exc.operation, exc.code, due_ms=exc.due_ms, progressed=number > spoiled
            ) from exc
    if spoiled:
        raise RetryLaterError("CreateInvalidation", "Unexpected", progressed=len(batches) > spoiled)


def _sent(desk: Desk, bucket: str, batch: Row) -> bool:
    """
    Send *batch*, or end it; tell whether either was done.

    Raises:
        RetryLaterError: CloudFront is busy, or the suite's own limits do not allow it yet.
    """
    distribution_id, reference = batch["distribution_id"], batch["reference"]
    facts: dict[str, Any] = {"bucket": bucket, "items": batch["item_count"], "plan": batch["plan"]}
    items = planner.unpack(batch["items"])
    quota_reservations.take(
        desk.ledger, reference, quotas.load(items), limits=desk.limits, now_ms=desk.now_ms()
    )
    # Named by the reference as long as CloudFront has given no id.
    subject = watches.invalidation(distribution_id, reference)
    try:
        invalidation_id = invalidations.create(
            desk.cloudfront, distribution_id=distribution_id, items=items, reference=reference
        )
    except TargetGoneError:
        # There is nothing left to invalidate, and nothing to look at: only an end to tell.
        _end(desk, subject, reference, outcome="gone", facts=facts)
    except ClientError as exc:
        after = desk.ledger.change(batch["pk"], batch["sk"], add={"errors": 1}) or {}
        if after["errors"] < _MOST_ERRORS:
            return False
        facts["error"] = retryable.code(exc.response)
        _end(desk, subject, reference, outcome="failed", facts=facts)
    else:
        subject = watches.invalidation(distribution_id, invalidation_id)
        watches.begin(desk.watching(), subject, facts=facts, permit=reference)
    desk.ledger.change(
        batch["pk"], batch["sk"], put={"sent_ms": desk.now_ms(), "watch": subject.id}
    )
    return True


def _end(
    desk: Desk, subject: Subject, reference: str, *, outcome: Outcome, facts: Mapping[str, Any]
) -> None:
    quota_reservations.give_back(desk.ledger, reference)
    watches.tell(desk.watching(), subject, outcome=outcome, facts=facts)
