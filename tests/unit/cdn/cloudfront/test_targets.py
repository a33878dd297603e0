"""A target is of one kind, and says itself by the name that AWS uses for that."""

from cdn.cloudfront import targets
from cdn.cloudfront.targets import Target


def test_fields():
    """
    Log lines and announcements name a distribution as AWS does.
    """
    assert targets.distribution("E1") == Target("distribution", "E1")
    assert targets.distribution("E1").fields == {"distribution_id": "E1"}


def test_order():
    """
    Targets sort, so that a plan is the same however its routes came.
    """
    found = {targets.distribution(name) for name in ("E2", "E1", "E2")}

    assert sorted(found) == [targets.distribution("E1"), targets.distribution("E2")]
