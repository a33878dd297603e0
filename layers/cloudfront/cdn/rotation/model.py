"""What key rotation works with: the secret's versions, the keys' records, and the rules.

The secret's stages say who signs: AWSCURRENT signs; AWSPENDING is the standby, which was verified
before it was stored there; GENERATED has the private half of a candidate that is not verified yet.
The key group says which keys the edges trust, the ledger's records say since when. All times are in
epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cdn.cloudfront.key_groups import KeyGroup
    from cdn.cloudfront.public_keys import PublicKey
    from cdn.signing.key_pairs import HashAlgorithm, Kind

CURRENT, STANDBY, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
GENERATED = "GENERATED"

FINGERPRINT_LENGTH = 12
"""So many characters of a public key's fingerprint end its name."""


@dataclass(frozen=True, slots=True)
class Version:
    """
    A version of the secret that has a stage, without anything private.

    Attributes:
        form: `generated` has a private key but no key id yet, `key` has both.
        name: Of the public key; empty where somebody else has put the version there.
    """

    id: str
    stages: frozenset[str]
    form: Literal["placeholder", "generated", "key", "unreadable"]
    name: str = ""
    key_id: str = ""
    kind: str = ""
    hash_algorithm: str = "SHA256"
    kms_key: str = ""

    @property
    def label(self) -> str:
        """The name of the ledger's record of the key."""
        return self.name or self.key_id


@dataclass(frozen=True, slots=True)
class Record:
    """
    What the ledger has of one key, by its name.

    Attributes:
        created_at_ms: When CloudFront got the public key.
        added_at_ms: The first tick that saw it in the key group.
        promoted_at_ms, replaced_at_ms: The first tick that saw it as AWSCURRENT, and no longer so.
        max_lifetime_s: The highest lifetime that grants allowed while it could sign.
        removed_at_ms: When it was removed from the key group.
        forced_at_ms: It was revoked though no other key could take its place.
        verification_error: Why it is not verified; empty where there is nothing to say.
    """

    name: str
    key_id: str = ""
    kms_key: str = ""
    generated_at_ms: int | None = None
    created_at_ms: int | None = None
    added_at_ms: int | None = None
    verified_at_ms: int | None = None
    promoted_at_ms: int | None = None
    replaced_at_ms: int | None = None
    max_lifetime_s: int | None = None
    removed_at_ms: int | None = None
    revoked_at_ms: int | None = None
    forced_at_ms: int | None = None
    deleted_at_ms: int | None = None
    verification_error: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """
    Everything that a tick reads before it decides.

    Attributes:
        name_prefix: Of the names of this stack's public keys.
        group: None where there is none (any more).
        in_other_groups: The ids of the keys in other key groups.
        previous: The version that was last recorded as AWSPREVIOUS.
        max_lifetimes: The highest lifetime that each version of the grants allows, and since when
            it is in force; oldest first.
        announced_ids: Of what was announced already.
    """

    name_prefix: str
    group: KeyGroup | None
    public_keys: tuple[PublicKey, ...] = ()
    versions: tuple[Version, ...] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    in_other_groups: frozenset[str] = frozenset()
    previous: str = ""
    max_lifetimes: tuple[tuple[int, int], ...] = ()
    announced_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RotationRules:
    """
    How keys are to be.

    Attributes:
        period_s: How long a key signs.
        hold_s: How long a key is in the group before it may count as verified.
        secret_max_age_s, signer_timeout_s: How long the endpoint may sign with a key, or by
            grants, that were replaced.
        max_lifetime_s: What is assumed where no record says how long links may live.
        clock_skew_s: By how much clocks may differ.
        max_in_group, max_in_account: CloudFront's quotas of public keys.
    """

    period_s: int
    hold_s: int
    kind: Kind
    hash_algorithm: HashAlgorithm
    in_kms: bool
    secret_max_age_s: int
    signer_timeout_s: int
    max_lifetime_s: int
    clock_skew_s: int = 600
    max_in_group: int = 5
    max_in_account: int = 10

    @property
    def grace_period_ms(self) -> int:
        """For how long the endpoint may still use what was replaced."""
        return (self.secret_max_age_s + self.signer_timeout_s) * 1000


def is_ours(key: PublicKey, *, name_prefix: str) -> bool:
    """
    Return whether a stack that uses *name_prefix* has created the key.

    Its name ends with its fingerprint.

    >>> from cdn.cloudfront.public_keys import PublicKey
    >>> is_ours(PublicKey("K1", "stack-0123456789ab", "0123456789abcdef"), name_prefix="stack-")
    True
    >>> is_ours(PublicKey("K1", "stack-b-0123456789ab", "0123456789abcdef"), name_prefix="stack-")
    False
    """
    return bool(key.fingerprint) and key.name == key_name(name_prefix, key.fingerprint)


def key_name(name_prefix: str, fingerprint: str) -> str:
    """
    Return the name of a key of this stack: always the same, and no other key's.

    >>> key_name("stack-", "0123456789abcdef")
    'stack-0123456789ab'
    """
    return name_prefix + fingerprint[:FINGERPRINT_LENGTH]


def max_lifetime_s(
    max_lifetimes: tuple[tuple[int, int], ...], *, since_ms: int, until_ms: int
) -> int | None:
    """
    Return the highest lifetime in force at any moment of a span; None where nothing was.

    >>> max_lifetime_s(((1_000, 60), (2_000, 600), (3_000, 30)), since_ms=2_500, until_ms=9_000)
    600
    >>> max_lifetime_s(((1_000, 60), (2_000, 600)), since_ms=0, until_ms=1_500)
    60
    """
    ends = [*(start for start, _ in max_lifetimes[1:]), until_ms + 1]
    return max(
        (
            lifetime_s
            for (start, lifetime_s), end in zip(max_lifetimes, ends, strict=False)
            if start <= until_ms and end > since_ms
        ),
        default=None,
    )
