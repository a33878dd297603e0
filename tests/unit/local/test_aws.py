"""moto, mended, behaves as AWS does where this suite looks; and the mends hold on to moto."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.events.models import Rule
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.sqs import models as sqs_models
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from local import aws
from local.patching import HookMissingError, replaced

QUEUE_ARN = f"arn:aws:sqs:{aws.REGION}:{aws.ACCOUNT}:seen"


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


class TestHooks:
    """What we replace or read in moto is private: another version may not have it."""

    @pytest.mark.parametrize(
        ("owner", "name"),
        [
            (Message, "mark_received"),
            (Queue, "delete_message"),
            (Queue, "messages"),
            (Rule, "send_to_targets"),
            (S3Backend, "delete_object"),
            (SQSBackend, "change_message_visibility"),
            (SQSBackend, "change_message_visibility_batch"),
            (SQSBackend, "is_message_valid_based_on_retention_period"),
            (SQSBackend, "receive_message"),
            (notifications, "_send_event_bridge_message"),
            (sqs_models, "unix_time_millis"),
            (DomainDispatcherApplication, "get_backend_for_host"),
            (BackendDict, "reset"),
        ],
    )
    def test_there(self, owner, name):
        """
        Moto has what is replaced.
        """
        assert name in vars(owner)

    @pytest.mark.parametrize(
        "name",
        ["_messages", "pending_messages", "deleted_messages", "message_retention_period"],
    )
    def test_queue(self, name):
        """
        A queue of moto's has what the mends read.
        """
        with mock_aws():
            queue = sqs_backends[aws.ACCOUNT][aws.REGION].create_queue("q")

            assert hasattr(queue, name)

    @pytest.mark.parametrize(
        "name",
        ["visible_at", "delayed_until", "sent_timestamp", "receipt_handle", "_old_receipt_handles"],
    )
    def test_message(self, name):
        """
        A message of moto's has what the mends read and write.
        """
        assert hasattr(Message("id", "body"), name)

    def test_missing(self):
        """
        A hook that is gone is an error that names it, before anything is replaced.
        """
        with pytest.raises(HookMissingError, match=r"Queue\.gone"), replaced(Queue, "gone", 1):
            pass

    def test_undone(self):
        """
        After the mending moto is as it was, and empty.
        """
        before = {name: vars(SQSBackend)[name] for name in vars(SQSBackend)}

        with aws.mended():
            sqs_backends[aws.ACCOUNT][aws.REGION].create_queue("q")
            assert vars(SQSBackend) != before

        assert vars(SQSBackend) == before
        assert sqs_backends[aws.ACCOUNT][aws.REGION].queues == {}


class Bus:
    """The default bus, and a queue at the end of a rule."""

    def __init__(self) -> None:
        self.events = client("events")
        self.sqs = client("sqs")
        self.sns = client("sns")
        self.url = self.sqs.create_queue(QueueName="seen")["QueueUrl"]

    def rule(self, name: str = "r", target: dict[str, Any] | None = None, **about: Any) -> None:
        about = about or {"EventPattern": '{"source": ["cloudfront.autopilot"]}'}
        self.events.put_rule(Name=name, **about)
        self.events.put_targets(
            Rule=name, Targets=[{"Id": "t", "Arn": QUEUE_ARN, **(target or {})}]
        )

    def put(self) -> None:
        self.events.put_events(
            Entries=[
                {
                    "Source": "cloudfront.autopilot",
                    "DetailType": "Invalidation Completed",
                    "Detail": json.dumps({"id": "I1"}),
                    "Resources": ["arn:x"],
                }
            ]
        )

    def seen(self) -> list[Any]:
        messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in messages.get("Messages", [])]


@pytest.fixture
def bus() -> Iterator[Bus]:
    with mock_aws(), aws.mended():
        yield Bus()


class TestRules:
    def test_shape(self, bus):
        """
        What is put on the bus arrives in a queue as EventBridge writes it.
        """
        bus.rule()

        bus.put()

        (event,) = bus.seen()
        assert event == {
            "version": "0",
            "id": event["id"],
            "detail-type": "Invalidation Completed",
            "source": "cloudfront.autopilot",
            "account": aws.ACCOUNT,
            "time": event["time"],
            "region": "us-east-1",
            "resources": ["arn:x"],
            "detail": {"id": "I1"},
        }
        assert event["time"].endswith("Z")

    def test_no_match(self, bus):
        """
        A pattern that does not match sends nothing.
        """
        bus.rule(EventPattern='{"source": ["aws.s3"]}')

        bus.put()

        assert bus.seen() == []

    def test_disabled(self, bus):
        """
        A disabled rule sends nothing.
        """
        bus.rule()
        bus.events.disable_rule(Name="r")

        bus.put()

        assert bus.seen() == []

    def test_schedule(self, bus):
        """
        A rule that has only a schedule sends no events.
        """
        bus.rule(ScheduleExpression="rate(5 minutes)")

        bus.put()

        assert bus.seen() == []

    def test_input(self, bus):
        """
        A target may ask for a text of its own.
        """
        bus.rule(target={"Input": '{"own": 1}'})

        bus.put()

        assert bus.seen() == [{"own": 1}]

    def test_transformer(self, bus):
        """
        A target may ask for a part of the event.
        """
        bus.rule(
            target={
                "InputTransformer": {
                    "InputPathsMap": {"what": "$.detail.id"},
                    "InputTemplate": '{"id": "<what>"}',
                }
            }
        )

        bus.put()

        assert bus.seen() == [{"id": "I1"}]


class TestTopics:
    def test_to_queue(self, bus):
        """
        What is published to a topic arrives in a subscribed queue.
        """
        topic = bus.sns.create_topic(Name="people")["TopicArn"]
        bus.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE_ARN)

        bus.sns.publish(TopicArn=topic, Message="done", Subject="s")

        assert bus.seen()[0]["Message"] == "done"


class TestKeys:
    def test_own(self, bus):
        """
        Only symmetric keys share what they never use: each RSA key is its own.
        """
        made = [
            client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"][
                "KeyId"
            ]
            for _ in range(2)
        ]

        keys = [client("kms").get_public_key(KeyId=key_id)["PublicKey"] for key_id in made]

        assert keys[0] != keys[1]


class TestIds:
    def test_repeat(self):
        """
        The same seed gives the same ids.
        """
        drawn = []
        for seed in (1, 1, 2):
            with mock_aws(), aws.mended(seed=seed):
                url = client("sqs").create_queue(QueueName="q")["QueueUrl"]
                drawn.append(client("sqs").send_message(QueueUrl=url, MessageBody="x")["MessageId"])

        assert drawn[0] == drawn[1] != drawn[2]


@pytest.fixture
def server() -> Iterator[aws.Server]:
    with aws.mended(), aws.Server(through=lambda moto: moto) as running:
        yield running
        assert running.complaints == []


class TestServer:
    def test_loopback(self, server):
        """
        The services listen on this machine's loopback address only.
        """
        assert server.url.startswith("http://127.0.0.1:")

    def test_conditional_writes(self, server):
        """
        Of writers on the same condition exactly one wins, whatever their threads do.
        """
        table = aws.client(aws.session(access_key=aws.OUTSIDE), "dynamodb", endpoint_url=server.url)
        table.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        # botocore makes the class when it is first read: two threads would make two.
        conflict = table.exceptions.ConditionalCheckFailedException
        won: list[int] = []

        def claim() -> None:
            for number in range(15):
                with suppress(conflict):
                    table.put_item(
                        TableName="t",
                        Item={"pk": {"S": str(number)}},
                        ConditionExpression="attribute_not_exists(pk)",
                    )
                    won.append(number)

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(won) == list(range(15))

    def test_queue_by_its_url(self, server):
        """
        A queue is found by its URL at AWS, which is what the template gives to functions.
        """
        sqs = aws.client(aws.session(access_key=aws.OUTSIDE), "sqs", endpoint_url=server.url)
        sqs.create_queue(QueueName="q")
        url = f"https://sqs.{aws.REGION}.amazonaws.com/{aws.ACCOUNT}/q"

        sqs.send_message(QueueUrl=url, MessageBody="x")

        assert aws.queues_of_account().size(url) == 1

    def test_unsigned(self, server):
        """
        A request that nobody signed is still answered.
        """
        with urllib.request.urlopen(f"{server.url}/moto-api/data.json") as answer:
            assert answer.status == 200


class TestSession:
    @pytest.fixture(autouse=True)
    def settings(self, monkeypatch, tmp_path):
        """A developer's machine, set up for anything but this."""
        config = tmp_path / "config"
        config.write_text("[default]\nregion = eu-west-3\nendpoint_url = http://192.0.2.1\n")
        for name, value in {
            "AWS_PROFILE": "does-not-exist",
            "AWS_CA_BUNDLE": "/does/not/exist",
            "AWS_CONFIG_FILE": str(config),
            "AWS_ENDPOINT_URL": "http://192.0.2.2",
            "AWS_ENDPOINT_URL_SQS": "http://192.0.2.3",
            "AWS_MAX_ATTEMPTS": "7",
            "AWS_REGION": "eu-west-3",
            "AWS_ACCESS_KEY_ID": "AKIADEVELOPER0000000",
            "HTTP_PROXY": "http://192.0.2.4",
            "HTTPS_PROXY": "http://192.0.2.4",
        }.items():
            monkeypatch.setenv(name, value)

    def test_settings(self):
        """
        A session takes region, credentials and retries from nobody but us.
        """
        made = aws.client(aws.session(access_key=aws.OUTSIDE), "sqs")

        assert made.meta.endpoint_url == "https://sqs.us-east-1.amazonaws.com"
        assert made.meta.config.proxies == {}
        assert made.meta.config.retries.get("total_max_attempts") != 7
        credentials = aws.session(access_key=aws.OUTSIDE).get_credentials()
        assert credentials is not None
        assert credentials.access_key == aws.OUTSIDE

    def test_default_session(self):
        """
        Making sessions leaves boto3's default session alone.
        """
        before = boto3.DEFAULT_SESSION

        aws.session(access_key=aws.OUTSIDE).client("sqs")

        assert boto3.DEFAULT_SESSION is before

    def test_server(self):
        """
        A client of the embedded services reaches them past proxies and endpoints of the user's.
        """
        with aws.mended(), aws.Server(through=lambda moto: moto) as server:
            session = aws.session(access_key=aws.OUTSIDE)
            sqs = aws.client(session, "sqs", endpoint_url=server.url)

            assert sqs.list_queues().get("QueueUrls", []) == []
