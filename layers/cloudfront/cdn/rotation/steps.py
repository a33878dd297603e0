"""The steps of key rotation, each as a value; `execute` takes them."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class GenerateKey:
    """Generate a private key and store it in the secret, with the stage GENERATED."""


@dataclass(frozen=True, slots=True)
class CreatePublicKey:
    """Create the public key of what was generated at CloudFront."""

    name: str
    version_id: str


@dataclass(frozen=True, slots=True)
class AddToKeyGroup:
    """Add the key to the key group."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """Verify that the key opens links; it is in the group for long enough."""

    name: str
    key_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class StoreStandby:
    """Store the verified candidate as the standby: key id and private key in one version."""

    name: str
    key_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Let the standby sign, if the version *replaced_id* (or none, if empty) still does."""

    name: str
    version_id: str
    replaced_id: str


@dataclass(frozen=True, slots=True)
class RemoveStage:
    """Remove a stage from a version that must not be used any more."""

    stage: str
    version_id: str


@dataclass(frozen=True, slots=True)
class RemoveFromKeyGroup:
    """Remove the key from the key group: all its links have expired, or it was revoked."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class DeletePublicKey:
    """Delete the public key at CloudFront."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class DeleteKmsKey:
    """Schedule the deletion of the private half in KMS, which is of no use any more."""

    name: str
    kms_key: str


@dataclass(frozen=True, slots=True)
class RecordAdded:
    """Record that the key is in the key group."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class RecordPromoted:
    """Record that the key signs."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class RecordReplaced:
    """Record that the key no longer signs; *version_id* is AWSPREVIOUS, unless empty."""

    name: str
    key_id: str
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordDeleted:
    """Record that nothing of the key is left."""

    name: str


@dataclass(frozen=True, slots=True)
class RecordMaxLifetime:
    """Record for how long links that the key signed may live."""

    name: str
    max_lifetime_s: int


Step: TypeAlias = (
    GenerateKey
    | CreatePublicKey
    | AddToKeyGroup
    | VerifyKey
    | StoreStandby
    | Promote
    | RemoveStage
    | RemoveFromKeyGroup
    | DeletePublicKey
    | DeleteKmsKey
    | RecordAdded
    | RecordPromoted
    | RecordReplaced
    | RecordDeleted
    | RecordMaxLifetime
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before *due_at_ms*, or before something changes."""

    due_at_ms: int | None
    reason: str
