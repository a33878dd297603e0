"""Two polls of one watch at the same moment end it once, wherever one comes in between."""

from itertools import count, product
from typing import Any

import pytest

from cdn.aws import rows
from cdn.aws.announcements import Announcer
from cdn.cloudfront import targets
from cdn.watching import watches
from cdn.watching.watches import WatchContext
from local.faults import Does, Rule


class Recorded:
    """An event bus and a topic that remember the ids of what was published."""

    def __init__(self):
        self.ids = []

    def put_events(self, *, Entries):  # noqa: N803  (AWS's)
        return {"FailedEntryCount": 0}

    def publish(self, *, MessageAttributes, **_rest):  # noqa: N803  (AWS's)
        self.ids.append(MessageAttributes["id"]["StringValue"])


@pytest.fixture
def end(ledger, account, time_source, recorded_timers, faults):
    """Return what polls an invalidation that has ended, under a rule; and what came of that."""
    context = WatchContext(ledger, account.client, recorded_timers(), time_source)
    references = count()
    distribution_id = account.distribute("one")

    def end(*rules):
        published: Any = Recorded()
        announcer = Announcer(
            published, "default", published, {"attention": "arn:one", "routine": "arn:two"}
        )
        invalidation_id = account.invalidate(distribution_id, f"{next(references)}")
        watched = watches.invalidation(targets.distribution(distribution_id), invalidation_id)
        watches.create(context, watched, details={})
        time_source.s += 60
        ended = []

        def poll():
            time_source.s += 0.001
            list(watches.steps(context, announcer, watched.id))
            ended.append(ledger.get(rows.watch(watched.id)))

        faults.restart()
        faults.second_actor, faults.rules[:] = poll, rules
        poll()
        conditional = [call for call in faults.calls if call.conditional]
        faults.rules.clear()
        return ended, published.ids, len(conditional)

    return end


def test_everywhere(end, subtests):
    """
    The end is written once, and announced with one id.
    """
    _, _, writes = end()
    assert writes > 2
    for nth, does in product(
        range(1, writes + 1), (Does.SECOND_ACTOR_BEFORE, Does.SECOND_ACTOR_AFTER)
    ):
        with subtests.test(nth=nth, does=does):
            (second, first), ids, _ = end(Rule(does=does, conditional=True, nth=nth))

            assert first["outcome"] == "completed"
            assert len({*ids}) == 1
            if "outcome" in second:
                assert first == second
