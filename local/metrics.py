"""CloudWatch's metrics: what was measured, by minutes, and the statistics of it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Statistic = Literal["Average", "Maximum", "Minimum", "SampleCount", "Sum"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: data of one name with other dimensions are another's."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Metrics:
    """
    The data of all metrics.

    Not moto's: its periods begin at the first datum and not at a minute, a question without
    dimensions also reads what has some, and each question reads every datum that there is.
    """

    _minutes: defaultdict[Metric, defaultdict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, metric: Metric, value: float, *, at_s: float) -> None:
        """Take a datum."""
        with self._lock:
            self._minutes[metric][int(at_s // MINUTE_S)].append(value)

    def knows(self, metric: Metric) -> bool:
        """Return whether there has been a datum of *metric*."""
        with self._lock:
            return metric in self._minutes

    def statistic(
        self, metric: Metric, statistic: Statistic, *, start_s: int, end_s: int
    ) -> float | None:
        """Return a statistic of the whole minutes from *start_s* to *end_s*; None for no data."""
        with self._lock:
            minutes: Mapping[int, list[float]] = self._minutes.get(metric, {})
            values = [
                value
                for number in range(start_s // MINUTE_S, end_s // MINUTE_S)
                for value in minutes.get(number, ())
            ]
        if not values:
            return None
        match statistic:
            case "Average":
                return sum(values) / len(values)
            case "Maximum":
                return max(values)
            case "Minimum":
                return min(values)
            case "SampleCount":
                return len(values)
            case "Sum":
                return sum(values)
