"""A watch looks at one thing that CloudFront is doing until it ends, and announces the end.

A watch is one row, named by what is watched, so that however often it is begun it is one. A
single conditional write ends it; what that write says is then announced until a second
write notes that it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from cdn.aws import announcements, retryable, table
from cdn.aws.announcements import Announcement
from cdn.cloudfront import quota_reservations
from cdn.watching import polling, schedule, waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.aws.announcements import Audience
    from cdn.aws.table import Ledger, Row
    from cdn.aws.timers import Clock

CLOCK = "watch"

Outcome = Literal["completed", "superseded", "gone", "failed", "timed_out"]

_SK = "watch"
_PACE = "pace"  # one row a kind: how long the last ones took, and when to look by that
_MOST_ERRORS = 5
_ROWS_LIVE_S = 30 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Kind:
    """
    What ends of one kind are called, and how it is looked at.

    Attributes:
        waiter: Of botocore's CloudFront model; empty for what is only told.
        longest_pause_s, price_s: See `schedule.Manner`.
    """

    noun: str
    waiter: str = ""
    longest_pause_s: int = 0
    price_s: float = 0


_KINDS = {
    "invalidation": Kind("Invalidation", "invalidation_completed", 30, 2),
    "deployment": Kind("Deployment", "distribution_deployed", 60, 9),
    "flush": Kind("Flush"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is watched.

    Attributes:
        id: The same for everybody who wants the same thing watched.
        name: For people.
        parameters: Of the waiter's operation.
        etag: The configuration whose deployment is meant; another one supersedes it.
    """

    kind: Literal["invalidation", "deployment", "flush"]
    id: str
    name: str
    distribution_id: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


def invalidation(distribution_id: str, invalidation_id: str) -> Subject:
    """Watch one invalidation."""
    return Subject(
        kind="invalidation",
        id=f"invalidation/{distribution_id}/{invalidation_id}",
        name=f"{invalidation_id} of distribution {distribution_id}",
        distribution_id=distribution_id,
        parameters={"DistributionId": distribution_id, "Id": invalidation_id},
    )


def deployment(distribution_id: str, etag: str) -> Subject:
    """Watch the configuration *etag* of a distribution reach all edges."""
    return Subject(
        kind="deployment",
        id=f"deployment/{distribution_id}/{etag}",
        name=f"{etag} of distribution {distribution_id}",
        distribution_id=distribution_id,
        parameters={"Id": distribution_id},
        etag=etag,
    )


