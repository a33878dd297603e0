"""Public keys: what CloudFront verifies signatures with. A new key is a new resource."""

import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from local.cloudfront.account import Account, Record, copied, timestamp
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Config, ResourceType

RSA_BITS = 2048
MAX_COMMENT_LENGTH = 128

# Other labels, such as RSA PUBLIC KEY, hold other structures than SubjectPublicKeyInfo.
_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\s*")


def _fill(sent: Config) -> Config:
    """Write the key as CloudFront gives it back: in lines of its own length, the last one ended."""
    config = copied(sent)
    config["EncodedKey"] = _read(config["EncodedKey"])
    config.setdefault("Comment", "")
    return config


def _read(pem: str) -> str:
    """Read a key as SubjectPublicKeyInfo, or refuse it, and write it anew."""
    if not _PEM.fullmatch(pem):
        raise ServiceError("InvalidArgument", "EncodedKey must be one PEM block, a PUBLIC KEY.")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ServiceError("InvalidArgument", "EncodedKey holds no public key.") from exc
    if isinstance(key, rsa.RSAPublicKey):
        fits = key.key_size == RSA_BITS
    else:
        fits = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if not fits:
        raise ServiceError("InvalidArgument", "EncodedKey must be RSA of 2048 bits or ECDSA P-256.")
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _check(_account: Account, config: Config, record: Record | None) -> None:
    if len(config["Comment"]) > MAX_COMMENT_LENGTH:
        raise ServiceError("InvalidArgument", f"Comment may have {MAX_COMMENT_LENGTH} characters.")
    if record is None:
        return
    immutable = ("CallerReference", "Name", "EncodedKey")
    if any(config[name] != record.config[name] for name in immutable):
        raise ServiceError(
            "CannotChangeImmutablePublicKeyFields", "You can't change the value of a public key."
        )


def _check_delete(account: Account, record: Record) -> None:
    if any(record.id in group.config["Items"] for group in account.of("KeyGroup").values()):
        raise ServiceError("PublicKeyInUse", "The specified public key is in use.")


def _describe(_account: Account, record: Record) -> dict[str, Any]:
    return {"CreatedTime": timestamp(record.created_at)}


def _summarise(account: Account, record: Record) -> dict[str, Any]:
    members = {name: record.config[name] for name in ("Name", "EncodedKey", "Comment")}
    return {"Id": record.id, **members, **_describe(account, record)}


# What a repeated caller reference brings is not documented: here a name alone belongs to one key.
PUBLIC_KEY = ResourceType(
    noun="PublicKey",
    plural="PublicKeys",
    id_prefix="K",
    id_length=14,
    missing="NoSuchPublicKey",
    message="The specified public key doesn't exist.",
    duplicate="PublicKeyAlreadyExists",
    too_many="TooManyPublicKeys",
    limit=lambda account: account.quotas.public_keys,
    once=lambda config: str(config["Name"]),
    fill=_fill,
    check=_check,
    check_delete=_check_delete,
    describe=_describe,
    summarise=_summarise,
)
