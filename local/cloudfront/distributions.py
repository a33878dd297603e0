"""Distributions: what CloudFront checks, fills in, and says about them beside the configuration."""

from typing import Any

from local.cloudfront import resources
from local.cloudfront.account import SMALL, Account, Record, copied
from local.cloudfront.errors import ServiceError
from local.cloudfront.resources import Config, ResourceType

# What a reader finds though the writer left it out.
_CONFIG_DEFAULTS: Config = {
    "Aliases": {"Quantity": 0},
    "DefaultRootObject": "",
    "OriginGroups": {"Quantity": 0},
    "CacheBehaviors": {"Quantity": 0},
    "CustomErrorResponses": {"Quantity": 0},
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "ViewerCertificate": {
        "CloudFrontDefaultCertificate": True,
        "SSLSupportMethod": "vip",
        "MinimumProtocolVersion": "TLSv1",
        "CertificateSource": "cloudfront",
    },
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": False,
    "ContinuousDeploymentPolicyId": "",
    "Staging": False,
}
_ORIGIN_DEFAULTS: Config = {"OriginPath": "", "CustomHeaders": {"Quantity": 0}}
_METHODS: Config = {"Quantity": 2, "Items": ["HEAD", "GET"]}
_BEHAVIOR_DEFAULTS: Config = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "AllowedMethods": {**_METHODS, "CachedMethods": _METHODS},
    "LambdaFunctionAssociations": {"Quantity": 0},
    "FunctionAssociations": {"Quantity": 0},
}
# A summary is the configuration again, less what only GetDistributionConfig tells.
_NOT_IN_SUMMARY = {
    "CallerReference",
    "DefaultRootObject",
    "Logging",
    "ContinuousDeploymentPolicyId",
    "TenantConfig",
    "CacheTagConfig",
}
_MAX_ROOT_OBJECT_LENGTH = 255


def behaviors(config: Config) -> list[Config]:
    """List the cache behaviors in the order in which a request tries them, the default last."""
    return [*config["CacheBehaviors"].get("Items", ()), config["DefaultCacheBehavior"]]


def aliases(config: Config) -> list[str]:
    return [alias.lower() for alias in config["Aliases"].get("Items", ())]


def trusted_groups(config: Config) -> list[str]:
    """Return each key group that a behavior trusts, once."""
    named = (b["TrustedKeyGroups"].get("Items", ()) for b in behaviors(config))
    return list(dict.fromkeys(group for groups in named for group in groups))


def trusting(account: Account, group: str) -> list[Record]:
    """Find the distributions whose configuration, deployed or not, trusts a key group."""
    distributions = account.of("Distribution").values()
    return [
        distribution
        for distribution in distributions
        if group in trusted_groups(distribution.config)
    ]


def _fill(sent: Config) -> Config:
    config = copied(sent)
    _add_missing(config, _CONFIG_DEFAULTS)
    for origin in config["Origins"]["Items"]:
        _add_missing(origin, _ORIGIN_DEFAULTS)
    for behavior in behaviors(config):
        _add_missing(behavior, _BEHAVIOR_DEFAULTS)
        # An older form of the same: methods without the list of those that are cached.
        behavior["AllowedMethods"].setdefault("CachedMethods", copied(_METHODS))
    return config


def _add_missing(config: Config, defaults: Config) -> None:
    for name, value in copied(defaults).items():
        config.setdefault(name, value)


def _check(account: Account, config: Config, record: Record | None) -> None:
    if record and config["CallerReference"] != record.config["CallerReference"]:
        raise ServiceError("IllegalUpdate", "The caller reference cannot be changed.")
    if record and config["Staging"] != record.config["Staging"]:
        raise ServiceError("IllegalUpdate", "Staging cannot be changed.")
    root = config["DefaultRootObject"]
    if root.startswith("/") or len(root) > _MAX_ROOT_OBJECT_LENGTH:
        raise ServiceError("InvalidDefaultRootObject", "The default root object is not valid.")
    _check_limits(account, config)
    _check_aliases(account, config, record)
    origins = {origin["Id"] for origin in config["Origins"]["Items"]}
    origins |= {group["Id"] for group in config["OriginGroups"].get("Items", ())}
    for behavior in behaviors(config):
        _check_behavior(account, behavior, origins)
    _check_groups_have_room(account, config, record)


def _check_limits(account: Account, config: Config) -> None:
    limits = (
        ("Aliases", account.quotas.aliases, "TooManyDistributionCNAMEs"),
        ("Origins", account.quotas.origins, "TooManyOrigins"),
        ("CacheBehaviors", account.quotas.behaviors, "TooManyCacheBehaviors"),
    )
    for member, limit, code in limits:
        if config[member]["Quantity"] > limit:
            raise ServiceError(code, f"{member} may have at most {limit} items.")


def _check_aliases(account: Account, config: Config, record: Record | None) -> None:
    wanted = set(aliases(config))
    for distribution in account.of("Distribution").values():
        if distribution is not record and wanted & set(aliases(distribution.config)):
            raise ServiceError(
                "CNAMEAlreadyExists",
                "One or more of the CNAMEs you provided are already associated with "
                "a different resource.",
            )


