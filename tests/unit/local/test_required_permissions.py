"""What a request needs is what AWS's service authorization reference says that it needs."""

from functools import cache
from typing import Any

import pytest
from moto import mock_aws

from local import aws, required_permissions
from local.role_policies import Permission

ACCOUNT = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{ACCOUNT}:table/ledger"
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/timers"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:timers"
LEADING_KEYS = "dynamodb:LeadingKeys"


@cache
def client(service: str) -> Any:
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


@pytest.fixture(autouse=True)
def cloud():
    """An account that has a ledger with an index."""
    with mock_aws(), aws.mended():
        attributes = {"pk": "S", "sk": "S", "timer": "S", "due_at_ms": "N"}
        client("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind} for name, kind in attributes.items()
            ],
            KeySchema=schema("pk", "sk"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "overdue",
                    "KeySchema": schema("timer", "due_at_ms"),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        yield


def schema(partition_key, sort_key):
    return [
        {"AttributeName": partition_key, "KeyType": "HASH"},
        {"AttributeName": sort_key, "KeyType": "RANGE"},
    ]


def key(pk):
    return {"pk": {"S": pk}, "sk": {"S": "flush"}}


def needed(service, operation, **parameters):
    return required_permissions.of_request(service, operation, parameters)


class TestDynamoDb:
    @pytest.mark.parametrize(
        ("operation", "parameters"),
        [
            ("GetItem", {"Key": key("quotas")}),
            ("UpdateItem", {"Key": key("quotas")}),
            ("DeleteItem", {"Key": key("quotas")}),
            ("PutItem", {"Item": key("quotas") | {"timer": {"S": "flush"}}}),
        ],
    )
    def test_one_row(self, operation, parameters):
        """
        A request for one row names its partition.
        """
        assert needed("dynamodb", operation, TableName="ledger", **parameters) == [
            Permission(f"dynamodb:{operation}", TABLE, {LEADING_KEYS: ["quotas"]})
        ]

    @pytest.mark.parametrize(
        ("operation", "requests"),
        [
            (
                "BatchWriteItem",
                [
                    {"DeleteRequest": {"Key": key("bucket#b")}},
                    {"PutRequest": {"Item": key("bucket#a")}},
                ],
            ),
            ("BatchGetItem", {"Keys": [key("bucket#b"), key("bucket#a")]}),
        ],
    )
    def test_many_rows(self, operation, requests):
        """
        A request for many rows names the partition of each.
        """
        assert needed("dynamodb", operation, RequestItems={"ledger": requests}) == [
            Permission(f"dynamodb:{operation}", TABLE, {LEADING_KEYS: ["bucket#a", "bucket#b"]})
        ]

    @pytest.mark.parametrize(
        ("condition", "names"),
        [
            ("pk = :v0 AND begins_with(sk, :v1)", {}),
            ("(#n0 = :v0 AND #n1 = :v1)", {"#n0": "pk", "#n1": "sk"}),
        ],
    )
    def test_query(self, condition, names):
        """
        A query names the partition that it reads, whichever names and values stand in for it.
        """
        values = {":v0": {"S": "routes"}, ":v1": {"S": "distribution#"}}

        assert needed(
            "dynamodb",
            "Query",
            TableName="ledger",
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        ) == [Permission("dynamodb:Query", TABLE, {LEADING_KEYS: ["routes"]})]

    def test_index(self):
        """
        On an index the leading key is the index's, and the resource is the index.
        """
        assert needed(
            "dynamodb",
            "Query",
            TableName="ledger",
            IndexName="overdue",
            KeyConditionExpression="#n0 = :v0 AND #n1 < :v1",
            ExpressionAttributeNames={"#n0": "timer", "#n1": "due_at_ms"},
            ExpressionAttributeValues={":v0": {"S": "flush"}, ":v1": {"N": "5"}},
        ) == [Permission("dynamodb:Query", f"{TABLE}/index/overdue", {LEADING_KEYS: ["flush"]})]

    def test_scan(self):
        """
        A scan names no partition.
        """
        assert needed("dynamodb", "Scan", TableName="ledger") == [
            Permission("dynamodb:Scan", TABLE)
        ]

    def test_no_table(self):
        """
        Of a table that is not there no partition is known.
        """
        assert needed("dynamodb", "GetItem", TableName="other", Key=key("quotas")) == [
            Permission("dynamodb:GetItem", TABLE.replace("ledger", "other"))
        ]


class TestKms:
    def test_create(self):
        """
        Whoever makes a key with tags needs to be allowed to tag, too.
        """
        tags = {"aws:RequestTag/stack": ["autopilot"]}

        assert needed("kms", "CreateKey") == [Permission("kms:CreateKey")]
        assert needed("kms", "CreateKey", Tags=[{"TagKey": "stack", "TagValue": "autopilot"}]) == [
            Permission("kms:CreateKey", "*", tags),
            Permission("kms:TagResource", "*", tags),
        ]

    def test_use(self):
        """
        A key is known by its id and its ARN, and by its tags.
        """
        made = client("kms").create_key(Tags=[{"TagKey": "stack", "TagValue": "autopilot"}])
        about = made["KeyMetadata"]
        tags = {"aws:ResourceTag/stack": ["autopilot"]}

        for name in (about["KeyId"], about["Arn"]):
            assert needed("kms", "Sign", KeyId=name) == [Permission("kms:Sign", about["Arn"], tags)]


class TestSns:
    def test_encrypted(self):
        """
        Whoever publishes to an encrypted topic needs its key as well.
        """
        kms_key = client("kms").create_key()["KeyMetadata"]
        topic = client("sns").create_topic(
            Name="people", Attributes={"KmsMasterKeyId": kms_key["KeyId"]}
        )["TopicArn"]

        assert needed("sns", "Publish", TopicArn=topic, Message="m") == [
            Permission("sns:Publish", topic),
            Permission("kms:GenerateDataKey", kms_key["Arn"]),
            Permission("kms:Decrypt", kms_key["Arn"]),
        ]

    def test_plain(self):
        """
        A topic that is not encrypted needs no key.
        """
        topic = client("sns").create_topic(Name="people")["TopicArn"]

        assert needed("sns", "Publish", TopicArn=topic, Message="m") == [
            Permission("sns:Publish", topic)
        ]


class TestOthers:
    @pytest.mark.parametrize(
        ("service", "operation", "parameters", "action", "resource"),
        [
            ("sqs", "SendMessage", {"QueueUrl": QUEUE_URL}, "sqs:SendMessage", QUEUE),
            ("sqs", "SendMessageBatch", {"QueueUrl": QUEUE_URL}, "sqs:SendMessage", QUEUE),
            (
                "sqs",
                "ChangeMessageVisibilityBatch",
                {"QueueUrl": QUEUE_URL},
                "sqs:ChangeMessageVisibility",
                QUEUE,
            ),
            ("sqs", "ListQueues", {}, "sqs:ListQueues", "*"),
            ("s3", "ListObjectsV2", {"Bucket": "site"}, "s3:ListBucket", "arn:aws:s3:::site"),
            (
                "s3",
                "GetObject",
                {"Bucket": "site", "Key": "a/b"},
                "s3:GetObject",
                "arn:aws:s3:::site/a/b",
            ),
            ("s3", "ListBuckets", {}, "s3:ListBuckets", "*"),
            (
                "cloudfront",
                "CreateInvalidation",
                {"DistributionId": "E1"},
                "cloudfront:CreateInvalidation",
                "arn:aws:cloudfront::123456789012:distribution/E1",
            ),
            (
                "cloudfront",
                "GetDistribution",
                {"Id": "E1"},
                "cloudfront:GetDistribution",
                "arn:aws:cloudfront::123456789012:distribution/E1",
            ),
            ("cloudfront", "GetKeyGroup", {"Id": "G1"}, "cloudfront:GetKeyGroup", "*"),
            (
                "ssm",
                "GetParameter",
                {"Name": "/autopilot/grants:3"},
                "ssm:GetParameter",
                f"arn:aws:ssm:{ACCOUNT}:parameter/autopilot/grants",
            ),
            ("ssm", "DescribeParameters", {}, "ssm:DescribeParameters", "*"),
            ("kms", "ListKeys", {}, "kms:ListKeys", "*"),
            ("events", "ListRules", {}, "events:ListRules", "*"),
            ("lambda", "Invoke", {"FunctionName": "f"}, "lambda:Invoke", "*"),
        ],
    )
    def test_action(self, service, operation, parameters, action, resource):
        """
        An operation needs its action on its resource, and on everything where it is not known.
        """
        assert needed(service, operation, **parameters) == [Permission(action, resource)]

    def test_events(self):
        """
        Each event is allowed for itself, by its bus and its source.
        """
        entries = [
            {"Source": "ours", "Detail": "{}"},
            {"Source": "theirs", "EventBusName": "other", "Detail": "{}"},
        ]

        assert needed("events", "PutEvents", Entries=entries) == [
            Permission(
                "events:PutEvents",
                f"arn:aws:events:{ACCOUNT}:event-bus/{bus}",
                {"events:source": [s]},
            )
            for bus, s in (("default", "ours"), ("other", "theirs"))
        ]

    def test_secret(self):
        """
        A secret is known by its name and its ARN.
        """
        arn = client("secretsmanager").create_secret(Name="word", SecretString="s")["ARN"]

        for name in ("word", arn):
            assert needed("secretsmanager", "GetSecretValue", SecretId=name) == [
                Permission("secretsmanager:GetSecretValue", arn)
            ]
