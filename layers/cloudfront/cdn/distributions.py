"""What CloudFront says of its distributions, as far as it decides which paths mean what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdn import pushback, routes
from cdn.errors import TryAgainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient


def serving(client: CloudFrontClient, bucket: str) -> tuple[routes.Distribution, ...]:
    """
    Read every enabled distribution that has *bucket* as an origin.

    Summaries lack the default root object, so the configuration of each is read as well.

    Raises:
        TryAgainError: CloudFront is busy.
    """
    try:
        return tuple(_read(client, distribution_id) for distribution_id in _ids(client, bucket))
    except ClientError as exc:
        if pushback.passes(exc.response):
            raise TryAgainError(exc.operation_name, pushback.code(exc.response)) from exc
        raise


def _ids(client: CloudFrontClient, bucket: str) -> Iterator[str]:
    for page in client.get_paginator("list_distributions").paginate():
        for summary in page["DistributionList"].get("Items", ()):
            domains = (origin["DomainName"] for origin in summary["Origins"]["Items"])
            if summary["Enabled"] and bucket in map(routes.bucket_of, domains):
                yield summary["Id"]


def _read(client: CloudFrontClient, distribution_id: str) -> routes.Distribution:
    answer = client.get_distribution_config(Id=distribution_id)
    return of_config(distribution_id, answer["DistributionConfig"])


def of_config(distribution_id: str, config: Mapping[str, Any]) -> routes.Distribution:
    """Take from a DistributionConfig what routes need."""
    groups = {
        group["Id"]: tuple(member["OriginId"] for member in group["Members"]["Items"])
        for group in config.get("OriginGroups", {}).get("Items", ())
    }
    behaviors = [*config.get("CacheBehaviors", {}).get("Items", ())]
    behaviors.append({"PathPattern": "*", **config["DefaultCacheBehavior"]})
    return routes.Distribution(
        id=distribution_id,
        origins=tuple(
            routes.Origin(origin["Id"], origin["DomainName"], origin.get("OriginPath", ""))
            for origin in config["Origins"]["Items"]
        ),
        behaviors=tuple(
            routes.Behavior(
                behavior["PathPattern"],
                groups.get(behavior["TargetOriginId"], (behavior["TargetOriginId"],)),
            )
            for behavior in behaviors
        ),
        default_root_object=config.get("DefaultRootObject", ""),
    )
