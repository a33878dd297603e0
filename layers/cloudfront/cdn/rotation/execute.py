"""The steps of key rotation: each may be taken again, and raises where it comes too late."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, assert_never

from cdn.aws import rows, table
from cdn.aws.retryable import retry_later
from cdn.aws.rows import SigningKeyRow
from cdn.cloudfront import key_groups, public_keys
from cdn.errors import RetryLaterError
from cdn.rotation import model, secret_versions, steps, verification
from cdn.signing import key_pairs, kms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdn.rotation.context import Observation, RotationContext
    from cdn.rotation.steps import Step
    from cdn.signing.key_pairs import Kind

_KMS_SPECS: Mapping[Kind, Any] = {"RSA-2048": "RSA_2048", "ECDSA-P256": "ECC_NIST_P256"}
KMS_TAG = "cloudfront-autopilot"
"""Whatever key in KMS has this tag with the stack's name, the stack may sign with."""


def take(step: Step, context: RotationContext, observation: Observation) -> None:  # noqa: C901, PLR0912  # one line a step
    """
    Take *step*, which may have been taken already.

    Raises:
        RetryLaterError: AWS is throttling, or something has changed since it was observed.
        UnavailableError: KMS refuses.
        KeyMaterialError: A version of the secret has no private key any more.
    """
    now_ms = observation.at_ms
    match step:
        case steps.GenerateKey():
            generate_key(context, now_ms=now_ms)
        case steps.CreatePublicKey():
            text = context.secret.text(step.version_id)
            create_public_key(context, step.name, text, now_ms=now_ms)
        case steps.AddToKeyGroup():
            _add_to_key_group(step, context, observation)
        case steps.VerifyKey():
            _verify_key(step, context, observation)
        case steps.StoreStandby():
            _store_standby(step, context, now_ms)
        case steps.Promote():
            _promote(step, context, now_ms)
        case steps.RemoveStage():
            context.secret.move(step.stage, to=None, away_from=step.version_id)
        case steps.RemoveFromKeyGroup():
            _remove_from_key_group(step, context, observation)
        case steps.DeletePublicKey():
            _delete_public_key(step, context, now_ms)
        case steps.DeleteKmsKey():
            _delete_kms_key(step, context, now_ms)
        case steps.RecordAdded():
            _record_added(step, context, now_ms)
        case steps.RecordPromoted():
            _record_promoted(step, context, now_ms)
        case steps.RecordReplaced():
            _record_replaced(step, context, now_ms)
        case steps.RecordDeleted():
            _record_deleted(step, context, now_ms)
        case steps.RecordMaxLifetime():
            _record_max_lifetime(step, context)
        case _:
            assert_never(step)


def generate_key(context: RotationContext, *, now_ms: int) -> None:
    """
    Generate a private key and store it before its public half is used anywhere.

    Raises:
        RetryLaterError: AWS is throttling.
    """
    rules = context.rules
    row: SigningKeyRow = {
        "generated_at_ms": now_ms,
        "kind": rules.kind,
        "hash_algorithm": rules.hash_algorithm,
    }
    if rules.in_kms:
        kms_key, pem = _generate_in_kms(context)
        row["kms_key"] = kms_key
        secret = {"kms_key": kms_key, "kind": rules.kind}
    else:
        private_key = context.generate(rules.kind)
        pem = key_pairs.public_pem(private_key)
        secret = {
            "private_key": key_pairs.private_pem(private_key),
            "hash_algorithm": rules.hash_algorithm,
        }
    name = model.key_name(context.name_prefix, public_keys.fingerprint(pem))
    context.secret.put(json.dumps({"name": name} | secret), stage=model.GENERATED)
    _record(context, name, keep=row)


def _generate_in_kms(context: RotationContext) -> tuple[str, str]:
    client, kind = context.kms(), context.rules.kind
    with retry_later():
        key = client.create_key(
            Description="Signs links and cookies of CloudFront",
            KeyUsage="SIGN_VERIFY",
            KeySpec=_KMS_SPECS[kind],
            Tags=[{"TagKey": KMS_TAG, "TagValue": context.stack}],
        )["KeyMetadata"]
        der = client.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    return key["Arn"], key_pairs.pem_of(der)


def create_public_key(context: RotationContext, name: str, text: str, *, now_ms: int) -> str:
    """
    Create the public key of the generated key in *text* at CloudFront; return its id.

    Raises:
        RetryLaterError: AWS is throttling, or the account's quota is used up.
        KeyMaterialError: *text* has no key.
    """
    key_id = public_keys.create(context.cloudfront, name=name, pem=_public_pem(context, text))
    _record(context, name, put={"key_id": key_id}, keep={"created_at_ms": now_ms})
    return key_id


def _public_pem(context: RotationContext, text: str) -> str:
    document = secret_versions.document_of(text)
    if "kms_key" not in document:
        return key_pairs.public_pem(key_pairs.load(text, field="private_key"))
    with retry_later():
        response = context.kms().get_public_key(KeyId=document["kms_key"])
    return key_pairs.pem_of(response["PublicKey"])


def _add_to_key_group(
    step: steps.AddToKeyGroup, context: RotationContext, observation: Observation
) -> None:
    # What was recorded of it in the group does not hold for what comes now.
    _record(
        context, step.name, put={"key_id": step.key_id}, remove=("added_at_ms", "verified_at_ms")
    )
    group = observation.observed.group
    if group:
        key_groups.replace(context.cloudfront, group, key_ids=[*group.key_ids, step.key_id])


