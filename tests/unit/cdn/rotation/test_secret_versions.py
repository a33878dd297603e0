"""A version of the signing secret stays as it is; who has which stage is written on conditions."""

import json

import pytest
from moto import mock_aws

from cdn.errors import RetryLaterError
from cdn.rotation import model, secret_versions
from cdn.rotation.secret_versions import Secret
from cdn.signing import key_pairs, signing_secret
from local import aws


@pytest.fixture
def secret(client_of):
    with mock_aws(), aws.mended():
        client = client_of("secretsmanager")
        client.create_secret(Name="signing", SecretString=signing_secret.PLACEHOLDER)
        yield Secret(client, "signing")


@pytest.fixture
def generated(private_keys):
    pem = key_pairs.private_pem(private_keys["ECDSA-P256"])
    return json.dumps({"name": "n", "private_key": pem})


def holder(secret, stage):
    found = [one for one, stages in secret.stages().items() if stage in stages]
    return found[0] if found else None


class TestPut:
    def test_again(self, secret, generated):
        """
        The same text is the same version, however often it is put.
        """
        for _ in range(2):
            secret.put(generated, stage=model.GENERATED)

        assert len(secret.stages()) == 2

    def test_lost_stage(self, secret, generated):
        """
        A version that was there gets its stage back.
        """
        secret.put(generated, stage=model.GENERATED)
        first = holder(secret, model.GENERATED)
        secret.put('{"name": "other"}', stage=model.GENERATED)

        secret.put(generated, stage=model.GENERATED)

        assert holder(secret, model.GENERATED) == first

    def test_current_stays(self, secret, generated):
        """
        Whatever is put, the version that signs goes on.
        """
        before = holder(secret, model.CURRENT)

        secret.put(generated, stage=model.STANDBY)

        assert holder(secret, model.CURRENT) == before


class TestMove:
    def test_outrun(self, secret, generated):
        """
        A stage moves only away from where it was seen.
        """
        secret.put(generated, stage=model.STANDBY)
        standby, current = holder(secret, model.STANDBY), holder(secret, model.CURRENT)
        secret.move(model.CURRENT, to=standby, away_from=current)

        with pytest.raises(RetryLaterError):
            secret.move(model.CURRENT, to=standby, away_from=current)


class TestVersions:
    def test_described(self, secret, generated):
        """
        Every staged version is returned by what it holds, without anything private.
        """
        secret.put(generated, stage=model.GENERATED)
        secret.put(secret_versions.with_key_id(generated, "K1"), stage=model.STANDBY)

        found = {next(iter(one.stages)): one for one in secret.versions()}

        assert found[model.CURRENT].form == "placeholder"
        assert (found[model.GENERATED].form, found[model.GENERATED].name) == ("generated", "n")
        standby = found[model.STANDBY]
        assert (standby.form, standby.key_id, standby.kind) == ("key", "K1", "ECDSA-P256")
        assert "PRIVATE" not in repr(found)

    @pytest.mark.parametrize("text", ["", "no json", "[]", '{"key_id": "K1"}', '{"name": 1}'])
    def test_unreadable(self, text):
        """
        What is no key is unreadable, whatever it is.
        """
        assert secret_versions.described("v", frozenset(), text).form == "unreadable"
