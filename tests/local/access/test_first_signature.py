"""A fresh process loads boto3 for keys in KMS, and for no other."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cdn.signing import key_pairs
from local.loopback import Response, Server
from local.secrets_extension import PORT
from tests.benchmarks import cold_starts, material

KMS_KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
AWS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture
def sign(tmp_path):
    """Let a fresh process answer one request, with *secret* as its secret."""

    def do(secret, **environment):
        with material.extension(secret) as port:
            return cold_starts.sign(
                "app",
                "lambda_handler",
                material.viewer().event([material.new_url()]),
                None,
                folders=cold_starts.SANDBOX,
                environment={**material.SETTINGS, **AWS, PORT: str(port), **environment},
                bytecode=tmp_path,
            )

    return do


@pytest.mark.parametrize("kind", ["ECDSA-P256", "RSA-2048"])
def test_key_in_memory(sign, kind):
    """
    With a key in the secret, a request is signed without boto3 and botocore.
    """
    first = sign(material.secret(kind))

    assert first.response["statusCode"] == 200
    assert first.loaded == []


def test_key_in_kms(sign):
    """
    With a key in KMS, both are loaded, and KMS is asked for the signature.
    """
    key = key_pairs.generate("ECDSA-P256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    requests = []

    def kms(request):
        requests.append(json.loads(request.body))
        message = base64.b64decode(requests[-1]["Message"])
        signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
        response = {"KeyId": KMS_KEY, "Signature": base64.b64encode(signature).decode()}
        return Response(status=200, body=json.dumps(response).encode())

    with Server(kms) as server:
        secret = json.dumps({"key_id": material.KEY_ID, "kms_key": KMS_KEY, "kind": "ECDSA-P256"})
        first = sign(secret, AWS_ENDPOINT_URL_KMS=server.url)

    assert first.response["statusCode"] == 200
    assert first.loaded == ["boto3", "botocore"]
    assert [request["KeyId"] for request in requests] == [KMS_KEY]
