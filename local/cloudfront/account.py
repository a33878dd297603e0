"""What one account's CloudFront keeps: records, the time that ages them, and their limits."""

import heapq
import string
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

CAPITALS = string.ascii_uppercase + string.digits
SMALL = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Lags:
    """
    How long CloudFront takes, in seconds.

    How long a changed key group takes to reach the edges is not documented; `key_group_s` is a
    guess, and the same for all edges at once.
    """

    deployment_s: float = 180
    invalidation_effect_s: float = 5
    invalidation_completed_s: float = 20
    key_group_s: float = 30


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much CloudFront takes; a request past a limit is refused."""

    distributions: int = 500
    aliases: int = 100
    origins: int = 100
    behaviors: int = 75
    cache_policies: int = 20
    response_headers_policies: int = 20
    public_keys: int = 10
    key_groups: int = 10
    keys_per_group: int = 5
    groups_per_behavior: int = 4
    distributions_per_group: int = 100
    items_in_progress: int = 3_000
    wildcards_in_progress: int = 15
    # Not published; the stand-in refuses what could never fit into the quota above.
    items_per_request: int = 3_000


@dataclass(slots=True)
class Record:
    """One resource: what was sent, and what CloudFront knows about it."""

    id: str
    config: dict[str, Any]
    etag: str
    created_at: float
    modified_at: float
    ordinal: int
    managed: bool = False
    # The moment when the newest configuration is everywhere.
    deployed_at: float = 0
    # Configurations, or what else edges need, in the order in which the edges get them: (from
    # when on, which). The first is with them at once.
    rollout: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    former_etags: set[str] = field(default_factory=set)
    tags: dict[str, str | None] = field(default_factory=dict)
    # What one type of resource alone has, such as a domain name.
    traits: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvalidationRecord:
    """One accepted batch: what it names, and the three moments of its life."""

    id: str
    distribution_id: str
    items: tuple[str, ...]
    caller_reference: str
    created_at: float
    effective_at: float
    completed_at: float
    wildcards: int


class Account:
    """The state that every operation works on. It knows no operation, and locks nothing."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        random: Random,
        lags: Lags,
        quotas: Quotas,
        account_id: str = "123456789012",
    ) -> None:
        self.now = now
        self.random = random
        self.lags = lags
        self.quotas = quotas
        self.account_id = account_id
        self.records: dict[str, dict[str, Record]] = {}
        # Ids of deleted records remain here: a marker may name one.
        self.ordinals: dict[str, int] = {}
        self.invalidations: dict[str, list[InvalidationRecord]] = {}
        self.batches: dict[str, InvalidationRecord] = {}
        self.references: dict[tuple[str, str], InvalidationRecord] = {}
        self.in_progress: deque[InvalidationRecord] = deque()
        self._changes: list[float] = []

    def of(self, noun: str) -> dict[str, Record]:
        return self.records.setdefault(noun, {})

    def new_id(self, prefix: str, length: int, *, letters: str = CAPITALS) -> str:
        """Make an id of *length* characters, prefix included."""
        tail = self.random.choices(letters, k=length - len(prefix))
        return prefix + "".join(tail)

    def new_ordinal(self, identifier: str) -> int:
        ordinal = len(self.ordinals)
        self.ordinals[identifier] = ordinal
        return ordinal

    def expect_change(self, moment: float) -> None:
        heapq.heappush(self._changes, moment)

    def at_edges(self, record: Record) -> dict[str, Any]:
        """Return what the edges have of a resource by now, to be read, not changed."""
        now = self.now()
        rollout = record.rollout
        # What the edges have moved past is of no more use.
        while len(rollout) > 1 and rollout[1][0] <= now:
            del rollout[0]
        return rollout[0][1]

    def next_change_at(self) -> float | None:
        now = self.now()
        while self._changes and self._changes[0] <= now:
            heapq.heappop(self._changes)
        return self._changes[0] if self._changes else None


def timestamp(seconds: float) -> datetime:
    """CloudFront's timestamps have milliseconds, no more."""
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)


def copied(config: dict[str, Any]) -> dict[str, Any]:
    """Copy what JSON could hold: 20 times quicker than copy.deepcopy, and tuples become lists."""
    return {name: _copied(value) for name, value in config.items()}


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return copied(value)
    if isinstance(value, (list, tuple)):
        return [_copied(member) for member in value]
    return value
