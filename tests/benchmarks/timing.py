"""Samples of things that are compared, taken in turns, so that the machine's noise hits all."""

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import TypeVar

T = TypeVar("T")

Sampler = Callable[[], float]
"""Makes its calls, and returns the seconds of CPU that one took."""

Samples = Mapping[str, list[float]]


def repeated(call: Callable[[], object], *, times: int) -> Sampler:
    """Return a sampler of the same call again and again."""
    return each(lambda _: call(), lambda: None, times=times)


def each(call: Callable[[T], object], argument: Callable[[], T], *, times: int) -> Sampler:
    """Return a sampler of calls with a new *argument* each, made before the time is taken."""

    def sample() -> float:
        arguments = [argument() for _ in range(times)]
        # Of this thread alone: a stand-in may be listening in another.
        start = time.thread_time()
        for value in arguments:
            call(value)
        return (time.thread_time() - start) / times

    return sample


def interleaved(samplers: Mapping[str, Sampler], rounds: Iterable[int]) -> Samples:
    """Take a sample of each in every round, after one that nobody counts."""
    for sample in samplers.values():
        sample()
    samples: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in rounds:
        for name, sample in samplers.items():
            samples[name].append(sample())
    return samples


def ratio(samples: Samples, over: str, under: str) -> float:
    """
    Return the median, over all rounds, of *over* divided by *under* within a round.

    >>> ratio({"a": [2.0, 9.0, 20.0], "b": [1.0, 3.0, 10.0]}, "a", "b")
    2.0
    """
    pairs = zip(samples[over], samples[under], strict=True)
    return median(dividend / divisor for dividend, divisor in pairs)
