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

    Summaries lack the default root object, so the configuration of each is read as well, and
    the cache policies that it names.

    Raises:
        TryAgainError: CloudFront is busy.
    """
    try:
        configs = {
            distribution_id: client.get_distribution_config(Id=distribution_id)[
                "DistributionConfig"
            ]
            for distribution_id in _ids(client, bucket)
        }
        with_queries = frozenset(
            policy_id
            for policy_id in sorted(set().union(*map(_policy_ids, configs.values())))
            if _has_queries(client, policy_id)
        )
    except ClientError as exc:
        if pushback.passes(exc.response):
            raise TryAgainError(exc.operation_name, pushback.code(exc.response)) from exc
        raise
    return tuple(
        of_config(distribution_id, config, with_queries=with_queries)
        for distribution_id, config in configs.items()
    )


def _ids(client: CloudFrontClient, bucket: str) -> Iterator[str]:
    for page in client.get_paginator("list_distributions").paginate():
        for summary in page["DistributionList"].get("Items", ()):
            domains = (origin["DomainName"] for origin in summary["Origins"]["Items"])
            if summary["Enabled"] and bucket in map(routes.bucket_of, domains):
                yield summary["Id"]


def _policy_ids(config: Mapping[str, Any]) -> set[str]:
    return {
        behavior["CachePolicyId"] for behavior in _behaviors(config) if "CachePolicyId" in behavior
    }


def _has_queries(client: CloudFrontClient, policy_id: str) -> bool:
    config = client.get_cache_policy(Id=policy_id)["CachePolicy"]["CachePolicyConfig"]
    in_key = config.get("ParametersInCacheKeyAndForwardedToOrigin", {})
    behavior = in_key.get("QueryStringsConfig", {}).get("QueryStringBehavior", "none")
    return behavior != "none"


def _behaviors(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    own = config.get("CacheBehaviors", {}).get("Items", ())
    return [*own, {"PathPattern": "*", **config["DefaultCacheBehavior"]}]


def of_config(
    distribution_id: str, config: Mapping[str, Any], *, with_queries: frozenset[str]
) -> routes.Distribution:
    """
    Take from a DistributionConfig what routes need.

    Args:
        with_queries: The cache policies that have query strings in the cache key.
    """
    groups = {
        group["Id"]: tuple(member["OriginId"] for member in group["Members"]["Items"])
        for group in config.get("OriginGroups", {}).get("Items", ())
    }
    return routes.Distribution(
        id=distribution_id,
        origins=tuple(
            routes.Origin(origin["Id"], origin["DomainName"], origin.get("OriginPath", ""))
            for origin in config["Origins"]["Items"]
        ),
        behaviors=tuple(
            routes.Behavior(
                pattern=behavior["PathPattern"],
                origin_ids=groups.get(behavior["TargetOriginId"], (behavior["TargetOriginId"],)),
                query_strings=behavior.get("CachePolicyId") in with_queries
                or behavior.get("ForwardedValues", {}).get("QueryString", False),
                rewrites=_rewrites(behavior),
            )
            for behavior in _behaviors(config)
        ),
        default_root_object=config.get("DefaultRootObject", ""),
    )


def _rewrites(behavior: Mapping[str, Any]) -> bool:
    functions = [
        *behavior.get("FunctionAssociations", {}).get("Items", ()),
        *behavior.get("LambdaFunctionAssociations", {}).get("Items", ()),
    ]
    return any(function["EventType"].endswith("-request") for function in functions)
