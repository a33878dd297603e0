"""Every kind of row in the ledger: its key, its attributes, who writes which, its time to live.

Times are in epoch milliseconds (`…_at_ms`). A row that waits for something has `timer` (the queue
whose message brings it back) and `due_at_ms`, and so stands in the index `overdue`; a row that
waits for nothing has neither. `expires_at_s` is DynamoDB's time to live, in epoch seconds. A row
that something else still depends on has none: DynamoDB deletes whatever has expired, however much
somebody needs it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypedDict, TypeVar

Timer = Literal["flush", "batch", "watch"]
"""The queue whose message brings a row back."""

PLAN_TTL_S = 15 * 24 * 60 * 60
"""SQS keeps a message for 14 days at most, so no event comes again after that."""

BUDGET_TTL_S = 400 * 24 * 60 * 60
"""For so long one can look up what a day cost."""

WATCH_TTL_S = 30 * 24 * 60 * 60
"""For so long one can look up what became of an invalidation."""

SIGNING_KEY_TTL_S = 400 * 24 * 60 * 60
"""For so long one can look up what became of a deleted signing key."""


class Row(TypedDict, total=False):
    """What every kind of row has."""

    pk: str
    sk: str


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Key(Generic[R]):
    """Where one row of a kind is."""

    pk: str
    sk: str


def key_of(row: R) -> Key[R]:
    """Return the key of a row that was read."""
    return Key(row["pk"], row["sk"])


@dataclass(frozen=True, slots=True)
class KeyRange(Generic[R]):
    """Where rows of a kind are: all of a partition from *first* to *last*."""

    pk: str
    first: str
    last: str


def row_id(key: Key[Any]) -> str:
    """
    Return by what a timer names the row *key* that waits for it.

    >>> row_id(flush("my-site")), row_id(watch("invalidation/E1/I1"))
    ('my-site', 'invalidation/E1/I1')
    >>> row_id(batch("my-site", "0017#a", 3))
    'my-site/0017#a#0003'
    """
    name = key.pk.partition("#")[2]
    return f"{name}/{key.sk.removeprefix(_BATCH)}" if key.sk.startswith(_BATCH) else name


# ── One bucket ────────────────────────────────────────────────────────────────────────────────────


class FlushRow(Row, total=False):
    """
    The one flush of a bucket. It lives as long as the ledger.

    Attributes:
        collected_count: So often changes were collected, ever; tells whether more came meanwhile.
        first_change_at_ms, last_change_at_ms: Of the changes that are pending; absent where none
            are.
        lock: Of the one flush at work, until `lock_expires_at_ms`.
        attempt_count: So often the lock was acquired since a flush last came to an end of its own.
        plan_id: The plan that is committed, and whose batches are not all due yet.
        max_changes: No more go into the next plan; absent where nothing speaks against all.
        retry_count: So many retryable error responses came in a row.
        retry_at_ms: Not before this moment after one.
        error_count: So many unexpected errors came since the last plan.
        held_item_count: So many items did not fit what the day may still cost.
        released: A person lets the next plan go, whatever it costs.

    Written by `collecting` (the first three, `timer`, `due_at_ms`, `retry_at_ms`), `flushes` (all
    else), `plans` (`plan_id`), and the command `release` (`released`, `retry_at_ms`, `due_at_ms`).
    """

    collected_count: int
    first_change_at_ms: int
    last_change_at_ms: int
    timer: Timer
    due_at_ms: int
    lock: str
    lock_expires_at_ms: int
    attempt_count: int
    plan_id: str
    max_changes: int
    retry_count: int
    retry_at_ms: int
    error_count: int
    held_item_count: int
    released: bool


class ChangesRow(Row, total=False):
    """
    Changes that one invocation of `collect_changes` collected, until a plan has them.

    Written whole by `collecting`, without those that were dead-lettered by `flushes`, which deletes
    it as `plans` does. No time to live.

    Attributes:
        changes: See `changes.pack`.
    """

    changes: bytes


class PlanRow(Row, total=False):
    """
    The identities of the changes that one plan took, written whole by `plans` as a draft.

    It is kept so that no event is planned twice, whether it was committed or expires as a draft.

    Attributes:
        identities: See `changes.identities`.
        change_row_keys: The partition and sort keys of the changes rows that go with it, packed.
    """

    identities: bytes
    change_row_keys: bytes
    committed_at_ms: int
    expires_at_s: int


class BatchRow(Row, total=False):
    """
    One CreateInvalidation call of a plan.

    Written whole by `plans` as a draft that expires; once its plan is committed it is due and has
    no time to live. From then on written by `batches`: when it was sent it waits for nothing, and
    is kept for as long as the history.

    Attributes:
        items: Paths, packed.
        caller_reference: The CallerReference, the same at each attempt.
        lock: Of the one function that sends it, until `lock_expires_at_ms`.
        retry_count: So many retryable error responses came in a row.
        error_count: So many other errors came, ever.
        exhausted_at_ms: When its retries were exhausted; its timer is a dead letter since.
        halved_at_ms: From when on two others, of half its items each, are to take its place.
        sent_at_ms: When CloudFront took it, or when it ended otherwise.
        watch_id: Of the watch that says what became of it.
        invalidation_id: What CloudFront calls it.
    """

    target_kind: str
    target_id: str
    items: bytes
    item_count: int
    plan_id: str
    caller_reference: str
    timer: Timer
    due_at_ms: int
    lock: str
    lock_expires_at_ms: int
    retry_count: int
    error_count: int
    exhausted_at_ms: int
    halved_at_ms: int
    sent_at_ms: int
    watch_id: str
    invalidation_id: str
    expires_at_s: int


class HistoryRow(Row, total=False):
    """
    What one plan did and why, for people. Written by `plans`: as a draft, then at its commitment.

    Its batches say the rest, by `batches`: items, ids, times.

    Attributes:
        keys: The first of those that changed, packed.
        skipped: How many keys no item covers, and the first of them, by the reason; packed.
        widened: The same of keys whose items take more than their own copies.
        items: By distribution, how many paths without and with a wildcard; packed.
        cost_cents: Beyond the month's free items.
    """

    keys: bytes
    key_count: int
    skipped: bytes
    widened: bytes
    items: bytes
    item_count: int
    cost_cents: int
    committed_at_ms: int
    expires_at_s: int


class BudgetRow(Row, total=False):
    """How many items the plans of one day have committed. Written by `budget` alone."""

    item_count: int
    expires_at_s: int


CHANGES_PARTITIONS = 4
"""DynamoDB writes 1,000 rows a second to a partition, and a million uploads are 100,000 rows."""

_BUCKET = "bucket#"
_BATCH = "batch#"
_CHANGES = "changes#"


def flush(bucket: str) -> Key[FlushRow]:
    """
    Return the key of the flush of *bucket*.

    In a partition of its own: whoever reads hostile input writes this row, and no plan or batch.
    """
    return Key(f"flush#{bucket}", "flush")


def changes(bucket: str, *, at_ms: int, token: str) -> Key[ChangesRow]:
    """Return the key of what one invocation collects, of messages sent at *at_ms* or later."""
    number = zlib.crc32(token.encode()) % CHANGES_PARTITIONS
    return Key(f"{_CHANGES}{bucket}#{number}", f"change#{at_ms:015d}#{token}")


def all_changes(bucket: str) -> list[KeyRange[ChangesRow]]:
    """Return where all pending changes of *bucket* are, in each partition oldest first."""
    return [
        KeyRange(f"{_CHANGES}{bucket}#{number}", "change#", "change#~")
        for number in range(CHANGES_PARTITIONS)
    ]


def plan(bucket: str, plan_id: str) -> Key[PlanRow]:
    """Return the key of a plan."""
    return Key(_bucket(bucket), f"plan#{plan_id}")


def plan_id(*, at_ms: int, token: str) -> str:
    """Return the id of a plan that is made at *at_ms*: ids sort as the plans were made."""
    return f"{at_ms:015d}#{token}"


def planned_at_ms(key: Key[BatchRow]) -> int:
    """
    Return when the plan of the batch *key* was made.

    >>> planned_at_ms(batch("my-site", plan_id(at_ms=1_790_000_000_000, token="a"), 0))
    1790000000000
    """
    return int(key.sk.split("#")[1])


def plans_since(bucket: str, at_ms: int) -> KeyRange[PlanRow]:
    """Return where the plans are that were made at *at_ms* or later."""
    return KeyRange(_bucket(bucket), f"plan#{max(at_ms, 0):015d}", "plan#~")


def batch(bucket: str, plan_id: str, number: int) -> Key[BatchRow]:
    """Return the key of a plan's batch."""
    return Key(_bucket(bucket), f"{_BATCH}{plan_id}#{number:04d}")


