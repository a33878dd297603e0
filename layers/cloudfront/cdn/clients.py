"""The only maker of boto3 clients: each is made when first asked for, once a sandbox."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

_TIMEOUTS = Config(connect_timeout=3, read_timeout=15)

# One attempt: botocore would sleep between attempts, in a Lambda that is paid by the
# millisecond. Whoever is throttled sets its timer later instead.
_ONE_ATTEMPT = Config(retries={"total_max_attempts": 1, "mode": "standard"})


@cache
def cloudfront() -> CloudFrontClient:
    """Return the client of CloudFront, with one attempt a call."""
    return boto3.client("cloudfront", config=_TIMEOUTS.merge(_ONE_ATTEMPT))


@cache
def dynamodb() -> DynamoDBClient:
    """Return the client of DynamoDB."""
    return boto3.client("dynamodb", config=_TIMEOUTS)


@cache
def events() -> EventBridgeClient:
    """Return the client of EventBridge."""
    return boto3.client("events", config=_TIMEOUTS)


@cache
def kms() -> KMSClient:
    """Return the client of KMS."""
    return boto3.client("kms", config=_TIMEOUTS)


@cache
def s3() -> S3Client:
    """Return the client of S3."""
    return boto3.client("s3", config=_TIMEOUTS)


@cache
def secretsmanager() -> SecretsManagerClient:
    """Return the client of Secrets Manager."""
    return boto3.client("secretsmanager", config=_TIMEOUTS)


@cache
def sns() -> SNSClient:
    """Return the client of SNS."""
    return boto3.client("sns", config=_TIMEOUTS)


@cache
def sqs() -> SQSClient:
    """Return the client of SQS."""
    return boto3.client("sqs", config=_TIMEOUTS)


@cache
def ssm() -> SSMClient:
    """Return the client of the Parameter Store."""
    return boto3.client("ssm", config=_TIMEOUTS)
