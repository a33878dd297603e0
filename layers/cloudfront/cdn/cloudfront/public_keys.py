"""The account's public keys at CloudFront: immutable, so that a new key is a new resource."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.aws.retryable import retry_later
from cdn.errors import KeyMaterialError
from cdn.signing import key_pairs

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of the account; *fingerprint* is empty where it cannot be read."""

    id: str
    name: str
    fingerprint: str
    pem: str = ""


def list_all(client: CloudFrontClient) -> tuple[PublicKey, ...]:
    """
    List all public keys of the account, whoever created them.

    Raises:
        RetryLaterError: CloudFront is throttling.
    """
    with retry_later():
        return tuple(
            PublicKey(key["Id"], key["Name"], fingerprint(key["EncodedKey"]), key["EncodedKey"])
            for page in client.get_paginator("list_public_keys").paginate()
            for key in page["PublicKeyList"].get("Items", ())
        )


def create(client: CloudFrontClient, *, name: str, pem: str) -> str:
    """
    Create the public key *name* with *pem*, unless it exists; return its id.

    Raises:
        RetryLaterError: CloudFront is throttling, its quota is used up, or the name is taken.
    """
    existing = {key.name: key for key in list_all(client)}.get(name)
    if existing is not None and existing.fingerprint == fingerprint(pem):
        return existing.id
    # Whether a repeated reference is refused is not documented; a repeated name is.
    config = {"CallerReference": name, "Name": name, "EncodedKey": pem}
    with retry_later("PublicKeyAlreadyExists", "TooManyPublicKeys"):
        return client.create_public_key(PublicKeyConfig=config)["PublicKey"]["Id"]  # type: ignore[arg-type]


def delete(client: CloudFrontClient, key_id: str) -> None:
    """
    Delete a public key that is in no key group; one that does not exist is passed over.

    Raises:
        RetryLaterError: CloudFront is throttling, or the key is in use.
    """
    with retry_later("PublicKeyInUse", "PreconditionFailed", "InvalidIfMatchVersion"):
        try:
            etag = client.get_public_key(Id=key_id)["ETag"]
            client.delete_public_key(Id=key_id, IfMatch=etag)
        except client.exceptions.NoSuchPublicKey:
            return


def fingerprint(pem: str) -> str:
    """
    Return what identifies a public key however its PEM is written; empty for what is none.

    >>> fingerprint("no key")
    ''
    """
    try:
        return hashlib.sha256(key_pairs.public_der(key_pairs.load_public(pem))).hexdigest()
    except KeyMaterialError:
        return ""
