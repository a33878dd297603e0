"""Virtual time: whoever asks for the time gets it, and waiting costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import time_machine

from local.patching import replaced


class VirtualTime:
    """
    The process's wall clock, which ticks or stands, and jumps forward only.

    time-machine 3.6 replaces what tells the date (time.time, datetime.now, CLOCK_REALTIME, …).
    It leaves time.monotonic and time.perf_counter alone, so locks, sockets, thread pools and
    subprocess timeouts go on measuring real seconds, whatever jumps.
    """

    def __init__(self, start: datetime | float | None = None, *, ticking: bool = True) -> None:
        """Begin at *start* (default: the real time), moving by itself only if *ticking*."""
        self._travel = time_machine.travel(start, tick=ticking)
        self._traveller: time_machine.Traveller | None = None
        self._ticking = ticking

    def start(self) -> None:
        self._traveller = self._travel.start()
        # time-machine counts real seconds from the first time it is asked.
        time.time()

    def stop(self) -> None:
        self._traveller = None
        self._travel.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def now(self) -> float:
        """Seconds since the epoch; the same as time.time()."""
        return time.time()

    def jump_to(self, epoch_s: float) -> None:
        """Move to *epoch_s*, or stay where that has passed."""
        self.advance(epoch_s - time.time())

    def advance(self, seconds: float) -> None:
        if self._traveller is None:
            raise RuntimeError("virtual time has not been started")
        if seconds > 0:
            # move_to() would restart the ticking and lose what other threads see in between.
            self._traveller.shift(float(seconds))

    @contextmanager
    def sleeping_jumps(self) -> Iterator[None]:
        """Let time.sleep move virtual time instead of waiting, for code that backs off in here."""
        with replaced(time, "sleep", self.advance):
            yield