def flush(bucket: str, since_ms: int) -> Subject:
    """Tell of the flush of what changed in *bucket* since *since_ms*."""
    return Subject(
        kind="flush",
        id=f"flush/{bucket}/{since_ms}",
        name=f"what changed in bucket {bucket} (it stays noted)",
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """Where watches are kept, whom they look at, and the clock that rings for them."""

    ledger: Ledger
    cloudfront: CloudFrontClient
    watch_timers: Clock
    now: Callable[[], float]

    def now_ms(self) -> int:
        """Tell the time as rows do."""
        return int(self.now() * 1000)


def begin(desk: Desk, subject: Subject, *, facts: Mapping[str, Any], permit: str = "") -> None:
    """
    Have *subject* watched, unless it already is, and its clock rung.

    Args:
        facts: What its announcement shall say besides.
        permit: What is given back when it ends; see `permits`.
    """
    now_ms = desk.now_ms()
    waiter = _waiter(desk.cloudfront, subject.kind)
    learned = desk.ledger.get(_PACE, subject.kind) or {}
    chosen = learned.get("schedule_s", [])
    pause_ms = int(schedule.next_look_s(chosen, 0, _manner(desk, subject.kind)) * 1000)
    desk.ledger.put_new(
        {
            **_row(subject, facts, now_ms=now_ms),
            "deadline_ms": now_ms + waiter.delay * waiter.max_attempts * 1000,
            "schedule_s": chosen,
            "due_at_ms": now_ms + pause_ms,
            "permit": permit,
        }
    )
    # Rung even if the row was there: whoever wrote it may have died before this line.
    desk.watch_timers.ring(subject.id, after_ms=pause_ms)


def tell(desk: Desk, subject: Subject, *, outcome: Outcome, facts: Mapping[str, Any]) -> None:
    """Have it announced, once, that *subject* has ended: there is nothing to look at any more."""
    now_ms = desk.now_ms()
    ended = {"outcome": outcome, "ended_ms": now_ms, "due_at_ms": now_ms}
    desk.ledger.put_new(_row(subject, facts, now_ms=now_ms) | ended)
    desk.watch_timers.ring(subject.id)


def _row(subject: Subject, facts: Mapping[str, Any], *, now_ms: int) -> Row:
    return {
        "pk": _pk(subject.id),
        "sk": _SK,
        "kind": subject.kind,
        "name": subject.name,
        "distribution_id": subject.distribution_id,
        "parameters": dict(subject.parameters),
        "etag": subject.etag,
        "facts": dict(facts),
        "started_ms": now_ms,
        "looked_ms": now_ms,
        "looks": 0,
        "errors": 0,
        "timer": CLOCK,
        "expires_at": now_ms // 1000 + _ROWS_LIVE_S,
    }


def look(desk: Desk, audience: Audience, watch_id: str) -> int | None:
    """
    Take one look, if it is time for one, and announce the end if this was it.

    Returns:
        When to look again, in epoch milliseconds, or None when nothing is left to do.
    """
    watch = desk.ledger.get(_pk(watch_id), _SK)
    if watch is None:
        return None
    if "outcome" not in watch:
        if desk.now_ms() < watch["due_at_ms"]:
            return int(watch["due_at_ms"])
        seen = _see(desk, watch)
        if seen is None:
            # What somebody else sees right now will do for this watch, too.
            return desk.now_ms() + polling.SHARED_MS
        written = _write(desk, watch, seen)
        if written is None:
            # Another look ended it meanwhile; the announcement may still be owed.
            return desk.now_ms()
        if written.get("outcome") == "completed":
            _learn(desk, watch, ended_ms=written["ended_ms"])
        watch = written
        if "outcome" not in watch:
            return int(watch["due_at_ms"])
    if "announced_ms" not in watch:
        # One that timed out may be in progress still: its permit lapses by itself.
        if watch.get("permit") and watch["outcome"] != "timed_out":
            quota_reservations.give_back(desk.ledger, watch["permit"])
        announcements.publish(audience, _announcement(watch_id, watch))
        desk.ledger.change(
            watch["pk"],
            _SK,
            keep={"announced_ms": desk.now_ms()},
            remove=("timer", "due_at_ms"),
        )
    return None


@dataclass(frozen=True, slots=True)
class _Seen:
    """How the watch has ended, if it has; what CloudFront said; how many errors in a row."""

    outcome: Outcome | None
    status: str
    errors: int


def _see(desk: Desk, watch: Row) -> _Seen | None:
    """Look, or return None while another watch of the distribution is looking for both."""
    waiter = _waiter(desk.cloudfront, watch["kind"])
    shared = polling.Desk(desk.ledger, desk.cloudfront, desk.now_ms)
    if watch["kind"] == "invalidation":
        answer = polling.at_invalidation(
            shared,
            watch["parameters"],
            final=lambda answer: waiters.judge(waiter.acceptors, answer) == "success",
        )
    else:
        answer = polling.at(shared, waiter.operation, watch["parameters"])
    return None if answer is None else _judge(desk, watch, waiter, answer)


def _judge(desk: Desk, watch: Row, waiter: Any, answer: Mapping[str, Any]) -> _Seen:  # noqa: ANN401
    verdict = waiters.judge(waiter.acceptors, answer)
    outcome: Outcome | None = None
    errors = 0
    if watch["etag"] and answer.get("ETag", watch["etag"]) != watch["etag"]:
        outcome = "superseded"
    elif verdict == "success":
        outcome = "completed"
    elif verdict == "failure":
        outcome = "failed"
    elif retryable.code(answer).startswith("NoSuch"):
        outcome = "gone"
    elif verdict == "error" and not retryable.passes(answer):
        errors = watch["errors"] + 1
        outcome = "failed" if errors >= _MOST_ERRORS else None
    elif desk.now_ms() >= watch["deadline_ms"]:
        outcome = "timed_out"
    return _Seen(outcome, _status(answer), errors)


def _write(desk: Desk, watch: Row, seen: _Seen) -> Row | None:
    now_ms = desk.now_ms()
    put: dict[str, Any] = {"last_status": seen.status, "errors": seen.errors, "looked_ms": now_ms}
    if seen.outcome is None:
        elapsed_s = (now_ms - watch["started_ms"]) / 1000
        manner = _manner(desk, watch["kind"])
        next_s = schedule.next_look_s(watch["schedule_s"], elapsed_s, manner)
        put["due_at_ms"] = watch["started_ms"] + int(next_s * 1000)
    else:
        put |= {"outcome": seen.outcome, "ended_ms": now_ms, "due_at_ms": now_ms}
    return desk.ledger.change(
        watch["pk"], _SK, put=put, add={"looks": 1}, when=table.absent("outcome")
    )


def _learn(desk: Desk, watch: Row, *, ended_ms: int) -> None:
    """Let later watches know how long this took: until some moment between the last two looks."""
    middle_ms = (watch["looked_ms"] + ended_ms) // 2
    took_s = max(1, round((middle_ms - watch["started_ms"]) / 1000))
    learned = desk.ledger.get(_PACE, watch["kind"]) or {}
    ends_s = [*learned.get("ends_s", []), took_s][-schedule.MOST_ENDS :]
    chosen = schedule.schedule(ends_s, _manner(desk, watch["kind"]))
    # Two at once may lose an end: there will be others.
    desk.ledger.change(_PACE, watch["kind"], put={"ends_s": ends_s, "schedule_s": chosen})


def _manner(desk: Desk, kind: str) -> schedule.Manner:
    known = _KINDS[kind]
    return schedule.Manner(
        pause_s=_waiter(desk.cloudfront, kind).delay,
        longest_pause_s=known.longest_pause_s,
        price_s=known.price_s,
    )


def _announcement(watch_id: str, watch: Row) -> Announcement:
    outcome: Outcome = watch["outcome"]
    noun = _KINDS[watch["kind"]].noun
    kind = "Watch Timed Out" if outcome == "timed_out" else f"{noun} {outcome.title()}"
    distribution_id = watch["distribution_id"]
    took_s = (watch["ended_ms"] - watch["started_ms"]) / 1000
    return Announcement(
        id=f"{watch_id}/{outcome}",
        kind=kind,
        sentence=f"{kind}: {watch['name']}, {took_s:.0f} s after it began.",
        at_ms=watch["ended_ms"],
        facts={
            "watch": watch_id,
            "outcome": outcome,
            **({"distribution_id": distribution_id} if distribution_id else {}),
            "started_at": announcements.moment(watch["started_ms"]),
            "looks": watch["looks"],
            "last_status": watch.get("last_status", ""),
            **watch["facts"],
        },
    )


def _status(answer: Mapping[str, Any]) -> str:
    for part in answer.values():
        if isinstance(part, dict) and "Status" in part:
            return str(part["Status"])
    return retryable.code(answer)


@lru_cache(maxsize=8)
def _waiter(client: CloudFrontClient, kind: str) -> Any:  # noqa: ANN401  # botocore types no waiter
    # botocore compiles the acceptors anew each time it is asked.
    return client.get_waiter(_KINDS[kind].waiter).config  # type: ignore[call-overload]


def _pk(watch_id: str) -> str:
    return f"watch#{watch_id}"
