"""Signing is about as quick as it shall be; `make bench` measures how quick."""

import pytest

from tests.benchmarks import run, targets

# Machines differ: where OpenSSL is quick and Python is not, a target that compares the two was
# missed by a factor of 2.4, by code that met it elsewhere. `make bench` measures it.
SLACK = 3


@pytest.mark.prove
def test_targets():
    """
    No target is missed by a factor of three.
    """
    samples = run.samples(range(5))

    missed = {
        (section, measure.what): measure.value(samples)
        for section, measures in targets.MEASURES.items()
        for measure in measures
        if measure.met(measure.value(samples), slack=SLACK) is False
    }

    assert missed == {}
