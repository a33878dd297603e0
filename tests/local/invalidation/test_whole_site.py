"""A deploy of a whole site, delivered as badly as SQS may, is a handful of calls."""

from random import Random

import pytest

from local.pollers import Delivery
from tests.local import suite

FOLDERS = 50
FILES = 100


@pytest.mark.prove
def test_whole_site():
    """
    5,000 events, doubled, late and out of order, are at most 5 calls: all covered, none twice.
    """
    delivery = Delivery(
        random=Random(1), duplicate=0.1, late=0.1, reorder=0.5, split=0.5, lateness_s=20
    )
    keys = [
        f"section-{folder:02}/page-{file:02}.html"
        for folder in range(FOLDERS)
        for file in range(FILES)
    ]
    Random(1).shuffle(keys)
    with suite.running() as cloud:
        cloud.world.delivery = delivery
        suite.upload(cloud, *keys)
        cloud.world.settle()
        cloud.world.run(limit_s=900)

        sent = cloud.invalidations()[1:]
        end = suite.end_state(cloud)

    assert 1 <= len(sent) <= 5
    assert all(any(one.covers(f"/{key}") for one in sent) for key in keys)
    items = [item for one in sent for item in one.items]
    assert len(items) == len(set(items))
    assert end["changes left"] == 0
    assert end["waiting"] == []
