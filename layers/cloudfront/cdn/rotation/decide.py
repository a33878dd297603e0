"""What key rotation does next: `decide` returns one step, or a wait, for what is observed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cdn.rotation import model
from cdn.rotation.model import PREVIOUS, STANDBY
from cdn.rotation.roles import KeyRoles, roles_of
from cdn.rotation.steps import (
    AddToKeyGroup,
    CreatePublicKey,
    DeleteKmsKey,
    DeletePublicKey,
    GenerateKey,
    Promote,
    RecordAdded,
    RecordDeleted,
    RecordMaxLifetime,
    RecordPromoted,
    RecordReplaced,
    RemoveFromKeyGroup,
    RemoveStage,
    Step,
    StoreStandby,
    VerifyKey,
    Wait,
)

if TYPE_CHECKING:
    from cdn.rotation.model import Observed, RotationRules, Version


def decide(observed: Observed, *, now_ms: int, rules: RotationRules) -> Step | Wait:
    """
    Return the next step; whatever is observed, there is exactly one.

    The table has a period of 30 days, a hold of 24 hours, links that live up to an hour, and the
    quotas 5 and 10. What is in the group stays there and signs on unless something else is said.

    | keys                                                           | step                    |
    |----------------------------------------------------------------|-------------------------|
    | nothing                                                        | generate key            |
    | a generated                                                    | create public key a     |
    | a generated, created                                           | add to key group a      |
    | a generated, created, in group                                 | record added a          |
    | a generated, created, in group 1 h                             | wait 23 h               |
    | a generated, created, in group 24 h                            | verify key a            |
    | a generated, created, in group 24 h, verified                  | store standby a         |
    | a standby                                                      | promote a               |
    | a standby, in group 1 h, unverified                            | wait 23 h               |
    | a standby, current                                             | record promoted a       |
    | a signing 1 d                                                  | generate key            |
    | a signing 1 d; b generated                                     | create public key b     |
    | a signing 1 d; b standby                                       | wait 29 d               |
    | a signing 30 d; b standby                                      | promote b               |
    | a signing 90 d; b generated, created, in group 1 h             | wait 23 h               |
    | a in group 9 d, created, promoted 9 d; b signing 1 m; c standby | record replaced a       |
    | a draining 1 h; b signing 1 d; c standby                       | wait 26 m               |
    | a draining 2 h; b signing 1 d; c standby                       | remove from key group a |
    | a created, removed; b signing 1 d; c standby                   | delete public key a     |
    | a removed; b signing 1 d; c standby                            | record deleted a        |
    | a draining 2 h, signed again; b signing 1 d; c standby         | record replaced a       |
    | a signing 30 d; b standby; c,d,e draining 1 h                  | wait 26 m               |
    | a signing 1 d; b,c,d,e draining 1 h                            | wait 26 m               |
    | a signing 30 d; b standby; 8 foreign                           | wait                    |
    | a signing 1 d; 9 foreign                                       | wait 29 d               |
    | a signing 1 d; b standby; x foreign, in group                  | wait 29 d               |
    | a signing 1 d, not in group; b standby                         | add to key group a      |
    | a signing 1 d, not created; b standby                          | promote b               |
    | a signing 1 d, not created                                     | generate key            |
    | a signing 1 d; b standby, not in group                         | add to key group b      |
    | a signing 1 d; b standby, not created                          | generate key            |
    | a signing 1 d, revoked; b standby                              | promote b               |
    | a signing 1 d, revoked                                         | generate key            |
    | a signing 1 d, forced; b generated, created, in group 1 m      | remove from key group a |
    | a signing 1 d, forced, not in group; b generated, created, in group 1 m | verify key b |
    | a draining 1 m, revoked; b signing 1 m; c standby              | remove from key group a |
    | a signing 1 d; b standby, revoked                              | remove from key group b |
    | a signing 1 d; b standby, revoked, not in group                | remove stage b          |
    | a signing 1 d, rsa; b standby, rsa                             | generate key            |
    | a signing 1 d, rsa; b standby                                  | promote b               |
    | a signing 1 d; b standby; c generated, rsa                     | wait 29 d               |
    | a signing 1 d; c generated, rsa                                | generate key            |
    | a draining 2 h; b signing 1 d, max lifetime 60 s; c standby    | record max lifetime b   |
    | no group; a signing 1 d                                        | wait                    |
    """
    if observed.group is None:
        return Wait(None, "there is no key group")
    roles = roles_of(observed, observed.group, now_ms=now_ms, rules=rules)
    for rule in _RULES:
        step = rule(roles)
        if step is not None:
            return step
    return _wait(roles)


# ── The rules, the most pressing first ────────────────────────────────────────────────────────────


def _record_signing(roles: KeyRoles) -> Step | None:
    signing = roles.signing
    if signing is None:
        return None
    record = roles.record(signing.label)
    if record.promoted_at_ms is None or record.replaced_at_ms is not None:
        return RecordPromoted(signing.label, signing.key_id)
    return None


def _record_previous(roles: KeyRoles) -> Step | None:
    """Record who has signed between two ticks: Secrets Manager names who did so last."""
    for version in roles.versions:
        if (
            PREVIOUS in version.stages
            and version.form == "key"
            and version is not roles.signing
            and version.id != roles.observed.previous
        ):
            return RecordReplaced(version.label, version.key_id, version.id)
    return None


def _record_members(roles: KeyRoles) -> Step | None:
    key_ids_in_use = roles.key_ids_in_use()
    for key in roles.ours():
        record, inside = roles.record(key.name), roles.in_group(key.id)
        if inside and record.added_at_ms is None:
            return RecordAdded(key.name, key.id)
        signs = roles.signing is not None and roles.signing.key_id == key.id
        # A key without a role may have had one: it must be assumed that it has signed.
        signed = record.promoted_at_ms is not None or (inside and key.id not in key_ids_in_use)
        if signed and not signs and (record.replaced_at_ms or record.revoked_at_ms) is None:
            return RecordReplaced(key.name, key.id)
    return None


def _record_max_lifetimes(roles: KeyRoles) -> Step | None:
    grace_period_ms = roles.rules.grace_period_ms
    for label, record in sorted(roles.observed.records.items()):
        signs = roles.signing is not None and roles.signing.label == label
        if record.deleted_at_ms is not None or not (signs or record.replaced_at_ms is not None):
            continue
        max_lifetime_s = model.max_lifetime_s(
            roles.observed.max_lifetimes,
            since_ms=(record.verified_at_ms or record.added_at_ms or 0) - grace_period_ms,
            until_ms=min(roles.now_ms, (record.replaced_at_ms or roles.now_ms) + grace_period_ms),
        )
        if max_lifetime_s is not None and (
            record.max_lifetime_s is None or max_lifetime_s > record.max_lifetime_s
        ):
            return RecordMaxLifetime(label, max_lifetime_s)
    return None


def _restore_trust(roles: KeyRoles) -> Step | None:
    """Add the key that signs to the group, or let another one sign: links are dead meanwhile."""
    signing, ready = roles.signing, roles.ready
    if signing is None or roles.in_group(signing.key_id):
        return None
    if roles.record(signing.label).revoked_at_ms is None and signing.key_id in roles.by_id:
        return _addition(roles, signing.label, signing.key_id)
    return _promotion(roles, ready)


def _revoke(roles: KeyRoles) -> Step | None:
    signing, ready = roles.signing, roles.ready
    if signing and ready and roles.record(signing.label).revoked_at_ms is not None:
        return _promotion(roles, ready)
    candidate_id = roles.key_id(roles.candidate) if roles.candidate else ""
    # A candidate needs the place, or can take over.
    replaceable = roles.urgent and (roles.in_group(candidate_id) or not roles.room)
    for key_id in roles.group.key_ids:
        label = roles.label(key_id)
        signs = signing is not None and signing.key_id == key_id
        if roles.record(label).revoked_at_ms is None or len(roles.group.key_ids) == 1:
            continue
        if not signs or replaceable:
            return RemoveFromKeyGroup(label, key_id)
    for version in roles.versions:
        if (
            STANDBY in version.stages
            and version.form == "key"
            and version is not signing
            and roles.record(version.label).revoked_at_ms is not None
        ):
            return RemoveStage(STANDBY, version.id)
    return None


def _keep_standby(roles: KeyRoles) -> Step | None:
    standby = roles.standby
    if standby is None:
        return None
    if not roles.in_group(standby.key_id):
        return _addition(roles, standby.label, standby.key_id)
    return _verification(roles, standby, standby.key_id)


def _promote(roles: KeyRoles) -> Step | None:
    ready, signing = roles.ready, roles.signing
    if ready is None:
        return None
    if signing is None:
        return _promotion(roles, ready)
    # Where there is no room for the next standby, there would be none to revoke to.
    due = roles.is_due or (roles.fits(ready) and not roles.fits(signing))
    return _promotion(roles, ready) if due and roles.room else None


def _prepare(roles: KeyRoles) -> Step | None:
    """Prepare a standby, where there is none of the right kind."""
    if roles.standby is not None and roles.fits(roles.standby):
        return None
    candidate = roles.candidate
    if candidate is None or not roles.fits(candidate):
        return GenerateKey() if roles.room or roles.urgent else None
    key_id = roles.key_id(candidate)
    if not key_id:
        return CreatePublicKey(candidate.name, candidate.id) if roles.room_in_account else None
    if not roles.in_group(key_id):
        return _addition(roles, candidate.name, key_id)
    if roles.record(candidate.name).verified_at_ms is None:
        return _verification(roles, candidate, key_id)
    return StoreStandby(candidate.name, key_id, candidate.id)


def _clean(roles: KeyRoles) -> Step | None:
    key_ids_in_use = roles.key_ids_in_use()
    for key in roles.ours():
        record = roles.record(key.name)
        if key.id in key_ids_in_use:
            continue
        if roles.in_group(key.id):
            if roles.is_drained(record) and len(roles.group.key_ids) > 1:
                return RemoveFromKeyGroup(key.name, key.id)
        elif key.id not in roles.observed.in_other_groups and (
            (record.promoted_at_ms is None and record.replaced_at_ms is None)
            or record.revoked_at_ms is not None
            or roles.is_drained(record)
        ):
            return DeletePublicKey(key.name, key.id)
    labels_in_use = {
        version.label for version in (roles.signing, roles.standby, roles.candidate) if version
    }
    for label, record in sorted(roles.observed.records.items()):
        if record.deleted_at_ms is not None or label in labels_in_use:
            continue
        if label in roles.by_name or record.key_id in roles.by_id:
            continue
        if record.kms_key:
            return DeleteKmsKey(label, record.kms_key)
        return RecordDeleted(label)
    return None


def _addition(roles: KeyRoles, label: str, key_id: str) -> Step | None:
    return AddToKeyGroup(label, key_id) if roles.room_in_group else None


def _promotion(roles: KeyRoles, version: Version | None) -> Step | None:
    if version is None:
        return None
    return Promote(version.label, version.id, roles.current.id if roles.current else "")


def _verification(roles: KeyRoles, version: Version, key_id: str) -> Step | None:
    held_until_ms = roles.held_until_ms(roles.record(version.label))
    if held_until_ms is None or not (roles.urgent or roles.now_ms >= held_until_ms):
        return None
    return VerifyKey(version.label, key_id, version.id)


_RULES: tuple[Callable[[KeyRoles], Step | None], ...] = (
    _record_signing,
    _record_previous,
    _record_members,
    _record_max_lifetimes,
    _restore_trust,
    _revoke,
    _keep_standby,
    _promote,
    _prepare,
    _clean,
)


def _wait(roles: KeyRoles) -> Wait:
    """Return the first moment at which a rule will find something to do by itself."""
    moments: list[tuple[int, str]] = []
    if roles.due_at_ms is not None:
        moments.append((roles.due_at_ms, "the next key is promoted then"))
    for version in filter(None, (roles.standby, roles.candidate)):
        held_until_ms = roles.held_until_ms(roles.record(version.label))
        if held_until_ms is not None:
            moments.append(
                (
                    held_until_ms,
                    f"{version.label} must stay in the key group before it is verified",
                )
            )
    key_ids_in_use = roles.key_ids_in_use()
    for key in roles.ours():
        drained_at_ms = roles.drained_at_ms(roles.record(key.name))
        if key.id not in key_ids_in_use and drained_at_ms is not None:
            moments.append((drained_at_ms, f"links that {key.name} signed are still valid"))
    coming = [moment for moment in moments if moment[0] > roles.now_ms]
    if not coming:
        return Wait(None, "nothing is to be done until something changes")
    return Wait(*min(coming))
