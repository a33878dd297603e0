"""moto's KMS, mended, and its Parameter Store behave as their documentation says."""

from functools import cache

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.kms import models
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from local import aws
from local.virtual_time import VirtualTime

DAY_S = 86_400


@cache
def client(service):
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


@pytest.fixture
def virtual_time():
    with mock_aws(), aws.mended(), VirtualTime(1_800_000_000, ticking=False) as started:
        yield started


@pytest.fixture
def kms(virtual_time):
    return client("kms")


@pytest.fixture
def key(kms):
    """A key that signs, by its ARN."""
    made = kms.create_key(
        KeySpec="ECC_NIST_P256",
        KeyUsage="SIGN_VERIFY",
        Tags=[{"TagKey": "stack", "TagValue": "autopilot"}],
    )
    return made["KeyMetadata"]["Arn"]


def refused(code):
    return pytest.raises(ClientError, match=rf"\({code}\)")


def sign(kms, key):
    return kms.sign(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (models, "generate_private_key"),
        (KmsBackend, "cancel_key_deletion"),
        (KmsBackend, "get_public_key"),
        (KmsBackend, "list_keys"),
        (KmsBackend, "schedule_key_deletion"),
        (KmsBackend, "sign"),
        (KmsResponse, "_validate_cmk_id"),
    ],
)
def test_hooks(owner, name):
    """
    Moto has what is replaced.
    """
    assert name in vars(owner)


class TestKey:
    def test_tags(self, kms, key):
        """
        The tags that a key was made with are found, and more can be added.
        """
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "2"}])

        tags = kms.list_resource_tags(KeyId=key)["Tags"]

        assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {"stack": "autopilot", "b": "2"}

    def test_disabled(self, kms, key):
        """
        A disabled key does nothing, until it is enabled.
        """
        key_id = key.rsplit("/", 1)[-1]
        kms.disable_key(KeyId=key_id)

        with refused("DisabledException"):
            sign(kms, key)
        with refused("DisabledException"):
            kms.get_public_key(KeyId=key)
        kms.enable_key(KeyId=key_id)

        assert sign(kms, key)["KeyId"] == key


class TestDeletion:
    def test_pending(self, kms, key):
        """
        A key that is to be deleted is there and says when, but does nothing.
        """
        at = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"]

        about = kms.describe_key(KeyId=key)["KeyMetadata"]
        assert (about["KeyState"], about["DeletionDate"]) == ("PendingDeletion", at)
        assert at.timestamp() == 1_800_000_000 + 7 * DAY_S
        with refused("KMSInvalidStateException"):
            sign(kms, key)
        with refused("KMSInvalidStateException"):
            kms.get_public_key(KeyId=key)

    def test_again(self, kms, key, virtual_time):
        """
        It is scheduled once: a second time is refused, and moves nothing.
        """
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        virtual_time.advance(DAY_S)

        with refused("KMSInvalidStateException"):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

        at = kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"]
        assert at.timestamp() == 1_800_000_000 + 7 * DAY_S

    def test_gone(self, kms, key, virtual_time):
        """
        After its time it is gone.
        """
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        virtual_time.advance(7 * DAY_S - 1)
        assert kms.list_keys()["Keys"]

        virtual_time.advance(1)

        assert kms.list_keys()["Keys"] == []
        for ask in (kms.describe_key, kms.get_public_key, kms.schedule_key_deletion):
            with refused("NotFoundException"):
                ask(KeyId=key)

    def test_default(self, kms, key):
        """
        Without a window it waits for thirty days.
        """
        at = kms.schedule_key_deletion(KeyId=key)["DeletionDate"]

        assert at.timestamp() == 1_800_000_000 + 30 * DAY_S

    @pytest.mark.parametrize("days", [6, 31])
    def test_window(self, kms, key, days):
        """
        Other windows than 7 to 30 days are refused.
        """
        with refused("ValidationException"):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)

        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"

    def test_cancelled(self, kms, key, virtual_time):
        """
        A key that is not to be deleted after all is disabled; another has nothing to cancel.
        """
        with refused("KMSInvalidStateException"):
            kms.cancel_key_deletion(KeyId=key)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

        kms.cancel_key_deletion(KeyId=key)
        virtual_time.advance(8 * DAY_S)

        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


class TestParameterHistory:
    """Moto's own: nothing is replaced."""

    @pytest.fixture
    def history(self, virtual_time):
        ssm = client("ssm")
        for number in range(3):
            ssm.put_parameter(Name="/grants", Type="String", Value=f"v{number}", Overwrite=True)
            virtual_time.advance(DAY_S)

        def read(**how):
            pages = ssm.get_paginator("get_parameter_history").paginate(Name="/grants", **how)
            return [version for page in pages for version in page["Parameters"]]

        return read

    def test_versions(self, history):
        """
        Each version has its value, its number, and the time from which it was in force.
        """
        seen = [(v["Version"], v["Value"], v["LastModifiedDate"].timestamp()) for v in history()]

        began = 1_800_000_000
        assert seen == [
            (1, "v0", began),
            (2, "v1", began + DAY_S),
            (3, "v2", began + 2 * DAY_S),
        ]

    def test_pages(self, history):
        """
        The versions come in pages.
        """
        first = client("ssm").get_parameter_history(Name="/grants", MaxResults=2)

        assert len(first["Parameters"]) == 2
        assert [v["Version"] for v in history(PaginationConfig={"PageSize": 2})] == [1, 2, 3]

    def test_hundred(self, history):
        """
        A hundred are kept.
        """
        for number in range(100):
            client("ssm").put_parameter(
                Name="/grants", Type="String", Value=str(number), Overwrite=True
            )

        assert [v["Version"] for v in history()] == list(range(4, 104))

    def test_missing(self, virtual_time):
        """
        A parameter that is not there is not found.
        """
        with refused("ParameterNotFound"):
            client("ssm").get_parameter_history(Name="/none")
