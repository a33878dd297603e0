"""What makes planning raise, or die, is tried smaller; nothing else suffers for it."""

import json
from contextlib import suppress
from itertools import count

import pytest

from cdn.aws import rows
from cdn.invalidation import changes, flushes, s3_events
from cdn.invalidation.changes import Change
from cdn.invalidation.flushes import FlushDelays
from cdn.telemetry import StepResult
from local.faults import Crash, Does, Rule
from tests.local import suite

DELAYS = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)
TOKENS = count()
KEYS = [f"{number}/page.html" for number in range(8)]
# Half of a surrogate pair has no path. Nothing that S3 sends is read so.
BAD = Change("3/\ud800.html", "created", "BAD", 1)


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def ledger(cloud):
    return suite.ledger(cloud)


@pytest.fixture
def collected(cloud):
    """Eight changed pages in as many folders, none of which is flushed yet."""
    collect(cloud, KEYS)


def collect(cloud, keys):
    suite.upload(cloud, *keys)
    cloud.world.run(until=lambda: "collect_changes" in cloud.world.invocations[-1].function)
    cloud.world.client("sqs").purge_queue(QueueUrl=cloud.world.outputs["FlushTimersUrl"])
    cloud.world.virtual_time.advance(3)


def token():
    return f"token-{next(TOKENS)}"


def flush(cloud):
    """Take the steps of a flush, again and again as long as it is due at once."""
    results: list[StepResult] = []
    for _ in suite.rounds():
        context = suite.flush_context(cloud, token=token)
        results += flushes.steps(context, DELAYS, "site")
        due = results[-1].due_at_ms
        if due is None or due > cloud.world.virtual_time.now() * 1000:
            break
    return results


def flush_to_the_end(cloud):
    """Do so whenever it is due, until it is due no more."""
    results = flush(cloud)
    for _ in suite.rounds():
        due = results[-1].due_at_ms
        if due is None:
            break
        cloud.world.virtual_time.jump_to(due / 1000)
        results += flush(cloud)
    return results


def committed(cloud):
    ledger = suite.ledger(cloud)
    batches = [ledger.get(rows.batch_of(row_id)) for row_id in suite.waiting_batches(cloud)]
    return sorted(item for batch in batches for item in rows.unpack(batch["items"]))


def add_bad(ledger):
    """Put a change among the others that cannot be planned."""
    (row,) = ledger.query_all(rows.all_changes("site"))
    row_changes = changes.unpack(row["changes"])
    (packed,) = changes.pack([*row_changes[:3], BAD, *row_changes[3:]])
    ledger.update(rows.key_of(row), put={"changes": packed})


class TestRaises:
    @pytest.fixture
    def results(self, cloud, ledger, collected):
        """What a flush says with a change among the others that cannot be planned."""
        add_bad(ledger)
        return flush_to_the_end(cloud)

    def test_isolated(self, cloud, ledger, results):
        """
        Every other change is committed, and nothing is pending any more.
        """
        assert committed(cloud) == sorted(f"/{key}" for key in KEYS)
        assert list(ledger.query_all(rows.all_changes("site"))) == []
        assert results[-1].outcome == "flush finished"

    def test_dead_lettered(self, cloud, results):
        """
        The change itself is dead-lettered with the error that it raised, as S3 would report it.
        """
        (letter,) = suite.letters(cloud, "UploadsDeadLetters")

        assert json.loads(letter["Body"])["detail"]["object"]["key"] == BAD.key
        reason = letter["MessageAttributes"]["reason"]["StringValue"]
        assert reason.startswith("it cannot be planned: UnicodeEncodeError: ")

    def test_said(self, results):
        """
        Each halving is logged, with how many it was, and the letter counts as a failure.
        """
        halved = [result for result in results if result.outcome == "plan halved"]
        (dead,) = [result for result in results if result.outcome == "change dead-lettered"]

        assert [result.ids["changes"] for result in halved] == [9, 4, 2]
        assert dead.ids["key"] == BAD.key
        assert dead.meaning.metric == "StepsFailed"

    def test_small_no_longer(self, cloud, ledger, results):
        """
        What comes later is planned whole.
        """
        assert "max_changes" not in ledger.get(rows.flush("site"))


WRITES = {"PutItem", "UpdateItem", "BatchWriteItem", "SendMessage"}


@pytest.mark.prove
def test_dies_while_isolating(subtests):
    """
    After whichever write it dies, every good change is committed, and the bad one dead-lettered.
    """
    for call in isolated():
        if call.operation in WRITES:
            with subtests.test(call=f"{call.number} {call.operation}"):
                isolated(Rule(does=Does.CRASH_AFTER, nth=call.number))


def isolated(*rules):
    """Flush good changes and a bad one, check what came of them, and return the calls."""
    with suite.running() as cloud:
        ledger = suite.ledger(cloud)
        collect(cloud, KEYS[:2])
        add_bad(ledger)
        cloud.world.faults.restart()
        cloud.world.faults.rules.extend(rules)
        with suppress(Crash):
            flush_to_the_end(cloud)
        calls = list(cloud.world.faults.calls)
        cloud.world.virtual_time.advance(flushes.LOCK_MS / 1000 + 1)
        flush_to_the_end(cloud)

        assert committed(cloud) == sorted(f"/{key}" for key in KEYS[:2])
        assert suite.letters(cloud, "UploadsDeadLetters") != []
        assert list(ledger.query_all(rows.all_changes("site"))) == []
        return calls


class TestDies:
    def die(self, cloud, *, times):
        """Have the function die so often while it plans, and its lock expire each time."""
        for _ in range(times):
            cloud.world.faults.restart()
            rule = Rule(does=Does.CRASH_BEFORE, operation="PutItem")
            cloud.world.faults.rules.append(rule)
            with suppress(Crash):
                flush(cloud)
            cloud.world.faults.rules.remove(rule)
            cloud.world.virtual_time.advance(flushes.LOCK_MS / 1000 + 1)

    def test_once(self, cloud, collected):
        """
        What died once is tried as it was.
        """
        self.die(cloud, times=1)

        assert [result.outcome for result in flush(cloud)] == ["plan committed", "flush finished"]
        assert len(committed(cloud)) == 8

    def test_twice(self, cloud, collected):
        """
        What died twice is tried at half its size, and the rest follows; no change is given up.
        """
        self.die(cloud, times=2)

        results = flush(cloud)

        assert [result.outcome for result in results] == [
            "plan halved",
            "plan committed",
            "flush continues",
            "plan committed",
            "flush finished",
        ]
        assert [result.ids["changes"] for result in results if "changes" in result.ids] == [4] * 3

        assert committed(cloud) == sorted(f"/{key}" for key in KEYS)
        assert suite.letters(cloud, "UploadsDeadLetters") == []

    def test_again_and_again(self, cloud, ledger, collected):
        """
        However often it dies, a single change is tried on, and never dead-lettered.
        """
        self.die(cloud, times=12)

        assert ledger.get(rows.flush("site"))["max_changes"] == 1
        assert suite.letters(cloud, "UploadsDeadLetters") == []
        flush_to_the_end(cloud)
        assert committed(cloud) == sorted(f"/{key}" for key in KEYS)


def test_letter_is_read_again():
    """
    A change that was dead-lettered is read again when its letter is sent back.
    """
    change = Change("a b+ü%.css", "deleted", "0055AE", 1_790_000_000_500)

    reading = s3_events.read(s3_events.written("site", change), buckets=("site",))

    assert reading.changes == [("site", change)]
