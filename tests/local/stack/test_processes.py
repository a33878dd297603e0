"""The same in processes: each function by itself, under AWS's own runtime client, over HTTP."""

import pytest

from local import stack
from local.demo import outside
from local.faults import Does, Rule
from tests.local import suite


@pytest.fixture(scope="module")
def cloud():
    parameters = {"UploadBuckets": "site"}
    with stack.embedded(suite.TEMPLATE, parameters=parameters) as world:
        cloud = outside.build(world, bucket="site")
        suite.upload(cloud, "stays.html")
        world.settle()
        yield cloud


@pytest.mark.parametrize(
    ("function", "operation"),
    [("send_invalidations", "CreateInvalidation"), ("poll_watches", "PutEvents")],
)
def test_killed(cloud, function, operation):
    """
    A function whose process is killed behind a call leaves its work to the next one.
    """
    world = cloud.world
    key = f"{function}.css"
    before = len(cloud.invalidations())
    world.faults.rules[:] = [
        Rule(
            does=Does.CRASH_AFTER,
            caller=function,
            operation=operation,
            nth=1
            + sum((c.caller, c.operation) == (function, operation) for c in world.faults.calls),
        )
    ]
    suite.upload(cloud, key)
    world.settle()

    assert [one.items for one in cloud.invalidations()[before:]] == [(f"/{key}",)]
    assert {one.status for one in cloud.invalidations()} == {"Completed"}
    assert cloud.announced(cloud.invalidations())
    assert any(one.outcome.error for one in world.invocations if one.function == function)
