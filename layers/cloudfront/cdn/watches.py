"""A watch looks at one thing that CloudFront is doing until it ends, and announces the end.

A watch is one row, named by what is watched, so that however often it is begun it is one. A
single conditional write ends it; what that write says is then announced until a second
write notes that it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from botocore import xform_name
from botocore.exceptions import ClientError

from cdn import announcements, ledger, pushback, waiters
from cdn.announcements import Announcement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

    from cdn.announcements import Audience
    from cdn.clocks import Clock
    from cdn.ledger import Ledger, Row

CLOCK = "watch"

Outcome = Literal["completed", "superseded", "gone", "failed", "timed_out"]

_SK = "watch"
_MOST_ERRORS = 5
_ROWS_LIVE_S = 30 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Kind:
    """A waiter of botocore's CloudFront model, and what its ends are called."""

    waiter: str
    noun: str


_KINDS = {
    "invalidation": Kind("invalidation_completed", "Invalidation"),
    "deployment": Kind("distribution_deployed", "Deployment"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is watched.

    Attributes:
        id: The same for everybody who wants the same thing watched.
        parameters: Of the waiter's operation.
        etag: The configuration whose deployment is meant; another one supersedes it.
    """

    kind: Literal["invalidation", "deployment"]
    id: str
    distribution_id: str
    parameters: Mapping[str, str]
    etag: str = ""


def invalidation(distribution_id: str, invalidation_id: str) -> Subject:
    """Watch one invalidation."""
    return Subject(
        kind="invalidation",
        id=f"invalidation/{distribution_id}/{invalidation_id}",
        distribution_id=distribution_id,
        parameters={"DistributionId": distribution_id, "Id": invalidation_id},
    )


def deployment(distribution_id: str, etag: str) -> Subject:
    """Watch the configuration *etag* of a distribution reach all edges."""
    return Subject(
        kind="deployment",
        id=f"deployment/{distribution_id}/{etag}",
        distribution_id=distribution_id,
        parameters={"Id": distribution_id},
        etag=etag,
    )


@dataclass(frozen=True, slots=True)
class Desk:
    """Where watches are kept, whom they look at, and the clock that rings for them."""

    ledger: Ledger
    cloudfront: CloudFrontClient
    watch_clock: Clock
    now: Callable[[], float]

    def now_ms(self) -> int:
        """Tell the time as rows do."""
        return int(self.now() * 1000)


def begin(
    desk: Desk, subject: Subject, *, facts: Mapping[str, Any], outcome: Outcome | None = None
) -> None:
    """
    Have *subject* watched, unless it already is, and its clock rung.

    Args:
        facts: What its announcement shall say besides.
        outcome: Given when it has ended already and only needs announcing.
    """
    now_ms = desk.now_ms()
    pace = _waiter(desk.cloudfront, subject.kind)
    pause_ms = 0 if outcome else pace.delay * 1000
    ended = {"outcome": outcome, "ended_ms": now_ms} if outcome else {}
    desk.ledger.put_new(
        {
            "pk": _pk(subject.id),
            "sk": _SK,
            "kind": subject.kind,
            "distribution_id": subject.distribution_id,
            "parameters": dict(subject.parameters),
            "etag": subject.etag,
            "facts": dict(facts),
            "started_ms": now_ms,
            "deadline_ms": now_ms + pace.delay * pace.max_attempts * 1000,
            "looks": 0,
            "errors": 0,
            "clock": CLOCK,
            "due_at_ms": now_ms + pause_ms,
            "expires_at": now_ms // 1000 + _ROWS_LIVE_S,
            **ended,
        }
    )
    # Rung even if the row was there: whoever wrote it may have died before this line.
    desk.watch_clock.ring(subject.id, after_ms=pause_ms)


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
        written = _write(desk, watch, _see(desk, watch))
        if written is None:
            # Another look ended it meanwhile; the announcement may still be owed.
            return desk.now_ms()
        watch = written
        if "outcome" not in watch:
            return int(watch["due_at_ms"])
    if "announced_ms" not in watch:
        announcements.publish(audience, _announcement(watch_id, watch))
        desk.ledger.change(
            watch["pk"],
            _SK,
            keep={"announced_ms": desk.now_ms()},
            remove=("clock", "due_at_ms"),
        )
    return None


@dataclass(frozen=True, slots=True)
class _Seen:
    """How the watch has ended, if it has; what CloudFront said; how many errors in a row."""

    outcome: Outcome | None
    status: str
    errors: int


def _see(desk: Desk, watch: Row) -> _Seen:
    pace = _waiter(desk.cloudfront, watch["kind"])
    operation = getattr(desk.cloudfront, xform_name(pace.operation))
    try:
        answer = operation(**watch["parameters"])
    except ClientError as exc:
        answer = exc.response
    verdict = waiters.judge(pace.acceptors, answer)
    outcome: Outcome | None = None
    errors = 0
    if watch["etag"] and answer.get("ETag", watch["etag"]) != watch["etag"]:
        outcome = "superseded"
    elif verdict == "success":
        outcome = "completed"
    elif verdict == "failure":
        outcome = "failed"
    elif pushback.code(answer).startswith("NoSuch"):
        outcome = "gone"
    elif verdict == "error" and not pushback.passes(answer):
        errors = watch["errors"] + 1
        outcome = "failed" if errors >= _MOST_ERRORS else None
    elif desk.now_ms() >= watch["deadline_ms"]:
        outcome = "timed_out"
    return _Seen(outcome, _status(answer), errors)


def _write(desk: Desk, watch: Row, seen: _Seen) -> Row | None:
    now_ms = desk.now_ms()
    put: dict[str, Any] = {
        "last_status": seen.status,
        "errors": seen.errors,
        "due_at_ms": now_ms,
    }
    if seen.outcome is None:
        put["due_at_ms"] += _waiter(desk.cloudfront, watch["kind"]).delay * 1000
    else:
        put |= {"outcome": seen.outcome, "ended_ms": now_ms}
    return desk.ledger.change(
        watch["pk"], _SK, put=put, add={"looks": 1}, when=ledger.absent("outcome")
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
        sentence=(
            f"{kind}: {watch_id.rpartition('/')[2]} of distribution {distribution_id}, "
            f"{took_s:.0f} s after it began."
        ),
        at_ms=watch["ended_ms"],
        facts={
            "watch": watch_id,
            "outcome": outcome,
            "distribution_id": distribution_id,
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
    return pushback.code(answer)


@lru_cache(maxsize=8)
def _waiter(client: CloudFrontClient, kind: str) -> Any:  # noqa: ANN401  # botocore's own config
    # botocore compiles the acceptors anew each time it is asked.
    return client.get_waiter(_KINDS[kind].waiter).config  # type: ignore[call-overload]


def _pk(watch_id: str) -> str:
    return f"watch#{watch_id}"