def batch_of(row_id: str) -> Key[BatchRow]:
    """
    Return the key of the batch that a timer names.

    >>> batch_of(row_id(batch("my-site", "0017#a", 3))) == batch("my-site", "0017#a", 3)
    True
    """
    bucket, _, name = row_id.partition("/")
    return Key(_bucket(bucket), f"{_BATCH}{name}")


def bucket_of(key: Key[BatchRow]) -> str:
    """Return the bucket of a batch."""
    return key.pk.removeprefix(_BUCKET)


def half_batch(key: Key[BatchRow], number: int) -> Key[BatchRow]:
    """Return the key of one half (0 or 1) of the batch *key*; it sorts right after it."""
    return Key(key.pk, f"{key.sk}-{number}")


def batches(bucket: str, plan_id: str) -> KeyRange[BatchRow]:
    """Return where the batches of a plan are, in their order."""
    return KeyRange(_bucket(bucket), f"{_BATCH}{plan_id}#", f"{_BATCH}{plan_id}#~")


def history(bucket: str, plan_id: str) -> Key[HistoryRow]:
    """Return the key of what a plan did."""
    return Key(f"history#{bucket}", f"plan#{plan_id}")


def budget(day: str) -> Key[BudgetRow]:
    """Return the key of what is committed on a *day* of UTC, such as 2026-11-28."""
    return Key("budget", f"day#{day}")


