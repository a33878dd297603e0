"""Cache behaviors: which of a distribution's decides about a path, and what it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdn.cloudfront.origins import Origin
from cdn.signing import wildcards


@dataclass(frozen=True, slots=True)
class Behavior:
    """
    The first behavior whose *pattern* matches a path decides; the last one matches all.

    Attributes:
        query_strings: Whether copies differ by (some of) the query string.
        rewrites: Whether a function may make another path of the viewer's.
    """

    pattern: str
    origin_ids: tuple[str, ...]
    query_strings: bool = False
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class Distribution:
    """As much of a distribution's configuration as says which object a path means."""

    id: str
    origins: tuple[Origin, ...]
    behaviors: tuple[Behavior, ...]
    default_root_object: str = ""

    def deciding(self, path: str) -> Behavior | None:
        """Return the behavior that decides about a viewer's path."""
        return next((one for one in self.behaviors if matches(one.pattern, path)), None)


def matches(pattern: str, path: str) -> bool:
    """
    Return whether a behavior's path *pattern* matches a viewer's path, in linear time.

    `*` is any run of characters and `?` any one; case counts; a leading slash is implied:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html

    >>> matches("images/*.jpg", "/images//a.jpg"), matches("*", "/")
    (True, True)
    """
    return wildcards.matches(absolute(pattern), normalized(path))


def normalized(path: str) -> str:
    """
    Return *path* as patterns meet it, with one slash for many; the origin gets it as it was sent.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html
    """
    return re.sub(r"/{2,}", "/", path)


def absolute(pattern: str) -> str:
    """Return *pattern* with the leading slash that is implied."""
    return pattern if pattern.startswith(("/", "*")) else f"/{pattern}"


def in_order(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a DistributionConfig's behaviors as they are tried, the default last."""
    own = config.get("CacheBehaviors", {}).get("Items", ())
    return [*own, {"PathPattern": "*", **config["DefaultCacheBehavior"]}]


def of_config(
    distribution_id: str, config: Mapping[str, Any], *, with_queries: frozenset[str]
) -> Distribution:
    """
    Return as much of a DistributionConfig as says which object a path means.

    Args:
        with_queries: The cache policies that have query strings in the cache key.
    """
    groups = {
        group["Id"]: tuple(member["OriginId"] for member in group["Members"]["Items"])
        for group in config.get("OriginGroups", {}).get("Items", ())
    }
    return Distribution(
        id=distribution_id,
        origins=tuple(
            Origin(origin["Id"], origin["DomainName"], origin.get("OriginPath", ""))
            for origin in config["Origins"]["Items"]
        ),
        behaviors=tuple(
            Behavior(
                pattern=behavior["PathPattern"],
                origin_ids=groups.get(behavior["TargetOriginId"], (behavior["TargetOriginId"],)),
                query_strings=behavior.get("CachePolicyId") in with_queries
                or behavior.get("ForwardedValues", {}).get("QueryString", False),
                rewrites=_rewrites(behavior),
            )
            for behavior in in_order(config)
        ),
        default_root_object=config.get("DefaultRootObject", ""),
    )


def _rewrites(behavior: Mapping[str, Any]) -> bool:
    functions = [
        *behavior.get("FunctionAssociations", {}).get("Items", ()),
        *behavior.get("LambdaFunctionAssociations", {}).get("Items", ()),
    ]
    return any(function["EventType"].endswith("-request") for function in functions)
