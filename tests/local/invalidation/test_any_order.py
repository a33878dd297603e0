"""Uploads, deletions, crashes, refusals and losses, in any order: a model says what must hold."""

from contextlib import ExitStack, suppress
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from local.faults import Does, Rule
from local.pollers import Delivery
from tests.local import suite

KEYS = [f"{folder}/{name}" for folder in "ab" for name in ("1", "2", "3 +")] + ["index.html"]
FUNCTIONS = [
    "collect_changes",
    "plan_invalidations",
    "send_invalidations",
    "poll_watches",
    "sweep",
]
MODEL_URLS = {key: [f"/{key}"] for key in KEYS} | {
    "a/3 +": ["/a/3%20+", "/a/3%20%2B"],
    "b/3 +": ["/b/3%20+", "/b/3%20%2B"],
    "index.html": ["/index.html", "/"],
}


class AnyOrder(RuleBasedStateMachine):
    """The suite, and beside it what changed when."""

    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.cloud = self.stack.enter_context(suite.running())
        self.world = self.cloud.world
        self.known = len(self.cloud.invalidations())
        self.changed: dict[str, list[float]] = {key: [] for key in KEYS}

    @initialize(seed=st.integers(0, 99), bad=st.booleans())
    def deliver(self, seed, bad):
        if bad:
            self.world.delivery = Delivery(
                random=Random(seed), duplicate=0.3, late=0.3, reorder=0.5, split=0.5
            )

    @rule(keys=st.sets(st.sampled_from(KEYS), min_size=1))
    def upload(self, keys):
        for key in sorted(keys):
            suite.upload(self.cloud, key)
            self.changed[key].append(self.world.virtual_time.now())

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key):
        self.cloud.delete(key)
        self.changed[key].append(self.world.virtual_time.now())

    @rule(seconds=st.sampled_from([1, 5, 30, 100, 400]))
    def wait(self, seconds):
        self.world.run(limit_s=seconds)

    @rule(
        does=st.sampled_from([Does.CRASH_BEFORE, Does.CRASH_AFTER]),
        function=st.sampled_from(FUNCTIONS),
        calls=st.integers(1, 25),
    )
    def crash(self, does, function, calls):
        made = sum(call.caller == function for call in self.world.faults.calls)
        self.world.faults.rules.append(Rule(does=does, caller=function, nth=made + calls))

    @rule(service=st.sampled_from(["cloudfront", "events"]), times=st.integers(1, 8))
    def refuse(self, service, times):
        made = sum(call.service == service for call in self.world.faults.calls)
        self.world.faults.rules.append(
            Rule(does=Does.THROTTLE, service=service, nth=made + 1, times=times)
        )

    @rule(queue=st.sampled_from(["FlushTimersUrl", "BatchTimersUrl", "WatchTimersUrl"]))
    def lose(self, queue):
        sqs = self.world.client("sqs")
        with suppress(sqs.exceptions.PurgeQueueInProgress):
            sqs.purge_queue(QueueUrl=self.world.outputs[queue])

    @rule(chance=st.integers(0, 99))
    def repeat(self, chance):
        """An event that came before comes again."""
        bodies = [
            record["body"]
            for one in self.world.invocations
            if one.function == "collect_changes"
            for record in one.event["Records"]
        ]
        if bodies:
            self.world.client("sqs").send_message(
                QueueUrl=self.world.outputs["UploadsUrl"], MessageBody=bodies[chance % len(bodies)]
            )

    def teardown(self):
        with self.stack:
            self.world.faults.rules.clear()
            self.world.delivery = Delivery()
            self.world.run(limit_s=3_600)
            self.check(self.cloud.invalidations()[self.known :])

    def check(self, sent):
        for key, moments in self.changed.items():
            for url in MODEL_URLS[key]:
                taking = [one for one in sent if url in one.items or takes(one.items, url)]
                assert all(
                    any(one.created_at >= moment - 1 for one in taking) for moment in moments
                ), f"{key} changed, and {url} was not sent after it"
                named = sum(url in one.items for one in sent)
                assert named <= len(moments), f"{url} was paid for too often"
        end = suite.end_state(self.cloud)
        assert end["waiting"] == []
        assert end["changes left"] == 0
        announced = [event["detail"]["id"] for event in self.cloud.announcements()]
        for one in sent:
            assert {name for name in announced if one.id in name} == {
                f"invalidation/{self.cloud.distribution_id}/{one.id}/completed"
            }


def takes(items, url):
    return any(item.endswith("*") and url.startswith(item[:-1]) for item in items)


def run(*, examples, steps):
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            # Each step runs the stack: making a failure smaller would take many minutes.
            phases=[Phase.generate],
        ),
    )


@pytest.mark.prove
def test_any_order():
    """
    Whatever happens in between, every change is sent after it happened, and paid for once.
    """
    run(examples=15, steps=12)


@pytest.mark.prove
def test_any_order_long():
    """
    The same for longer stories, and more of them.
    """
    run(examples=100, steps=25)
