"""Whoever has lost a lock meanwhile changes nothing of what its new holder relies on."""

from itertools import count

import pytest

from cdn.aws import retryable, rows
from cdn.invalidation import batches, changes, flushes
from cdn.invalidation.changes import Change
from cdn.invalidation.flushes import FlushDelays
from local.faults import Does, Rule
from tests.local import suite

DELAYS = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
# Half of a surrogate pair has no path: planning raises.
BAD = "\ud800.html"
BATCH = rows.batch("site", "000000000000017#a", 0)
NUMBERS = count(1)


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def ledger(cloud):
    return suite.ledger(cloud)


class Case:
    """What changed, and what of a flush is not as usual."""

    def __init__(self, *keys, row=(), context=(), code=None):
        self.keys, self.row, self.context, self.code = keys, dict(row), dict(context), code


def token():
    return f"token-{next(NUMBERS)}"


def now_ms(cloud):
    return int(cloud.world.virtual_time.now() * 1000)


def pend(cloud, *keys, **attributes):
    """Let changes of *keys* be all that is pending, in a flush that is due."""
    ledger, at_ms = suite.ledger(cloud), now_ms(cloud) - 5_000
    ledger.delete(map(rows.key_of, ledger.query_all(rows.all_changes("site"))))
    collected = [Change(key, "created", f"{next(NUMBERS):X}", at_ms) for key in keys]
    (packed,) = changes.pack(collected)
    ledger.replace(rows.changes("site", at_ms=at_ms, token="one"), {"changes": packed})
    due = {"first_change_at_ms": at_ms, "last_change_at_ms": at_ms, "due_at_ms": at_ms}
    ledger.replace(rows.flush("site"), {"timer": "flush", "collected_count": 1} | due | attributes)


def flush(cloud, **changes):
    """Take the steps of one flush."""
    return list(flushes.steps(suite.flush_context(cloud, token=token, **changes), DELAYS, "site"))


def commit(cloud, **attributes):
    """Let a batch of two files be due, long after any other."""
    cloud.world.virtual_time.advance(1_000)
    row = {
        "target_kind": "distribution",
        "target_id": cloud.distribution_id,
        "items": rows.pack(["/a.css", "/b.css"]),
        "item_count": 2,
        "plan_id": "000000000000017#a",
        "caller_reference": token(),
        "timer": "batch",
        "due_at_ms": now_ms(cloud),
    }
    suite.ledger(cloud).replace(BATCH, row | attributes)


def send(cloud):
    """Take one step of the batch."""
    context = suite.batch_context(cloud, token=token)
    (result,) = batches.steps(context, rows.row_id(BATCH))
    return result


def refuse(cloud, operation, code):
    rule = Rule(does=Does.FAIL, operation=operation, code=code, status=403, times=None)
    cloud.world.faults.rules.append(rule)


def before(cloud, nth, second_actor):
    """Let a second actor come before the conditional write of this number from now on."""
    cloud.world.faults.restart()
    cloud.world.faults.second_actor = second_actor
    rules = cloud.world.faults.rules
    rules[:] = [rule for rule in rules if rule.does is Does.FAIL]
    rules.insert(0, Rule(does=Does.SECOND_ACTOR_BEFORE, conditional=True, nth=nth))


def taken_at_each(cloud, subtests, key, run):
    """Have the lock of the row *key* taken before each conditional write of *run* in turn."""
    ledger = suite.ledger(cloud)
    taken: list[object] = []

    def take():
        put = {"lock": "another", "lock_expires_at_ms": now_ms(cloud) + 1_000_000}
        taken.append(ledger.update(key, put=put))

    for nth in suite.rounds():
        before(cloud, nth + 1, take)
        run()
        if len(taken) == nth:
            break
        with subtests.test(nth=nth + 1):
            assert ledger.get(key) == taken[-1]
    return len(taken)


LAST_TRY = {"error_count": retryable.MAX_ERRORS - 1}
FLUSHES = {
    "flush finished": Case("a.css"),
    "flush continues": Case("a.css", "b.css", row={"max_changes": 1}),
    "flush continues, halved": Case("a.css", "b.css", row={"attempt_count": 2}),
    "plan halved": Case("a.css", BAD),
    "change dead-lettered": Case(BAD),
    "changes held": Case("a.css", context={"daily_items": 0}),
    "throttled": Case("a.css", code="Throttling"),
    "step failed": Case("a.css", code="AccessDenied"),
    "retries exhausted": Case("a.css", row=LAST_TRY, code="AccessDenied"),
}


class TestFlush:
    @pytest.mark.parametrize("ends", FLUSHES)
    def test_taken(self, cloud, subtests, ends):
        """
        Before whichever of its writes a flush loses its lock, the flush row is its new holder's.
        """
        case = FLUSHES[ends]
        if case.code:
            refuse(cloud, "ListDistributions", case.code)
        outcomes = []

        def run():
            pend(cloud, *case.keys, **case.row)
            outcomes.append(flush(cloud, **case.context)[-1].outcome)

        assert taken_at_each(cloud, subtests, rows.flush("site"), run) >= 2
        assert outcomes[0] == "flush locked"
        assert outcomes[-1] == ends.partition(",")[0]

    def test_ended_meanwhile(self, cloud, ledger):
        """
        A flush that another has ended since the row was read is not begun again.
        """
        pend(cloud, "a.css")
        before(cloud, 1, lambda: flush(cloud))

        (result,) = flush(cloud)

        assert result.outcome == "flush locked"
        assert ledger.get(rows.flush("site")).keys() == {"pk", "sk", "collected_count"}


BATCHES = {
    "throttled": ({}, "Throttling"),
    "batch retried later": ({}, "AccessDenied"),
    "batch failed": (LAST_TRY, "AccessDenied"),
}


class TestBatch:
    @pytest.mark.parametrize("ends", BATCHES)
    def test_taken(self, cloud, subtests, ends):
        """
        Before whichever of its writes a batch loses its lock unsent, its row is its new holder's.
        """
        row, code = BATCHES[ends]
        refuse(cloud, "CreateInvalidation", code)
        outcomes = []

        def run():
            commit(cloud, **row)
            outcomes.append(send(cloud).outcome)

        assert taken_at_each(cloud, subtests, BATCH, run) >= 2
        assert outcomes[0] == "batch locked"
        assert outcomes[-1] == ends

    def test_sent_meanwhile(self, cloud):
        """
        A batch that another has sent since the row was read is not sent again.
        """
        commit(cloud)
        before(cloud, 1, lambda: send(cloud))

        assert send(cloud).outcome == "batch locked"

        calls = [call.operation for call in cloud.world.faults.calls]
        assert calls.count("CreateInvalidation") == 1
