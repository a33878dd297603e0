"""A flush turns all that changed in a bucket into one plan, and sends its batches.

The rows of one bucket share a partition of the ledger:

    flush                   what was noted since when, who holds the lease, the plan at work
    change#<ms>#<token>     what one invocation noted, until a committed plan has taken it
    plan#…, batch#…         see `commitments`

Whoever holds the lease may plan. While a plan is at work, nothing else is planned; whoever takes
the lease next finishes it first, from the rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cdn.aws import busy, retryable, table
from cdn.aws.table import FLUSH, of_bucket
from cdn.errors import RetriesExhaustedError, RetryLaterError
from cdn.invalidation import batches, changes
from cdn.watching import watches

if TYPE_CHECKING:
    from cdn.aws.table import Row
    from cdn.invalidation.batches import Desk

CLOCK = "flush"

# Longer than the function may run, shorter than its clock's visibility timeout.
LEASE_MS = 75_000

# What keeps a plan row under DynamoDB's 400 kB: 8 bytes an identity, some 30 a row's key.
_MOST_ROWS = 2_000
_MOST_CHANGES = 20_000

_LEASE = ("lease", "lease_until_ms")
_REFUSED = ("refusals", "not_before_ms", "errors")

_MOST_ERRORS = 5
_PAUSE_AFTER_ERROR_MS = 30_000


@dataclass(frozen=True, slots=True)
class Pace:
    """A flush is due after a quiet period without a change, or after the longest wait."""

    quiet_period_ms: int
    max_wait_ms: int


def changes_row(bucket: str, blob: bytes, *, at_ms: int, token: str) -> Row:
    """Make the row that holds what one invocation noted."""
    return {"pk": of_bucket(bucket), "sk": f"change#{at_ms:015d}#{token}", "changes": blob}


def due_ms(flush: Row, pace: Pace) -> int:
    """
    Tell when *flush* is due.

    >>> pace = Pace(quiet_period_ms=2_000, max_wait_ms=60_000)
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 5_000}, pace)
    7000
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 59_000}, pace)
    60000
    >>> due_ms({"first_change_ms": 0, "last_change_ms": 5_000, "not_before_ms": 90_000}, pace)
    90000
    """
    quiet: int = flush["last_change_ms"] + pace.quiet_period_ms
    longest: int = flush["first_change_ms"] + pace.max_wait_ms
    not_before: int = flush.get("not_before_ms", 0)
    return max(min(quiet, longest), not_before)


def step(desk: Desk, pace: Pace, bucket: str) -> int | None:
    """
    Flush *bucket* if that is due.

    Returns:
        When to look again, in epoch milliseconds, or None when all that was noted is sent.

    Raises:
        RetriesExhaustedError: Five errors in a row were not expected. What was noted stays noted,
            and goes when this is called again or with the next flush.
    """
    flush = desk.ledger.get(of_bucket(bucket), FLUSH)
    if flush is None or "first_change_ms" not in flush:
        return None
    due = due_ms(flush, pace)
    if desk.now_ms() < due:
        return due
    held = _take_lease(desk, bucket)
    # While somebody else is at it, look again in case it dies.
    return desk.now_ms() + LEASE_MS if held is None else _step(desk, pace, bucket, held)


def _step(desk: Desk, pace: Pace, bucket: str, held: Row) -> int | None:
    try:
        with busy.told():
            if _work(desk, bucket, held) and _end(desk, bucket, held):
                return None
    except RetryLaterError as exc:
        return _come_back_later(desk, bucket, held, exc)
    except ClientError as exc:
        # What passes by itself was told as RetryLaterError.
        if held.get("errors", 0) + 1 < _MOST_ERRORS:
            _note_error(desk, bucket, held)
            raise
        code = retryable.code(exc.response)
        _set_aside(desk, bucket, held, code)
        raise RetriesExhaustedError(f"the flush of bucket {bucket}", code) from exc
    return _start_over(desk, pace, bucket, held)


def _work(desk: Desk, bucket: str, held: Row) -> bool:
    """Finish the plan at work, then plan and send what is noted; tell whether that was all."""
    if "plan" in held:
        batches.finish(desk, bucket, held["plan"], held["lease"])
    rows, all_read = _read_changes(desk, bucket)
    if not rows:
        return all_read
    noted = [change for row in rows for change in changes.unpack(row["changes"])]
    fresh = changes.distinct(noted, seen=batches.taken(desk, bucket, noted))
    sks = [row["sk"] for row in rows]
    if not fresh:
        desk.ledger.delete(of_bucket(bucket), sks)
        return all_read
    plan_id = batches.draft(desk, bucket, fresh, sks=sks, newest_ms=held["last_change_ms"])
    if not batches.commit(desk, bucket, plan_id, held["lease"]):
        return False
    batches.finish(desk, bucket, plan_id, held["lease"])
    return all_read


def _take_lease(desk: Desk, bucket: str) -> Row | None:
    now_ms = desk.now_ms()
    return desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        put={"lease": desk.token(), "lease_until_ms": now_ms + LEASE_MS},
        when=table.passed("lease_until_ms", now_ms) & table.present("first_change_ms"),
    )


def _read_changes(desk: Desk, bucket: str) -> tuple[list[Row], bool]:
    """Read as many changes rows as one plan takes, and tell whether these are all."""
    rows: list[Row] = []
    count = 0
    for row in desk.ledger.rows(of_bucket(bucket), first="change#", last="change#~"):
        count += len(changes.unpack(row["changes"]))
        if rows and (count > _MOST_CHANGES or len(rows) == _MOST_ROWS):
            return rows, False
        rows.append(row)
    return rows, True


def _end(desk: Desk, bucket: str, held: Row) -> bool:
    """End the flush, unless a change was noted since the lease was taken."""
    ended = desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        remove=("first_change_ms", "last_change_ms", "timer", "due_at_ms", *_LEASE, *_REFUSED),
        when=table.equal("lease", held["lease"]) & table.equal("noted", held["noted"]),
    )
    return ended is not None


def _start_over(desk: Desk, pace: Pace, bucket: str, held: Row) -> int:
    """Let go of the lease; what was noted since it was taken is the start of a new flush."""
    leased_ms = held["lease_until_ms"] - LEASE_MS
    after = desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        put={
            "first_change_ms": leased_ms,
            "due_at_ms": leased_ms + pace.max_wait_ms,
        },
        remove=(*_LEASE, *_REFUSED),
        when=table.equal("lease", held["lease"]),
    )
    return desk.now_ms() + LEASE_MS if after is None else due_ms(after, pace)


def _come_back_later(desk: Desk, bucket: str, held: Row, refusal: RetryLaterError) -> int:
    """Let go of the lease; whatever is committed stays so until there is room for it."""
    refusals = 1 if refusal.progressed else held.get("refusals", 0) + 1
    later = refusal.due_ms or desk.now_ms() + retryable.pause_ms(refusals)
    desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        put={"refusals": refusals, "not_before_ms": later, "due_at_ms": later},
        remove=(*_LEASE, "errors"),
        when=table.equal("lease", held["lease"]),
    )
    return later


def _note_error(desk: Desk, bucket: str, held: Row) -> None:
    desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        put={"due_at_ms": desk.now_ms() + _PAUSE_AFTER_ERROR_MS},
        add={"errors": 1},
        remove=_LEASE,
        when=table.equal("lease", held["lease"]),
    )


def _set_aside(desk: Desk, bucket: str, held: Row, code: str) -> None:
    """Announce that the flush failed, and have nobody ring for it but a person or the next one."""
    watches.tell(
        desk.watching(),
        watches.flush(bucket, held["first_change_ms"]),
        outcome="failed",
        facts={"bucket": bucket, "error": code},
    )
    desk.ledger.change(
        of_bucket(bucket),
        FLUSH,
        remove=("timer", "due_at_ms", *_LEASE, *_REFUSED),
        when=table.equal("lease", held["lease"]),
    )
