"""Faults hit the call that they are meant for, over HTTP and without it alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from moto import mock_aws

from local import aws, faults
from local.faults import Call, Crash, Does, Faults, NoSecondActorError, Rule
from local.virtual_time import VirtualTime

KEY = "ASIALOCAL00000000001"


@dataclass
class Layer:
    """The fault layer in one of its two places."""

    faults: Faults
    session: boto3.Session
    endpoint_url: str | None
    crash: type[BaseException]
    killed: list[str] = field(default_factory=list)

    def client(self, service: str, *, attempts: int = 1) -> Any:
        make: Callable[..., Any] = self.session.client
        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
        return make(service, endpoint_url=self.endpoint_url, config=config)

    def rule(self, does: Does, **which: Any) -> None:
        self.faults.rules.append(Rule(does=does, **which))


@contextmanager
def over_http() -> Iterator[Layer]:
    layer = Layer(Faults(), aws.session(access_key=KEY), "", ConnectionClosedError)
    names = {KEY: "relay"}
    through = aws.Server(
        through=lambda moto: layer.faults.wsgi(
            moto, caller_of=lambda key: names[key], kill=layer.killed.append
        )
    )
    with aws.mended(), through as server:
        layer.endpoint_url = server.url
        yield layer
        assert server.complaints == []


@contextmanager
def in_process() -> Iterator[Layer]:
    layer = Layer(Faults(), aws.session(access_key=KEY), None, Crash)
    layer.faults.attach(layer.session.events, caller=lambda: "relay")
    with mock_aws(), aws.mended():
        yield layer


@pytest.fixture(params=[over_http, in_process])
def layer(request):
    # Where botocore backs off, virtual time moves instead.
    with (
        VirtualTime(1_800_000_000.0) as virtual_time,
        virtual_time.sleeping_jumps(),
        request.param() as made,
    ):
        yield made


class TestLog:
    def test_numbers(self, layer):
        """
        Every call is logged with its caller, its service, its operation and its number.
        """
        sqs, s3 = layer.client("sqs"), layer.client("s3")

        sqs.create_queue(QueueName="q")
        s3.create_bucket(Bucket="site")
        s3.put_object(Bucket="site", Key="a/b", Body=b"")
        layer.client("sns").create_topic(Name="t")

        assert layer.faults.calls == [
            Call("relay", "sqs", "CreateQueue", 1),
            Call("relay", "s3", "CreateBucket", 2),
            Call("relay", "s3", "PutObject", 3),
            Call("relay", "sns", "CreateTopic", 4),
        ]

    def test_restart(self, layer):
        """
        After a restart the log is empty, and counts from one.
        """
        sqs = layer.client("sqs")
        sqs.list_queues()

        layer.faults.restart()
        sqs.list_queues()

        assert [call.number for call in layer.faults.calls] == [1]


class TestRefusals:
    @pytest.mark.parametrize(
        ("service", "operation", "code"),
        [
            ("sqs", "list_queues", "RequestThrottled"),
            ("dynamodb", "list_tables", "ThrottlingException"),
            ("s3", "list_buckets", "SlowDown"),
            ("sns", "list_topics", "ThrottlingException"),
            ("events", "list_rules", "ThrottlingException"),
            ("cloudfront", "list_distributions", "Throttling"),
        ],
    )
    def test_throttle(self, layer, service, operation, code):
        """
        A throttled call is refused in its own service's words.
        """
        layer.rule(Does.THROTTLE, service=service)

        with pytest.raises(ClientError) as refused:
            getattr(layer.client(service), operation)()

        assert refused.value.response["Error"]["Code"] == code

    @pytest.mark.parametrize("service", ["sqs", "s3", "sns"])
    def test_fail(self, layer, service):
        """
        A failing call gets the status and the code that the rule names.
        """
        layer.rule(Does.FAIL, status=503, code="ServiceUnavailable")
        operation = {"sqs": "list_queues", "s3": "list_buckets", "sns": "list_topics"}[service]

        with pytest.raises(ClientError) as refused:
            getattr(layer.client(service), operation)()

        assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503

    def test_modeled(self, layer):
        """
        An error response with a code of the service's model is its own exception.
        """
        layer.rule(Does.FAIL, status=400, code="ResourceNotFoundException")
        dynamodb = layer.client("dynamodb")

        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.list_tables()

    def test_without_effect(self, layer):
        """
        What is refused is not done.
        """
        sqs = layer.client("sqs")
        layer.rule(Does.FAIL, operation="CreateQueue")

        with pytest.raises(ClientError):
            sqs.create_queue(QueueName="q")

        assert "QueueUrls" not in sqs.list_queues()

    def test_retried(self, layer):
        """
        Botocore's retries are calls as well, and one error response is then not noticed.
        """
        layer.rule(Does.THROTTLE, operation="ListQueues")

        layer.client("sqs", attempts=3).list_queues()

        assert [call.number for call in layer.faults.calls] == [1, 2]

    def test_final(self, layer):
        """
        An error response for which botocore does not try again is met at once.
        """
        layer.rule(Does.FAIL, operation="UpdateKeyGroup", status=412, code="PreconditionFailed")
        cloudfront = layer.client("cloudfront", attempts=3)
        config = {"Name": "n", "Items": ["K1"]}

        with pytest.raises(cloudfront.exceptions.PreconditionFailed) as refused:
            cloudfront.update_key_group(Id="G", IfMatch="E", KeyGroupConfig=config)

        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
        assert [call.operation for call in layer.faults.calls] == ["UpdateKeyGroup"]

    def test_throttled_once(self, layer):
        """
        One throttled call of an operation is tried again, and others are let be.
        """
        layer.rule(Does.THROTTLE, service="cloudfront", operation="ListKeyGroups")
        cloudfront = layer.client("cloudfront", attempts=3)

        cloudfront.list_public_keys()
        cloudfront.list_key_groups()

        operations = [call.operation for call in layer.faults.calls]
        assert operations == ["ListPublicKeys", "ListKeyGroups", "ListKeyGroups"]

    def test_retried_in_vain(self, layer):
        """
        When every attempt is refused, the caller is.
        """
        layer.rule(Does.THROTTLE, operation="ListQueues", times=None)

        with pytest.raises(ClientError):
            layer.client("sqs", attempts=3).list_queues()

        assert len(layer.faults.calls) == 3


class TestCrashes:
    def test_before(self, layer):
        """
        A crash before a call leaves nothing of it.
        """
        sqs = layer.client("sqs")
        layer.rule(Does.CRASH_BEFORE, operation="CreateQueue")

        with pytest.raises(layer.crash):
            sqs.create_queue(QueueName="q")

        assert "QueueUrls" not in sqs.list_queues()

    def test_after(self, layer):
        """
        A crash after a call leaves all of it.
        """
        sqs = layer.client("sqs")
        layer.rule(Does.CRASH_AFTER, operation="CreateQueue")

        with pytest.raises(layer.crash):
            sqs.create_queue(QueueName="q")

        assert len(sqs.list_queues()["QueueUrls"]) == 1

    def test_killed(self):
        """
        Over HTTP the process that has the access key is ended before the connection is cut.
        """
        with over_http() as layer:
            layer.rule(Does.CRASH_BEFORE)

            with pytest.raises(ConnectionClosedError):
                layer.client("sqs").list_queues()

            assert layer.killed == [KEY]

    def test_time_out(self, layer):
        """
        A call that lasts too long ends its caller.
        """
        layer.rule(Does.TIME_OUT)

        with pytest.raises(layer.crash):
            layer.client("sqs").list_queues()

    def test_uncaught(self):
        """
        Without processes a crash passes every handler of errors.
        """
        assert not issubclass(Crash, Exception)


class TestCuts:
    def test_before(self, layer):
        """
        A request that is cut off does not reach AWS, and ends no process.
        """
        layer.rule(Does.CUT_BEFORE, operation="CreateQueue")

        with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
            layer.client("sqs").create_queue(QueueName="q")

        assert layer.client("sqs").list_queues().get("QueueUrls", []) == []
        assert layer.killed == []

    def test_after(self, layer):
        """
        A request whose answer is lost has had its effect.
        """
        layer.rule(Does.CUT_AFTER, operation="CreateQueue")

        with pytest.raises((ReadTimeoutError, ConnectionClosedError)):
            layer.client("sqs").create_queue(QueueName="q")

        assert len(layer.client("sqs").list_queues()["QueueUrls"]) == 1
        assert layer.killed == []

    def test_retried(self, layer):
        """
        A request that is cut off is tried as often as the client is set to.
        """
        layer.rule(Does.CUT_BEFORE, operation="CreateQueue", times=2)

        layer.client("sqs", attempts=3).create_queue(QueueName="q")

        assert [call.number for call in layer.faults.calls] == [1, 2, 3]


@pytest.fixture
def rows(layer):
    """Make a table, past the rules."""
    client = layer.client("dynamodb")
    client.create_table(
        TableName="rows",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    layer.faults.restart()
    return client


class TestSecondActor:
    @pytest.mark.parametrize(
        ("does", "read"),
        [(Does.SECOND_ACTOR_BEFORE, "first"), (Does.SECOND_ACTOR_AFTER, "second")],
    )
    def test_comes_between(self, layer, rows, does, read):
        """
        Somebody else acts right before or right after a call, whose caller learns nothing of it.
        """
        key = {"pk": {"S": "p"}}
        layer.faults.second_actor = lambda: rows.put_item(
            TableName="rows", Item=key | {"by": {"S": "second"}}
        )
        layer.rule(does, operation="PutItem")

        rows.put_item(TableName="rows", Item=key | {"by": {"S": "first"}})

        item = rows.get_item(TableName="rows", Key=key, ConsistentRead=True)["Item"]
        assert item["by"] == {"S": read}
        assert [call.operation for call in layer.faults.calls] == ["PutItem", "PutItem", "GetItem"]

    def test_nobody(self):
        """
        A rule that lets in nobody is a mistake in a test.
        """
        with in_process() as layer:
            layer.rule(Does.SECOND_ACTOR_BEFORE)

            with pytest.raises(NoSecondActorError):
                layer.client("sqs").list_queues()


class TestConditional:
    def test_dynamodb(self, layer, rows):
        """
        A write that names a condition is conditional, and a rule may be meant for those alone.
        """
        layer.rule(Does.FAIL, conditional=True, code="AccessDenied")
        item = {"pk": {"S": "p"}}
        rows.put_item(TableName="rows", Item=item)

        with pytest.raises(ClientError, match="AccessDenied"):
            rows.put_item(
                TableName="rows", Item=item, ConditionExpression="attribute_not_exists(pk)"
            )

        assert [call.conditional for call in layer.faults.calls] == [False, True]

    def test_secrets_manager(self, layer):
        """
        To move a stage away from the version that is named is conditional.
        """
        secrets = layer.client("secretsmanager")
        version_id = secrets.create_secret(Name="s", SecretString="x")["VersionId"]
        secrets.update_secret_version_stage(
            SecretId="s", VersionStage="mine", MoveToVersionId=version_id
        )
        secrets.update_secret_version_stage(
            SecretId="s", VersionStage="mine", RemoveFromVersionId=version_id
        )

        assert [call.conditional for call in layer.faults.calls] == [False, False, True]

    def test_if_match(self, layer):
        """
        A write of the version that was read is conditional.
        """
        layer.rule(Does.FAIL, service="cloudfront", times=None, code="PreconditionFailed")
        cloudfront = layer.client("cloudfront")
        for asked in ({}, {"IfMatch": "E1"}):
            with pytest.raises(ClientError):
                cloudfront.delete_key_group(Id="g", **asked)

        assert [call.conditional for call in layer.faults.calls] == [False, True]


class TestUnprocessed:
    def test_writes(self, layer, rows):
        """
        Of a batch of writes half stays undone, and is named; sent again often enough, all is done.
        """
        layer.rule(Does.LEAVE_UNPROCESSED, operation="BatchWriteItem", times=None)
        writes: Any = [{"PutRequest": {"Item": {"pk": {"S": f"{n}"}}}} for n in range(5)]

        left: Any = {"rows": writes}
        counts = []
        while left:
            left = rows.batch_write_item(RequestItems=left)["UnprocessedItems"]
            written = rows.scan(TableName="rows", ConsistentRead=True)["Count"]
            counts.append((written, len(left.get("rows", []))))

        assert counts == [(3, 2), (4, 1), (5, 0)]

    def test_reads(self, layer, rows):
        """
        Of a batch of reads half stays unread, and is named with how it is to be read.
        """
        layer.rule(Does.LEAVE_UNPROCESSED, operation="BatchGetItem")
        keys: Any = [{"pk": {"S": f"{n}"}} for n in range(2)]
        for key in keys:
            rows.put_item(TableName="rows", Item=key)

        answer = rows.batch_get_item(RequestItems={"rows": {"Keys": keys, "ConsistentRead": True}})

        assert answer["Responses"] == {"rows": keys[:1]}
        assert answer["UnprocessedKeys"] == {"rows": {"Keys": keys[1:], "ConsistentRead": True}}


class TestRule:
    @pytest.mark.parametrize(
        ("which", "hit"),
        [
            ({}, [1]),
            ({"nth": 3}, [3]),
            ({"nth": 2, "times": 2}, [2, 3]),
            ({"nth": 2, "times": None}, [2, 3, 4]),
            ({"caller": "relay", "nth": 2}, [4]),
            ({"operation": "Send", "nth": 2}, [3]),
            ({"service": "sqs", "operation": "List"}, [2]),
            ({"caller": "nobody"}, []),
        ],
    )
    def test_hits(self, which, hit):
        """
        A rule counts the calls that match it, and hits those that it names.
        """
        layer = Faults(rules=[Rule(does=Does.FAIL, **which)])
        made = [("relay", "Send"), ("count", "List"), ("count", "Send"), ("relay", "List")]

        found = [
            layer.note(caller=caller, service="sqs", operation=operation)
            for caller, operation in made
        ]

        assert [number for number, rule in enumerate(found, 1) if rule] == hit

    def test_first(self):
        """
        Of several rules the first one that matches counts.
        """
        first, second = Rule(does=Does.FAIL), Rule(does=Does.THROTTLE)

        assert Faults([first, second]).note(caller="c", service="s", operation="o") is first


class TestOperation:
    @pytest.mark.parametrize(
        ("request_line", "headers", "operation"),
        [
            ("GET /", {}, "ListBuckets"),
            ("PUT /site", {}, "CreateBucket"),
            ("GET /site?list-type=2&prefix=a", {}, "ListObjectsV2"),
            ("GET /site", {}, "ListObjects"),
            ("PUT /site?notification", {}, "PutBucketNotificationConfiguration"),
            ("POST /site?delete", {}, "DeleteObjects"),
            ("PUT /site/a/b c", {}, "PutObject"),
            ("PUT /site/a", {"HTTP_X_AMZ_COPY_SOURCE": "b"}, "CopyObject"),
            ("PUT /site/a?partNumber=1&uploadId=u", {}, "UploadPart"),
            ("POST /site/a?uploads", {}, "CreateMultipartUpload"),
            ("POST /site/a?uploadId=u", {}, "CompleteMultipartUpload"),
            ("DELETE /site/a?versionId=v", {}, "DeleteObject"),
            ("HEAD /site/folder/", {}, "HeadObject"),
        ],
    )
    def test_s3(self, request_line, headers, operation):
        """
        S3's operations are known by method, path, query and headers.
        """
        assert asked("s3", request_line, headers) == operation

    @pytest.mark.parametrize(
        ("request_line", "operation"),
        [
            ("POST /2020-05-31/distribution/E1/invalidation", "CreateInvalidation"),
            ("GET /2020-05-31/distribution/E1/invalidation/I1", "GetInvalidation"),
            ("POST /2020-05-31/distribution?WithTags", "CreateDistributionWithTags"),
            ("POST /2020-05-31/distribution", "CreateDistribution"),
            ("GET /2020-05-31/distribution?MaxItems=1", "ListDistributions"),
            ("GET /2020-05-31/distribution/E1/config", "GetDistributionConfig"),
        ],
    )
    def test_cloudfront(self, request_line, operation):
        """
        CloudFront's operations are known by method and path.
        """
        assert asked("cloudfront", request_line, {}) == operation

    def test_unknown(self):
        """
        What no operation of the service looks like is named as it is.
        """
        assert asked("cloudfront", "GET /2020-05-31/nothing", {}) == "GET /2020-05-31/nothing"


def asked(service: str, request_line: str, headers: dict[str, str]) -> str:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    return faults._operation(
        service, {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **headers}
    )
