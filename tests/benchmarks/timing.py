"""Samples of things that are compared, taken in turns, so that the machine's noise hits all."""

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import TypeVar

T = TypeVar("T")

Sampler = Callable[[], float]
"""Does its thing and tells the seconds of CPU that it took."""

Samples = Mapping[str, list[float]]


def repeated(do: Callable[[], object], *, times: int) -> Sampler:
    """Make a sampler of the same call again and again; its seconds are those of one call."""
    return each(lambda _: do(), lambda: None, times=times)


def each(do: Callable[[T], object], make: Callable[[], T], *, times: int) -> Sampler:
    """Make a sampler of calls with something new each, which is made before the clock starts."""

    def sample() -> float:
        given = [make() for _ in range(times)]
        # Of this thread alone: a stand-in may be listening in another.
        start = time.thread_time()
        for one in given:
            do(one)
        return (time.thread_time() - start) / times

    return sample


def interleaved(samplers: Mapping[str, Sampler], rounds: Iterable[int]) -> Samples:
    """Take a sample of each in every round, after one that nobody counts."""
    for sample in samplers.values():
        sample()
    taken: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in rounds:
        for name, sample in samplers.items():
            taken[name].append(sample())
    return taken


def ratio(samples: Samples, over: str, under: str) -> float:
    """
    Compare two things within each round; the median of that.

    >>> ratio({"a": [2.0, 9.0, 20.0], "b": [1.0, 3.0, 10.0]}, "a", "b")
    2.0
    """
    pairs = zip(samples[over], samples[under], strict=True)
    return median(one / other for one, other in pairs)
