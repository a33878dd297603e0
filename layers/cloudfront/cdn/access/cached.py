"""Cache what was read elsewhere, by the wall clock: a frozen sandbox stops monotonic clocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cdn.errors import UnavailableError

T = TypeVar("T")

TTL_S = 60
"""The value is read again after so long."""

SECRET_MAX_AGE_S = 15 * 60
"""What could not be read again for so long is used no more. A key that is drained waits for it."""

REFRESH_AFTER_S = 5
"""However often somebody asks, it is read no more often than this."""


@dataclass(slots=True)
class TtlCache(Generic[T]):
    """
    One value, read when it is first asked for and again when it is old.

    Attributes:
        read: Raises UnavailableError when there is nothing to be had.
        now: The wall clock, in seconds.
    """

    read: Callable[[], T]
    now: Callable[[], float]
    _value: T | None = field(default=None, init=False)
    _read_at_s: float = field(default=float("-inf"), init=False)
    _tried_at_s: float = field(default=float("-inf"), init=False)

    def get(self, *, refresh: bool = False) -> T:
        """
        Return the value, no older than a minute, or up to 15 where it cannot be read again.

        Args:
            refresh: Read it anew, unless that was tried in the last 5 seconds.

        Raises:
            UnavailableError: There is none, or it has become too old.
        """
        now_s = self.now()
        if self._due(now_s, after_s=REFRESH_AFTER_S if refresh else TTL_S):
            self._tried_at_s = now_s
            try:
                self._value = self.read()
                self._read_at_s = now_s
            except UnavailableError:
                if self._value is None or not self._within(now_s, SECRET_MAX_AGE_S):
                    self._value = None
                    raise
        if self._value is None:
            raise UnavailableError("what was asked for", "tried a moment ago")
        return self._value

    def _due(self, now_s: float, *, after_s: int) -> bool:
        tried_s = now_s - self._tried_at_s
        # A clock that was set back says nothing about age.
        return not (self._within(now_s, after_s) or 0 <= tried_s < REFRESH_AFTER_S)

    def _within(self, now_s: float, seconds: int) -> bool:
        return 0 <= now_s - self._read_at_s < seconds