def budget_of_month(month: str) -> KeyRange[BudgetRow]:
    """Return where the days of a *month* are, such as 2026-11, in their order."""
    return KeyRange("budget", f"day#{month}-", f"day#{month}-~")


# ── What CloudFront is doing ──────────────────────────────────────────────────────────────────────


class WatchRow(Row, total=False):
    """
    A watch, named by what is watched.

    Written by `watches`: whole when it is created, then by each poll; one conditional write sets
    `outcome`, a last one `announced_at_ms`. Only from then on it has a time to live.

    Attributes:
        parameters: Of the waiter's operation.
        etag: Of the configuration whose deployment is meant; empty for anything else.
        details: What its announcement says besides.
        deadline_at_ms: After it the watch times out.
        poll_schedule_s: When to poll, in seconds from the start; see `schedule`.
        reservation_id: Of the quota reservation that its end releases; empty for none.
        retry_count: So often its announcement failed.
    """

    kind: str
    name: str
    target_kind: str
    target_id: str
    parameters: dict[str, str]
    etag: str
    details: dict[str, Any]
    started_at_ms: int
    deadline_at_ms: int
    poll_schedule_s: list[int]
    reservation_id: str
    poll_count: int
    polled_at_ms: int
    last_status: str
    error_count: int
    retry_count: int
    timer: Timer
    due_at_ms: int
    outcome: str
    ended_at_ms: int
    announced_at_ms: int
    expires_at_s: int


class StatusPageRow(Row, total=False):
    """
    The newest page of a target's invalidations, shared by all who poll them. Written by `polling`.

    Attributes:
        statuses: By invalidation id.
        claimed_at_ms: When somebody last set out to poll for all.
    """

    statuses: dict[str, str]
    polled_at_ms: int
    claimed_at_ms: int


class PollingScheduleRow(Row, total=False):
    """
    How long the last ones of a kind took, and when to poll by that. Written by `watches`.

    Attributes:
        durations_s: Of the latest that completed.
    """

    durations_s: list[int]
    poll_schedule_s: list[int]


class QuotaReservationsRow(Row, total=False):
    """
    All quota reservations; see `quotas.State`. Written by `quota_reservations` alone.

    Attributes:
        reservations: By id: items, wildcards, and since when.
        version: Of this row, so that nobody overwrites what they have not read.
    """

    reservations: dict[str, list[int]]
    items_free_at_ms: int
    wildcards_free_at_ms: int
    version: int


def watch(watch_id: str) -> Key[WatchRow]:
    """Return the key of a watch."""
    return Key(f"watch#{watch_id}", "watch")


def status_page(target_id: str) -> Key[StatusPageRow]:
    """Return the key of what was last read of a target's invalidations."""
    return Key(f"distribution#{target_id}", "invalidations")


def polling_schedule(kind: str) -> Key[PollingScheduleRow]:
    """Return the key of what was learned of a kind of watch."""
    return Key("polling-schedule", kind)


