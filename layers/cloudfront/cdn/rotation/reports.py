"""What of the signing keys a person should hear of, and the part that each key has now."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cdn import telemetry
from cdn.rotation import decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cdn.rotation.decide import Observed, Record, Rules, Scene

State = Literal[
    "minted", "published", "proven", "standby", "signing", "draining", "retired", "deleted"
]


@dataclass(frozen=True, slots=True)
class Report:
    """
    Something to announce once.

    Attributes:
        id: The same for as long as it is the same thing.
        kind: The event's detail-type.
    """

    id: str
    kind: str
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def news(observed: Observed) -> Iterator[Report]:
    """Tell what has become of each key."""
    for label, record in sorted(observed.records.items()):
        facts = {"name": label, "key_id": record.key_id}
        if record.promoted_at_ms is not None:
            yield Report(
                f"signing-key/{label}/activated/{record.promoted_at_ms}",
                telemetry.SIGNING_KEY_ACTIVATED,
                f"The key {record.key_id} ({label}) signs links and cookies now.",
                facts,
            )
        if record.revoked_at_ms is not None:
            yield Report(
                f"signing-key/{label}/revoked",
                telemetry.SIGNING_KEY_REVOKED,
                f"The key {record.key_id} ({label}) was revoked: links signed by it are dead.",
                facts,
            )
        if record.deleted_at_ms is not None and record.promoted_at_ms is not None:
            yield Report(
                f"signing-key/{label}/deleted",
                telemetry.SIGNING_KEY_DELETED,
                f"The key {record.key_id} ({label}) was deleted; all its links had expired.",
                facts,
            )


def concerns(observed: Observed, *, now_ms: int, rules: Rules) -> Iterator[Report]:
    """Tell what only a person can mend, or should know of; each is told until it is over."""
    if observed.group is None:
        yield _concern("group-gone", "There is no key group: nothing is rotated until there is.")
        return
    scene = decide.scene_of(observed, observed.group, now_ms=now_ms, rules=rules)
    yield from _of_signing(scene)
    yield from _of_members(scene)
    yield from _of_proofs(scene)
    if not scene.room and (scene.standby is None or scene.is_due):
        yield _concern(
            "no-room",
            f"The key group has {len(scene.group.key_ids)} of {rules.most_in_group} public keys, "
            f"the account {len(observed.public_keys)} of {rules.most_in_account}: rotation waits "
            "until an old key is drained, or somebody deletes one that is not needed.",
        )


def _of_signing(scene: Scene) -> Iterator[Report]:
    signing, holder = scene.signing, scene.holder
    if signing is None:
        if holder is None or holder.form != "placeholder":
            yield _concern(
                "signing-key-unreadable",
                "What the secret has as AWSCURRENT is no key: nothing can be signed with it.",
            )
        return
    key_id = signing.key_id
    if key_id not in scene.by_id:
        yield _concern(
            f"signing-key-unknown/{key_id}",
            f"The secret signs with {key_id}, which CloudFront does not know: its links are dead "
            "until another key is proven.",
            key_id=key_id,
        )
    elif not scene.in_group(key_id):
        yield _concern(
            f"signing-key-not-trusted/{key_id}",
            f"The key {key_id} signs, but somebody took it out of the key group; it is put back.",
            key_id=key_id,
        )
    elif scene.record(signing.label).revoked_at_ms is not None and scene.ready is None:
        yield _concern(
            f"revoked-key-signs/{key_id}",
            f"The revoked key {key_id} still signs, because no other one is proven yet.",
            key_id=key_id,
        )


def _of_members(scene: Scene) -> Iterator[Report]:
    parts = scene.parts()
    ours = {key.id: key for key in scene.ours()}
    for key_id in scene.group.key_ids:
        if key_id not in ours and key_id not in parts:
            yield _concern(
                f"unknown-key/{key_id}",
                f"The key group has the key {key_id}, of which this stack knows nothing. It is "
                "left where it is.",
                key_id=key_id,
            )
    for key in ours.values():
        record = scene.record(key.name)
        if scene.in_group(key.id) or key.id in parts:
            continue
        if key.id in scene.observed.elsewhere:
            yield _concern(
                f"key-elsewhere/{key.id}",
                f"The key {key.id} ({key.name}) is in another key group, so that it stays.",
                key_id=key.id,
            )
        if record.replaced_at_ms and not record.revoked_at_ms and not scene.is_drained(record):
            yield _concern(
                f"key-left-early/{key.id}",
                f"Somebody took the key {key.id} out of the key group, though links that it signed "
                "may not have expired.",
                key_id=key.id,
            )


def _of_proofs(scene: Scene) -> Iterator[Report]:
    for version in (scene.standby, scene.candidate):
        record = scene.record(version.label) if version else None
        if record and record.verification_error and record.verified_at_ms is None:
            yield _concern(
                f"not-proven/{record.name}/{record.verification_error}",
                f"The key {record.name} cannot be used yet: {record.verification_error}.",
                key_id=record.key_id,
            )


def _concern(about: str, sentence: str, **facts: str) -> Report:
    return Report(f"signing-keys/{about}", telemetry.SIGNING_KEYS_NEED_ATTENTION, sentence, facts)


def plan(observed: Observed, *, now_ms: int, rules: Rules) -> dict[str, Any]:
    """Say what would be done next, and what is known of each key, oldest first."""
    step = decide.decide(observed, now_ms=now_ms, rules=rules)
    parts = states(observed, now_ms=now_ms, rules=rules)
    return {
        "next": described(step),
        "attention": [report.sentence for report in concerns(observed, now_ms=now_ms, rules=rules)],
        "keys": [
            {"state": parts.get(record.name, ""), **_told(record)}
            for record in sorted(
                observed.records.values(), key=lambda one: one.generated_at_ms or 0
            )
        ],
    }


def described(step: decide.Step | decide.Wait) -> dict[str, Any]:
    """
    Tell a step as JSON does.

    >>> described(decide.Wait(1_790_000_000_000, "it is on hold"))
    {'step': 'Wait', 'until': '2026-09-21T14:13:20.000Z', 'why': 'it is on hold'}
    """
    return {"step": type(step).__name__, **_told(step)}


def _told(values: Any) -> dict[str, Any]:  # noqa: ANN401  # any dataclass
    found = {}
    for name, value in asdict(values).items():
        if name.endswith("_ms") and value is not None:
            found[name.removesuffix("_ms")] = telemetry.moment(value)
        elif value not in (None, ""):
            found[name] = value
    return found


def states(observed: Observed, *, now_ms: int, rules: Rules) -> Mapping[str, State]:
    """Name the part of each key that the ledger knows, by the key's name."""
    if observed.group is None:
        return {}
    scene = decide.scene_of(observed, observed.group, now_ms=now_ms, rules=rules)
    return {label: _state(scene, label, record) for label, record in observed.records.items()}


def _state(scene: Scene, label: str, record: Record) -> State:
    if record.deleted_at_ms is not None:
        return "deleted"
    if scene.signing is not None and scene.signing.label == label:
        return "signing"
    if scene.standby is not None and scene.standby.label == label:
        # One that somebody took out of the group has to be proven anew.
        return "standby" if scene.ready else "published"
    if scene.candidate is not None and scene.candidate.label == label:
        if record.verified_at_ms is not None:
            return "proven"
        return "published" if scene.key_id(scene.candidate) else "minted"
    return "draining" if scene.in_group(record.key_id) else "retired"
