"""Key rotation: observe everything, take the one step that `decide` returns, announce it.

Nothing is remembered of what was under way: a crash anywhere, somebody's edit in the console, two
runs at once all lead to the next tick, which observes what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn import metrics
from cdn.access import grant_document
from cdn.aws import announcements, rows
from cdn.aws.announcements import Announcement
from cdn.aws.retryable import retry_later
from cdn.cloudfront import key_groups, public_keys
from cdn.errors import GrantsError, KeyMaterialError, RetryLaterError, UnavailableError
from cdn.rotation import execute, reports
from cdn.rotation.context import Observation
from cdn.rotation.decide import decide
from cdn.rotation.model import Observed, Record
from cdn.rotation.steps import Wait

if TYPE_CHECKING:
    from cdn.aws.announcements import Announcer
    from cdn.aws.rows import SigningKeyRow
    from cdn.rotation.context import RotationContext
    from cdn.rotation.model import RotationRules
    from cdn.rotation.steps import Step
    from cdn.telemetry import StepResult


@dataclass(frozen=True, slots=True)
class Tick:
    """
    What came of one tick.

    Attributes:
        error: Why the step was not taken; empty when it was.
    """

    observed: Observed
    at_ms: int
    step: Step | Wait
    error: str = ""

    @property
    def result(self) -> StepResult:
        """What the function reports of it."""
        return reports.step_result(self.step, error=self.error)


def tick(context: RotationContext) -> Tick:
    """
    Observe, and take one step.

    Raises:
        RetryLaterError: AWS is throttling while it is observed.
    """
    observed = observe(context)
    now_ms = context.now_ms()
    step = decide(observed, now_ms=now_ms, rules=context.rules)
    try:
        if not isinstance(step, Wait):
            with retry_later():
                execute.take(step, context, Observation(observed, now_ms))
    except (RetryLaterError, UnavailableError, KeyMaterialError) as exc:
        return Tick(observed, now_ms, step, str(exc))
    return Tick(observed, now_ms, step)


# ── Observing ─────────────────────────────────────────────────────────────────────────────────────


@retry_later()
def observe(context: RotationContext) -> Observed:
    """
    Read everything, and change nothing.

    What is created first is read last: a record, a key in the group or a public key that is
    observed has its version of the secret, if that still exists.

    Raises:
        RetryLaterError: AWS is throttling.
    """
    ledger = context.ledger
    announced = ledger.get(rows.announced()) or {}
    previous = ledger.get(rows.previous_version()) or {}
    group_id = (ledger.get(rows.key_group()) or {}).get("key_group_id", "")
    records = {record.name: record for record in map(_record, ledger.query(rows.signing_keys()))}
    group = key_groups.read(context.cloudfront, group_id) if group_id else None
    return Observed(
        name_prefix=context.name_prefix,
        group=group,
        in_other_groups=frozenset(
            key_id
            for other_group in key_groups.list_all(context.cloudfront)
            if other_group.id != group_id
            for key_id in other_group.key_ids
        ),
        public_keys=public_keys.list_all(context.cloudfront),
        versions=context.secret.versions(),
        records=records,
        previous=previous.get("version_id", ""),
        max_lifetimes=tuple(_max_lifetimes(context)),
        announced_ids=frozenset(announced.get("announced_ids", ())),
    )


def _record(row: SigningKeyRow) -> Record:
    return Record(
        name=rows.signing_key_of(row),
        key_id=row.get("key_id", ""),
        kms_key=row.get("kms_key", ""),
        generated_at_ms=row.get("generated_at_ms"),
        created_at_ms=row.get("created_at_ms"),
        added_at_ms=row.get("added_at_ms"),
        verified_at_ms=row.get("verified_at_ms"),
        promoted_at_ms=row.get("promoted_at_ms"),
        replaced_at_ms=row.get("replaced_at_ms"),
        max_lifetime_s=row.get("max_lifetime_s"),
        removed_at_ms=row.get("removed_at_ms"),
        revoked_at_ms=row.get("revoked_at_ms"),
        forced_at_ms=row.get("forced_at_ms"),
        deleted_at_ms=row.get("deleted_at_ms"),
        verification_error=row.get("verification_error", ""),
    )


def _max_lifetimes(context: RotationContext) -> Iterator[tuple[int, int]]:
    """Yield since when each version of the grants is in force, and the highest lifetime in it."""
    pages = context.ssm.get_paginator("get_parameter_history").paginate(
        Name=context.grants_parameter, WithDecryption=True
    )
    try:
        versions = [version for page in pages for version in page["Parameters"]]
    except context.ssm.exceptions.ParameterNotFound:
        return
    for version in sorted(versions, key=lambda version: version["Version"]):
        try:
            entries = grant_document.parse(version["Value"]).entries
        except GrantsError:
            # By a document that cannot be read, nothing is signed.
            entries = ()
        max_lifetime_s = max((grant.max_lifetime_s for grant in entries), default=0)
        yield int(version["LastModifiedDate"].timestamp() * 1000), max_lifetime_s


# ── Announcing ────────────────────────────────────────────────────────────────────────────────────


def announce(context: RotationContext, announcer: Announcer, observed: Observed) -> list[str]:
    """
    Announce what was not announced yet, and forget what is over; return the new ids.

    Raises:
        RetryLaterError: The event bus did not take it.
    """
    now_ms = context.now_ms()
    due = [
        *reports.news(observed),
        *reports.concerns(observed, now_ms=now_ms, rules=context.rules),
    ]
    new = [report for report in due if report.id not in observed.announced_ids]
    for report in new:
        announcements.publish(
            announcer,
            Announcement(report.id, report.detail_type, report.message, now_ms, report.details),
        )
    ids = {report.id for report in due}
    if ids != observed.announced_ids:
        context.ledger.create_or_update(rows.announced(), put={"announced_ids": sorted(ids)})
    return [report.id for report in new]


def metric_values(tick: Tick, *, rules: RotationRules) -> Mapping[str, int]:
    """Return what alarms are set on: failed steps, ages in seconds, counts of keys."""
    observed = tick.observed
    states = reports.states(observed, now_ms=tick.at_ms, rules=rules)
    promoted_at_ms = next(
        (
            observed.records[label].promoted_at_ms
            for label, state in states.items()
            if state == "signing"
        ),
        None,
    )
    state_list = list(states.values())
    values = {
        metrics.ROTATION_STEPS_FAILED: int(bool(tick.error)),
        metrics.DRAINING_KEYS: state_list.count("draining"),
        metrics.STANDBY_KEYS: state_list.count("standby"),
        metrics.PUBLIC_KEYS: len(observed.public_keys),
    }
    if promoted_at_ms is None:
        return values
    age_s = (tick.at_ms - promoted_at_ms) // 1000
    return values | {
        metrics.SIGNING_KEY_AGE: age_s,
        metrics.ROTATION_DUE_IN: rules.period_s - age_s,
    }
