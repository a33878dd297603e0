"""Key groups: the public keys that behaviors trust, and which distributions trust them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdn.aws import busy
from cdn.cloudfront import pages
from cdn.rotation.decide import Group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class Trust:
    """A distribution that trusts a key group, and the keys that CloudFront tells of it."""

    distribution_id: str
    enabled: bool
    key_ids: frozenset[str]


def read(client: CloudFrontClient, group_id: str) -> Group | None:
    """
    Read a key group with its ETag; None where it does not exist (any more).

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    with busy.told():
        try:
            answer = client.get_key_group(Id=group_id)
        except client.exceptions.NoSuchResource:
            return None
    return _group(answer["KeyGroup"], answer["ETag"])


def listed(client: CloudFrontClient) -> list[Group]:
    """
    List the account's key groups, without their ETags, which the list does not tell.

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    with busy.told():
        return [
            _group(one["KeyGroup"], "")
            for one in pages.items(client.list_key_groups, "KeyGroupList")
        ]


def create(client: CloudFrontClient, *, name: str, key_ids: Sequence[str], comment: str) -> str:
    """
    Make a key group, unless there is one of that name, and tell its id.

    Raises:
        RetryLaterError: CloudFront is busy, has no room for it, or somebody was quicker.
    """
    known = next((group.id for group in listed(client) if group.name == name), None)
    if known is not None:
        return known
    config: Any = {"Name": name, "Items": list(key_ids), "Comment": comment}
    with busy.told("KeyGroupAlreadyExists", "TooManyKeyGroups"):
        return client.create_key_group(KeyGroupConfig=config)["KeyGroup"]["Id"]


def replace(client: CloudFrontClient, group: Group, *, key_ids: Sequence[str]) -> None:
    """
    Let the group have *key_ids* and no others, if it is still as *group* says.

    Raises:
        RetryLaterError: CloudFront is busy, the group is full, or it has changed meanwhile.
    """
    if tuple(key_ids) == group.key_ids:
        return
    # An update replaces the whole configuration.
    config: Any = {"Name": group.name, "Items": list(key_ids), "Comment": group.comment}
    with busy.told("PreconditionFailed", "NoSuchResource", "TooManyPublicKeysInKeyGroup"):
        client.update_key_group(Id=group.id, IfMatch=group.etag, KeyGroupConfig=config)


def delete(client: CloudFrontClient, group: Group) -> None:
    """
    Delete a key group that no distribution trusts.

    Raises:
        RetryLaterError: CloudFront is busy, the group is in use, or it has changed meanwhile.
    """
    with busy.told("ResourceInUse", "PreconditionFailed"):
        try:
            client.delete_key_group(Id=group.id, IfMatch=group.etag)
        except client.exceptions.NoSuchResource:
            return


def trusting(client: CloudFrontClient, group_id: str) -> list[Trust]:
    """
    Look at every distribution that trusts a key group, in one call for each.

    Raises:
        RetryLaterError: CloudFront is busy, or the group is gone.
    """
    with busy.told("NoSuchResource"):
        distribution_ids = list(
            pages.items(
                client.list_distributions_by_key_group, "DistributionIdList", KeyGroupId=group_id
            )
        )
    return [
        trust
        for distribution_id in distribution_ids
        if (trust := _trust(client, distribution_id, group_id)) is not None
    ]


def _trust(client: CloudFrontClient, distribution_id: str, group_id: str) -> Trust | None:
    with busy.told():
        try:
            found = client.get_distribution(Id=distribution_id)["Distribution"]
        except client.exceptions.NoSuchDistribution:
            return None
    return Trust(
        distribution_id,
        found["DistributionConfig"]["Enabled"],
        frozenset(
            key_id
            for one in found.get("ActiveTrustedKeyGroups", {}).get("Items", ())
            if one.get("KeyGroupId") == group_id
            for key_id in one.get("KeyPairIds", {}).get("Items", ())
        ),
    )


def _group(told: Any, etag: str) -> Group:  # noqa: ANN401  # a KeyGroup
    config = told["KeyGroupConfig"]
    return Group(
        told["Id"], etag, config["Name"], tuple(config["Items"]), config.get("Comment", "")
    )
