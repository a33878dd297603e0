"""People see what keys are at, and revoke one, by calling the deployed function."""

import io
import json

import pytest

from commands import keys
from commands.output import Output
from tests.local import signed


class Lambda:
    """Calls the functions of a stack as Lambda's Invoke does."""

    def __init__(self, world):
        self.world = world

    def invoke(self, *, FunctionName, Payload):  # noqa: N803  # boto3's names
        (function,) = (
            one for one in self.world.deployment.functions if one.physical_name == FunctionName
        )
        outcome = self.world.call(function, json.loads(Payload))
        said = outcome.answer if outcome.error is None else {"errorMessage": outcome.error}
        failed = {} if outcome.error is None else {"FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(said).encode()), **failed}


def ask(cloud, question):
    world = cloud.world
    return keys.ask(Lambda(world), world.outputs["RotateKeysName"], question)


def shown(answer):
    file = io.StringIO()
    keys.show(answer, Output.to(file, None))
    return file.getvalue().splitlines()


@pytest.mark.prove
class TestKeys:
    """Of a stack whose first key signs, beside a verified standby: to come there takes a day."""

    @pytest.fixture(scope="class")
    @classmethod
    def cloud(cls):
        with signed.running(key=None) as cloud:
            cloud.world.run(limit_s=25 * 3_600)
            yield cloud

    def test_plan(self, cloud):
        """
        The plan is shown as a table, with what comes next.
        """
        plan = ask(cloud, {"plan": True})

        lines = shown(plan)

        count = len(plan["keys"])
        assert count
        assert lines[0] == "key\tstate\tname\tsigns since\tdrains since"
        assert [line.split("\t")[1] for line in lines[1 : 1 + count]] == [
            key["state"] for key in plan["keys"]
        ]
        assert lines[1 + count].startswith("Next: step ")

    def test_refused(self, cloud):
        """
        What is refused is said with its reason.
        """
        (line,) = shown(ask(cloud, {"revoke": "KNOWN"}))

        assert line == "Nothing was done: Neither CloudFront nor the secret has a key KNOWN."

    def test_revoked(self, cloud):
        """
        What was revoked is said with what it means for links.
        """
        signing = next(k for k in ask(cloud, {"plan": True})["keys"] if k["state"] == "signing")

        lines = shown(ask(cloud, {"revoke": signing["key_id"], "force": True}))

        assert lines[0].startswith(f"Revoked: {signing['key_id']}. Signing now: K")
        assert cloud.distribution_id in lines[-2]


def test_failed():
    """
    When the function fails, the command says so.
    """
    with signed.running(key=None) as cloud:
        cloud.world.client("secretsmanager").delete_secret(
            SecretId=cloud.world.outputs["SigningSecretArn"], ForceDeleteWithoutRecovery=True
        )

        with pytest.raises(keys.FailedError, match="function failed"):
            ask(cloud, {"plan": True})
