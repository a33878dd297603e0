"""The cached copies of one distribution; only expiry or an invalidation takes one away."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.cloudfront.account import InvalidationRecord
from local.edge.evictions import Eviction
from local.edge.origins import OriginResponse

Key = tuple[str, ...]


@dataclass(slots=True)
class Copy:
    """
    What is kept of one fetch.

    Attributes:
        passed:
            How many of the distribution's invalidations the copy has outlived, or
            was fetched after. Counted, not timed: a fetch that is under way while an
            invalidation takes effect may carry the old object.
    """

    answer: OriginResponse
    failed: bool
    url: str
    tags: frozenset[str]
    cached_at: float
    expires_at: float
    passed: int


class Copies:
    """Callers hold the turn of a key while they look for its copy, fetch it and keep it."""

    def __init__(self, invalidations: Callable[[int], list[InvalidationRecord]]) -> None:
        self._invalidations = invalidations
        self._evictions: list[Eviction] = []
        self._copies: dict[Key, Copy] = {}
        self._turns: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, key: Key) -> Iterator[None]:
        """One fetch for all who want the same at once, as CloudFront collapses requests."""
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            yield

    def passed(self, now: float) -> int:
        """Count the invalidations that have taken effect, those of the last moments too."""
        with self._lock:
            news = self._invalidations(len(self._evictions))
            # They take effect in the order of their creation.
            ready = itertools.takewhile(lambda record: record.effective_at <= now, news)
            self._evictions += [Eviction.of(record.items) for record in ready]
            return len(self._evictions)

    def find(self, key: Key, *, now: float, passed: int) -> Copy | None:
        copy = self._copies.get(key)
        if copy is None:
            return None
        new_evictions = self._evictions[copy.passed : passed]
        copy.passed = passed
        if copy.expires_at <= now or any(
            eviction.takes(copy.url, copy.tags) for eviction in new_evictions
        ):
            del self._copies[key]
            return None
        return copy

    def keep(self, key: Key, copy: Copy) -> None:
        self._copies[key] = copy