def quota_reservations() -> Key[QuotaReservationsRow]:
    """Return the key of the quota reservations."""
    return Key("quotas", "invalidations")


# ── Configurations ────────────────────────────────────────────────────────────────────────────────


class DistributionListRow(Row, total=False):
    """
    Which configurations were in force at one moment. Written by `route_table` alone.

    Attributes:
        etags: By distribution.
        policies_with_queries: The cache policies that have query strings in the cache key.
    """

    listed_at_ms: int
    etags: dict[str, str]
    policies_with_queries: list[str]


class DistributionConfigRow(Row, total=False):
    """As much of one distribution's configuration as routes need, packed. By `route_table`."""

    etag: str
    config: bytes


def distribution_list() -> Key[DistributionListRow]:
    """Return the key of the list of distributions."""
    return Key("routes", "listed")


def distribution_config(distribution_id: str) -> Key[DistributionConfigRow]:
    """Return the key of a distribution's configuration."""
    return Key("routes", f"distribution#{distribution_id}")


def distribution_configs() -> KeyRange[DistributionConfigRow]:
    """Return where all configurations are."""
    return KeyRange("routes", "distribution#", "distribution#~")


def distribution_of(row: DistributionConfigRow) -> str:
    """Return the distribution whose configuration *row* has."""
    return row["sk"].removeprefix("distribution#")


# ── Signing keys ──────────────────────────────────────────────────────────────────────────────────


class KeyGroupRow(Row, total=False):
    """Which key group the stack looks after. Written by `key_group_resource`."""

    key_group_id: str
    adopted: bool
    since_at_ms: int


class SigningKeyRow(Row, total=False):
    """
    What is known of one signing key, by its name; see `rotation.model.Record`.

    Written by `execute`. It has a time to live only once the key is deleted.
    """

    key_id: str
    kms_key: str
    kind: str
    hash_algorithm: str
    generated_at_ms: int
    created_at_ms: int
    added_at_ms: int
    verified_at_ms: int
    stored_at_ms: int
    promoted_at_ms: int
    replaced_at_ms: int
    removed_at_ms: int
    revoked_at_ms: int
    forced_at_ms: int
    public_key_deleted_at_ms: int
    kms_key_deleted_at_ms: int
    deleted_at_ms: int
    max_lifetime_s: int
    verification_error: str
    expires_at_s: int


class PreviousVersionRow(Row, total=False):
    """Which version of the secret was last recorded as AWSPREVIOUS. Written by `execute`."""

    version_id: str


class AnnouncedRow(Row, total=False):
    """The ids of what was announced and is not over. Written by `reconcile`."""

    announced_ids: list[str]


_SIGNING_KEYS = "signing-keys"


def key_group() -> Key[KeyGroupRow]:
    """Return the key of the row that names the key group."""
    return Key(_SIGNING_KEYS, "group")


def signing_key(name: str) -> Key[SigningKeyRow]:
    """Return the key of what is known of the signing key *name*."""
    return Key(_SIGNING_KEYS, f"key#{name}")


def signing_keys() -> KeyRange[SigningKeyRow]:
    """Return where all signing keys are."""
    return KeyRange(_SIGNING_KEYS, "key#", "key#~")


def signing_key_of(row: SigningKeyRow) -> str:
    """Return the name of the signing key of which *row* tells."""
    return row["sk"].removeprefix("key#")


def previous_version() -> Key[PreviousVersionRow]:
    """Return the key of the row that names the secret's previous version."""
    return Key(_SIGNING_KEYS, "previous")


def announced() -> Key[AnnouncedRow]:
    """Return the key of what was announced of the signing keys."""
    return Key(_SIGNING_KEYS, "announced")


# ── What is packed into one attribute ─────────────────────────────────────────────────────────────

MAX_PACKED_BYTES = 300_000
"""A DynamoDB item ends at 400 kB, names and numbers included."""


def pack(value: Sequence[Any] | Mapping[str, Any]) -> bytes:
    """
    Compress JSON for an attribute.

    >>> unpack(pack(["/a", "/b*"]))
    ['/a', '/b*']
    """
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode())


def unpack(blob: bytes) -> Any:  # noqa: ANN401  # any JSON
    """Return what `pack` was given."""
    return json.loads(zlib.decompress(blob))


def _bucket(bucket: str) -> str:
    return f"{_BUCKET}{bucket}"
