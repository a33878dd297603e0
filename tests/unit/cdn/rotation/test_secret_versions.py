"""A version of the signing secret stays as it is; who has which stage is written on conditions."""

import json

import boto3
import pytest
from moto import mock_aws

from cdn.errors import RetryLaterError
from cdn.rotation import decide, secret_versions
from cdn.rotation.secret_versions import Secret
from cdn.signing import key_pairs, signing_secret
from local import aws


@pytest.fixture
def secret():
    with mock_aws(), aws.mended():
        client = boto3.Session("k", "s", region_name="us-east-1").client("secretsmanager")
        client.create_secret(Name="signing", SecretString=signing_secret.PLACEHOLDER)
        yield Secret(client, "signing")


@pytest.fixture
def minted(private_keys):
    pem = key_pairs.private_pem(private_keys["ECDSA-P256"])
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
            secret.put(minted, stage=decide.MINTED)

        assert len(secret.stages()) == 2

    def test_lost_stage(self, secret, minted):
        """
        A version that was there gets its stage back.
        """
        secret.put(minted, stage=decide.MINTED)
        first = holder(secret, decide.MINTED)
        secret.put('{"name": "other"}', stage=decide.MINTED)

        secret.put(minted, stage=decide.MINTED)

        assert holder(secret, decide.MINTED) == first

    def test_current_stays(self, secret, minted):
        """
        Whatever is put, the version that signs goes on.
        """
        before = holder(secret, decide.CURRENT)

        secret.put(minted, stage=decide.STANDBY)

        assert holder(secret, decide.CURRENT) == before


class TestMove:
    def test_outrun(self, secret, minted):
        """
        A stage moves only away from where it was seen.
        """
        secret.put(minted, stage=decide.STANDBY)
        standby, current = holder(secret, decide.STANDBY), holder(secret, decide.CURRENT)
        secret.move(decide.CURRENT, to=standby, away_from=current)

        with pytest.raises(RetryLaterError):
            secret.move(decide.CURRENT, to=standby, away_from=current)


class TestVersions:
    def test_described(self, secret, minted):
        """
        Every staged version is told by what it holds, without anything private.
        """
        secret.put(minted, stage=decide.MINTED)
        secret.put(secret_versions.with_key_id(minted, "K1"), stage=decide.STANDBY)

        found = {next(iter(one.stages)): one for one in secret.versions()}

        assert found[decide.CURRENT].form == "placeholder"
        assert (found[decide.MINTED].form, found[decide.MINTED].name) == ("minted", "n")
        standby = found[decide.STANDBY]
        assert (standby.form, standby.key_id, standby.kind) == ("key", "K1", "ECDSA-P256")
        assert "PRIVATE" not in repr(found)

    @pytest.mark.parametrize("text", ["", "no json", "[]", '{"key_id": "K1"}', '{"name": 1}'])
    def test_unreadable(self, text):
        """
        What is no key is told as that, whatever it is.
        """
        assert secret_versions.described("v", frozenset(), text).form == "unreadable"
