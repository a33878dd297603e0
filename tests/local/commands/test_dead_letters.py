"""Dead letters are listed with reasons, and sending them back changes nothing done already."""

import json

import pytest

from commands import dead_letters
from local.faults import Crash, Does, Rule
from tests.local import suite

QUEUES = {
    "collect_changes": "Uploads",
    "plan_invalidations": "FlushTimers",
    "send_invalidations": "BatchTimers",
    "poll_watches": "WatchTimers",
}


@pytest.fixture
def cloud():
    with suite.running() as cloud:
        yield cloud


def pairs(cloud):
    """The queues of the stack that have dead letters, as a person's credentials see them."""
    resources = cloud.world.deployment.resources
    urls = {name: url for name, url in resources.items() if str(url).startswith("https://sqs")}
    return dead_letters.pairs(cloud.world.client("sqs"), urls)


def listed(cloud):
    sqs = cloud.world.client("sqs")
    return [letter for pair in pairs(cloud) for letter in dead_letters.letters(sqs, pair)]


def redrive(cloud):
    sqs, now = cloud.world.client("sqs"), cloud.world.virtual_time.now
    return {pair.name: dead_letters.redrive(sqs, pair, now=now) for pair in pairs(cloud)}


def dead_letter(cloud, queue, body):
    resources = cloud.world.deployment.resources
    cloud.world.client("sqs").send_message(QueueUrl=resources[queue], MessageBody=body)


class TestPairs:
    def test_found(self, cloud):
        """
        Each queue's dead letters are found by its own settings.
        """
        assert {pair.name for pair in pairs(cloud)} == {
            "Uploads",
            "FlushTimers",
            "BatchTimers",
            "WatchTimers",
        }


class TestLetters:
    def test_listed(self, cloud):
        """
        A letter is listed with its reason, as often as one looks.
        """
        for number in range(12):
            cloud.world.client("sqs").send_message(
                QueueUrl=cloud.world.outputs["UploadsUrl"], MessageBody=f"poison {number}"
            )
        cloud.world.settle()

        for _ in range(2):
            letters = listed(cloud)
            assert {letter.body for letter in letters} == {f"poison {n}" for n in range(12)}
            assert all("no S3 event" in letter.reason for letter in letters)


class TestRedrive:
    def test_done_already(self, cloud):
        """
        Letters about what was done already change nothing.
        """
        suite.upload(cloud, "a.css", "b.css")
        cloud.world.settle()
        before = suite.end_state(cloud)
        for one in list(cloud.world.invocations):
            queue = QUEUES[one.function]
            for record in one.event["Records"]:
                dead_letter(cloud, f"{queue}DeadLetters", record["body"])
        cloud.world.virtual_time.advance(1)

        counts = redrive(cloud)
        cloud.world.settle()

        assert all(counts.values())
        assert suite.end_state(cloud) == before
        assert listed(cloud) == []

    @pytest.mark.prove
    def test_given_up(self, cloud):
        """
        A flush whose retries were exhausted goes on once its letter is sent back.
        """
        suite.break_lists(cloud, times=12)
        suite.upload(cloud, "a.css")
        cloud.world.run(limit_s=13 * 3_600)
        assert len(cloud.invalidations()) == 1
        (letter,) = listed(cloud)
        assert "AccessDenied" in letter.reason

        redrive(cloud)
        cloud.world.settle()

        assert [one.items for one in cloud.invalidations()[1:]] == [("/a.css",)]

    def test_poison(self, cloud):
        """
        What cannot be read is dead-lettered again, once.
        """
        dead_letter(cloud, "UploadsDeadLetters", "poison")
        cloud.world.virtual_time.advance(1)

        assert redrive(cloud)["Uploads"] == 1
        cloud.world.settle()

        (letter,) = listed(cloud)
        assert letter.body == "poison"
        assert "no S3 event" in letter.reason

    def test_crash(self, cloud):
        """
        Whoever dies between sending a letter and deleting it has lost nothing.
        """
        sample = json.loads((suite.TEMPLATE.parent / "events/object_created.json").read_text())
        dead_letter(cloud, "UploadsDeadLetters", sample["Records"][0]["body"])
        cloud.world.virtual_time.advance(1)
        crash = Rule(does=Does.CRASH_BEFORE, caller="outside", operation="DeleteMessage")
        cloud.world.faults.rules.append(crash)
        with pytest.raises(Crash):
            redrive(cloud)
        cloud.world.faults.rules.remove(crash)
        cloud.world.virtual_time.advance(121)
        redrive(cloud)
        cloud.world.settle()

        items = [item for one in cloud.invalidations()[1:] for item in one.items]
        assert items
        assert len(items) == len(set(items))
