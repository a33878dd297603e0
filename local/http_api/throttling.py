"""How many requests each route takes: token buckets, as API Gateway has them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from local.function import HttpRoute


@dataclass(slots=True)
class Throttle:
    """
    Counts the requests to each route of an API, from all callers together.

    AWS does not say whether a request without a valid token counts. Here it does, which is worse
    for those who have one.
    """

    now: Callable[[], float]
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, route: HttpRoute) -> bool:
        """Count a request, and return whether it is not one too many."""
        if route.throttling is None:
            return True
        rate, burst = route.throttling.rate_per_s, route.throttling.burst
        with self._lock:
            now = self.now()
            left, at = self._buckets.get(route.key, (float(burst), now))
            left = min(float(burst), left + (now - at) * rate)
            taken = left >= 1
            self._buckets[route.key] = left - taken, now
        return taken
