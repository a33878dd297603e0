"""Dead letters that are many, that somebody else reads, or that lie in another queue."""

import io
import json
from contextlib import contextmanager

import pytest

from commands import dead_letters
from commands.account import Stack
from commands.output import Output
from tests.local import suite


@pytest.fixture(scope="module")
def world():
    with suite.running() as cloud:
        yield cloud.world


@pytest.fixture
def sqs(world):
    sqs = world.client("sqs")
    yield sqs
    world.virtual_time.advance(180)
    while messages := sqs.receive_message(QueueUrl=letters_url(world), MaxNumberOfMessages=10).get(
        "Messages"
    ):
        for message in messages:
            sqs.delete_message(QueueUrl=letters_url(world), ReceiptHandle=message["ReceiptHandle"])


def letters_url(world):
    return world.deployment.resources["UploadsDeadLetters"]


def dead_letter(world, count):
    for number in range(count):
        world.client("sqs").send_message(QueueUrl=letters_url(world), MessageBody=f"{number}")
    world.virtual_time.advance(1)


def uploads(world, sqs):
    urls = {name: world.deployment.resources[name] for name in ("Uploads", "UploadsDeadLetters")}
    (pair,) = dead_letters.pairs(sqs, urls)
    return pair


def listed(world, *, as_json=False):
    """List as the command does; what is printed, what is noticed, and the count are returned."""
    stdout, stderr = io.StringIO(), io.StringIO()
    stack = Stack(
        name="my-stack",
        client=world.client,
        parameters={},
        queue_urls={
            name: world.deployment.resources[name] for name in ("Uploads", "UploadsDeadLetters")
        },
    )
    count = dead_letters.list_all(stack, Output.to(stdout, stderr, as_json=as_json))
    return stdout.getvalue(), stderr.getvalue(), count


@contextmanager
def slow(world, sqs, *, seconds):
    """Let each call that receives take so long, and yield the parameters of all."""
    calls = []

    def take(params, **_):
        calls.append(params)
        assert len(calls) < 200, "it never ends"
        world.virtual_time.advance(seconds)

    name = "provide-client-params.sqs.ReceiveMessage"
    sqs.meta.events.register(name, take)
    try:
        yield calls
    finally:
        sqs.meta.events.unregister(name, take)


@contextmanager
def stopped(sqs, *, call):
    """Let somebody press Ctrl-C at this call that receives."""
    calls = []

    def stop(params, **_):
        calls.append(params)
        if len(calls) == call:
            raise KeyboardInterrupt

    name = "provide-client-params.sqs.ReceiveMessage"
    sqs.meta.events.register(name, stop)
    try:
        yield
    finally:
        sqs.meta.events.unregister(name, stop)


class TestMany:
    def test_listed(self, world, sqs):
        """
        A list takes its time, and has each letter once.
        """
        dead_letter(world, 80)

        with slow(world, sqs, seconds=8):
            letters = dead_letters.letters(sqs, uploads(world, sqs))

        assert sorted(int(letter.body) for letter in letters) == list(range(80))

    def test_ends(self, world, sqs):
        """
        Letters that come again before all are read end the list, which has each once.
        """
        dead_letter(world, 80)

        with slow(world, sqs, seconds=50):
            letters = dead_letters.letters(sqs, uploads(world, sqs))

        bodies = [letter.body for letter in letters]
        assert len(bodies) >= 20
        assert len(set(bodies)) == len(bodies)

    def test_redriven(self, world, sqs):
        """
        Letters dead-lettered again meanwhile stay, and end the redrive however many they are.
        """
        dead_letter(world, 80)
        began_at_s = world.virtual_time.now() - 3_600

        with slow(world, sqs, seconds=50):
            count = dead_letters.redrive(sqs, uploads(world, sqs), now=lambda: began_at_s)

        assert count == 0

    def test_interrupted(self, world, sqs):
        """
        A list that is stopped half-way hides nothing from the next.
        """
        dead_letter(world, 25)

        with stopped(sqs, call=2), pytest.raises(KeyboardInterrupt):
            dead_letters.letters(sqs, uploads(world, sqs))

        assert len(dead_letters.letters(sqs, uploads(world, sqs))) == 25

    def test_staying(self, world, sqs):
        """
        Letters that a redrive leaves are there at once for the next who asks.
        """
        dead_letter(world, 5)
        began_at_s = world.virtual_time.now() - 3_600

        dead_letters.redrive(sqs, uploads(world, sqs), now=lambda: began_at_s)

        assert len(dead_letters.letters(sqs, uploads(world, sqs))) == 5

    def test_seen_by_others(self, world, sqs):
        """
        What was listed is there at once for the next who asks.
        """
        dead_letter(world, 25)

        for _ in range(2):
            assert len(dead_letters.letters(sqs, uploads(world, sqs))) == 25

    def test_all_servers_asked(self, world, sqs):
        """
        Each call waits a moment: SQS then asks all its servers, and none is overlooked.
        """
        with slow(world, sqs, seconds=0) as calls:
            dead_letters.letters(sqs, uploads(world, sqs))

        assert calls
        assert all(call["WaitTimeSeconds"] >= 1 for call in calls)


class TestHidden:
    def test_none_visible(self, world, sqs):
        """
        While somebody else reads them all, the command does not say that there are none.
        """
        dead_letter(world, 3)
        sqs.receive_message(QueueUrl=letters_url(world), MaxNumberOfMessages=10)

        stdout, stderr, count = listed(world)

        assert stdout == "No dead letter can be read now.\n"
        assert "About 3 dead letters are hidden" in stderr
        assert count == 3

    def test_json(self, world, sqs):
        """
        A machine reads how many were hidden.
        """
        dead_letter(world, 3)
        sqs.receive_message(QueueUrl=letters_url(world), MaxNumberOfMessages=1)

        stdout, _, count = listed(world, as_json=True)

        assert json.loads(stdout)["hidden_count"] == 1
        assert len(json.loads(stdout)["letters"]) == 2
        assert count == 3

    def test_own(self, world, sqs):
        """
        What one has listed oneself is hidden from nobody.
        """
        dead_letter(world, 3)
        listed(world)

        stdout, stderr, count = listed(world, as_json=True)

        assert "hidden" not in stderr
        assert json.loads(stdout)["hidden_count"] == 0
        assert count == 3


class TestOtherQueue:
    def test_found(self, world, sqs):
        """
        Dead letters in a queue that is not the stack's are found by the setting's ARN.
        """
        url = sqs.create_queue(QueueName="by-hand")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        policy = {
            "deadLetterTargetArn": attributes["Attributes"]["QueueArn"],
            "maxReceiveCount": 5,
        }
        source = sqs.create_queue(
            QueueName="source", Attributes={"RedrivePolicy": json.dumps(policy)}
        )["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="a letter")
        world.virtual_time.advance(1)

        (pair,) = dead_letters.pairs(sqs, {"Source": source})

        assert [letter.body for letter in dead_letters.letters(sqs, pair)] == ["a letter"]
