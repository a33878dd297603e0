"""What CloudFront says of its distributions, as far as it decides which paths mean what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from cdn.aws import retryable
from cdn.cloudfront import origins, pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudfront import CloudFrontClient

_Needed: TypeAlias = "dict[str, _Needed]"


@dataclass(frozen=True, slots=True)
class Survey:
    """
    What CloudFront's lists said at one moment.

    Attributes:
        etags: The configurations in force of the enabled distributions with an origin in S3,
            or one that is declared to lead there.
        with_queries: The cache policies that have query strings in the cache key.
    """

    etags: Mapping[str, str]
    with_queries: frozenset[str]


def survey(client: CloudFrontClient, *, access_points: Mapping[str, str]) -> Survey:
    """
    List what there is, in one call a hundred distributions, and one for the cache policies.

    A distribution that serves only through tenants has no cache of its own: its invalidations
    would be refused as of one that does not exist.

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    with retryable.retry_later():
        pages = client.get_paginator("list_distributions").paginate()
        summaries = [one for page in pages for one in page["DistributionList"].get("Items", ())]
        return Survey(
            # An ETag that the list lacks matches none: the configuration is then read each time.
            etags={
                one["Id"]: one.get("ETag", "")
                for one in summaries
                if _serves_s3(one, access_points)
            },
            with_queries=frozenset(_policies_with_queries(client)),
        )


def _serves_s3(summary: Mapping[str, Any], access_points: Mapping[str, str]) -> bool:
    domains = [origin["DomainName"] for origin in summary["Origins"]["Items"]]
    return (
        summary["Enabled"]
        and summary.get("ConnectionMode") != "tenant-only"
        and any(
            origins.bucket_of(domain, access_points) or origins.is_access_point(domain)
            for domain in domains
        )
    )


def _policies_with_queries(client: CloudFrontClient) -> Iterator[str]:
    for item in pages.items(client.list_cache_policies, "CachePolicyList"):
        config = item["CachePolicy"]["CachePolicyConfig"]
        in_key = config.get("ParametersInCacheKeyAndForwardedToOrigin", {})
        behavior = in_key.get("QueryStringsConfig", {}).get("QueryStringBehavior", "none")
        if behavior != "none":
            yield item["CachePolicy"]["Id"]


def config(client: CloudFrontClient, distribution_id: str) -> tuple[str, dict[str, Any]] | None:
    """
    Read a distribution's ETag, and as much of its configuration as routes need.

    The rest is left behind: origins' custom headers, for one, may be secrets. None stands for
    a distribution that was deleted meanwhile.

    Raises:
        RetryLaterError: CloudFront is busy.
    """
    with retryable.retry_later():
        try:
            answer = client.get_distribution_config(Id=distribution_id)
        except client.exceptions.NoSuchDistribution:
            return None
    return answer["ETag"], _kept(answer["DistributionConfig"], _NEEDED)


# A member's name leads to what is needed inside it, or to nothing when all of it is.
_FUNCTIONS: _Needed = {"Items": {"EventType": {}}}
_BEHAVIOR: _Needed = {
    "PathPattern": {},
    "TargetOriginId": {},
    "CachePolicyId": {},
    "ForwardedValues": {"QueryString": {}},
    "FunctionAssociations": _FUNCTIONS,
    "LambdaFunctionAssociations": _FUNCTIONS,
}
_NEEDED: _Needed = {
    "DefaultRootObject": {},
    "Origins": {"Items": {"Id": {}, "DomainName": {}, "OriginPath": {}}},
    "OriginGroups": {"Items": {"Id": {}, "Members": {"Items": {"OriginId": {}}}}},
    "DefaultCacheBehavior": _BEHAVIOR,
    "CacheBehaviors": {"Items": _BEHAVIOR},
}


def _kept(value: Any, needed: _Needed) -> Any:  # noqa: ANN401  # whatever a configuration holds
    if isinstance(value, list):
        return [_kept(one, needed) for one in value]
    if not needed:
        return value
    return {name: _kept(value[name], inside) for name, inside in needed.items() if name in value}
