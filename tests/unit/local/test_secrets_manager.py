"""moto's Secrets Manager, mended, keeps versions and their stages as the service documents."""

from functools import cache

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from local import aws
from local.virtual_time import VirtualTime

DAY_S = 86_400


@cache
def client(service):
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key=aws.OUTSIDE), service)


def version(number):
    """Name a version: a token has at least 32 characters."""
    return f"{number:032d}"


class Secret:
    """A secret, its versions by their numbers."""

    def __init__(self, **about):
        self.client = client("secretsmanager")
        self.client.create_secret(Name="s", ClientRequestToken=version(1), **about)

    def put(self, number, *stages, value=None):
        return self.client.put_secret_value(
            SecretId="s",
            SecretString=value or f"value {number}",
            ClientRequestToken=version(number),
            **({"VersionStages": list(stages)} if stages else {}),
        )

    def move(self, stage, *, to=None, of=None):
        numbers = {"MoveToVersionId": to, "RemoveFromVersionId": of}
        given = {name: version(number) for name, number in numbers.items() if number}
        self.client.update_secret_version_stage(SecretId="s", VersionStage=stage, **given)

    def stages(self):
        found = self.client.describe_secret(SecretId="s")["VersionIdsToStages"]
        return {int(name): set(stages) for name, stages in found.items()}

    def value(self, **which):
        return self.client.get_secret_value(SecretId="s", **which)["SecretString"]

    def pages(self, **how):
        """List the versions page by page: boto3 has no paginator for them."""
        while True:
            page = self.client.list_secret_version_ids(SecretId="s", **how)
            yield [int(found["VersionId"]) for found in page["Versions"]]
            if "NextToken" not in page:
                return
            how["NextToken"] = page["NextToken"]

    def listed(self, **how):
        return [number for page in self.pages(**how) for number in page]


@pytest.fixture
def virtual_time():
    with mock_aws(), aws.mended(), VirtualTime(1_800_000_000, ticking=False) as started:
        yield started


@pytest.fixture
def secret(virtual_time):
    return Secret(SecretString="placeholder")


def refused(code):
    return pytest.raises(ClientError, match=rf"\({code}\)")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (FakeSecret, "_form_version_ids_to_stages"),
        (FakeSecret, "reset_default_version"),
        (SecretsManagerBackend, "_add_secret"),
        (SecretsManagerBackend, "_check_with_existing_secrets_and_versions"),
        (SecretsManagerBackend, "put_secret_value"),
        (SecretsManagerBackend, "update_secret_version_stage"),
        (SecretsManagerResponse, "list_secret_version_ids"),
    ],
)
def test_hooks(owner, name):
    """
    Moto has what is replaced.
    """
    assert name in vars(owner)


class TestPut:
    def test_first(self, virtual_time):
        """
        The first version is current, whatever its stages.
        """
        secret = Secret()

        answer = secret.put(1, "MINTED")

        assert set(answer["VersionStages"]) == {"MINTED", "AWSCURRENT"}
        assert secret.value() == "value 1"

    def test_without_stages(self, secret):
        """
        Without stages the new version is current, and the last one is the previous.
        """
        secret.put(2)
        secret.put(3)

        assert secret.stages() == {3: {"AWSCURRENT"}, 2: {"AWSPREVIOUS"}}
        assert secret.value() == "value 3"

    def test_stages(self, secret):
        """
        With stages it gets just these, each from the version that had it.
        """
        secret.put(2, "AWSPENDING", "OWN")
        secret.put(3, "AWSPENDING")

        assert secret.stages() == {1: {"AWSCURRENT"}, 2: {"OWN"}, 3: {"AWSPENDING"}}
        assert secret.value() == "placeholder"
        assert secret.value(VersionStage="AWSPENDING") == "value 3"

    def test_other_stages_stay(self, secret):
        """
        When AWSCURRENT moves, other stages of the version that had it stay; those given do not.
        """
        secret.move("OWN", to=1)
        secret.put(2, "MINTED")

        secret.put(3, "AWSCURRENT", "MINTED")

        assert secret.stages() == {1: {"OWN", "AWSPREVIOUS"}, 3: {"AWSCURRENT", "MINTED"}}

    @pytest.mark.parametrize("stage", ["AWSPENDING", "MINTED", "AWSCURRENT"])
    def test_same_token(self, secret, stage):
        """
        The same content under the same token changes nothing, whatever stages are asked for.
        """
        secret.put(2, stage)
        before = secret.stages()

        again = secret.put(2, "OTHER", "AWSPENDING")

        assert again["VersionStages"] == [stage]
        assert secret.stages() == before

    @pytest.mark.parametrize("stage", ["AWSPENDING", "MINTED", "AWSCURRENT"])
    def test_same_token_other_content(self, secret, stage):
        """
        Other content under the same token is refused, and changes nothing.
        """
        secret.put(2, stage)

        with refused("ResourceExistsException"):
            secret.put(2, stage, value="other")

        assert secret.value(VersionId=version(2)) == "value 2"

    def test_deprecated_token(self, secret):
        """
        So it is under the token of a version that has lost its stages.
        """
        secret.put(2, "MINTED")
        secret.move("MINTED", of=2)

        secret.put(2, "MINTED")
        with refused("ResourceExistsException"):
            secret.put(2, value="other")

        assert secret.stages() == {1: {"AWSCURRENT"}}

    def test_deleted(self, secret):
        """
        A secret that is to be deleted takes no version.
        """
        secret.client.delete_secret(SecretId="s")

        with refused("InvalidRequestException"):
            secret.put(2)

    def test_missing(self, virtual_time):
        """
        A secret that is not there is not found.
        """
        with refused("ResourceNotFoundException"):
            client("secretsmanager").put_secret_value(SecretId="none", SecretString="x")


