"""Two flushes of one bucket, or an upload in the middle of one, lose nothing and pay once."""

from itertools import count

import pytest

from cdn.aws.table import Ledger
from cdn.aws.timers import Clock
from cdn.cloudfront.quotas import Limits
from cdn.invalidation import batches, collecting, flushes
from cdn.invalidation.changes import Change
from cdn.invalidation.flushes import Pace
from tests.local import suite

PACE = Pace(quiet_period_ms=2_000, max_wait_ms=60_000)


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


@pytest.fixture
def note(cloud):
    """Note that *keys* were uploaded, without a clock that would ring by itself."""
    sequencers = count(1)

    def note(*keys):
        client, now = cloud.world.client, cloud.world.virtual_time.now
        desk = collecting.Desk(
            ledger=Ledger(client("dynamodb"), cloud.world.outputs["LedgerTable"]),
            flush_timers=Clock(client("sqs"), cloud.announcements_url),
            pace=PACE,
            now=now,
            token=tokens(),
        )
        at_ms = int(now() * 1000)
        noted = [Change(key, "created", f"{next(sequencers):X}", at_ms) for key in keys]
        collecting.note(desk, "site", noted)

    return note


TOKENS = count()


def tokens(**happening):
    """Give tokens; before the nth, have something happen."""
    number = count(1)

    def token():
        happening.get(f"before_{next(number)}", lambda: None)()
        return f"token-{next(TOKENS)}"

    return token


def flush(cloud, token):
    client = cloud.world.client
    desk = batches.Desk(
        ledger=Ledger(client("dynamodb"), cloud.world.outputs["LedgerTable"]),
        cloudfront=client("cloudfront"),
        s3=client("s3"),
        watch_timers=Clock(client("sqs"), cloud.world.outputs["WatchTimersUrl"]),
        limits=Limits(2_850, 13, items_per_second=140, wildcards_per_minute=55),
        access_points={},
        both_forms=True,
        now=cloud.world.virtual_time.now,
        token=token,
    )
    return flushes.step(desk, PACE, "site")


def sent(cloud):
    return [one.items for one in cloud.invalidations()[1:]]


class TestRaces:
    def test_frozen_holder(self, cloud, note):
        """
        A flush that was frozen past its lease cannot commit what another has sent meanwhile.
        """

        def freeze():
            cloud.world.virtual_time.advance(80)
            assert flush(cloud, tokens()) is None

        note("a.css")
        cloud.world.virtual_time.advance(2)

        # The first token is the lease, the second is part of the drafted plan's name.
        flush(cloud, tokens(before_2=freeze))

        assert sent(cloud) == [("/a.css",)]

    def test_held(self, cloud, note):
        """
        While one flush is at work, another only looks again later.
        """
        due = []
        note("a.css")
        cloud.world.virtual_time.advance(2)

        flush(cloud, tokens(before_2=lambda: due.append(flush(cloud, tokens()))))

        assert sent(cloud) == [("/a.css",)]
        assert due[0] > cloud.world.virtual_time.now() * 1000

    def test_upload_in_the_middle(self, cloud, note):
        """
        A change noted while a flush is at work keeps its clock ringing, and goes next.
        """
        note("a.css")
        cloud.world.virtual_time.advance(2)

        due = flush(cloud, tokens(before_2=lambda: note("b.css")))
        assert sent(cloud) == [("/a.css",)]
        cloud.world.virtual_time.jump_to(due / 1000)
        assert flush(cloud, tokens()) is None

        assert sent(cloud) == [("/a.css",), ("/b.css",)]

    def test_too_much_for_one_plan(self, cloud, note):
        """
        What one plan cannot take waits for the next one, and is not lost.
        """
        for folder in "ab":
            note(*(f"{folder}/{number}" for number in range(15_000)))
        cloud.world.virtual_time.advance(2)

        due = flush(cloud, tokens())
        assert sent(cloud) == [("/a/*",)]
        while due is not None:
            cloud.world.virtual_time.jump_to(due / 1000)
            due = flush(cloud, tokens())

        assert sent(cloud) == [("/a/*",), ("/b/*",)]
