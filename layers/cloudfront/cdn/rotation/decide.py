"""What key rotation does next: `decide` looks at what is there, and names one step or a wait.

The secret's stages say who signs: AWSCURRENT signs; AWSPENDING is the standby, which was proven
before it was stored there; MINTED holds the private half of a candidate that is not proven yet. The
key group says whom the edges trust, the ledger's records say since when. All times are in epoch
milliseconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cdn.signing.key_pairs import HashAlgorithm, Kind

CURRENT, STANDBY, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
MINTED = "MINTED"

FINGERPRINT_LENGTH = 12
"""So many characters of a public key's fingerprint end its name."""

# ── What is observed ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Version:
    """
    A version of the secret that has a stage, without anything private.

    Attributes:
        form: `minted` has a private key but no key id yet, `key` has both.
        name: Of the public key; empty where somebody else has put the version there.
    """

    id: str
    stages: frozenset[str]
    form: Literal["placeholder", "minted", "key", "unreadable"]
    name: str = ""
    key_id: str = ""
    kind: str = ""
    hash_algorithm: str = "SHA256"
    kms_key: str = ""

    @property
    def label(self) -> str:
        """By what the ledger's record of the key is called."""
        return self.name or self.key_id


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of the account; *fingerprint* is empty where it cannot be read."""

    id: str
    name: str
    fingerprint: str
    pem: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The key group, as the ETag has it."""

    id: str
    etag: str
    name: str
    key_ids: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """
    What the ledger knows of one key, by its name.

    Attributes:
        added_at_ms: The first look that saw it in the group.
        promoted_at_ms, replaced_at_ms: The first look that saw it as AWSCURRENT, and no longer so.
        max_lifetime_s: The highest lifetime that grants allowed while it could sign.
        forced_at_ms: It was revoked though no other key could take its place.
        verification_error: Why it could not be proven; empty when there is nothing to tell.
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
    One look at everything.

    Attributes:
        group: None where there is none, or no more.
        mark: With what the names of this stack's public keys begin.
        elsewhere: The keys in other groups.
        previous: The version that was last noted as AWSPREVIOUS.
        ceilings: The longest lifetime that each version of the grants allows, and since when it
            is in force; oldest first.
        told: The ids of what was announced already.
    """

    mark: str
    group: Group | None
    public_keys: tuple[PublicKey, ...] = ()
    versions: tuple[Version, ...] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()
    previous: str = ""
    ceilings: tuple[tuple[int, int], ...] = ()
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """
    How keys are to be.

    Attributes:
        period_s: How long a key signs.
        hold_s: How long a key is in the group before it may count as proven.
        secret_max_age_s, signer_timeout_s: How long the endpoint may sign with a key, or by
            grants, that were replaced.
        max_lifetime_s: What is assumed where nobody knows how long links may live.
        skew_s: By how much clocks may differ.
        most_in_group, most_in_account: CloudFront's quotas of public keys.
    """

    period_s: int
    hold_s: int
    kind: Kind
    hash_algorithm: HashAlgorithm
    in_kms: bool
    secret_max_age_s: int
    signer_timeout_s: int
    max_lifetime_s: int
    skew_s: int = 600
    most_in_group: int = 5
    most_in_account: int = 10

    @property
    def late_ms(self) -> int:
        """For how long what was replaced may still sign, or be signed by."""
        return (self.secret_max_age_s + self.signer_timeout_s) * 1000


# ── What is to be done ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Mint:
    """Make a private key and keep it in the secret, as MINTED."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Give CloudFront the public half of what is minted."""

    name: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Include:
    """Put the key in the group."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Prove:
    """Try whether the key opens; it is in the group for long enough."""

    name: str
    key_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Store:
    """Make the proven candidate the standby: key id and private key in one version."""

    name: str
    key_id: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Let the standby sign, if the version *instead_of* (or none, if empty) still does."""

    name: str
    version_id: str
    instead_of: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Take a stage off a version that must not be used any more."""

    stage: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Exclude:
    """Take the key out of the group: all its links have expired, or it was revoked."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the public key."""

    name: str
    key_id: str


