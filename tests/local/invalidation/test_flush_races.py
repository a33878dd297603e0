"""Two flushes of one bucket, or an upload in the middle of one, lose nothing and pay once."""

from itertools import count

import pytest

from cdn.aws import rows
from cdn.aws.timers import TimerQueue
from cdn.invalidation import collecting, flushes
from cdn.invalidation.changes import Change
from cdn.invalidation.collecting import CollectContext, Source
from cdn.invalidation.flushes import FlushDelays
from tests.local import suite

DELAYS = FlushDelays(quiet_period_ms=2_000, max_wait_ms=60_000)


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def collect(cloud):
    """Collect that *keys* were uploaded, without a timer that would come by itself."""
    sequencers, sources = count(1), count()

    def collect(*keys):
        client, now = cloud.world.client, cloud.world.virtual_time.now
        context = CollectContext(
            ledger=suite.ledger(cloud),
            flush_timers=TimerQueue(client("sqs"), cloud.announcements_url),
            delays=DELAYS,
            now=now,
        )
        at_ms = int(now() * 1000)
        collected = [Change(key, "created", f"{next(sequencers):X}", at_ms) for key in keys]
        collecting.collect(context, "site", collected, Source(f"{next(sources)}", at_ms))

    return collect


TOKENS = count()


def tokens(**happening):
    """Give tokens; before the nth, have something happen."""
    number = count(1)

    def token():
        happening.get(f"before_{next(number)}", lambda: None)()
        return f"token-{next(TOKENS)}"

    return token


def flush(cloud, token):
    *_, last = flushes.steps(suite.flush_context(cloud, token=token), DELAYS, "site")
    return last.due_at_ms


def committed(cloud):
    """Return the items of all batches that are committed."""
    ledger = suite.ledger(cloud)
    batches = [ledger.get(rows.batch_of(row_id)) for row_id in suite.waiting_batches(cloud)]
    return [tuple(rows.unpack(batch["items"])) for batch in batches]


class TestRaces:
    def test_frozen(self, cloud, collect):
        """
        A flush that was frozen past its lock cannot commit what another has committed meanwhile.
        """

        def freeze():
            cloud.world.virtual_time.advance(320)
            assert flush(cloud, tokens()) is None

        collect("a.css")
        cloud.world.virtual_time.advance(2)

        # The first token is the lock, the second is part of the drafted plan's name.
        flush(cloud, tokens(before_2=freeze))

        assert committed(cloud) == [("/a.css",)]

    def test_locked(self, cloud, collect):
        """
        While one flush is at work, another only comes back later.
        """
        due = []
        collect("a.css")
        cloud.world.virtual_time.advance(2)

        flush(cloud, tokens(before_2=lambda: due.append(flush(cloud, tokens()))))

        assert committed(cloud) == [("/a.css",)]
        assert due[0] > cloud.world.virtual_time.now() * 1000

    def test_upload_in_the_middle(self, cloud, collect):
        """
        A change collected while a flush is at work keeps its timer coming, and goes next.
        """
        collect("a.css")
        cloud.world.virtual_time.advance(2)

        due = flush(cloud, tokens(before_2=lambda: collect("b.css")))
        assert committed(cloud) == [("/a.css",)]
        cloud.world.virtual_time.jump_to(due / 1000)
        assert flush(cloud, tokens()) is None

        assert committed(cloud) == [("/a.css",), ("/b.css",)]

    def test_too_much_for_one_plan(self, cloud, collect):
        """
        What one plan cannot take waits for the next one, and is not lost.
        """
        for folder in "ab":
            collect(*(f"{folder}/{number}" for number in range(15_000)))
        cloud.world.virtual_time.advance(2)

        due = flush(cloud, tokens())
        assert committed(cloud) == [("/a/*",)]
        for _ in suite.rounds():
            if due is None:
                break
            cloud.world.virtual_time.jump_to(due / 1000)
            due = flush(cloud, tokens())

        assert committed(cloud) == [("/a/*",), ("/b/*",)]
