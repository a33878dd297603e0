"""No day costs more than it may: what is beyond waits, announced, and is never dropped."""

from datetime import UTC, datetime

import pytest

from cdn.aws import rows
from local.faults import Does, Rule
from tests.local import suite

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def cloud():
    with suite.running(parameters={"UploadBuckets": "site", "DailyItems": "6"}) as cloud:
        # One item is spent on the page that stays.
        cloud.world.virtual_time.jump_to(NOON)
        yield cloud


def sent(cloud):
    return sorted(item for one in cloud.invalidations()[1:] for item in one.items)


def kinds(cloud):
    return [event["detail-type"] for event in cloud.announcements()]


def spread(*numbers):
    """Name keys that fold into no wildcard."""
    return [f"{number}/page.html" for number in numbers]


def settle(cloud, *keys):
    suite.upload(cloud, *keys)
    cloud.world.run(limit_s=120)


class TestHeld:
    def test_as_many_as_fit(self, cloud):
        """
        What fits is sent; what does not is held, and goes when the day ends.
        """
        settle(cloud, *spread(*range(8)))
        assert len(sent(cloud)) == 5
        assert "Changes Held" in kinds(cloud)

        cloud.world.run(limit_s=11 * 3_600)
        assert len(sent(cloud)) == 5
        cloud.world.run(limit_s=3_600 + 60)

        assert sent(cloud) == sorted(f"/{key}" for key in spread(*range(8)))

    def test_announced(self, cloud):
        """
        It is announced once a day and bucket, with the limit and when it ends.
        """
        settle(cloud, *spread(*range(5)))
        for number in range(5, 8):
            settle(cloud, *spread(number))
        cloud.world.run(limit_s=3_600)

        (held,) = [each for each in cloud.announcements() if each["detail-type"] == "Changes Held"]
        assert held["detail"]["bucket"] == "site"
        assert held["detail"]["daily_items"] == 6
        assert held["detail"]["until"] == "2026-11-23T00:00:00.000Z"

    def test_metric(self, cloud):
        """
        The sweep counts the bucket for as long as its changes are held.
        """
        settle(cloud, *spread(*range(6)))
        cloud.world.run(limit_s=600)

        held = [line for line in cloud.world.logs("sweep") if '"BucketsHeld"' in line]
        assert '"BucketsHeld":0' in held[0]
        assert '"BucketsHeld":1' in held[-1]

    def test_not_planned_in_vain(self, cloud):
        """
        While nothing is left of the day, more changes cause no plan, and no LIST.
        """
        settle(cloud, *spread(*range(6)))
        before = len(cloud.world.faults.calls)

        settle(cloud, "6/page.html", "7/page.html")
        cloud.world.run(limit_s=3_600)

        calls = cloud.world.faults.calls[before:]
        assert not [call for call in calls if call.service == "s3" and call.caller != "outside"]

    def test_other_bucket(self):
        """
        The day is the stack's: what one bucket has used up, another has not.
        """
        parameters = {"UploadBuckets": "site", "DailyItems": "6"}
        with suite.running(parameters=parameters) as cloud:
            row = suite.ledger(cloud).get(rows.budget("2026-11-22"))
            assert row["item_count"] == 1


def raise_limit(cloud, daily_items):
    for function in cloud.world.deployment.functions:
        if "DAILY_ITEMS" in function.environment:
            function.environment["DAILY_ITEMS"] = daily_items


class TestRaised:
    def test_setting(self, cloud):
        """
        When the setting is raised, what is held goes within a quarter of an hour.
        """
        settle(cloud, *spread(*range(8)))

        raise_limit(cloud, "100")
        cloud.world.run(limit_s=16 * 60)

        assert len(sent(cloud)) == 8


def release_during(cloud, operation):
    """Have somebody let all go right after the next call of that operation by the planner."""
    world = cloud.world

    def matches(call):
        return (call.caller, call.operation) == ("plan_invalidations", operation)

    def release():
        suite.ledger(cloud).update(
            rows.flush("site"), put={"released": True}, remove=("retry_at_ms",)
        )

    world.faults.second_actor = release
    world.faults.rules.append(
        Rule(
            does=Does.SECOND_ACTOR_AFTER,
            caller="plan_invalidations",
            operation=operation,
            nth=1 + sum(map(matches, world.faults.calls)),
        )
    )


class TestReleased:
    def test_while_held_again(self, cloud):
        """
        What a person lets go while a flush finds that it is still held goes at once, too.
        """
        settle(cloud, *spread(*range(8)))
        release_during(cloud, "SendMessage")

        cloud.world.run(limit_s=16 * 60)

        assert len(sent(cloud)) == 8

    def test_while_some_is_planned(self, cloud):
        """
        What a person lets go while a part of it is planned goes whole.
        """
        settle(cloud, *spread(*range(8)))
        raise_limit(cloud, "8")
        release_during(cloud, "SendMessage")

        cloud.world.run(limit_s=18 * 60)

        assert len(sent(cloud)) == 8

    def test_once(self, cloud):
        """
        What a person lets go is sent at once, and what changes later is held again.
        """
        settle(cloud, *spread(*range(8)))
        ledger = suite.ledger(cloud)
        ledger.update(rows.flush("site"), put={"released": True}, remove=("retry_at_ms",))
        cloud.world.client("sqs").send_message(
            QueueUrl=cloud.world.outputs["FlushTimersUrl"],
            MessageBody='{"version": 1, "row": "site"}',
        )
        cloud.world.run(limit_s=60)
        assert len(sent(cloud)) == 8

        settle(cloud, *spread(8))

        assert len(sent(cloud)) == 8
        assert "released" not in ledger.get(rows.flush("site"))
