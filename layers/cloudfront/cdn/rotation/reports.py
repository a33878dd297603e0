"""What of the signing keys a person should hear of, and the state that each key is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cdn import telemetry
from cdn.rotation.decide import decide
from cdn.rotation.roles import KeyRoles, roles_of
from cdn.rotation.steps import Step, Wait
from cdn.telemetry import StepResult

if TYPE_CHECKING:
    from cdn.rotation.model import Observed, Record, RotationRules

State = Literal[
    "generated", "created", "verified", "standby", "signing", "draining", "retired", "deleted"
]


@dataclass(frozen=True, slots=True)
class Report:
    """
    Something to announce once.

    Attributes:
        id: The same for as long as it is the same thing.
        detail_type: See `telemetry.DETAIL_TYPES`.
    """

    id: str
    detail_type: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


def news(observed: Observed) -> Iterator[Report]:
    """Yield what has become of each key."""
    for label, record in sorted(observed.records.items()):
        details = {"name": label, "key_id": record.key_id}
        if record.promoted_at_ms is not None:
            yield Report(
                f"signing-key/{label}/activated/{record.promoted_at_ms}",
                telemetry.SIGNING_KEY_ACTIVATED,
                f"The key {record.key_id} ({label}) signs links and cookies now.",
                details,
            )
        if record.revoked_at_ms is not None:
            yield Report(
                f"signing-key/{label}/revoked",
                telemetry.SIGNING_KEY_REVOKED,
                f"The key {record.key_id} ({label}) was revoked. Its links no longer open.",
                details,
            )
        if record.deleted_at_ms is not None and record.promoted_at_ms is not None:
            yield Report(
                f"signing-key/{label}/deleted",
                telemetry.SIGNING_KEY_DELETED,
                f"The key {record.key_id} ({label}) was deleted. All its links had expired.",
                details,
            )


def concerns(observed: Observed, *, now_ms: int, rules: RotationRules) -> Iterator[Report]:
    """Yield what a person must act on or know of, each for as long as it lasts."""
    if observed.group is None:
        yield _concern(
            "group-gone",
            "The key group does not exist, so no key is rotated. Deploy the stack again.",
        )
        return
    roles = roles_of(observed, observed.group, now_ms=now_ms, rules=rules)
    yield from _of_signing(roles)
    yield from _of_members(roles)
    yield from _of_verifications(roles)
    if not roles.room and (roles.standby is None or roles.is_due):
        yield _concern(
            "no-room",
            f"The key group has {len(roles.group.key_ids)} of {rules.max_in_group} public keys, "
            f"the account has {len(observed.public_keys)} of {rules.max_in_account}. Rotation "
            "waits until an old key is deleted. Delete a public key that is not needed.",
        )


def _of_signing(roles: KeyRoles) -> Iterator[Report]:
    signing, current = roles.signing, roles.current
    if signing is None:
        if current is None or current.form != "placeholder":
            yield _concern(
                "signing-key-unreadable",
                "The secret's version AWSCURRENT has no signing key, so nothing can be signed. "
                "Restore a version that has one.",
            )
        return
    key_id = signing.key_id
    if key_id not in roles.by_id:
        yield _concern(
            f"signing-key-unknown/{key_id}",
            f"The key {key_id} signs, but CloudFront does not have it. Its links do not open until "
            "another key is verified.",
            key_id=key_id,
        )
    elif not roles.in_group(key_id):
        yield _concern(
            f"signing-key-not-trusted/{key_id}",
            f"The key {key_id} signs, but somebody removed it from the key group. It is added "
            "again.",
            key_id=key_id,
        )
    elif roles.record(signing.label).revoked_at_ms is not None and roles.ready is None:
        yield _concern(
            f"revoked-key-signs/{key_id}",
            f"The revoked key {key_id} still signs, because no other key is verified yet.",
            key_id=key_id,
        )


def _of_members(roles: KeyRoles) -> Iterator[Report]:
    key_ids_in_use = roles.key_ids_in_use()
    ours = {key.id: key for key in roles.ours()}
    for key_id in roles.group.key_ids:
        if key_id not in ours and key_id not in key_ids_in_use:
            yield _concern(
                f"unknown-key/{key_id}",
                f"The key group has the key {key_id}, which this stack did not create. It stays "
                "there. Remove it if nobody needs it.",
                key_id=key_id,
            )
    for key in ours.values():
        record = roles.record(key.name)
        if roles.in_group(key.id) or key.id in key_ids_in_use:
            continue
        if key.id in roles.observed.in_other_groups:
            yield _concern(
                f"key-in-other-group/{key.id}",
                f"The key {key.id} ({key.name}) is in another key group, so it is not deleted. "
                "Remove it there if nobody needs it.",
                key_id=key.id,
            )
        if record.replaced_at_ms and not record.revoked_at_ms and not roles.is_drained(record):
            yield _concern(
                f"key-left-early/{key.id}",
                f"Somebody removed the key {key.id} from the key group before all links that it "
                "signed had expired. They no longer open. Add it again if viewers need them.",
                key_id=key.id,
            )


def _of_verifications(roles: KeyRoles) -> Iterator[Report]:
    for version in (roles.standby, roles.candidate):
        record = roles.record(version.label) if version else None
        if record and record.verification_error and record.verified_at_ms is None:
            yield _concern(
                f"not-verified/{record.name}/{record.verification_error}",
                f"The key {record.name} cannot be verified: {record.verification_error}.",
                key_id=record.key_id,
            )


def _concern(topic: str, message: str, **details: str) -> Report:
    return Report(f"signing-keys/{topic}", telemetry.SIGNING_KEYS_NEED_ATTENTION, message, details)


def plan(observed: Observed, *, now_ms: int, rules: RotationRules) -> dict[str, Any]:
    """Return the next step, what needs attention, and the record of each key, oldest first."""
    step = decide(observed, now_ms=now_ms, rules=rules)
    key_states = states(observed, now_ms=now_ms, rules=rules)
    return {
        "next": described(step),
        "attention": [report.message for report in concerns(observed, now_ms=now_ms, rules=rules)],
        "keys": [
            {"state": key_states.get(record.name, ""), **_fields(record)}
            for record in sorted(
                observed.records.values(), key=lambda record: record.generated_at_ms or 0
            )
        ],
    }


def described(step: Step | Wait) -> dict[str, Any]:
    """
    Return a step as JSON has it.

    >>> described(Wait(1_790_000_000_000, "the next key is promoted then"))
    {'step': 'Wait', 'due_at': '2026-09-21T14:13:20.000Z', 'reason': 'the next key is promoted then'}
    """  # noqa: E501  # a dictionary is one line
    return {"step": type(step).__name__, **_fields(step)}


def step_result(step: Step | Wait, *, error: str) -> StepResult:
    """
    Return what a tick reports; *error* says why the step was not taken.

    >>> step_result(Wait(None, "there is no key group"), error="").outcome
    'rotation waits'
    """
    if isinstance(step, Wait):
        return StepResult("rotation waits", step.reason, due_at_ms=step.due_at_ms)
    ids = described(step)
    # `name` is a log record's own.
    ids |= {"key_name": ids.pop("name")} if "name" in ids else {}
    if error:
        return StepResult("rotation step failed", error, ids)
    return StepResult("rotation step taken", ids=ids)


def _fields(values: Any) -> dict[str, Any]:  # noqa: ANN401  # any dataclass
    fields = {}
    for name, value in asdict(values).items():
        if name.endswith("_ms") and value is not None:
            fields[name.removesuffix("_ms")] = telemetry.moment(value)
        elif value not in (None, ""):
            fields[name] = value
    return fields


def states(observed: Observed, *, now_ms: int, rules: RotationRules) -> Mapping[str, State]:
    """Return the state of each key that the ledger has, by the key's name."""
    if observed.group is None:
        return {}
    roles = roles_of(observed, observed.group, now_ms=now_ms, rules=rules)
    return {label: _state(roles, label, record) for label, record in observed.records.items()}


def _state(roles: KeyRoles, label: str, record: Record) -> State:
    if record.deleted_at_ms is not None:
        return "deleted"
    if roles.signing is not None and roles.signing.label == label:
        return "signing"
    if roles.standby is not None and roles.standby.label == label:
        # One that somebody removed from the group has to be verified anew.
        return "standby" if roles.ready else "created"
    if roles.candidate is not None and roles.candidate.label == label:
        if record.verified_at_ms is not None:
            return "verified"
        return "created" if roles.key_id(roles.candidate) else "generated"
    return "draining" if roles.in_group(record.key_id) else "retired"
