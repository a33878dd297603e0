"""Which key has which role: the one that signs, the standby, the candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdn.rotation import model
from cdn.rotation.model import CURRENT, GENERATED, STANDBY, Record, Version

if TYPE_CHECKING:
    from cdn.cloudfront.key_groups import KeyGroup
    from cdn.cloudfront.public_keys import PublicKey
    from cdn.rotation.model import Observed, RotationRules


@dataclass(frozen=True, slots=True)
class KeyRoles:
    """
    What was observed, with the roles that keys have.

    Attributes:
        current: The version that is AWSCURRENT, whatever is in it.
        signing, standby: Versions with a key; the standby is not the one that signs.
        candidate: A version with a private key that is to become the standby.
    """

    observed: Observed
    group: KeyGroup
    now_ms: int
    rules: RotationRules
    by_id: Mapping[str, PublicKey]
    by_name: Mapping[str, PublicKey]
    versions: tuple[Version, ...]
    current: Version | None
    signing: Version | None
    standby: Version | None
    candidate: Version | None

    def record(self, label: str) -> Record:
        return self.observed.records.get(label) or Record(label)

    def in_group(self, key_id: str) -> bool:
        return key_id in self.group.key_ids

    def key_id(self, version: Version) -> str:
        """Return the id of the public key of *version*; empty where CloudFront has none."""
        if version.form == "generated":
            key = self.by_name.get(version.name)
            return key.id if key else ""
        return version.key_id if version.key_id in self.by_id else ""

    def label(self, key_id: str) -> str:
        """Return the name of the ledger's record of a public key, whoever created it."""
        for version in (self.signing, self.standby):
            if version is not None and version.key_id == key_id:
                return version.label
        key = self.by_id.get(key_id)
        return key.name if key and self.is_ours(key) else key_id

    def fits(self, version: Version) -> bool:
        """Return whether *version* is of the kind that the rules want."""
        rules = self.rules
        return (version.kind, version.hash_algorithm, bool(version.kms_key)) == (
            rules.kind,
            rules.hash_algorithm,
            rules.in_kms,
        )

    @property
    def urgent(self) -> bool:
        """Whether nothing that signs is worth waiting for."""
        return self.signing is not None and self.record(self.signing.label).forced_at_ms is not None

    @property
    def room_in_group(self) -> bool:
        """Whether one more public key fits into the group."""
        return len(self.group.key_ids) < self.rules.max_in_group

    @property
    def room_in_account(self) -> bool:
        """Whether one more public key fits into the account."""
        return len(self.observed.public_keys) < self.rules.max_in_account

    @property
    def room(self) -> bool:
        """Whether one more public key fits into the account and the group."""
        return self.room_in_group and self.room_in_account

    @property
    def due_at_ms(self) -> int | None:
        """When the key that signs has signed for long enough; None where none signs."""
        if self.signing is None:
            return None
        promoted_at_ms = self.record(self.signing.label).promoted_at_ms or 0
        return promoted_at_ms + self.rules.period_s * 1000

    @property
    def is_due(self) -> bool:
        """Whether the key that signs has signed for long enough."""
        return self.due_at_ms is not None and self.now_ms >= self.due_at_ms

    @property
    def ready(self) -> Version | None:
        """The standby, if it may sign at once."""
        standby = self.standby
        if standby is None or not self.in_group(standby.key_id):
            return None
        return standby if self.record(standby.label).verified_at_ms is not None else None

    def key_ids_in_use(self) -> set[str]:
        """Return the ids of the public keys that have a role."""
        versions = (self.signing, self.standby, self.candidate)
        return {self.key_id(version) for version in versions if version is not None}

    def ours(self) -> Iterator[PublicKey]:
        return (key for key in self.observed.public_keys if self.is_ours(key))

    def is_ours(self, key: PublicKey) -> bool:
        return model.is_ours(key, name_prefix=self.observed.name_prefix)

    def drained_at_ms(self, record: Record) -> int | None:
        """Return when all links that the key can have signed have expired; None while it signs."""
        if record.replaced_at_ms is None:
            return None
        return self.last_link_expires_at_ms(record) + self.rules.clock_skew_s * 1000

    def last_link_expires_at_ms(self, record: Record) -> int:
        """Return when the last link expires that the key has signed, or would have until now."""
        max_lifetime_s = record.max_lifetime_s
        if max_lifetime_s is None:
            max_lifetime_s = self.rules.max_lifetime_s
        since_ms = self.now_ms if record.replaced_at_ms is None else record.replaced_at_ms
        return since_ms + self.rules.grace_period_ms + max_lifetime_s * 1000

    def held_until_ms(self, record: Record) -> int | None:
        """Return when the key is in the group for long enough to be verified; None once it is."""
        if record.added_at_ms is None or record.verified_at_ms is not None:
            return None
        return record.added_at_ms + self.rules.hold_s * 1000

    def is_drained(self, record: Record) -> bool:
        drained_at_ms = self.drained_at_ms(record)
        return drained_at_ms is not None and drained_at_ms <= self.now_ms


def roles_of(observed: Observed, group: KeyGroup, *, now_ms: int, rules: RotationRules) -> KeyRoles:
    """Return which version has which role."""
    by_id = {key.id: key for key in observed.public_keys}
    by_name = {key.name: key for key in observed.public_keys}
    versions = tuple(_named(version, by_name) for version in observed.versions)

    def staged(stage: str) -> Version | None:
        return next((version for version in versions if stage in version.stages), None)

    def record(version: Version) -> Record:
        return observed.records.get(version.label) or Record(version.label)

    current, standby, candidate = staged(CURRENT), staged(STANDBY), staged(GENERATED)
    signing = current if current and current.form == "key" else None
    if standby is not None and (
        standby.form != "key"
        or standby.key_id not in by_id
        or (signing and standby.key_id == signing.key_id)
        or record(standby).revoked_at_ms is not None
    ):
        standby = None
    if candidate is not None:
        key = by_name.get(candidate.name)
        candidate_record = record(candidate)
        if (
            candidate.form != "generated"
            or candidate.name in {version.name for version in (signing, standby) if version}
            # One that has signed, or was revoked, is never made the standby again.
            or candidate_record.promoted_at_ms is not None
            or candidate_record.revoked_at_ms is not None
            # Somebody else's key has its name.
            or (key is not None and not model.is_ours(key, name_prefix=observed.name_prefix))
        ):
            candidate = None
    return KeyRoles(
        observed,
        group,
        now_ms,
        rules,
        by_id,
        by_name,
        versions,
        current,
        signing,
        standby,
        candidate,
    )


def _named(version: Version, by_name: Mapping[str, PublicKey]) -> Version:
    """Return *version* without its name if its public key was deleted, and created anew since."""
    key = by_name.get(version.name)
    if version.form == "key" and key is not None and key.id != version.key_id:
        return replace(version, name="")
    return version