def _remove_from_key_group(
    step: steps.RemoveFromKeyGroup, context: RotationContext, observation: Observation
) -> None:
    group = observation.observed.group
    if group:
        key_ids = [key_id for key_id in group.key_ids if key_id != step.key_id]
        key_groups.replace(context.cloudfront, group, key_ids=key_ids)
    _record(context, step.name, put={"removed_at_ms": observation.at_ms})


def _verify_key(step: steps.VerifyKey, context: RotationContext, observation: Observation) -> None:
    signer = secret_versions.signer_of(
        context.secret.text(step.version_id),
        key_id=step.key_id,
        kms=lambda arn, kind: (
            lambda message: kms.sign(context.kms(), message, kms_key=arn, kind=kind)
        ),
    )
    error = verification.verification_error(context, observation, signer)
    if error:
        _record(context, step.name, put={"verification_error": error})
    else:
        _record(
            context,
            step.name,
            keep={"verified_at_ms": observation.at_ms},
            remove=("verification_error",),
        )


def _store_standby(step: steps.StoreStandby, context: RotationContext, now_ms: int) -> None:
    text = context.secret.text(step.version_id)
    if not text:
        raise RetryLaterError("GetSecretValue", "ResourceNotFoundException")
    context.secret.put(secret_versions.with_key_id(text, step.key_id), stage=model.STANDBY)
    _record(context, step.name, put={"key_id": step.key_id}, keep={"stored_at_ms": now_ms})


def _promote(step: steps.Promote, context: RotationContext, now_ms: int) -> None:
    # It may have been revoked since it was observed.
    row = context.ledger.get(rows.signing_key(step.name))
    if row and row.get("revoked_at_ms"):
        raise RetryLaterError("UpdateSecretVersionStage", "KeyRevoked")
    context.secret.move(model.CURRENT, to=step.version_id, away_from=step.replaced_id or None)
    _record(context, step.name, put={"promoted_at_ms": now_ms}, remove=("replaced_at_ms",))


def _delete_public_key(step: steps.DeletePublicKey, context: RotationContext, now_ms: int) -> None:
    public_keys.delete(context.cloudfront, step.key_id)
    _record(context, step.name, put={"key_id": step.key_id, "public_key_deleted_at_ms": now_ms})


def _delete_kms_key(step: steps.DeleteKmsKey, context: RotationContext, now_ms: int) -> None:
    client = context.kms()
    # It may be deleted already, or scheduled to be.
    deleted = (client.exceptions.NotFoundException, client.exceptions.KMSInvalidStateException)
    with retry_later(), suppress(*deleted):
        client.schedule_key_deletion(KeyId=step.kms_key.rpartition("/")[2])
    _record(context, step.name, put={"kms_key_deleted_at_ms": now_ms}, remove=("kms_key",))


def _record_added(step: steps.RecordAdded, context: RotationContext, now_ms: int) -> None:
    _record(context, step.name, put=_with_key_id(step.key_id), keep={"added_at_ms": now_ms})


def _record_promoted(step: steps.RecordPromoted, context: RotationContext, now_ms: int) -> None:
    row = _with_key_id(step.key_id)
    row["promoted_at_ms"] = now_ms
    context.ledger.create_or_update(
        rows.signing_key(step.name),
        put=row,
        remove=("replaced_at_ms",),
        condition=table.absent("promoted_at_ms") | table.present("replaced_at_ms"),
    )


def _record_replaced(step: steps.RecordReplaced, context: RotationContext, now_ms: int) -> None:
    row = _with_key_id(step.key_id)
    row["replaced_at_ms"] = now_ms
    _record(context, step.name, put=row)
    if step.version_id:
        context.ledger.create_or_update(
            rows.previous_version(), put={"version_id": step.version_id}
        )


def _record_deleted(step: steps.RecordDeleted, context: RotationContext, now_ms: int) -> None:
    expires_at_s = now_ms // 1000 + rows.SIGNING_KEY_TTL_S
    _record(context, step.name, put={"deleted_at_ms": now_ms, "expires_at_s": expires_at_s})


def _record_max_lifetime(step: steps.RecordMaxLifetime, context: RotationContext) -> None:
    context.ledger.create_or_update(
        rows.signing_key(step.name),
        put={"max_lifetime_s": step.max_lifetime_s},
        condition=table.passed("max_lifetime_s", step.max_lifetime_s),
    )


def record_revoked(context: RotationContext, name: str, *, key_id: str, forced: bool) -> None:
    """Record that a key must not be used any more; the next ticks see to it."""
    now_ms = context.now_ms()
    row: SigningKeyRow = {"revoked_at_ms": now_ms}
    if forced:
        row["forced_at_ms"] = now_ms
    _record(context, name, put=_with_key_id(key_id), keep=row)


def _with_key_id(key_id: str) -> SigningKeyRow:
    return {"key_id": key_id} if key_id else {}


def _record(
    context: RotationContext,
    name: str,
    *,
    put: SigningKeyRow | None = None,
    keep: SigningKeyRow | None = None,
    remove: tuple[str, ...] = (),
) -> None:
    context.ledger.create_or_update(rows.signing_key(name), put=put, keep=keep, remove=remove)
