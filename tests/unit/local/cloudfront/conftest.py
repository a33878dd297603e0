"""A stand-in whose time moves when it is set, reached through each of its doors."""

from random import Random
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from local.cloudfront import CloudFront, Lags, Quotas, ServiceError, doors

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


class TimeSource:
    def __init__(self):
        self.seconds = 1_700_000_000.5

    def __call__(self):
        return self.seconds


@pytest.fixture
def virtual_time():
    return TimeSource()


@pytest.fixture
def core(virtual_time):
    return CloudFront(
        now=virtual_time,
        random=Random(7),
        lags=Lags(deployment_s=180, invalidation_effect_s=5, invalidation_completed_s=20),
        quotas=Quotas(distributions=3, cache_policies=2, items_per_request=2_500),
    )


def client_of(session, **more):
    return session.client(
        "cloudfront",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
        **more,
    )


class Behind:
    """
    What stands behind the one server of all tests: the core of the test that runs.
    """

    def __init__(self):
        self.core: Any = None

    def call(self, operation, parameters):
        return self.core.call(operation, parameters)


@pytest.fixture(scope="package")
def behind():
    behind = Behind()
    unmount = doors.mount_on_moto(behind)
    # Its end takes half a second, too much for each test.
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = client_of(boto3.Session(), endpoint_url=f"http://{host}:{port}")
    yield behind, client
    client.close()
    server.stop()
    unmount()


@pytest.fixture
def http_client(behind, core):
    """
    A client that speaks HTTP with moto's server.
    """
    server, client = behind
    server.core = core
    return client


@pytest.fixture
def event_client(core):
    """
    A client that botocore's events answer before anything is sent.
    """
    session = boto3.Session()
    doors.attach(session.events, core)
    return client_of(session)


def through(client):
    """
    Make a client look like the core: no metadata, and a ServiceError for an error.
    """

    def call(operation, parameters):
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            said = error.response["Error"]
            raise ServiceError(
                said["Code"],
                said["Message"],
                status=error.response["ResponseMetadata"]["HTTPStatusCode"],
            ) from error
        del answer["ResponseMetadata"]
        return answer

    return call


@pytest.fixture(params=["core", "http", "events"])
def call(request, core):
    """
    The same operations, asked in each of the three ways.
    """
    if request.param == "core":
        return core.call
    name = "http_client" if request.param == "http" else "event_client"
    return through(request.getfixturevalue(name))


@pytest.fixture
def config():
    """
    The least that a distribution over a bucket needs.
    """
    return {
        "CallerReference": "first",
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "bucket",
                    "DomainName": "site.s3.us-east-1.amazonaws.com",
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": OPTIMIZED,
        },
    }


@pytest.fixture
def distribution(core, config):
    """
    A distribution that is there already, made past the doors.
    """
    return core.call("CreateDistribution", {"DistributionConfig": config})["Distribution"]