class TestUpdateStage:
    def test_promote(self, secret):
        """
        AWSCURRENT moves from the version that is named, which gets AWSPREVIOUS.
        """
        secret.put(2, "AWSPENDING")

        secret.move("AWSCURRENT", to=2, of=1)

        assert secret.stages() == {1: {"AWSPREVIOUS"}, 2: {"AWSPENDING", "AWSCURRENT"}}
        assert secret.value() == "value 2"

    def test_previous_moves(self, secret):
        """
        AWSPREVIOUS moves by itself, also when the previous version is current again.
        """
        secret.put(2)
        secret.put(3, "MINTED")
        secret.move("AWSCURRENT", to=3, of=2)
        assert secret.stages() == {2: {"AWSPREVIOUS"}, 3: {"AWSCURRENT", "MINTED"}}

        secret.move("AWSCURRENT", to=2, of=3)

        assert secret.stages() == {2: {"AWSCURRENT"}, 3: {"MINTED", "AWSPREVIOUS"}}
        assert secret.value() == "value 2"

    @pytest.mark.parametrize("stage", ["AWSCURRENT", "OWN"])
    @pytest.mark.parametrize("of", [None, 2, 3])
    def test_compare_and_swap(self, secret, stage, of):
        """
        A stage moves from no version but the one that has it, which must be named.
        """
        secret.move("OWN", to=1)
        secret.put(2, "AWSPENDING")
        secret.put(3, "MINTED")
        before = secret.stages()

        with refused("InvalidParameterException"):
            secret.move(stage, to=2, of=of)

        assert secret.stages() == before

    def test_again(self, secret):
        """
        A promotion that is repeated is refused, for its version is no longer current.
        """
        secret.put(2, "AWSPENDING")
        secret.move("AWSCURRENT", to=2, of=1)
        before = secret.stages()

        with refused("InvalidParameterException"):
            secret.move("AWSCURRENT", to=2, of=1)

        assert secret.stages() == before

    def test_unknown_version(self, secret):
        """
        A move to a version that is not there is refused, and changes nothing.
        """
        with refused("InvalidParameterException"):
            secret.move("AWSCURRENT", to=9, of=1)

        assert secret.stages() == {1: {"AWSCURRENT"}}

    def test_remove(self, secret):
        """
        A stage can be taken away; a version without any is deprecated, but still there.
        """
        secret.put(2, "AWSPENDING")

        secret.move("AWSPENDING", of=2)

        assert secret.stages() == {1: {"AWSCURRENT"}}
        assert secret.value(VersionId=version(2)) == "value 2"

    def test_current_stays(self, secret):
        """
        AWSCURRENT can only be moved.
        """
        with refused("InvalidParameterException"):
            secret.move("AWSCURRENT", of=1)

        assert secret.value() == "placeholder"

    def test_nothing(self, secret):
        """
        A change of nothing is refused.
        """
        with refused("InvalidParameterException"):
            secret.move("AWSPENDING")

    def test_deleted(self, secret):
        """
        A secret that is to be deleted keeps its stages.
        """
        secret.client.delete_secret(SecretId="s")

        with refused("InvalidRequestException"):
            secret.move("OWN", to=1)


class TestList:
    def test_staged(self, secret):
        """
        Versions without a stage are listed on demand, and have none.
        """
        secret.put(2, "MINTED")
        secret.put(3, "MINTED")

        assert secret.listed() == [1, 3]
        assert secret.listed(IncludeDeprecated=True) == [1, 2, 3]
        found = secret.client.list_secret_version_ids(SecretId="s", IncludeDeprecated=True)
        assert "VersionStages" not in found["Versions"][1]
        assert found["Versions"][2]["VersionStages"] == ["MINTED"]

    def test_pages(self, secret):
        """
        Pages are as long as asked for, and the last says that it is.
        """
        for number in range(2, 6):
            secret.put(number, f"S{number}")

        assert list(secret.pages(MaxResults=2)) == [[1, 2], [3, 4], [5]]
        assert list(secret.pages(MaxResults=5)) == [[1, 2, 3, 4, 5]]

    def test_dates(self, secret, virtual_time):
        """
        Each version has the time at which it was made.
        """
        virtual_time.advance(DAY_S)
        secret.put(2)

        found = secret.client.list_secret_version_ids(SecretId="s")["Versions"]

        made = [one["CreatedDate"].timestamp() for one in found]
        assert made == [1_800_000_000, 1_800_000_000 + DAY_S]

    def test_refused(self, secret):
        """
        What is no token, or no secret, is refused.
        """
        with refused("InvalidNextTokenException"):
            secret.client.list_secret_version_ids(SecretId="s", NextToken="x")
        with refused("ResourceNotFoundException"):
            secret.client.list_secret_version_ids(SecretId="none")


class TestKept:
    def test_hundred(self, secret, virtual_time):
        """
        Beyond a hundred, the oldest versions without a stage go; never one of the last day.
        """
        secret.put(2, "OWN")
        for number in range(3, 121):
            secret.put(number)
        assert len(secret.listed(IncludeDeprecated=True)) == 120

        virtual_time.advance(DAY_S)
        secret.put(121)

        kept = secret.listed(IncludeDeprecated=True)
        assert len(kept) == 100
        assert kept[:2] == [2, 23]
        assert kept[-2:] == [120, 121]