@dataclass(frozen=True, slots=True)
class DeleteKmsKey:
    """Have KMS delete the private half, which is of no use any more."""

    name: str
    kms_key: str


@dataclass(frozen=True, slots=True)
class Note:
    """Write into the ledger what was seen, and when."""

    what: Literal["included", "active", "inactive", "deleted"]
    name: str
    key_id: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class NoteCeiling:
    """Write into the ledger for how long links signed by the key may live."""

    name: str
    max_lifetime_s: int


Step = (
    Mint
    | Publish
    | Include
    | Prove
    | Store
    | Promote
    | Discard
    | Exclude
    | Delete
    | DeleteKmsKey
    | Note
    | NoteCeiling
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before *until_ms*, or before something changes, because of *why*."""

    until_ms: int | None
    why: str


def decide(observed: Observed, *, now_ms: int, rules: Rules) -> Step | Wait:
    """
    Name the next step; whatever is observed, there is one answer.

    The table has a period of 30 days, a hold of 24 hours, links that live up to an hour, and the
    quotas 5 and 10. What is in the group stays there and signs on unless something else is said.

    | keys                                                              | step              |
    |-------------------------------------------------------------------|-------------------|
    | nothing                                                           | mint              |
    | a minted                                                          | publish a         |
    | a minted, published                                               | include a         |
    | a minted, published, in group                                     | note included a   |
    | a minted, published, in group 1 h                                 | wait 23 h         |
    | a minted, published, in group 24 h                                | prove a           |
    | a minted, published, in group 24 h, proven                        | store a           |
    | a standby                                                         | promote a         |
    | a standby, in group 1 h, unproven                                 | wait 23 h         |
    | a standby, current                                                | note active a     |
    | a signing 1 d                                                     | mint              |
    | a signing 1 d; b minted                                           | publish b         |
    | a signing 1 d; b standby                                          | wait 29 d         |
    | a signing 30 d; b standby                                         | promote b         |
    | a signing 90 d; b minted, published, in group 1 h                 | wait 23 h         |
    | a in group 9 d, published, promoted 9 d; b signing 1 m; c standby | note inactive a   |
    | a draining 1 h; b signing 1 d; c standby                          | wait 26 m         |
    | a draining 2 h; b signing 1 d; c standby                          | exclude a         |
    | a published, excluded; b signing 1 d; c standby                   | delete a          |
    | a excluded; b signing 1 d; c standby                              | note deleted a    |
    | a draining 2 h, signed again; b signing 1 d; c standby            | note inactive a   |
    | a signing 30 d; b standby; c,d,e draining 1 h                     | wait 26 m         |
    | a signing 1 d; b,c,d,e draining 1 h                               | wait 26 m         |
    | a signing 30 d; b standby; 8 foreign                              | wait              |
    | a signing 1 d; 9 foreign                                          | wait 29 d         |
    | a signing 1 d; b standby; x foreign, in group                     | wait 29 d         |
    | a signing 1 d, not in group; b standby                            | include a         |
    | a signing 1 d, unpublished; b standby                             | promote b         |
    | a signing 1 d, unpublished                                        | mint              |
    | a signing 1 d; b standby, not in group                            | include b         |
    | a signing 1 d; b standby, unpublished                             | mint              |
    | a signing 1 d, revoked; b standby                                 | promote b         |
    | a signing 1 d, revoked                                            | mint              |
    | a signing 1 d, forced; b minted, published, in group 1 m          | exclude a         |
    | a signing 1 d, forced, not in group; b minted, published, in group 1 m | prove b           |
    | a draining 1 m, revoked; b signing 1 m; c standby                 | exclude a         |
    | a signing 1 d; b standby, revoked                                 | exclude b         |
    | a signing 1 d; b standby, revoked, not in group                   | discard b         |
    | a signing 1 d, rsa; b standby, rsa                                | mint              |
    | a signing 1 d, rsa; b standby                                     | promote b         |
    | a signing 1 d; b standby; c minted, rsa                           | wait 29 d         |
    | a signing 1 d; c minted, rsa                                      | mint              |
    | a draining 2 h; b signing 1 d, longest 60 s; c standby            | note ceiling b    |
    | no group; a signing 1 d                                           | wait              |
    """
    if observed.group is None:
        return Wait(None, "there is no key group")
    scene = scene_of(observed, observed.group, now_ms=now_ms, rules=rules)
    for rule in _RULES:
        step = rule(scene)
        if step is not None:
            return step
    return _wait(scene)


def is_ours(key: PublicKey, *, mark: str) -> bool:
    """
    Tell whether a stack that uses *mark* has made the key: its name ends with its fingerprint.

    >>> is_ours(PublicKey("K1", "stack-0123456789ab", "0123456789abcdef"), mark="stack-")
    True
    >>> is_ours(PublicKey("K1", "stack-b-0123456789ab", "0123456789abcdef"), mark="stack-")
    False
    """
    return bool(key.fingerprint) and key.name == name(mark, key.fingerprint)


def name(mark: str, fingerprint: str) -> str:
    """Name a key of this stack's: the same for ever, and no other key's."""
    return mark + fingerprint[:FINGERPRINT_LENGTH]


def ceiling_s(ceilings: tuple[tuple[int, int], ...], *, since_ms: int, until_ms: int) -> int | None:
    """
    Find the longest lifetime in force at any moment of a span; None where nothing was.

    >>> ceiling_s(((1_000, 60), (2_000, 600), (3_000, 30)), since_ms=2_500, until_ms=9_000)
    600
    >>> ceiling_s(((1_000, 60), (2_000, 600)), since_ms=0, until_ms=1_500)
    60
    """
    ends = [*(start for start, _ in ceilings[1:]), until_ms + 1]
    return max(
        (
            max_lifetime_s
            for (start, max_lifetime_s), end in zip(ceilings, ends, strict=False)
            if start <= until_ms and end > since_ms
        ),
        default=None,
    )


# ── The scene: who has which part ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What was observed, with the parts that keys have.

    Attributes:
        holder: The version that is AWSCURRENT, whatever is in it.
        signing, standby: Versions with a key; the standby is not the one that signs.
        candidate: A version with a private key that is to become the standby.
    """

    observed: Observed
    group: Group
    now_ms: int
    rules: Rules
    by_id: Mapping[str, PublicKey]
    by_name: Mapping[str, PublicKey]
    versions: tuple[Version, ...]
    holder: Version | None
    signing: Version | None
    standby: Version | None
    candidate: Version | None

    def record(self, label: str) -> Record:
        return self.observed.records.get(label) or Record(label)

    def in_group(self, key_id: str) -> bool:
        return key_id in self.group.key_ids

    def key_id(self, version: Version) -> str:
        """Tell the id of the public key of *version*; empty where CloudFront has none."""
        if version.form == "minted":
            key = self.by_name.get(version.name)
            return key.id if key else ""
        return version.key_id if version.key_id in self.by_id else ""

    def label(self, key_id: str) -> str:
        """By what the ledger's record of a public key is called, whosever it is."""
        for version in (self.signing, self.standby):
            if version is not None and version.key_id == key_id:
                return version.label
        key = self.by_id.get(key_id)
        return key.name if key and is_ours(key, mark=self.observed.mark) else key_id

    def fits(self, version: Version) -> bool:
        """Tell whether *version* is of the kind that the rules want."""
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
        return len(self.group.key_ids) < self.rules.most_in_group

    @property
    def room_in_account(self) -> bool:
        """Whether one more public key fits into the account."""
        return len(self.observed.public_keys) < self.rules.most_in_account

    @property
    def room(self) -> bool:
        """Whether one more public key fits into the account and the group."""
        return self.room_in_group and self.room_in_account

    @property
    def due_ms(self) -> int | None:
        """When the key that signs has signed for long enough; None where none signs."""
        if self.signing is None:
            return None
        promoted_at_ms = self.record(self.signing.label).promoted_at_ms or 0
        return promoted_at_ms + self.rules.period_s * 1000

    @property
    def is_due(self) -> bool:
        """Whether the key that signs has signed for long enough."""
        return self.due_ms is not None and self.now_ms >= self.due_ms

    @property
    def ready(self) -> Version | None:
        """The standby, if it may sign at once."""
        standby = self.standby
        if standby is None or not self.in_group(standby.key_id):
            return None
        return standby if self.record(standby.label).verified_at_ms is not None else None

    def parts(self) -> set[str]:
        """Name the public keys that have a part, by their ids."""
        versions = (self.signing, self.standby, self.candidate)
        return {self.key_id(version) for version in versions if version is not None}

    def ours(self) -> Iterator[PublicKey]:
        mark = self.observed.mark
        return (key for key in self.observed.public_keys if is_ours(key, mark=mark))

    def drained_ms(self, record: Record) -> int | None:
        """Tell when the last link that the key can have signed has expired."""
        if record.replaced_at_ms is None:
            return None
        return self.last_link_ms(record) + self.rules.skew_s * 1000

    def last_link_ms(self, record: Record) -> int:
        """Tell until when links may live that the key has signed, or would have until now."""
        max_lifetime_s = (
            self.rules.max_lifetime_s if record.max_lifetime_s is None else record.max_lifetime_s
        )
        since_ms = self.now_ms if record.replaced_at_ms is None else record.replaced_at_ms
        return since_ms + self.rules.late_ms + max_lifetime_s * 1000

    def held_ms(self, record: Record) -> int | None:
        """Tell when the key was in the group for long enough to be proven; None once it is."""
        if record.added_at_ms is None or record.verified_at_ms is not None:
            return None
        return record.added_at_ms + self.rules.hold_s * 1000

    def is_drained(self, record: Record) -> bool:
        drained_ms = self.drained_ms(record)
        return drained_ms is not None and drained_ms <= self.now_ms


def scene_of(observed: Observed, group: Group, *, now_ms: int, rules: Rules) -> Scene:
    """Find out which version has which part."""
    by_id = {key.id: key for key in observed.public_keys}
    by_name = {key.name: key for key in observed.public_keys}
    versions = tuple(_named(version, by_name) for version in observed.versions)

    def staged(stage: str) -> Version | None:
        return next((version for version in versions if stage in version.stages), None)

    def record(version: Version) -> Record:
        return observed.records.get(version.label) or Record(version.label)

    holder, standby, candidate = staged(CURRENT), staged(STANDBY), staged(MINTED)
    signing = holder if holder and holder.form == "key" else None
    if standby is not None and (
        standby.form != "key"
        or standby.key_id not in by_id
        or (signing and standby.key_id == signing.key_id)
        or record(standby).revoked_at_ms is not None
    ):
        standby = None
    if candidate is not None:
        key = by_name.get(candidate.name)
        known = record(candidate)
        if (
            candidate.form != "minted"
            or candidate.name in {other.name for other in (signing, standby) if other}
            # One that has signed, or was revoked, is never made the standby again.
            or known.promoted_at_ms is not None
            or known.revoked_at_ms is not None
            # Somebody else's key has its name.
            or (key is not None and not is_ours(key, mark=observed.mark))
        ):
            candidate = None
    return Scene(
        observed,
        group,
        now_ms,
        rules,
        by_id,
        by_name,
        versions,
        holder,
        signing,
        standby,
        candidate,
    )


def _named(version: Version, by_name: Mapping[str, PublicKey]) -> Version:
    """Take the name off a version whose public key was deleted, and published anew since."""
    key = by_name.get(version.name)
    if version.form == "key" and key is not None and key.id != version.key_id:
        return replace(version, name="")
    return version


# ── The rules, the most pressing first ────────────────────────────────────────────────────────────


def _note_signing(scene: Scene) -> Step | None:
    signing = scene.signing
    if signing is None:
        return None
    record = scene.record(signing.label)
    if record.promoted_at_ms is None or record.replaced_at_ms is not None:
        return Note("active", signing.label, signing.key_id)
    return None


def _note_previous(scene: Scene) -> Step | None:
    """Notice who has signed between two looks: Secrets Manager names who did so last."""
    for version in scene.versions:
        if (
            PREVIOUS in version.stages
            and version.form == "key"
            and version is not scene.signing
            and version.id != scene.observed.previous
        ):
            return Note("inactive", version.label, version.key_id, version.id)
    return None


def _note_members(scene: Scene) -> Step | None:
    parts = scene.parts()
    for key in scene.ours():
        record, inside = scene.record(key.name), scene.in_group(key.id)
        if inside and record.added_at_ms is None:
            return Note("included", key.name, key.id)
        signs = scene.signing is not None and scene.signing.key_id == key.id
        # What has no part may have had one: nobody knows better than that it may have signed.
        signed = record.promoted_at_ms is not None or (inside and key.id not in parts)
        if signed and not signs and (record.replaced_at_ms or record.revoked_at_ms) is None:
            return Note("inactive", key.name, key.id)
    return None


def _note_ceilings(scene: Scene) -> Step | None:
    late_ms = scene.rules.late_ms
    for label, record in sorted(scene.observed.records.items()):
        signs = scene.signing is not None and scene.signing.label == label
        if record.deleted_at_ms is not None or not (signs or record.replaced_at_ms is not None):
            continue
        found = ceiling_s(
            scene.observed.ceilings,
            since_ms=(record.verified_at_ms or record.added_at_ms or 0) - late_ms,
            until_ms=min(scene.now_ms, (record.replaced_at_ms or scene.now_ms) + late_ms),
        )
        if found is not None and (record.max_lifetime_s is None or found > record.max_lifetime_s):
            return NoteCeiling(label, found)
    return None


def _rescue(scene: Scene) -> Step | None:
    """Have the key that signs be trusted, or another one sign: links are dead meanwhile."""
    signing, ready = scene.signing, scene.ready
    if signing is None or scene.in_group(signing.key_id):
        return None
    if scene.record(signing.label).revoked_at_ms is None and signing.key_id in scene.by_id:
        return _inclusion(scene, signing.label, signing.key_id)
    return _promotion(scene, ready)


def _revoke(scene: Scene) -> Step | None:
    signing, ready = scene.signing, scene.ready
    if signing and ready and scene.record(signing.label).revoked_at_ms is not None:
        return _promotion(scene, ready)
    candidate_id = scene.key_id(scene.candidate) if scene.candidate else ""
    # A candidate needs the place, or can take over.
    replaceable = scene.urgent and (scene.in_group(candidate_id) or not scene.room)
    for key_id in scene.group.key_ids:
        label = scene.label(key_id)
        signs = signing is not None and signing.key_id == key_id
        if scene.record(label).revoked_at_ms is None or len(scene.group.key_ids) == 1:
            continue
        if not signs or replaceable:
            return Exclude(label, key_id)
    for version in scene.versions:
        if (
            STANDBY in version.stages
            and version.form == "key"
            and version is not signing
            and scene.record(version.label).revoked_at_ms is not None
        ):
            return Discard(STANDBY, version.id)
    return None


def _keep_standby(scene: Scene) -> Step | None:
    standby = scene.standby
    if standby is None:
        return None
    if not scene.in_group(standby.key_id):
        return _inclusion(scene, standby.label, standby.key_id)
    return _proof(scene, standby, standby.key_id)


def _promote(scene: Scene) -> Step | None:
    ready, signing = scene.ready, scene.signing
    if ready is None:
        return None
    if signing is None:
        return _promotion(scene, ready)
    # Where there is no room for the next standby, there would be none to revoke to.
    due = scene.is_due or (scene.fits(ready) and not scene.fits(signing))
    return _promotion(scene, ready) if due and scene.room else None


def _prepare(scene: Scene) -> Step | None:
    """Make a standby, where there is none of the right kind."""
    if scene.standby is not None and scene.fits(scene.standby):
        return None
    candidate = scene.candidate
    if candidate is None or not scene.fits(candidate):
        return Mint() if scene.room or scene.urgent else None
    key_id = scene.key_id(candidate)
    if not key_id:
        return Publish(candidate.name, candidate.id) if scene.room_in_account else None
    if not scene.in_group(key_id):
        return _inclusion(scene, candidate.name, key_id)
    if scene.record(candidate.name).verified_at_ms is None:
        return _proof(scene, candidate, key_id)
    return Store(candidate.name, key_id, candidate.id)


def _clean(scene: Scene) -> Step | None:
    parts = scene.parts()
    for key in scene.ours():
        record = scene.record(key.name)
        if key.id in parts:
            continue
        if scene.in_group(key.id):
            if scene.is_drained(record) and len(scene.group.key_ids) > 1:
                return Exclude(key.name, key.id)
        elif key.id not in scene.observed.elsewhere and (
            (record.promoted_at_ms is None and record.replaced_at_ms is None)
            or record.revoked_at_ms is not None
            or scene.is_drained(record)
        ):
            return Delete(key.name, key.id)
    named = {
        version.label for version in (scene.signing, scene.standby, scene.candidate) if version
    }
    for label, record in sorted(scene.observed.records.items()):
        if record.deleted_at_ms is not None or label in named:
            continue
        if label in scene.by_name or record.key_id in scene.by_id:
            continue
        if record.kms_key:
            return DeleteKmsKey(label, record.kms_key)
        return Note("deleted", label)
    return None


def _inclusion(scene: Scene, label: str, key_id: str) -> Step | None:
    return Include(label, key_id) if scene.room_in_group else None


def _promotion(scene: Scene, version: Version | None) -> Step | None:
    if version is None:
        return None
    return Promote(version.label, version.id, scene.holder.id if scene.holder else "")


def _proof(scene: Scene, version: Version, key_id: str) -> Step | None:
    held_ms = scene.held_ms(scene.record(version.label))
    if held_ms is None or not (scene.urgent or scene.now_ms >= held_ms):
        return None
    return Prove(version.label, key_id, version.id)


_RULES: tuple[Callable[[Scene], Step | None], ...] = (
    _note_signing,
    _note_previous,
    _note_members,
    _note_ceilings,
    _rescue,
    _revoke,
    _keep_standby,
    _promote,
    _prepare,
    _clean,
)


def _wait(scene: Scene) -> Wait:
    """Tell the first moment at which any of the rules will find something to do by itself."""
    moments: list[tuple[int, str]] = []
    if scene.due_ms is not None:
        moments.append((scene.due_ms, "the next rotation is due then"))
    for version in filter(None, (scene.standby, scene.candidate)):
        held_ms = scene.held_ms(scene.record(version.label))
        if held_ms is not None:
            moments.append((held_ms, f"{version.label} is on hold"))
    parts = scene.parts()
    for key in scene.ours():
        drained_ms = scene.drained_ms(scene.record(key.name))
        if key.id not in parts and drained_ms is not None:
            moments.append((drained_ms, f"{key.name} is draining"))
    coming = [moment for moment in moments if moment[0] > scene.now_ms]
    if not coming:
        return Wait(None, "nothing happens by itself")
    return Wait(*min(coming))
