"""Whoever comes in before or after a conditional write, each change is sent and paid for once."""

from itertools import product

import pytest

from local.faults import Does, Rule
from tests.local import suite

FILES = ("index.html", "css/a b.css", "js/app.js")
ITEMS = {"/", "/index.html", "/css/a%20b.css", "/js/app.js"}


class Again:
    """The handlers, of which any can be called once more with what it was called with last."""

    def __init__(self):
        self.called = {}
        self.handlers = {name: self._kept(name) for name in suite.HANDLERS}

    def _kept(self, name):
        def handler(event, context):
            self.called[name] = event
            return suite.HANDLERS[name](event, context)

        return handler

    def call(self, cloud, function):
        """Call *function* as another process would that was given the same."""
        (found,) = (f for f in cloud.world.deployment.functions if f.name == function)
        outcome = cloud.world.call(found, self.called[function])
        assert outcome.error is None


def run(function, *rules):
    """
    Upload, and let all end; return what came of it, and how often *function* wrote on a condition.

    Where a rule says so, *function* runs once more as a whole.
    """
    again = Again()
    with suite.running(handlers=again.handlers) as cloud:
        cloud.world.faults.second_actor = lambda: again.call(cloud, function)
        cloud.world.faults.rules.extend(rules)
        suite.upload(cloud, *FILES)
        cloud.world.settle()
        cloud.world.run(limit_s=900)
        writes = [c for c in cloud.world.faults.calls if c.conditional and c.caller == function]
        return suite.end_state(cloud), len(writes)


@pytest.mark.parametrize(
    "function",
    [
        "collect_changes",
        pytest.param("plan_invalidations", marks=pytest.mark.prove),
        pytest.param("send_invalidations", marks=pytest.mark.prove),
        pytest.param("poll_watches", marks=pytest.mark.prove),
    ],
)
def test_everywhere(function, subtests):
    """
    One plan has each change, each batch is created once, and its end has one announcement id.
    """
    expected, writes = run(function)
    assert {item for batch in expected["invalidated"][1:] for item in batch} == ITEMS
    assert len(expected["announced"]) == len(expected["invalidated"]) - 1
    for nth, does in product(
        range(1, writes + 1), (Does.SECOND_ACTOR_BEFORE, Does.SECOND_ACTOR_AFTER)
    ):
        with subtests.test(nth=nth, does=does):
            rule = Rule(does=does, caller=function, conditional=True, nth=nth)

            assert run(function, rule)[0] == expected
