"""What the secret of the signing key holds: the key and its id together, in one version.

    {"key_id": "K2JCJMDEHXQW5F", "private_key": "-----BEGIN PRIVATE KEY-----…"}
    {"key_id": "K2JCJMDEHXQW5F", "kms_key": "arn:aws:kms:…", "kind": "ECDSA-P256"}
    {"placeholder": true}

`hash_algorithm` may be SHA1 for RSA keys in memory; it is SHA256 where nothing is said.
"""

from collections.abc import Callable
from typing import Any, get_args

from cdn.errors import KeyMaterialError, NoKeyYetError
from cdn.signing import key_pairs, pem
from cdn.signing.key_pairs import HashAlgorithm, Kind, Signer

Kms = Callable[[str, Kind], Callable[[bytes], bytes]]
"""Makes of a KMS key's ARN and kind what signs with it."""

PLACEHOLDER = '{"placeholder": true}'


def signer(text: str, *, kms: Kms) -> Signer:
    """
    Read the secret's text.

    Raises:
        NoKeyYetError: It is the placeholder that stands there until the first key is verified.
        KeyMaterialError: It is something else. The reason shows nothing of it.

    >>> signer(PLACEHOLDER, kms=lambda arn, kind: lambda message: b"")
    Traceback (most recent call last):
    cdn.errors.NoKeyYetError: the signing key cannot be had now: there is none yet
    """
    document = _object(text)
    if document.get("placeholder") is True:
        raise NoKeyYetError
    key_id = document.get("key_id")
    if not isinstance(key_id, str):
        raise KeyMaterialError("the secret's key_id must be the public key's id at CloudFront")
    algorithm: HashAlgorithm = _choice(
        document, "hash_algorithm", get_args(HashAlgorithm), "SHA256"
    )
    if "kms_key" in document:
        kind: Kind = _choice(document, "kind", get_args(Kind), "ECDSA-P256")
        if algorithm != "SHA256":
            raise KeyMaterialError("KMS signs with SHA256 only; leave hash_algorithm out")
        return Signer(key_id, kind, algorithm, kms(str(document["kms_key"]), kind))
    private_key = key_pairs.load(text, field="private_key")
    return key_pairs.signer(private_key, key_id=key_id, hash_algorithm=algorithm)


def _object(text: str) -> dict[str, Any]:
    document = pem.read_json(text)
    if not isinstance(document, dict):
        raise KeyMaterialError("the secret must be a JSON object with key_id and private_key")
    return document


def _choice(document: dict[str, Any], field: str, known: tuple[str, ...], default: str) -> Any:  # noqa: ANN401
    value = document.get(field, default)
    if value not in known:
        raise KeyMaterialError(f"the secret's {field} must be one of {', '.join(known)}")
    return value
