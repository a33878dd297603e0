"""The extension reads secrets and parameters as AWS's does."""

import json
from functools import cache
from typing import Any

import pytest
from moto import mock_aws

from local import aws
from local.loopback import Request
from local.secrets_extension import SecretsExtension
from local.virtual_time import VirtualTime

START = 1_800_000_000.0
TOKEN = "token"


@cache
def client(service: str) -> Any:
    """Clients are dear, and serve every mock."""
    return aws.client(aws.session(access_key="FUNCTION"), service, attempts=1)


class Extension:
    """An extension that is ready, by a time that stands."""

    def __init__(self, virtual_time, **environment):
        self.virtual_time = virtual_time
        self.calls: list[str] = []

        def counted(service):
            self.calls.append(service)
            return client(service)

        self.own = SecretsExtension(
            {"AWS_SESSION_TOKEN": TOKEN} | environment, client=counted, now=virtual_time.now
        )
        self.own.ready = True

    def get(self, target, token=TOKEN):
        headers = [("X-Aws-Parameters-Secrets-Token", token)] if token else []
        answer = self.own.answer(Request(method="GET", target=target, headers=headers))
        return answer.status, answer.body.decode()

    def secret(self, **query):
        target = "&".join(["/secretsmanager/get?secretId=key", *map("=".join, query.items())])
        return json.loads(self.get(target)[1])


@pytest.fixture
def make():
    with VirtualTime(START, ticking=False) as virtual_time, mock_aws(), aws.mended():
        client("secretsmanager").create_secret(Name="key", SecretString="first")
        client("ssm").put_parameter(Name="/grants", Type="String", Value="{}")
        yield lambda **environment: Extension(virtual_time, **environment)


class TestSecret:
    def test_shape(self, make):
        """
        A secret comes with all its fields, in the extension's order.
        """
        secret = make().secret()

        assert list(secret) == [
            "ARN",
            "CreatedDate",
            "Name",
            "SecretBinary",
            "SecretString",
            "VersionId",
            "VersionStages",
            "ResultMetadata",
        ]
        assert secret["SecretString"] == "first"
        assert secret["SecretBinary"] is None
        assert secret["VersionStages"] == ["AWSCURRENT"]
        assert secret["CreatedDate"] == "2027-01-15T08:00:00Z"

    def test_versions(self, make):
        """
        A version is named by its stage or its id.
        """
        first = make().secret()["VersionId"]
        client("secretsmanager").put_secret_value(SecretId="key", SecretString="second")

        assert make().secret()["SecretString"] == "second"
        assert make().secret(versionStage="AWSPREVIOUS")["SecretString"] == "first"
        assert make().secret(versionId=first)["SecretString"] == "first"

    def test_bytes(self, make):
        """
        What is no text comes in base64.
        """
        client("secretsmanager").put_secret_value(SecretId="key", SecretBinary=b"\xff")

        assert make().secret()["SecretBinary"] == "/w=="


class TestParameter:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_shape(self, make, slash):
        """
        A parameter comes with all its fields, with and without a slash in the path.
        """
        status, body = make().get(f"/systemsmanager/parameters/get{slash}?name=%2Fgrants")

        answer = json.loads(body)
        assert status == 200
        assert list(answer) == ["Parameter", "ResultMetadata"]
        assert answer["Parameter"] == {
            "ARN": f"arn:aws:ssm:us-east-1:{aws.ACCOUNT}:parameter/grants",
            "DataType": "text",
            "LastModifiedDate": "2027-01-15T08:00:00Z",
            "Name": "/grants",
            "Selector": None,
            "SourceResult": None,
            "Type": "String",
            "Value": "{}",
            "Version": 1,
        }

    def test_version(self, make):
        """
        An older version is named by its number.
        """
        client("ssm").put_parameter(Name="/grants", Type="String", Value="[]", Overwrite=True)

        _, body = make().get("/systemsmanager/parameters/get?name=/grants&version=1")

        assert json.loads(body)["Parameter"]["Value"] == "{}"

    def test_decrypted(self, make):
        """
        A secure string is decrypted where that is asked for.
        """
        client("ssm").put_parameter(Name="/word", Type="SecureString", Value="open")

        _, closed = make().get("/systemsmanager/parameters/get?name=/word")
        _, opened = make().get("/systemsmanager/parameters/get?name=/word&withDecryption=true")

        assert json.loads(closed)["Parameter"]["Value"] != "open"
        assert json.loads(opened)["Parameter"]["Value"] == "open"


class TestCache:
    def test_five_minutes(self, make):
        """
        By default an answer is kept for five minutes of virtual time.
        """
        extension = make()
        extension.secret()
        client("secretsmanager").put_secret_value(SecretId="key", SecretString="second")

        extension.virtual_time.advance(299)
        assert extension.secret()["SecretString"] == "first"
        extension.virtual_time.advance(1)
        assert extension.secret()["SecretString"] == "second"

    @pytest.mark.parametrize(
        "environment",
        [
            {"SECRETS_MANAGER_TTL": "0", "SSM_PARAMETER_STORE_TTL": "0"},
            {"PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED": "FALSE"},
        ],
    )
    def test_off(self, make, environment):
        """
        With its cache off it asks each time.
        """
        extension = make(**environment)

        for _ in range(2):
            extension.secret()
            extension.get("/systemsmanager/parameters/get?name=/grants")

        assert extension.calls == ["secretsmanager", "ssm"] * 2

    def test_most(self, make):
        """
        No setting keeps an answer for longer than five minutes.
        """
        extension = make(SECRETS_MANAGER_TTL="3600")
        extension.secret()

        extension.virtual_time.advance(300)
        extension.secret()

        assert len(extension.calls) == 2

    def test_failure(self, make):
        """
        A failure is not kept.
        """
        extension = make()
        assert extension.get("/secretsmanager/get?secretId=new")[0] == 400
        client("secretsmanager").create_secret(Name="new", SecretString="there")

        assert extension.get("/secretsmanager/get?secretId=new")[0] == 200


class TestRefused:
    @pytest.mark.parametrize("token", [None, "", "other"])
    def test_token(self, make, token):
        """
        Whoever has not the session token gets nothing, and nothing is asked.
        """
        extension = make()

        status, body = extension.get("/secretsmanager/get?secretId=key", token=token)

        assert status == 401
        assert "first" not in body
        assert extension.calls == []

    def test_not_ready(self, make):
        """
        Before the first invocation it asks to wait.
        """
        extension = make()
        extension.own.ready = False

        answer = extension.get("/secretsmanager/get?secretId=key")

        assert answer == (400, "not ready to serve traffic, please wait")

    @pytest.mark.parametrize(
        "target",
        [
            "/secretsmanager/get?secretId=none",
            "/secretsmanager/get?secretId=key&versionStage=NONE",
            "/secretsmanager/get",
            "/systemsmanager/parameters/get?name=/none",
        ],
    )
    def test_failure(self, make, target):
        """
        Whatever fails, the function learns the same.
        """
        said = "an unexpected error occurred while executing request"

        assert make().get(target) == (400, said)

    def test_other_path(self, make):
        """
        There is nothing else.
        """
        assert make().get("/")[0] == 404
