"""Keys that never leave KMS: `sign_access`'s only door to boto3, loaded when a secret names one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from cdn import clients
from cdn.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kms import KMSClient

    from cdn.signing.key_pairs import Kind

_ALGORITHMS: dict[str, Any] = {
    "RSA-2048": "RSASSA_PKCS1_V1_5_SHA_256",
    "ECDSA-P256": "ECDSA_SHA_256",
}

# Of a message that KMS hashes itself; of a longer one it takes the digest.
_MAX_MESSAGE_BYTES = 4_096


def signing(kms_key: str, kind: Kind) -> Callable[[bytes], bytes]:
    """Return what signs by *kms_key* with the function's own permissions."""
    return lambda message: sign(clients.kms(), message, kms_key=kms_key, kind=kind)


def sign(client: KMSClient, message: bytes, *, kms_key: str, kind: Kind) -> bytes:
    """
    Return the signature of *message*, which KMS hashes.

    Raises:
        UnavailableError: KMS refuses, or cannot be reached.
    """
    short = len(message) <= _MAX_MESSAGE_BYTES
    try:
        return client.sign(
            KeyId=kms_key,
            Message=message if short else hashlib.sha256(message).digest(),
            MessageType="RAW" if short else "DIGEST",
            SigningAlgorithm=_ALGORITHMS[kind],
        )["Signature"]
    except ClientError as exc:
        raise UnavailableError("kms:Sign", exc.response["Error"]["Code"]) from exc
    except BotoCoreError as exc:
        raise UnavailableError("kms:Sign", type(exc).__name__) from exc
