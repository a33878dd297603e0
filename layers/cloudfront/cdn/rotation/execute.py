"""The steps of key rotation: each may be taken again, and says when it came too late."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING, Any

from cdn.aws import busy, table
from cdn.cloudfront import key_groups, public_keys
from cdn.errors import RetryLaterError
from cdn.rotation import decide, secret_versions
from cdn.signing import key_pairs, kms, signing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_ssm import SSMClient

    from cdn.aws.table import Ledger
    from cdn.rotation.decide import Observed, Rules, Step
    from cdn.rotation.secret_versions import Secret
    from cdn.signing.key_pairs import Kind, PrivateKey, Signer

PK = "signing-keys"
KEY = "key#"
SEEN = "seen"

_TIMELINES_LIVE_S = 400 * 24 * 60 * 60
_CANARIES = 5
_CANARY_LIVES_S = 120
_REFUSED, _FIRST_ERROR = 403, 400
_KMS_SPECS: Mapping[Kind, Any] = {"RSA-2048": "RSA_2048", "ECDSA-P256": "ECC_NIST_P256"}
KMS_TAG = "cloudfront-autopilot"
"""Whatever key in KMS has this tag with the stack's name, the stack may sign with."""


@dataclass(frozen=True, slots=True)
class Desk:
    """
    All that rotation looks at and writes to.

    Attributes:
        kms: Needed only where the rules want keys in KMS, or some are there.
        mark: With what the names of this stack's public keys begin.
        stack: The stack's name, with which keys in KMS are tagged.
        canary_url: An https URL that opens with a signature alone, through a distribution that
            trusts the group; None for no such trial.
        fetch: Asks for a URL on a new connection, and tells the status, or 0.
        generate: Makes a new private key; see `key_pairs.generate`.
    """

    ledger: Ledger
    cloudfront: CloudFrontClient
    secret: Secret
    ssm: SSMClient
    kms: Callable[[], KMSClient]
    grants_parameter: str
    rules: Rules
    mark: str
    stack: str
    canary_url: str | None
    fetch: Callable[[str], int]
    generate: Callable[[Kind], PrivateKey]
    now: Callable[[], float]

    def now_ms(self) -> int:
        """Tell the time as rows do."""
        return int(self.now() * 1000)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and when: read after everything else, so that nothing seen is younger."""

    observed: Observed
    at_ms: int


@singledispatch
def take(step: Step, desk: Desk, look: Look) -> None:
    """
    Do what *step* says, which may have been done already.

    Raises:
        RetryLaterError: AWS is busy, or something has changed since it was observed.
        UnavailableError: KMS refuses.
        KeyMaterialError: A version of the secret is none any more.
    """
    raise TypeError(f"no step of rotation: {step}, for {desk.stack} at {look.at_ms}")


@take.register
def _(_: decide.Mint, desk: Desk, look: Look) -> None:
    mint(desk, now_ms=look.at_ms)


def mint(desk: Desk, *, now_ms: int) -> None:
    """
    Make a private key and keep it before anybody learns of its public half.

    Raises:
        RetryLaterError: AWS is busy.
    """
    rules = desk.rules
    told: dict[str, str] = {}
    if rules.in_kms:
        told["kms_key"], pem = _mint_in_kms(desk)
        secret = {"kms_key": told["kms_key"], "kind": rules.kind}
    else:
        private_key = desk.generate(rules.kind)
        pem = key_pairs.public_pem(private_key)
        secret = {
            "private_key": key_pairs.private_pem(private_key),
            "hash_algorithm": rules.hash_algorithm,
        }
    name = decide.name(desk.mark, public_keys.fingerprint(pem))
    desk.secret.put(json.dumps({"name": name} | secret), stage=decide.MINTED)
    told |= {"kind": rules.kind, "hash_algorithm": rules.hash_algorithm}
    _note(desk, name, keep={"minted_ms": now_ms, **told})


def _mint_in_kms(desk: Desk) -> tuple[str, str]:
    client, kind = desk.kms(), desk.rules.kind
    with busy.told():
        made = client.create_key(
            Description="Signs links and cookies of CloudFront",
            KeyUsage="SIGN_VERIFY",
            KeySpec=_KMS_SPECS[kind],
            Tags=[{"TagKey": KMS_TAG, "TagValue": desk.stack}],
        )["KeyMetadata"]
        der = client.get_public_key(KeyId=made["KeyId"])["PublicKey"]
    return made["Arn"], key_pairs.pem_of(der)


@take.register
def _(step: decide.Publish, desk: Desk, look: Look) -> None:
    publish(desk, step.name, desk.secret.text(step.version_id), now_ms=look.at_ms)


def publish(desk: Desk, name: str, text: str, *, now_ms: int) -> str:
    """
    Give CloudFront the public half of the minted key in *text*, and tell its id.

    Raises:
        RetryLaterError: AWS is busy, or the account has no room.
        KeyMaterialError: *text* has no key.
    """
    key_id = public_keys.create(desk.cloudfront, name=name, pem=_public_pem(desk, text))
    _note(desk, name, put={"key_id": key_id}, keep={"published_ms": now_ms})
    return key_id


def _public_pem(desk: Desk, text: str) -> str:
    document = secret_versions.document_of(text)
    if "kms_key" not in document:
        return key_pairs.public_pem(key_pairs.load(text, field="private_key"))
    with busy.told():
        return key_pairs.pem_of(desk.kms().get_public_key(KeyId=document["kms_key"])["PublicKey"])


@take.register
def _(step: decide.Include, desk: Desk, look: Look) -> None:
    # What was known of it in the group does not hold for what comes now.
    _note(desk, step.name, put={"key_id": step.key_id}, remove=("included_ms", "proven_ms"))
    if look.observed.group:
        key_ids = [*look.observed.group.key_ids, step.key_id]
        key_groups.replace(desk.cloudfront, look.observed.group, key_ids=key_ids)


@take.register
def _(step: decide.Exclude, desk: Desk, look: Look) -> None:
    if look.observed.group:
        key_ids = [key_id for key_id in look.observed.group.key_ids if key_id != step.key_id]
        key_groups.replace(desk.cloudfront, look.observed.group, key_ids=key_ids)
    _note(desk, step.name, put={"excluded_ms": look.at_ms})


@take.register
def _(step: decide.Prove, desk: Desk, look: Look) -> None:
    signer = secret_versions.signer_of(
        desk.secret.text(step.version_id),
        key_id=step.key_id,
        kms=lambda arn, kind: lambda message: kms.sign(desk.kms(), message, kms_key=arn, kind=kind),
    )
    trouble = _doubt(desk, look, signer)
    if trouble:
        _note(desk, step.name, put={"trouble": trouble})
    else:
        _note(desk, step.name, keep={"proven_ms": look.at_ms}, remove=("trouble",))


def _doubt(desk: Desk, look: Look, signer: Signer) -> str:
    """Say why the key is not to be used yet; nothing when it has passed every trial."""
    message = f"{signer.key_id} at {look.at_ms}".encode()
    known = next((key.pem for key in look.observed.public_keys if key.id == signer.key_id), "")
    if not known or not key_pairs.verifies(
        key_pairs.load_public(known),
        message=message,
        signature=signer.sign(message),
        hash_algorithm=signer.hash_algorithm,
    ):
        return "its public key does not verify what its private key signs"
    if look.observed.group:
        trusts = key_groups.trusting(desk.cloudfront, look.observed.group.id)
        lacking = [
            one.distribution_id
            for one in trusts
            if one.enabled and signer.key_id not in one.key_ids
        ]
        if lacking:
            return f"CloudFront does not list it yet for {', '.join(sorted(lacking))}"
    return _canary_doubt(desk, signer) if desk.canary_url else ""


def _canary_doubt(desk: Desk, signer: Signer) -> str:
    url = str(desk.canary_url)
    unsigned = desk.fetch(url)
    if unsigned != _REFUSED:
        return f"the canary answers {unsigned} without a signature, where it should refuse"
    now_s = int(desk.now())
    signed = signing.sign_url(
        signer,
        url,
        expires_at_s=now_s + _CANARY_LIVES_S,
        now_s=now_s,
        max_lifetime_s=_CANARY_LIVES_S,
    )
    for _ in range(_CANARIES):
        status = desk.fetch(signed)
        if status == _REFUSED:
            return "an edge refuses the canary with it"
        if not 0 < status < _FIRST_ERROR:
            return f"the canary answers {status}, for another reason than the key"
    return ""


@take.register
def _(step: decide.Store, desk: Desk, look: Look) -> None:
    minted = desk.secret.text(step.version_id)
    if not minted:
        raise RetryLaterError("GetSecretValue", "ResourceNotFoundException")
    desk.secret.put(secret_versions.with_key_id(minted, step.key_id), stage=decide.STANDBY)
    _note(desk, step.name, put={"key_id": step.key_id}, keep={"stored_ms": look.at_ms})


@take.register
def _(step: decide.Promote, desk: Desk, look: Look) -> None:
    # A revocation may have come since.
    if (desk.ledger.get(PK, KEY + step.name) or {}).get("revoked_ms"):
        raise RetryLaterError("UpdateSecretVersionStage", "KeyRevoked")
    desk.secret.move(decide.CURRENT, to=step.version_id, away_from=step.instead_of or None)
    _note(desk, step.name, put={"promoted_ms": look.at_ms}, remove=("inactive_ms",))


@take.register
def _(step: decide.Discard, desk: Desk, _: Look) -> None:
    desk.secret.move(step.stage, to=None, away_from=step.version_id)


@take.register
def _(step: decide.Delete, desk: Desk, look: Look) -> None:
    public_keys.delete(desk.cloudfront, step.key_id)
    _note(desk, step.name, put={"key_id": step.key_id, "unpublished_ms": look.at_ms})


@take.register
def _(step: decide.DeleteKmsKey, desk: Desk, look: Look) -> None:
    client = desk.kms()
    # It may be gone already, or about to.
    gone = (client.exceptions.NotFoundException, client.exceptions.KMSInvalidStateException)
    with busy.told(), suppress(*gone):
        client.schedule_key_deletion(KeyId=step.kms_key.rpartition("/")[2])
    _note(desk, step.name, put={"kms_deleted_ms": look.at_ms}, remove=("kms_key",))


@take.register
def _(step: decide.Note, desk: Desk, look: Look) -> None:
    key_id = {"key_id": step.key_id} if step.key_id else {}
    match step.what:
        case "included":
            _note(desk, step.name, put=key_id, keep={"included_ms": look.at_ms})
        case "active":
            desk.ledger.change(
                PK,
                KEY + step.name,
                put=key_id | {"promoted_ms": look.at_ms},
                remove=("inactive_ms",),
                when=table.absent("promoted_ms") | table.present("inactive_ms"),
            )
        case "inactive":
            _note(desk, step.name, put=key_id | {"inactive_ms": look.at_ms})
            if step.version_id:
                desk.ledger.change(PK, SEEN, put={"previous": step.version_id})
        case "deleted":
            expires_at = look.at_ms // 1000 + _TIMELINES_LIVE_S
            _note(desk, step.name, put={"deleted_ms": look.at_ms, "expires_at": expires_at})


@take.register
def _(step: decide.NoteCeiling, desk: Desk, _: Look) -> None:
    desk.ledger.change(
        PK,
        KEY + step.name,
        put={"longest_s": step.longest_s},
        when=table.passed("longest_s", step.longest_s),
    )


def _note(
    desk: Desk,
    name: str,
    *,
    put: Mapping[str, Any] | None = None,
    keep: Mapping[str, Any] | None = None,
    remove: tuple[str, ...] = (),
) -> None:
    desk.ledger.change(PK, KEY + name, put=put, keep=keep, remove=remove)


def revoke(desk: Desk, name: str, *, key_id: str, forced: bool) -> None:
    """Write into the ledger that a key must not be used any more; whoever looks next sees to it."""
    keep = {"revoked_ms": desk.now_ms()} | ({"forced_ms": desk.now_ms()} if forced else {})
    _note(desk, name, put={"key_id": key_id} if key_id else {}, keep=keep)
