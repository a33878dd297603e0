"""Wherever a function dies, redelivery or a sweep leads to where no crash leads."""

import pytest

from local.faults import Does, Rule
from tests.local import suite


def run(*rules, lose=False):
    """
    Upload, delete, and let a quarter of an hour pass; tell the end, the calls, the crashes.

    With *lose*, the clocks of the flush and of the watch are lost on the way.
    """
    with suite.running() as cloud:
        world = cloud.world
        world.faults.rules.extend(rules)
        suite.upload(cloud, "index.html", "css/a b.css", "css/site.css", "js/app.js")
        cloud.delete("js/app.js")
        for row in ("notice_upload", "send_invalidations") if lose else ():
            world.run(until=lambda row=row: world.invocations[-1].function == row)
            for clock in ("FlushClockUrl", "WatchClockUrl"):
                world.client("sqs").purge_queue(QueueUrl=world.outputs[clock])
            world.run(limit_s=450)
        world.settle()
        world.run(limit_s=900)
        crashes = sum(one.outcome.error is not None for one in world.invocations)
        return suite.end_state(cloud), list(world.faults.calls), crashes


class TestCrash:
    @pytest.mark.parametrize(
        ("function", "lose"),
        [
            ("notice_upload", False),
            ("send_invalidations", False),
            ("watch_deployment", False),
            ("sweep", True),
        ],
    )
    def test_anywhere(self, function, lose, subtests):
        """
        A crash before or after any call of a function changes nothing about the end.
        """
        expected, calls, _ = run(lose=lose)
        own = [call for call in calls if call.caller == function]

        assert expected["invalidated"][1:] == [("/", "/css/*", "/index.html", "/js/app.js")]
        assert len(expected["announced"]) == 1
        assert own
        for call in own:
            for does in (Does.CRASH_BEFORE, Does.CRASH_AFTER):
                with subtests.test(call=f"{call.number} {call.operation}", crash=does):
                    rule = Rule(does=does, caller=function, nth=call.number)
                    end, _, crashes = run(rule, lose=lose)

                    assert end == expected
                    assert crashes == 1
