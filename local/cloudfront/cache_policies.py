"""Cache policies: the managed ones, which are there from the start, and an account's own."""

from typing import Any

from local.cloudfront import resources
from local.cloudfront.account import Account, Record, copied
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Config, ResourceType

DAY_S = 86_400
YEAR_S = 31_536_000

# name → id, Min/Default/MaxTTL, headers, cookies, query strings.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
_HOST_AND_METHOD = (
    "host",
    "origin",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
)
_MANAGED: dict[str, tuple[str, tuple[int, int, int], tuple[str, ...], str, str]] = {
    "CachingOptimized": (
        "658327ea-f89d-4fab-a63d-7e88639e58f6",
        (1, DAY_S, YEAR_S),
        (),
        "none",
        "none",
    ),
    "CachingOptimizedForUncompressedObjects": (
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        (1, DAY_S, YEAR_S),
        (),
        "none",
        "none",
    ),
    "CachingDisabled": ("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", (0, 0, 0), (), "none", "none"),
    "UseOriginCacheControlHeaders": (
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        (0, 0, YEAR_S),
        _HOST_AND_METHOD,
        "all",
        "none",
    ),
    "UseOriginCacheControlHeaders-QueryStrings": (
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        (0, 0, YEAR_S),
        _HOST_AND_METHOD,
        "all",
        "all",
    ),
    "Amplify": (
        "2e54312d-136d-493c-8eb9-b001f22f67d2",
        (2, 2, 600),
        ("Authorization", "CloudFront-Viewer-Country", "Host"),
        "all",
        "all",
    ),
}
# These two take no part in compression, so Accept-Encoding is not in their keys.
_UNCOMPRESSED = {"CachingOptimizedForUncompressedObjects", "CachingDisabled"}


def _fill(config: Config) -> Config:
    config = copied(config)
    least = config["MinTTL"]
    default = config.setdefault("DefaultTTL", max(DAY_S, least))
    config.setdefault("MaxTTL", default if max(least, default) > YEAR_S else YEAR_S)
    return config


def _check(_account: Account, config: Config, _record: Record | None) -> None:
    if not config["MinTTL"] <= config["DefaultTTL"] <= config["MaxTTL"]:
        raise ServiceError(
            "InvalidArgument", "MinTTL, DefaultTTL and MaxTTL must be in rising order."
        )


def _check_delete(account: Account, record: Record) -> None:
    for distribution in account.of("Distribution").values():
        config = distribution.config
        behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"].get("Items", ())]
        if any(behavior.get("CachePolicyId") == record.id for behavior in behaviors):
            raise ServiceError(
                "CachePolicyInUse",
                "The cache policy is attached to one or more cache behaviors.",
            )


def _summarise(account: Account, record: Record) -> dict[str, Any]:
    body = resources.body(account, CACHE_POLICY, record)
    return {"Type": resources.kind(record), "CachePolicy": body}


CACHE_POLICY = ResourceType(
    noun="CachePolicy",
    plural="CachePolicies",
    id_prefix="",
    id_length=36,
    missing="NoSuchCachePolicy",
    message="The cache policy does not exist.",
    duplicate="CachePolicyAlreadyExists",
    too_many="TooManyCachePolicies",
    limit=lambda account: account.quotas.cache_policies,
    once=lambda config: str(config["Name"]),
    fill=_fill,
    check=_check,
    check_delete=_check_delete,
    describe=lambda _account, record: resources.modified(record),
    summarise=_summarise,
    select=resources.is_of_type,
)


def add_managed(account: Account) -> None:
    """Put the managed policies into an account."""
    for name, (identifier, ttls, headers, cookies, queries) in _MANAGED.items():
        least, default, most = ttls
        compresses = name not in _UNCOMPRESSED
        in_key: Config = {
            "EnableAcceptEncodingGzip": compresses,
            "EnableAcceptEncodingBrotli": compresses,
            "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": cookies},
            "QueryStringsConfig": {"QueryStringBehavior": queries},
        }
        if headers:
            in_key["HeadersConfig"] = {
                "HeaderBehavior": "whitelist",
                "Headers": {"Quantity": len(headers), "Items": list(headers)},
            }
        config: Config = {
            "Name": f"Managed-{name}",
            "Comment": "",
            "MinTTL": least,
            "DefaultTTL": default,
            "MaxTTL": most,
            "ParametersInCacheKeyAndForwardedToOrigin": in_key,
        }
        resources.keep(account, CACHE_POLICY, config, identifier=identifier, managed=True)
