"""What steps say of themselves: outcomes, log lines and detail types, each in one table.

Whatever takes time is done in steps, and each step returns a `StepResult`. Its outcome is the log
line's message. Nothing here knows AWS: handlers pass in what writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol

from cdn import metrics

# ── Outcomes ──────────────────────────────────────────────────────────────────────────────────────

Outcome = Literal[
    "changes collected",
    "events ignored",
    "message dead-lettered",
    "nothing pending",
    "flush not due",
    "flush locked",
    "flush finished",
    "flush continues",
    "changes already planned",
    "changes held",
    "change dead-lettered",
    "plan halved",
    "plan committed",
    "plan discarded",
    "plan gone",
    "batch not due",
    "batch locked",
    "invalidation created",
    "invalidation target gone",
    "batch halved",
    "batch retried later",
    "batch failed",
    "throttled",
    "quota exhausted",
    "step failed",
    "retries exhausted",
    "watch gone",
    "watch not due",
    "poll shared",
    "still in progress",
    "watch ended",
    "end announced",
    "timer rescheduled",
    "flush resumed",
    "sweep stopped",
    "rotation step taken",
    "rotation step failed",
    "rotation waits",
    "key revoked",
    "revocation refused",
]

Level = Literal["info", "warning"]


class Meaning(NamedTuple):
    """
    What an outcome is to those who operate the stack.

    Attributes:
        metric: Counted in; empty for none. Each name costs 0.30 USD a month.
    """

    level: Level = "info"
    metric: str = ""


_MEANINGS: Mapping[Outcome, Meaning] = {
    "message dead-lettered": Meaning("warning"),
    "flush resumed": Meaning("warning"),
    "sweep stopped": Meaning("warning"),
    "changes held": Meaning("warning"),
    "change dead-lettered": Meaning("warning", metrics.STEPS_FAILED),
    "plan halved": Meaning("warning"),
    "plan gone": Meaning("warning"),
    "batch halved": Meaning("warning"),
    "batch retried later": Meaning("warning", metrics.STEPS_FAILED),
    "batch failed": Meaning("warning", metrics.STEPS_FAILED),
    "throttled": Meaning(metric=metrics.STEPS_THROTTLED),
    "quota exhausted": Meaning(metric=metrics.STEPS_THROTTLED),
    "step failed": Meaning("warning", metrics.STEPS_FAILED),
    "retries exhausted": Meaning("warning", metrics.STEPS_FAILED),
    "rotation step failed": Meaning("warning"),
    "key revoked": Meaning("warning"),
    "revocation refused": Meaning("warning"),
}
_PLAIN = Meaning()

# Of these, a number among the ids is a metric.
_COUNTED: Mapping[Outcome, tuple[str, str]] = {
    "invalidation created": (metrics.PATHS_INVALIDATED, "paths"),
    "plan committed": (metrics.CHANGES_SKIPPED, "skipped"),
}

# Of these, when a step is due again is when it is retried.
_RETRIED: frozenset[Outcome] = frozenset(
    {
        "throttled",
        "quota exhausted",
        "step failed",
        "batch retried later",
        "rotation step failed",
    }
)


@dataclass(frozen=True, slots=True)
class StepResult:
    """
    What one step did.

    Attributes:
        reason: Why, where the outcome alone leaves that open: an error, a rule.
        ids: What it was done to, by the names that AWS uses, and how much: `distribution_id`,
            `invalidation_id`, `plan_id`, `paths`, …
        due_at_ms: When the next step is due, in epoch milliseconds; None where nothing is left.
    """

    outcome: Outcome
    reason: str = ""
    ids: Mapping[str, Any] = field(default_factory=dict)
    due_at_ms: int | None = None

    @property
    def meaning(self) -> Meaning:
        """
        What the outcome is to those who operate the stack.

        >>> StepResult("throttled").meaning.metric
        'StepsThrottled'
        """
        return _MEANINGS.get(self.outcome, _PLAIN)


class Log(Protocol):
    """A logger whose methods take a message and fields: `Logger` of Powertools."""

    @property
    def info(self) -> Callable[..., object]:
        """Write a line that says what was done."""

    @property
    def warning(self) -> Callable[..., object]:
        """Write a line that says what was not done as it should have been."""


def log_fields(result: StepResult) -> dict[str, Any]:
    """
    Return what the log line of a step has beside its message.

    >>> log_fields(StepResult("throttled", "Throttling", {"operation": "ListDistributions"}, 5_000))
    {'operation': 'ListDistributions', 'reason': 'Throttling', 'retry_at': '1970-01-01T00:00:05.000Z'}
    """  # noqa: E501  # a log line is one line
    fields = dict(result.ids)
    if result.reason:
        fields["reason"] = result.reason
    if result.due_at_ms is not None:
        name = "retry_at" if result.outcome in _RETRIED else "due_at"
        fields[name] = moment(result.due_at_ms)
    return fields


@dataclass(frozen=True, slots=True)
class Telemetry:
    """
    Where a function's steps are reported to.

    Attributes:
        namespace: Of the metrics; the stack's name.
        write: Writes one line of text to the function's log.
        now: The time in epoch seconds.
    """

    log: Log
    namespace: str
    write: Callable[[str], object]
    now: Callable[[], float]

    def report(self, result: StepResult) -> None:
        """Write the log line of a step, and its metrics."""
        meaning = result.meaning
        log = self.log.warning if meaning.level == "warning" else self.log.info
        log(result.outcome, **log_fields(result))
        values = {meaning.metric: 1} if meaning.metric else {}
        if result.outcome in _COUNTED:
            metric, count = _COUNTED[result.outcome]
            values[metric] = result.ids[count]
        if any(values.values()):
            self.write(metrics.line(self.namespace, int(self.now() * 1000), values) + "\n")


# ── Announcements ─────────────────────────────────────────────────────────────────────────────────

WatchKind = Literal["invalidation", "deployment", "refusal", "flush", "changes"]
WatchOutcome = Literal[
    "completed", "superseded", "gone", "failed", "timed_out", "refused", "skipped", "held"
]

INVALIDATION_COMPLETED = "Invalidation Completed"
INVALIDATION_GONE = "Invalidation Gone"
INVALIDATION_REFUSED = "Invalidation Refused"
INVALIDATION_FAILED = "Invalidation Failed"
CHANGES_SKIPPED = "Changes Skipped"
CHANGES_HELD = "Changes Held"
FLUSH_FAILED = "Flush Failed"
DEPLOYMENT_COMPLETED = "Deployment Completed"
DEPLOYMENT_SUPERSEDED = "Deployment Superseded"
DEPLOYMENT_GONE = "Deployment Gone"
DEPLOYMENT_FAILED = "Deployment Failed"
WATCH_TIMED_OUT = "Watch Timed Out"
SIGNING_KEY_ACTIVATED = "Signing Key Activated"
SIGNING_KEY_REVOKED = "Signing Key Revoked"
SIGNING_KEY_DELETED = "Signing Key Deleted"
SIGNING_KEYS_NEED_ATTENTION = "Signing Keys Need Attention"

Topic = Literal["attention", "routine"]
"""Who hears of it by SNS: whoever must act, or whoever wants to know how things end."""

DETAIL_TYPES: Mapping[str, Topic] = {
    INVALIDATION_COMPLETED: "routine",
    INVALIDATION_GONE: "routine",
    INVALIDATION_REFUSED: "attention",
    INVALIDATION_FAILED: "attention",
    CHANGES_SKIPPED: "attention",
    CHANGES_HELD: "attention",
    FLUSH_FAILED: "attention",
    DEPLOYMENT_COMPLETED: "routine",
    DEPLOYMENT_SUPERSEDED: "routine",
    DEPLOYMENT_GONE: "routine",
    DEPLOYMENT_FAILED: "attention",
    WATCH_TIMED_OUT: "attention",
    SIGNING_KEY_ACTIVATED: "routine",
    SIGNING_KEY_REVOKED: "attention",
    SIGNING_KEY_DELETED: "routine",
    SIGNING_KEYS_NEED_ATTENTION: "attention",
}
"""Every detail type that the stack announces, and on which topic."""

_WATCH_DETAIL_TYPES: Mapping[tuple[WatchKind, WatchOutcome], str] = {
    ("invalidation", "completed"): INVALIDATION_COMPLETED,
    ("invalidation", "gone"): INVALIDATION_GONE,
    ("invalidation", "failed"): INVALIDATION_FAILED,
    ("invalidation", "timed_out"): WATCH_TIMED_OUT,
    ("deployment", "completed"): DEPLOYMENT_COMPLETED,
    ("deployment", "superseded"): DEPLOYMENT_SUPERSEDED,
    ("deployment", "gone"): DEPLOYMENT_GONE,
    ("deployment", "failed"): DEPLOYMENT_FAILED,
    ("deployment", "timed_out"): WATCH_TIMED_OUT,
    ("refusal", "refused"): INVALIDATION_REFUSED,
    ("flush", "failed"): FLUSH_FAILED,
    ("changes", "skipped"): CHANGES_SKIPPED,
    ("changes", "held"): CHANGES_HELD,
}


def detail_type(kind: WatchKind, outcome: WatchOutcome) -> str:
    """
    Return the detail type of the event that announces how a watch ended.

    >>> detail_type("invalidation", "completed")
    'Invalidation Completed'
    """
    return _WATCH_DETAIL_TYPES[kind, outcome]


def moment(at_ms: int) -> str:
    """
    Write a moment as people and JSON readers expect it.

    >>> moment(1_790_000_000_500)
    '2026-09-21T14:13:20.500Z'
    """
    text = datetime.fromtimestamp(at_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
