"""Which public keys CloudFront trusts where: the distributions that trust a key group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdn.aws.retryable import retry_later
from cdn.cloudfront import pages

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """
    What one distribution trusts of a key group.

    Attributes:
        key_ids: Those that CloudFront lists as active for the distribution.
    """

    distribution_id: str
    enabled: bool
    key_ids: frozenset[str]


def list_by_key_group(client: CloudFrontClient, group_id: str) -> list[TrustedKeys]:
    """
    List the distributions that trust a key group, with one more call for each.

    Raises:
        RetryLaterError: CloudFront is throttling, or the group is gone.
    """
    with retry_later("NoSuchResource"):
        distribution_ids = list(
            pages.items(
                client.list_distributions_by_key_group, "DistributionIdList", KeyGroupId=group_id
            )
        )
    return [
        trusted_keys
        for distribution_id in distribution_ids
        if (trusted_keys := _read(client, distribution_id, group_id)) is not None
    ]


def _read(client: CloudFrontClient, distribution_id: str, group_id: str) -> TrustedKeys | None:
    with retry_later():
        try:
            distribution = client.get_distribution(Id=distribution_id)["Distribution"]
        except client.exceptions.NoSuchDistribution:
            return None
    return TrustedKeys(
        distribution_id,
        distribution["DistributionConfig"]["Enabled"],
        frozenset(
            key_id
            for group in distribution.get("ActiveTrustedKeyGroups", {}).get("Items", ())
            if group.get("KeyGroupId") == group_id
            for key_id in group.get("KeyPairIds", {}).get("Items", ())
        ),
    )
