"""Which keys CloudFront trusts where: key groups, and which of them count for a URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn.aws.retryable import retry_later
from cdn.cloudfront import pages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A key group as the ETag has it; without one where it comes from a list."""

    id: str
    etag: str
    name: str
    key_ids: tuple[str, ...]
    comment: str = ""


def read(client: CloudFrontClient, group_id: str) -> KeyGroup | None:
    """
    Return a key group with its ETag, or None where it does not exist (any more).

    Raises:
        RetryLaterError: CloudFront is throttling.
    """
    with retry_later():
        try:
            response = client.get_key_group(Id=group_id)
        except client.exceptions.NoSuchResource:
            return None
    return _key_group(response["KeyGroup"], response["ETag"])


def list_all(client: CloudFrontClient) -> list[KeyGroup]:
    """
    List the account's key groups, without their ETags, which the list does not have.

    Raises:
        RetryLaterError: CloudFront is throttling.
    """
    with retry_later():
        return [
            _key_group(summary["KeyGroup"], "")
            for summary in pages.items(client.list_key_groups, "KeyGroupList")
        ]


def create(client: CloudFrontClient, *, name: str, key_ids: Sequence[str], comment: str) -> str:
    """
    Create a key group, unless there is one of that name; return its id.

    Raises:
        RetryLaterError: CloudFront is throttling, its quota is used up, or another run created it.
    """
    existing_id = next((group.id for group in list_all(client) if group.name == name), None)
    if existing_id is not None:
        return existing_id
    config: Any = {"Name": name, "Items": list(key_ids), "Comment": comment}
    with retry_later("KeyGroupAlreadyExists", "TooManyKeyGroups"):
        return client.create_key_group(KeyGroupConfig=config)["KeyGroup"]["Id"]


def replace(client: CloudFrontClient, group: KeyGroup, *, key_ids: Sequence[str]) -> None:
    """
    Update the group to have *key_ids* and no others, unless its ETag has changed.

    Raises:
        RetryLaterError: CloudFront is throttling, the group is full or has changed.
    """
    if tuple(key_ids) == group.key_ids:
        return
    # An update replaces the whole configuration.
    config: Any = {"Name": group.name, "Items": list(key_ids), "Comment": group.comment}
    with retry_later("PreconditionFailed", "NoSuchResource", "TooManyPublicKeysInKeyGroup"):
        client.update_key_group(Id=group.id, IfMatch=group.etag, KeyGroupConfig=config)


def delete(client: CloudFrontClient, group: KeyGroup) -> None:
    """
    Delete a key group that no distribution trusts.

    Raises:
        RetryLaterError: CloudFront is throttling, the group is in use or has changed.
    """
    with retry_later("ResourceInUse", "PreconditionFailed"):
        try:
            client.delete_key_group(Id=group.id, IfMatch=group.etag)
        except client.exceptions.NoSuchResource:
            return


def _key_group(response: Any, etag: str) -> KeyGroup:  # noqa: ANN401  # a KeyGroup of CloudFront
    config = response["KeyGroupConfig"]
    return KeyGroup(
        response["Id"], etag, config["Name"], tuple(config["Items"]), config.get("Comment", "")
    )
