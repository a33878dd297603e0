"""KMS is asked for the signature that CloudFront takes, and its refusals pass."""

import hashlib

import pytest
from botocore.stub import Stubber

from cdn.errors import UnavailableError
from cdn.signing import kms


@pytest.fixture
def client(client_of):
    return client_of("kms")


@pytest.fixture
def script(client):
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def asked(message, kind, algorithm):
    return {
        "KeyId": "arn:k",
        "Message": message,
        "MessageType": kind,
        "SigningAlgorithm": algorithm,
    }


class TestSign:
    @pytest.mark.parametrize(
        ("kind", "algorithm"),
        [("RSA-2048", "RSASSA_PKCS1_V1_5_SHA_256"), ("ECDSA-P256", "ECDSA_SHA_256")],
    )
    def test_message(self, client, script, kind, algorithm):
        """
        A message goes as it is, for KMS to hash.
        """
        script.add_response("sign", {"Signature": b"signed"}, asked(b"m", "RAW", algorithm))

        assert kms.sign(client, b"m", kms_key="arn:k", kind=kind) == b"signed"

    def test_long(self, client, script):
        """
        Of one that is longer than KMS takes, the digest goes.
        """
        message = b"m" * 4_097
        digest = hashlib.sha256(message).digest()
        script.add_response(
            "sign", {"Signature": b"signed"}, asked(digest, "DIGEST", "ECDSA_SHA_256")
        )

        assert kms.sign(client, message, kms_key="arn:k", kind="ECDSA-P256") == b"signed"

    def test_refused(self, client, script):
        """
        A refusal is raised with its code, for the caller to retry.
        """
        script.add_client_error("sign", "ThrottlingException")

        with pytest.raises(UnavailableError, match="ThrottlingException"):
            kms.sign(client, b"m", kms_key="arn:k", kind="ECDSA-P256")
