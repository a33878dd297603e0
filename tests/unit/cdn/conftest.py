"""A ledger in moto's DynamoDB, a CloudFront that stands in, and keys of each kind."""

from functools import cache
from random import Random
from typing import get_args

import boto3
import pytest
from moto import mock_aws

from cdn.aws.table import Table
from cdn.signing import key_pairs
from local import dynamodb
from local.cloudfront import CloudFront, doors
from local.faults import Faults


@pytest.fixture(scope="session")
def client_of():
    """Return what makes boto3 clients, one of each service: one costs more than most tests."""
    return cache(boto3.Session("k", "s", region_name="us-east-1").client)


@pytest.fixture
def ledger(client_of, time_source):
    # Reads that are not consistent stay behind until the time is moved.
    with mock_aws(), dynamodb.mended(now=time_source):
        client = client_of("dynamodb")
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "timer", "AttributeType": "S"},
                {"AttributeName": "due_at_ms", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "overdue",
                    "KeySchema": [
                        {"AttributeName": "timer", "KeyType": "HASH"},
                        {"AttributeName": "due_at_ms", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        yield Table(client, "ledger")


@pytest.fixture
def faults(ledger):
    """Put a fault layer before the ledger."""
    faults = Faults()
    detach = faults.attach(ledger.client.meta.events, caller=lambda: "test")
    yield faults
    detach()


class TimeSource:
    """Stands still until it is moved."""

    def __init__(self):
        self.s = 1_790_000_000.0

    def __call__(self):
        return self.s

    def now_ms(self):
        return int(self.s * 1000)


@pytest.fixture
def time_source():
    return TimeSource()


class RecordedTimers:
    """A queue of timers that only remembers what was scheduled, and how late."""

    def __init__(self):
        self.scheduled: list[tuple[str, int]] = []

    def schedule(self, row_id, *, after_ms=0):
        self.scheduled.append((row_id, after_ms))


@pytest.fixture
def recorded_timers():
    """Make queues of timers."""
    return RecordedTimers


class Account:
    """CloudFront, and the calls that were made to it."""

    def __init__(self, time_source, client):
        self.core = CloudFront(now=time_source, random=Random(7))
        self.calls = []
        self.client = client

    def call(self, operation, parameters):
        self.calls.append(operation)
        return self.core.call(operation, parameters)

    def new_calls(self):
        """Return the calls since this was last called."""
        calls, self.calls = self.calls, []
        return calls

    def distribute(self, reference, *, domain_name="site.s3.us-east-1.amazonaws.com", **settings):
        """Create a distribution, and return its id."""
        origin = {
            "Id": "site",
            "DomainName": domain_name,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "CustomHeaders": {
                "Quantity": 1,
                "Items": [{"HeaderName": "x-secret", "HeaderValue": "hush"}],
            },
        }
        config = {
            "CallerReference": reference,
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "site",
                "ViewerProtocolPolicy": "allow-all",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
        created = self.core.call("CreateDistribution", {"DistributionConfig": config | settings})
        return created["Distribution"]["Id"]

    def update(self, distribution_id, **settings):
        """Change a distribution's configuration."""
        response = self.core.call("GetDistributionConfig", {"Id": distribution_id})
        config = response["DistributionConfig"] | settings
        self.core.call(
            "UpdateDistribution",
            {"Id": distribution_id, "IfMatch": response["ETag"], "DistributionConfig": config},
        )

    def invalidate(self, distribution_id, reference):
        """Create an invalidation, and return its id."""
        batch = {"Paths": {"Quantity": 1, "Items": ["/a"]}, "CallerReference": reference}
        parameters = {"DistributionId": distribution_id, "InvalidationBatch": batch}
        return self.core.call("CreateInvalidation", parameters)["Invalidation"]["Id"]


@pytest.fixture
def account(time_source, client_of):
    account = Account(time_source, client_of("cloudfront"))
    detach = doors.attach(account.client.meta.events, account)
    yield account
    detach()


@pytest.fixture(scope="session")
def private_keys():
    """A private key of each kind, made once: RSA takes a while."""
    return {kind: key_pairs.generate(kind) for kind in get_args(key_pairs.Kind)}


@pytest.fixture(scope="session")
def strangers():
    """Another private key of each kind."""
    return {kind: key_pairs.generate(kind) for kind in get_args(key_pairs.Kind)}


BEHAVIOR = {
    "TargetOriginId": "site",
    "ViewerProtocolPolicy": "allow-all",
    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
}


@pytest.fixture
def private_folder(account, private_keys):
    """A distribution with one private folder, for two hosts."""
    pem = key_pairs.public_pem(private_keys["ECDSA-P256"])
    ids = [
        account.core.call(
            "CreatePublicKey",
            {"PublicKeyConfig": {"CallerReference": n, "Name": n, "EncodedKey": pem}},
        )["PublicKey"]["Id"]
        for n in ("one", "other")
    ]
    group = account.core.call(
        "CreateKeyGroup", {"KeyGroupConfig": {"Name": "viewers", "Items": ids[:1]}}
    )["KeyGroup"]["Id"]
    trusted = {"TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": [group]}}
    private = BEHAVIOR | trusted | {"PathPattern": "private/*"}
    distribution_id = account.distribute(
        "one",
        Aliases={"Quantity": 2, "Items": ["media.example.com", "*.example.org"]},
        CacheBehaviors={"Quantity": 1, "Items": [private]},
    )
    return distribution_id, group, ids, pem
