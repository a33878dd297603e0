"""Key rotation: look at everything, take the one step that `decide.decide` names, tell of it.

Nothing is remembered of what was under way: a crash anywhere, somebody's edit in the console, two
runs at once all lead to the next look, which sees what is there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from cdn.access import grant_document
from cdn.aws import announcements, busy
from cdn.aws.announcements import Announcement
from cdn.cloudfront import key_groups, public_keys
from cdn.errors import GrantsError, KeyMaterialError, RetryLaterError, UnavailableError
from cdn.rotation import decide, execute, reports
from cdn.rotation.decide import Observed, Record, Wait
from cdn.rotation.execute import KEY, PK, SEEN, Look

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cdn.aws.announcements import Audience
    from cdn.aws.table import Row
    from cdn.rotation.decide import Rules, Step
    from cdn.rotation.execute import Desk

GROUP = "group"
"""The row that names the key group."""

_TOLD = "told"


@dataclass(frozen=True, slots=True)
class Tick:
    """
    What came of one look.

    Attributes:
        error: Why the step was not taken now; empty when it was.
    """

    observed: Observed
    at_ms: int
    step: Step | Wait
    error: str = ""


def tick(desk: Desk) -> Tick:
    """
    Look, and take one step.

    Raises:
        RetryLaterError: AWS is too busy to look.
    """
    observed = observe(desk)
    now_ms = desk.now_ms()
    step = decide.decide(observed, now_ms=now_ms, rules=desk.rules)
    try:
        if not isinstance(step, Wait):
            with busy.told():
                execute.take(step, desk, Look(observed, now_ms))
    except (RetryLaterError, UnavailableError, KeyMaterialError) as exc:
        return Tick(observed, now_ms, step, str(exc))
    return Tick(observed, now_ms, step)


# ── Looking ───────────────────────────────────────────────────────────────────────────────────────


@busy.told()
def observe(desk: Desk) -> Observed:
    """
    Look at everything, changing nothing.

    What is made first is read last: a record, a key in the group or a public key that is seen has
    its version of the secret, if that is still there.

    Raises:
        RetryLaterError: AWS is busy.
    """
    rows = {row["sk"]: row for row in desk.ledger.rows(PK, first=GROUP, last=f"{_TOLD}~")}
    group_id = rows.get(GROUP, {}).get("key_group_id")
    group = key_groups.read(desk.cloudfront, group_id) if group_id else None
    return Observed(
        mark=desk.mark,
        group=group,
        elsewhere=frozenset(
            key_id
            for other in key_groups.listed(desk.cloudfront)
            if other.id != group_id
            for key_id in other.key_ids
        ),
        public_keys=public_keys.listed(desk.cloudfront),
        versions=desk.secret.versions(),
        records={
            sk.removeprefix(KEY): _record(row) for sk, row in rows.items() if sk.startswith(KEY)
        },
        previous=rows.get(SEEN, {}).get("previous", ""),
        ceilings=tuple(_ceilings(desk)),
        told=frozenset(rows.get(_TOLD, {}).get("ids", ())),
    )


def _record(row: Row) -> Record:
    known = {field.name for field in fields(Record)}
    told = {name: value for name, value in row.items() if name in known}
    return Record(row["sk"].removeprefix(KEY), **told)


def _ceilings(desk: Desk) -> Iterator[tuple[int, int]]:
    """Tell the longest lifetime in each version of the grants, and since when it is in force."""
    pages = desk.ssm.get_paginator("get_parameter_history").paginate(
        Name=desk.grants_parameter, WithDecryption=True
    )
    try:
        versions = [version for page in pages for version in page["Parameters"]]
    except desk.ssm.exceptions.ParameterNotFound:
        return
    for version in sorted(versions, key=lambda one: one["Version"]):
        try:
            entries = grant_document.parse(version["Value"]).entries
        except GrantsError:
            # By a document that makes no sense, nothing is signed.
            entries = ()
        longest_s = max((grant.max_lifetime_s for grant in entries), default=0)
        yield int(version["LastModifiedDate"].timestamp() * 1000), longest_s


# ── Telling ───────────────────────────────────────────────────────────────────────────────────────


def announce(desk: Desk, audience: Audience, observed: Observed) -> list[str]:
    """
    Announce what was not announced yet, and forget what is over; name what was announced.

    Raises:
        RetryLaterError: The event bus did not take it.
    """
    now_ms = desk.now_ms()
    due = [
        *reports.news(observed),
        *reports.concerns(observed, now_ms=now_ms, rules=desk.rules),
    ]
    new = [report for report in due if report.id not in observed.told]
    for report in new:
        announcements.publish(
            audience,
            Announcement(report.id, report.kind, report.sentence, now_ms, report.facts),
        )
    ids = {report.id for report in due}
    if ids != observed.told:
        desk.ledger.change(PK, _TOLD, put={"ids": sorted(ids)})
    return [report.id for report in new]


def numbers(observed: Observed, *, now_ms: int, rules: Rules) -> Mapping[str, int]:
    """Tell what alarms are set on: ages in seconds, counts of keys."""
    states = reports.states(observed, now_ms=now_ms, rules=rules)
    since_ms = next(
        (
            observed.records[label].promoted_ms
            for label, state in states.items()
            if state == "signing"
        ),
        None,
    )
    parts = list(states.values())
    told = {
        "DrainingKeys": parts.count("draining"),
        "StandbyKeys": parts.count("standby"),
        "PublicKeys": len(observed.public_keys),
    }
    if since_ms is None:
        return told
    age_s = (now_ms - since_ms) // 1000
    return told | {"SigningKeyAge": age_s, "RotationDueIn": rules.period_s - age_s}
