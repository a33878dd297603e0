"""Wherever a function dies, redelivery or a sweep leads to where no crash leads."""

from random import Random

import pytest

from local.faults import Does, Rule
from local.pollers import Delivery
from tests.local import suite


def run(*rules, lose=False, badly=False):
    """
    Upload, delete, and let a quarter of an hour pass; tell the end, the calls, the crashes.

    With *lose*, the clocks of the flush and of the watch are lost on the way. With *badly*, SQS
    delivers what it delivers twice, in any order and in any split.
    """
    with suite.running() as cloud:
        world = cloud.world
        world.faults.rules.extend(rules)
        if badly:
            world.delivery = Delivery(
                random=Random(5), duplicate=0.5, reorder=0.5, split=0.5, lateness_s=30
            )
        suite.upload(cloud, "index.html", "css/a b.css", "css/site.css", "js/app.js")
        cloud.delete("js/app.js")
        for row in ("collect_changes", "plan_invalidations", "send_invalidations") if lose else ():
            world.run(until=lambda row=row: world.invocations[-1].function == row)
            for queue in ("FlushTimersUrl", "BatchTimersUrl", "WatchTimersUrl"):
                world.client("sqs").purge_queue(QueueUrl=world.outputs[queue])
            world.run(limit_s=450)
        world.settle()
        world.run(limit_s=900)
        crashes = sum(one.outcome.error is not None for one in world.invocations)
        return suite.end_state(cloud), list(world.faults.calls), crashes


URLS = ("/", "/index.html", "/css/a%20b.css", "/css/site.css", "/js/app.js")


def in_all(end):
    """
    Return what of an end does not depend on which events came together.

    That is what was covered, what was paid for too often, and what is left to do.
    """
    items = [item for batch in end["invalidated"][1:] for item in batch]
    return {
        "covered": [any(takes(item, url) for item in items) for url in URLS],
        # It was created, and deleted.
        "twice": {item for item in items if items.count(item) > 1 + (item == "/js/app.js")},
        "announced": len(end["announced"]) - len(end["invalidated"][1:]),
        "left": (end["waiting"], end["changes left"]),
    }


def takes(item, url):
    return url.startswith(item[:-1]) if item.endswith("*") else url == item


class TestCrash:
    @pytest.mark.parametrize(
        ("function", "lose"),
        [
            ("collect_changes", False),
            pytest.param("plan_invalidations", False, marks=pytest.mark.prove),
            pytest.param("send_invalidations", False, marks=pytest.mark.prove),
            pytest.param("poll_watches", False, marks=pytest.mark.prove),
            pytest.param("sweep", True, marks=pytest.mark.prove),
        ],
    )
    def test_anywhere(self, function, lose, subtests):
        """
        A crash before or after any call of a function changes nothing about the end.
        """
        expected, calls, _ = run(lose=lose)

        assert expected["invalidated"][1:] == [("/", "/css/*", "/index.html", "/js/app.js")]
        assert len(expected["announced"]) == 1
        for rule, call in crashes_of(function, calls):
            with subtests.test(call=f"{call.number} {call.operation}", crash=rule.does):
                end, _, crashes = run(rule, lose=lose)

                assert end == expected
                assert crashes == 1

    @pytest.mark.prove
    @pytest.mark.parametrize(
        "function",
        ["collect_changes", "plan_invalidations", "send_invalidations", "poll_watches"],
    )
    def test_badly_delivered(self, function, subtests):
        """
        Nor does it under duplicates and reordering: all is covered, nothing paid for twice.
        """
        expected, _, _ = run()
        _, calls, _ = run(badly=True)

        for rule, call in crashes_of(function, calls):
            with subtests.test(call=f"{call.number} {call.operation}", crash=rule.does):
                end, _, crashes = run(rule, badly=True)

                assert in_all(end) == in_all(expected)
                assert crashes == 1


def crashes_of(function, calls):
    """Make a crash before and one after each call that *function* has made."""
    own = [call for call in calls if call.caller == function]
    assert own
    for call in own:
        for does in (Does.CRASH_BEFORE, Does.CRASH_AFTER):
            yield Rule(does=does, caller=function, nth=call.number), call
