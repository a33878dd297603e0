"""The secret's text becomes a signer, or an error that shows nothing of it."""

import json

import pytest

from cdn.errors import KeyMaterialError, NoKeyYetError
from cdn.signing import key_pairs, signing_secret


def no_kms(_arn, _kind):
    pytest.fail("KMS was asked")


def signer(document, kms=no_kms):
    text = document if isinstance(document, str) else json.dumps(document)
    return signing_secret.signer(text, kms=kms)


class TestSigner:
    @pytest.mark.parametrize("kind", ["RSA-2048", "ECDSA-P256"])
    def test_stored(self, private_keys, kind):
        """
        A key in the secret signs, by SHA-256 unless it says otherwise.
        """
        pem = key_pairs.private_pem(private_keys[kind])

        made = signer({"key_id": "K1", "private_key": pem})

        assert (made.key_id, made.kind, made.hash_algorithm) == ("K1", kind, "SHA256")
        assert key_pairs.verifies(
            private_keys[kind].public_key(),
            message=b"m",
            signature=made.sign(b"m"),
            hash_algorithm="SHA256",
        )

    def test_sha1(self, private_keys):
        """
        SHA-1 is there for who needs it.
        """
        pem = key_pairs.private_pem(private_keys["RSA-2048"])

        made = signer({"key_id": "K1", "private_key": pem, "hash_algorithm": "SHA1"})

        assert made.hash_algorithm == "SHA1"

    def test_kms(self):
        """
        A key in KMS is named with its kind.
        """
        asked = []

        def kms(arn, kind):
            asked.append((arn, kind))
            return lambda message: b"by kms " + message

        made = signer({"key_id": "K1", "kms_key": "arn:k", "kind": "RSA-2048"}, kms)

        assert made.sign(b"m") == b"by kms m"
        assert asked == [("arn:k", "RSA-2048")]

    def test_placeholder(self):
        """
        The placeholder is no mistake.
        """
        with pytest.raises(NoKeyYetError):
            signer(signing_secret.PLACEHOLDER)

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ("hush", "JSON object"),
            ('["hush"]', "JSON object"),
            ({"private_key": "hush"}, "key_id"),
            ({"key_id": 1, "private_key": "hush"}, "key_id"),
            ({"key_id": "K1"}, "private_key"),
            ({"key_id": "K1", "private_key": "hush"}, "damaged, or none at all"),
            ({"key_id": "K1", "private_key": "hush", "hash_algorithm": "MD5"}, "hash_algorithm"),
            ({"key_id": "K1", "kms_key": "hush", "kind": "DSA"}, "kind"),
            ({"key_id": "K1", "kms_key": "hush", "hash_algorithm": "SHA1"}, "SHA256 only"),
        ],
    )
    def test_bad(self, document, said):
        """
        What is wrong is said, and nothing of the secret with it.
        """
        with pytest.raises(KeyMaterialError, match=said) as refused:
            signer(document)

        assert "hush" not in str(refused.value)
        assert refused.value.__context__ is None or "hush" not in str(refused.value.__context__)
