"""A version of the signing secret stays as it is; who has which stage is written on conditions."""

import json

import boto3
import pytest
from moto import mock_aws

from cdn import keypairs, rotation, secrets, secretversions
from cdn.errors import TryAgainError
from cdn.secretversions import Secret
from local import aws


@pytest.fixture
def secret():
    with mock_aws(), aws.mended():
        client = boto3.Session("k", "s", region_name="us-east-1").client("secretsmanager")
        client.create_secret(Name="signing", SecretString=secrets.PLACEHOLDER)
        yield Secret(client, "signing")


@pytest.fixture
def minted(private_keys):
    pem = keypairs.private_pem(private_keys["ECDSA-P256"])
    return json.dumps({"name": "n", "private_key": pem})


def holder(secret, stage):
    found = [one for one, stages in secret.stages().items() if stage in stages]
    return found[0] if found else None


class TestPut:
    def test_again(self, secret, minted):
        """
        The same text is the same version, however often it is put.
        """
        for _ in range(2):
            secret.put(minted, stage=rotation.MINTED)

        assert len(secret.stages()) == 2

    def test_lost_stage(self, secret, minted):
        """
        A version that was there gets its stage back.
        """
        secret.put(minted, stage=rotation.MINTED)
        first = holder(secret, rotation.MINTED)
        secret.put('{"name": "other"}', stage=rotation.MINTED)

        secret.put(minted, stage=rotation.MINTED)

        assert holder(secret, rotation.MINTED) == first

    def test_current_stays(self, secret, minted):
        """
        Whatever is put, the version that signs goes on.
        """
        before = holder(secret, rotation.CURRENT)

        secret.put(minted, stage=rotation.STANDBY)

        assert holder(secret, rotation.CURRENT) == before


class TestMove:
    def test_outrun(self, secret, minted):
        """
        A stage moves only away from where it was seen.
        """
        secret.put(minted, stage=rotation.STANDBY)
        standby, current = holder(secret, rotation.STANDBY), holder(secret, rotation.CURRENT)
        secret.move(rotation.CURRENT, to=standby, away_from=current)

        with pytest.raises(TryAgainError):
            secret.move(rotation.CURRENT, to=standby, away_from=current)


class TestVersions:
    def test_described(self, secret, minted):
        """
        Every staged version is told by what it holds, without anything private.
        """
        secret.put(minted, stage=rotation.MINTED)
        secret.put(secretversions.with_key_id(minted, "K1"), stage=rotation.STANDBY)

        found = {next(iter(one.stages)): one for one in secret.versions()}

        assert found[rotation.CURRENT].form == "placeholder"
        assert (found[rotation.MINTED].form, found[rotation.MINTED].name) == ("minted", "n")
        standby = found[rotation.STANDBY]
        assert (standby.form, standby.key_id, standby.kind) == ("key", "K1", "ECDSA-P256")
        assert "PRIVATE" not in repr(found)

    @pytest.mark.parametrize("text", ["", "no json", "[]", '{"key_id": "K1"}', '{"name": 1}'])
    def test_unreadable(self, text):
        """
        What is no key is told as that, whatever it is.
        """
        assert secretversions.described("v", frozenset(), text).form == "unreadable"
