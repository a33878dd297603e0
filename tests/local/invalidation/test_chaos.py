"""For an hour a call of a function goes wrong, whichever it is: all pending is sent then, once."""

from collections import Counter
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import pytest

from local.faults import Does, Rule
from tests.local import suite

HOUR_S = 3_600
WAVES = 2
FUNCTIONS = (
    "collect_changes",
    "plan_invalidations",
    "send_invalidations",
    "poll_watches",
    "sweep",
)
KINDS: dict[str, dict[str, Any]] = {
    "denied": {"does": Does.FAIL, "status": 403, "code": "AccessDenied"},
    "throttled": {"does": Does.THROTTLE},
    "unreachable": {"does": Does.CUT_BEFORE},
    "unanswered": {"does": Does.CUT_AFTER},
    "timed out": {"does": Does.TIME_OUT},
    "killed before": {"does": Does.CRASH_BEFORE},
    "killed after": {"does": Does.CRASH_AFTER},
}
# An event of a schedule is given up after three tries, and the next one asks for the same.
MAY_HAVE_LETTERS = {"sweep": {"ScheduleDeadLetters"}}


@contextmanager
def hour(*rules, loses=True):
    """Upload in two waves for an hour while *rules* hold; of one the timers may get lost."""
    with suite.running() as cloud:
        world = cloud.world
        # Something that does not change, or each wave would be one wildcard.
        suite.upload(cloud, *(f"{wave}/stays.html" for wave in range(WAVES)))
        world.settle()
        world.faults.restart()
        world.faults.rules.extend(rules)
        for wave in range(WAVES):
            suite.update(cloud, Comment=f"{wave}")
            suite.upload(cloud, *keys(wave))
            # The flush is not due yet when its timer comes.
            world.run(limit_s=1)
            cloud.delete(keys(wave)[0])
            world.run(limit_s=10)
            if loses and wave == 0:
                for queue in ("FlushTimersUrl", "BatchTimersUrl", "WatchTimersUrl"):
                    world.client("sqs").purge_queue(QueueUrl=world.outputs[queue])
            world.run(limit_s=HOUR_S / WAVES - 11)
        world.faults.rules.clear()
        yield cloud


def keys(wave):
    return [f"{wave}/gone.js", f"{wave}/index.html", *(f"{wave}/css/{n}.css" for n in range(3))]


def calls():
    """Return which operations each function calls in an hour in which nothing goes wrong."""
    with hour() as cloud:
        cloud.world.run(limit_s=HOUR_S)
        made = {(call.caller, call.operation) for call in cloud.world.faults.calls}
    return sorted(call for call in made if call[0] in FUNCTIONS)


def urls():
    for wave in range(WAVES):
        for key in keys(wave):
            yield f"/{key}"


def takes(item, url):
    return url.startswith(item[:-1]) if item.endswith("*") else url == item


def check(cloud, function):
    """Let hours pass, and check that all that was uploaded came to its end, once."""
    world = cloud.world
    for _ in range(24):
        world.run(limit_s=HOUR_S / 4)
        end = suite.end_state(cloud)
        if not end["waiting"] and world.pollers.idle():
            break
    items = [item for items in end["invalidated"][1:] for item in items]
    assert [url for url in urls() if not any(takes(item, url) for item in items)] == []
    # What is created and deleted changes twice.
    twice = {item for item, count in Counter(items).items() if count > 1}
    assert {item for item in twice if not item.endswith("gone.js")} == set()
    assert [items for items, _ in end["announced"]] == end["invalidated"][1:]
    assert {kind for _, kind in end["announced"]} == {"Invalidation Completed"}
    assert (end["waiting"], end["changes left"]) == ([], 0)
    letters = {
        name
        for name in world.deployment.resources
        if name.endswith("DeadLetters") and suite.letters(cloud, name)
    }
    assert letters - MAY_HAVE_LETTERS.get(function, set()) == set()


@pytest.mark.prove
def test_one_kind_for_each_call(subtests):
    """
    After an hour in which a call goes wrong, each in a way of its own, all is sent, once.
    """
    made = calls()
    assert {function for function, _ in made} == set(FUNCTIONS)
    for (function, operation), kind in zip(made, cycle(KINDS), strict=False):
        with (
            subtests.test(function=function, operation=operation, kind=kind),
            hour(
                Rule(caller=function, operation=operation, times=None, **KINDS[kind]),
                loses=function == "sweep",
            ) as cloud,
        ):
            check(cloud, function)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_kind_for_each_call(function, kind, subtests):
    """
    Whatever goes wrong for an hour, whichever call it is: all is sent, once.
    """
    for caller, operation in calls():
        if caller == function:
            with (
                subtests.test(operation=operation),
                hour(Rule(caller=caller, operation=operation, times=None, **KINDS[kind])) as cloud,
            ):
                check(cloud, function)
