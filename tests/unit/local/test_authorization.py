"""A function may do what its role allows and nothing else, over HTTP and without it alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local import authorization, aws, role_policies
from local.authorization import Authorization, LambdaRoleError, MissingPermissionsError
from local.function import Function, QueueTrigger

KEY = "ASIALOCAL00000000001"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/ledger"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:timers"
FUNCTION = Function(
    name="relay",
    logical_id="Relay",
    physical_name="autopilot-Relay",
    folder=Path(),
    handler="app.lambda_handler",
    timeout_s=3,
    memory_mb=128,
    environment={},
)


def role(*statements: dict[str, Any]) -> Any:
    return tuple(role_policies.read({"Statement": list(statements)}))


@dataclass
class Layer:
    """The layer in one of its two places, and who asks: a function, or the world outside."""

    authorization: Authorization
    session: boto3.Session
    endpoint_url: str | None
    function: Function | None = FUNCTION
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        make: Callable[..., Any] = self.session.client
        if service not in self.clients:
            self.clients[service] = make(service, endpoint_url=self.endpoint_url)
        return self.clients[service]

    def allow(self, *actions: str, resource: str = "*", **conditions: Any) -> None:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **conditions}
        self.function = replace(FUNCTION, role=role(statement))

    @contextmanager
    def outside(self) -> Iterator[None]:
        function, self.function = self.function, None
        yield
        self.function = function


@contextmanager
def over_http() -> Iterator[Layer]:
    layer = Layer(Authorization(), aws.session(access_key=KEY), "")
    through = aws.Server(
        through=lambda moto: layer.authorization.wsgi(
            moto, function_of=lambda key: layer.function if key == KEY else None
        )
    )
    with aws.mended(), through as server:
        layer.endpoint_url = server.url
        yield layer
        assert server.complaints == []


@contextmanager
def in_process() -> Iterator[Layer]:
    layer = Layer(Authorization(), aws.session(access_key=KEY), None)
    authorization.attach(layer.session.events, caller=lambda: (layer.authorization, layer.function))
    with mock_aws(), aws.mended():
        yield layer


@pytest.fixture(params=[over_http, in_process])
def layer(request):
    with request.param() as made:
        yield made


def refused(call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
    """Return the error with which AWS refuses a call."""
    with pytest.raises(ClientError) as refusal:
        call(**parameters)
    error: dict[str, Any] = refusal.value.response["Error"]  # type: ignore[assignment]
    return error


class TestRefusal:
    @pytest.mark.parametrize(
        ("service", "operation", "parameters", "code"),
        [
            ("cloudfront", "get_distribution", {"Id": "E1"}, "AccessDenied"),
            ("cloudfront", "list_distributions", {}, "AccessDenied"),
            (
                "dynamodb",
                "get_item",
                {"TableName": "ledger", "Key": {"pk": {"S": "a"}}},
                "AccessDeniedException",
            ),
            (
                "events",
                "put_events",
                {"Entries": [{"Source": "s", "DetailType": "t", "Detail": "{}"}]},
                "AccessDeniedException",
            ),
            ("kms", "get_public_key", {"KeyId": "1"}, "AccessDeniedException"),
            ("s3", "list_objects_v2", {"Bucket": "site"}, "AccessDenied"),
            ("s3", "get_object", {"Bucket": "site", "Key": "a b/ü"}, "AccessDenied"),
            ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException"),
            (
                "sns",
                "publish",
                {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "Message": "m"},
                "AuthorizationError",
            ),
            (
                "sqs",
                "send_message",
                {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/q", "MessageBody": "m"},
                "AccessDenied",
            ),
            ("ssm", "get_parameter", {"Name": "/p"}, "AccessDeniedException"),
        ],
    )
    def test_code(self, layer, service, operation, parameters, code):
        """
        What a role does not allow is refused in the service's own words.
        """
        error = refused(getattr(layer.client(service), operation), **parameters)

        assert error["Code"] == code
        assert "assumed-role/autopilot-Relay is not authorized to perform: " in error["Message"]

    def test_resource(self, layer):
        """
        What is allowed on one resource is refused on another, and not done.
        """
        with layer.outside():
            for name in ("timers", "uploads"):
                layer.client("sqs").create_queue(QueueName=name)
        layer.allow("sqs:SendMessage", "sqs:ReceiveMessage", resource=QUEUE)
        url = "https://sqs.us-east-1.amazonaws.com/123456789012/"
        sqs = layer.client("sqs")

        sqs.send_message(QueueUrl=f"{url}timers", MessageBody="m")
        error = refused(sqs.send_message, QueueUrl=f"{url}uploads", MessageBody="m")

        assert error["Message"].count("sqs:SendMessage on resource: " + QUEUE[:-6] + "uploads")
        with layer.outside():
            assert "Messages" not in sqs.receive_message(QueueUrl=f"{url}uploads")
            assert len(sqs.receive_message(QueueUrl=f"{url}timers")["Messages"]) == 1

    def test_leading_keys(self, layer):
        """
        A role that may use some partitions of a table may use no other, and may not scan it.
        """
        dynamodb = layer.client("dynamodb")
        with layer.outside():
            dynamodb.create_table(
                TableName="ledger",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            )
        layer.allow(
            "dynamodb:*",
            resource=TABLE,
            Condition={
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["bucket#*"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        )

        dynamodb.put_item(TableName="ledger", Item={"pk": {"S": "bucket#a"}})

        for partition in ("signing-keys", "bucket"):
            item = {"pk": {"S": partition}}
            assert refused(dynamodb.put_item, TableName="ledger", Item=item)
        assert refused(dynamodb.scan, TableName="ledger")
        with layer.outside():
            rows = dynamodb.scan(TableName="ledger", ConsistentRead=True)["Items"]
            assert rows == [{"pk": {"S": "bucket#a"}}]

    def test_key_of_topic(self, layer):
        """
        A role that may publish, but not use the topic's key, is refused in KMS's name.
        """
        with layer.outside():
            key_id = layer.client("kms").create_key()["KeyMetadata"]["KeyId"]
            topic = layer.client("sns").create_topic(
                Name="people", Attributes={"KmsMasterKeyId": key_id}
            )["TopicArn"]
        layer.allow("sns:Publish")

        error = refused(layer.client("sns").publish, TopicArn=topic, Message="m")

        assert error["Code"] == "KMSAccessDenied"


class TestAllowed:
    def test_outside(self, layer):
        """
        Who is no function may do everything.
        """
        with layer.outside():
            assert layer.client("s3").list_buckets()["Buckets"] == []

        assert not layer.authorization.uses

    def test_body(self, layer):
        """
        What is allowed reaches the service as it was sent.
        """
        layer.allow("s3:*")
        s3 = layer.client("s3")

        s3.create_bucket(Bucket="site")
        s3.put_object(Bucket="site", Key="a/b", Body=b"\0body")

        assert s3.get_object(Bucket="site", Key="a/b")["Body"].read() == b"\0body"

    def test_uses(self, layer):
        """
        By what a request was allowed is noted with the function that made it.
        """
        layer.allow("sqs:GetQueueUrl", "sqs:ListQueues", "sqs:SendMessage")

        layer.client("sqs").list_queues()

        assert {
            name: {(use.action, use.resource) for use in uses}
            for name, uses in layer.authorization.uses.items()
        } == {"relay": {("sqs:ListQueues", "*")}}


class TestLambda:
    TRIGGER = QueueTrigger(
        url="", arn=QUEUE, batch_size=1, report_batch_item_failures=True, concurrency=2
    )
    READING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")
    LOG = "arn:aws:logs:us-east-1:123456789012:log-group:relay"

    def function(self, *, without: str = "", queue: str = QUEUE, log: str = LOG) -> Function:
        allowed = {f"{log}:*": self.LOGGING, queue: self.READING}
        statements = [
            {
                "Effect": "Allow",
                "Action": [a for a in actions if a != without],
                "Resource": resource,
            }
            for resource, actions in allowed.items()
        ]
        queues = (self.TRIGGER,)
        return replace(FUNCTION, role=role(*statements), queues=queues, log_group="relay")

    def test_allowed(self):
        """
        A queue is read and a log written in the name of the function, which is noted.
        """
        checked = Authorization()

        checked.check_lambda([self.function()])

        assert {use.action for use in checked.uses["relay"]} == {*self.READING, *self.LOGGING}

    @pytest.mark.parametrize("missing", [*READING, *LOGGING])
    def test_missing(self, missing):
        """
        A role that lacks one of these actions is refused before anything runs.
        """
        with pytest.raises(LambdaRoleError, match=f"relay: .*{missing}"):
            Authorization().check_lambda([self.function(without=missing)])

    @pytest.mark.parametrize("other", [{"queue": QUEUE + "2"}, {"log": LOG + "2"}])
    def test_other(self, other):
        """
        So is one that has them for another queue or log group.
        """
        with pytest.raises(LambdaRoleError):
            Authorization().check_lambda([self.function(**other)])

    def test_own_log(self):
        """
        Without a log group of its own, a function has the one that Lambda names after it.
        """
        function = replace(self.function(log="*/aws/lambda/autopilot-Relay"), log_group="")

        Authorization().check_lambda([function])


class TestRefused:
    def test_checked(self, layer):
        """
        Whoever handles a refusal does not hide it: each is kept, and raised at the end.
        """
        layer.authorization.check_refused()
        refused(layer.client("sqs").list_queues)

        with pytest.raises(MissingPermissionsError, match=r"sqs:ListQueues on resource: \*"):
            layer.authorization.check_refused()
