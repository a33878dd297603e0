"""The account's public keys at CloudFront: immutable, so that a new key is a new resource."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cdn.aws import retryable
from cdn.errors import KeyMaterialError
from cdn.rotation.decide import PublicKey
from cdn.signing import key_pairs

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


def listed(client: CloudFrontClient) -> tuple[PublicKey, ...]:
    """
    Read all public keys of the account, whoever made them.

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    with retryable.retry_later():
        return tuple(
            PublicKey(one["Id"], one["Name"], fingerprint(one["EncodedKey"]), one["EncodedKey"])
            for page in client.get_paginator("list_public_keys").paginate()
            for one in page["PublicKeyList"].get("Items", ())
        )


def create(client: CloudFrontClient, *, name: str, pem: str) -> str:
    """
    Publish *pem*, unless it is published as *name* already, and tell its id.

    Raises:
        RetryLaterError: CloudFront is busy, has no room for it now, or somebody was quicker.
    """
    known = {key.name: key for key in listed(client)}.get(name)
    if known is not None and known.fingerprint == fingerprint(pem):
        return known.id
    # Whether a repeated reference is refused is not documented; a repeated name is.
    config = {"CallerReference": name, "Name": name, "EncodedKey": pem}
    with retryable.retry_later("PublicKeyAlreadyExists", "TooManyPublicKeys"):
        return client.create_public_key(PublicKeyConfig=config)["PublicKey"]["Id"]  # type: ignore[arg-type]


def delete(client: CloudFrontClient, key_id: str) -> None:
    """
    Delete a public key that no key group names; one that is gone already is none to worry about.

    Raises:
        RetryLaterError: CloudFront is busy, or the key is in use.
    """
    with retryable.retry_later("PublicKeyInUse", "PreconditionFailed", "InvalidIfMatchVersion"):
        try:
            etag = client.get_public_key(Id=key_id)["ETag"]
            client.delete_public_key(Id=key_id, IfMatch=etag)
        except client.exceptions.NoSuchPublicKey:
            return


def fingerprint(pem: str) -> str:
    """
    Tell two public keys apart, however they are written; empty for what is none.

    >>> fingerprint("no key")
    ''
    """
    try:
        return hashlib.sha256(key_pairs.public_der(key_pairs.load_public(pem))).hexdigest()
    except KeyMaterialError:
        return ""