def _check_behavior(account: Account, behavior: Config, origins: set[str]) -> None:
    if behavior["TargetOriginId"] not in origins:
        raise ServiceError(
            "NoSuchOrigin", "One or more of your origins or origin groups do not exist."
        )
    policy = behavior.get("CachePolicyId")
    if policy and policy not in account.of("CachePolicy"):
        raise ServiceError("NoSuchCachePolicy", f"The cache policy {policy} does not exist.")
    if policy and "ForwardedValues" in behavior:
        raise ServiceError(
            "InvalidArgument",
            "The parameter ForwardedValues cannot be used when a cache policy is associated "
            "to the cache behavior.",
        )
    if not policy and "ForwardedValues" not in behavior:
        raise ServiceError("InvalidArgument", "The parameter ForwardedValues is required.")
    ttls = [behavior[name] for name in ("MinTTL", "DefaultTTL", "MaxTTL") if name in behavior]
    if ttls != sorted(ttls):
        raise ServiceError("InvalidTTLOrder", "The TTL order specified is not valid.")
    headers = behavior.get("ResponseHeadersPolicyId")
    if headers and headers not in account.of("ResponseHeadersPolicy"):
        raise ServiceError(
            "NoSuchResponseHeadersPolicy", f"The response headers policy {headers} does not exist."
        )
    _check_trusted(account, behavior["TrustedKeyGroups"])


def _check_trusted(account: Account, trusted: Config) -> None:
    """
    Refuse a list of key groups that CloudFront would not take.

    Enabled says whether there is a key to sign with. What CloudFront makes of a list that
    contradicts it is not documented; here it is refused.
    """
    groups = trusted.get("Items", [])
    if trusted["Enabled"] != bool(groups):
        raise ServiceError(
            "InvalidArgument", "Enabled must say whether there are trusted key groups."
        )
    if len(groups) > account.quotas.groups_per_behavior:
        raise ServiceError(
            "TooManyKeyGroupsAssociatedToDistribution",
            f"A cache behavior may trust at most {account.quotas.groups_per_behavior} key groups.",
        )
    for group in groups:
        if group not in account.of("KeyGroup"):
            raise ServiceError(
                "TrustedKeyGroupDoesNotExist", f"The key group {group} does not exist."
            )


def _check_groups_have_room(account: Account, config: Config, record: Record | None) -> None:
    for group in trusted_groups(config):
        trusting_already = [each for each in trusting(account, group) if each is not record]
        if len(trusting_already) >= account.quotas.distributions_per_group:
            raise ServiceError(
                "TooManyDistributionsAssociatedToKeyGroup",
                f"As many distributions as may be trust the key group {group}.",
            )


def _check_delete(account: Account, record: Record) -> None:
    # Disabled in the configuration alone is not enough: the edges must have it.
    if record.config["Enabled"] or resources.status(account, record) != "Deployed":
        raise ServiceError(
            "DistributionNotDisabled",
            "The distribution you are trying to delete has not been disabled.",
        )


def _begin(account: Account, record: Record) -> None:
    label = account.new_id("d", 14, letters=SMALL)
    record.traits["DomainName"] = f"{label}.cloudfront.net"
    record.traits["ARN"] = f"arn:aws:cloudfront::{account.account_id}:distribution/{record.id}"


def _describe(account: Account, record: Record) -> dict[str, Any]:
    return {
        **record.traits,
        **resources.modified(record),
        "Status": resources.status(account, record),
        "InProgressInvalidationBatches": _in_progress(account, record),
        "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
        "ActiveTrustedKeyGroups": _active_key_groups(account, record),
    }


def _in_progress(account: Account, record: Record) -> int:
    now = account.now()
    count = 0
    for batch in reversed(account.invalidations.get(record.id, [])):
        if batch.completed_at <= now:
            break
        count += 1
    return count


def _active_key_groups(account: Account, record: Record) -> dict[str, Any]:
    """
    Return the keys of all trusted groups as the account has them, before the edges do.

    Whether CloudFront's own answer leads or follows its edges is not documented; nor whether a
    changed key group makes the status of a distribution InProgress: here it does not.
    """
    groups = account.of("KeyGroup")
    trusted = {group: groups[group].config["Items"] for group in trusted_groups(record.config)}
    if not trusted:
        return {"Enabled": False, "Quantity": 0}
    items = [
        {"KeyGroupId": group, "KeyPairIds": {"Quantity": len(keys), "Items": list(keys)}}
        for group, keys in trusted.items()
    ]
    return {"Enabled": True, "Quantity": len(items), "Items": items}


def _summarise(account: Account, record: Record) -> dict[str, Any]:
    members = {name: value for name, value in record.config.items() if name not in _NOT_IN_SUMMARY}
    return {
        "ConnectionMode": "direct",
        **copied(members),
        **record.traits,
        **resources.modified(record),
        "Id": record.id,
        "ETag": record.etag,
        "Status": resources.status(account, record),
    }


DISTRIBUTION = ResourceType(
    noun="Distribution",
    plural="Distributions",
    id_prefix="E",
    id_length=14,
    missing="NoSuchDistribution",
    message="The specified distribution does not exist.",
    duplicate="DistributionAlreadyExists",
    too_many="TooManyDistributions",
    limit=lambda account: account.quotas.distributions,
    once=lambda config: str(config["CallerReference"]),
    fill=_fill,
    check=_check,
    check_delete=_check_delete,
    begin=_begin,
    describe=_describe,
    summarise=_summarise,
    lag=lambda lags: lags.deployment_s,
)
